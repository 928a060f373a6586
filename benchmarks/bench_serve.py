"""How long does the served champion take to answer, at a given load, over HTTP on loopback?

    python benchmarks/bench_serve.py --model ctr@champion --rates 20,50,100 --seconds 10 --rows 1

Starts `mlflow models serve` for the active stack's registry, sends raw rows of generated clicks at
a fixed rate whether or not earlier answers are back, and times each answer from the moment its
request was due: a server that falls behind cannot hide it. The CPU time that the server takes for
a request does not depend on what else the machine does. Prints the figures and writes
outputs/bench/serve.json with the machine and the command.
"""

import argparse
import http.client
import json
import os
import platform
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.tracking import MlflowClient

from mutualctr.data.contract_file import load_contract
from mutualctr.data.synthetic import generate_criteo
from mutualctr.registry.aliases import find_version
from mutualctr.versions import versions
from stack.setup import tracking_uri

OUT = Path("outputs/bench/serve.json")
HOST = "127.0.0.1"
CLIENTS = 16
REQUESTS_MADE = 500
UP_WITHIN_S = 120


def main() -> None:
    """Serve, load, measure, write."""
    options = _options()
    uri = tracking_uri()
    version = find_version(MlflowClient(tracking_uri=uri), options.model)
    bodies = _bodies(options.rows)
    port = _free_port()
    name = f"models:/{version.name}/{version.version}"
    command = ["mlflow", "models", "serve", "-m", name, "--env-manager", "local"]
    server = subprocess.Popen(
        [*command, "-h", HOST, "-p", str(port)],
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        up_s = _wait_until_up(server, port)
        _load(port, bodies, rate=20, seconds=2)
        loads = []
        for rate in options.rates:
            busy = _cpu_s(server.pid)
            load = _load(port, bodies, rate, options.seconds)
            load["server_cpu_ms"] = 1000 * (_cpu_s(server.pid) - busy) / load["requests"]
            loads.append(load)
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)
    result = {
        "command": " ".join([Path(sys.executable).name, *sys.argv]),
        "model": f"{version.name}/{version.version}",
        "architecture": version.tags.get("architecture"),
        "rows_per_request": options.rows,
        "up_s": up_s,
        "loads": loads,
        "hardware": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load_average_before": os.getloadavg()[0],
        },
        "versions": versions(),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{result['model']} ({result['architecture']}), {options.rows} rows a request,", end=" ")
    print(f"{result['hardware']['processor']}, {os.cpu_count()} cores; up in {up_s:.1f} s")
    for load in loads:
        print(
            f"{load['rate']:5g} requests/s asked, {load['answered_per_s']:6.1f} answered, "
            f"p50 {load['p50_ms']:6.1f} ms, p99 {load['p99_ms']:6.1f} ms, "
            f"{load['server_cpu_ms']:.1f} ms of the server's CPU each, {load['failed']} failed"
        )
    print(OUT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ctr@champion")
    parser.add_argument("--rates", default="20,50,100", help="requests a second, comma-separated")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rows", type=int, default=1, help="rows of a request")
    options = parser.parse_args()
    options.rates = [float(rate) for rate in options.rates.split(",")]
    return options


def _bodies(rows: int) -> list[bytes]:
    """Requests, each of other raw rows: text as it stands in the file, missing as null."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clicks.tsv"
        generate_criteo(path, max(rows * REQUESTS_MADE, 1000), seed=11)
        names = [column.name for column in load_contract("criteo").columns]
        frame = pd.read_csv(path, sep="\t", names=names, dtype=str, keep_default_na=False)
    frame = frame.drop(columns="label")
    parts = (frame.iloc[n * rows : (n + 1) * rows] for n in range(REQUESTS_MADE))
    return [
        json.dumps({"dataframe_split": part.to_dict(orient="split", index=False)}).encode()
        for part in parts
    ]


def _load(port: int, bodies: list[bytes], rate: float, seconds: float) -> dict[str, float]:
    """Send at a fixed rate; latencies from the moment a request was due."""
    due: queue.Queue[tuple[float, bytes] | None] = queue.Queue()
    taken, failed, last = [], [], [0.0]
    clients = [
        threading.Thread(target=_client, args=(port, due, taken, failed, last))
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    started = time.perf_counter()
    total = int(rate * seconds)
    for n in range(total):
        at = started + n / rate
        time.sleep(max(0.0, at - time.perf_counter()))
        due.put((at, bodies[n % len(bodies)]))
    for _ in clients:
        due.put(None)
    for client in clients:
        client.join()
    p50, p99 = np.percentile(taken, (50, 99)) * 1000
    return {
        "rate": rate,
        "requests": total,
        "answered_per_s": len(taken) / (last[0] - started),
        "failed": len(failed),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


def _client(port: int, due: queue.Queue, taken: list, failed: list, last: list) -> None:
    """One connection that is kept open."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    while (item := due.get()) is not None:
        at, body = item
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        now = time.perf_counter()
        (taken if response.status == 200 else failed).append(now - at)
        last[0] = max(last[0], now)
    connection.close()


def _wait_until_up(server: subprocess.Popen, port: int) -> float:
    started = time.perf_counter()
    while time.perf_counter() - started < UP_WITHIN_S:
        if server.poll() is not None:
            raise SystemExit("The server ended; run `mlflow models serve` by hand to see why.")
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=2)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return time.perf_counter() - started
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"The server was not up within {UP_WITHIN_S} s.")


def _cpu_s(group: int) -> float:
    """CPU seconds so far of all processes of a group, from /proc; 0 where there is no /proc."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
