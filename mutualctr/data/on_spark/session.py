"""A Spark session for as long as a step needs it, and failures of Spark in one sentence.

Which Spark that is stands where Spark itself looks for it: `spark-defaults.conf` in
$SPARK_CONF_DIR, or $PYSPARK_SUBMIT_ARGS. Without either it is all cores of this machine, on
loopback, without a web page.
"""

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mutualctr import errors
from mutualctr.data.source import REPOSITORY
from mutualctr.errors import EngineError, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OURS = re.compile(r"mutualctr\.errors\.(\w+): (.+)")
"""The last line of a traceback in an executor whose reason we know."""
TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+(\S.*)")
TO_MEND = "mend that, or set `data.engine: local`"

log = logging.getLogger(__name__)


@contextmanager
def spark_session() -> "Iterator[SparkSession]":
    """Start Spark; it is stopped when the block ends. A session that is there is used and stays.

    Raises EngineError where pyspark or Java is missing or Spark gives up. A sentence of ours that
    a task raised in an executor is raised again as what it was.
    """
    check_installed()
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    session = active = SparkSession.getActiveSession()
    try:
        session = active or _start()
        yield session
    except (PySparkException, Py4JError) as error:
        raise in_a_sentence(str(error)) from None
    finally:
        if active is None and session is not None:
            session.stop()


def check_installed() -> None:
    """Raise EngineError where pyspark or Java is not there."""
    if find_spec("pyspark") is None:
        raise EngineError(
            "`data.engine: spark` needs the package pyspark; run `pip install 'mutualctr[spark]'` "
            "or set `data.engine: local`."
        )
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else "java"
    if shutil.which(java) is None:
        where = f"there is no {java} ($JAVA_HOME)" if home else "no `java` is on the PATH"
        raise EngineError(
            f"`data.engine: spark` needs Java 17 or newer and {where}; install it (on Debian "
            "`apt install openjdk-17-jre-headless`) or set `data.engine: local`."
        )


def in_a_sentence(message: str) -> UserError:
    """What Spark says in a page, in the words of whoever failed."""
    ours = OURS.search(message)
    if ours is not None and hasattr(errors, ours[1]):
        return getattr(errors, ours[1])(ours[2])
    traceback = TRACEBACK.search(message)
    if traceback is not None:
        log.error("%s", traceback[0])
    said = traceback[1] if traceback else message.strip().partition("\n")[0]
    if "gateway process exited" in message:
        said = "its Java ended at once; Spark 4 needs Java 17 or newer"
    return EngineError(f"Spark gave up: {said[:300].rstrip('.')}; {TO_MEND}.")


def _start() -> "SparkSession":
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    SparkContext._ensure_initialized()  # only then does a SparkConf know spark-defaults.conf
    master = SparkConf().get("spark.master", "local[*]")
    builder: Any = SparkSession.builder.appName("mutualctr")
    for key, value in _settings(master).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("FATAL")  # what fails is raised, in a sentence
    return session


def _settings(master: str) -> dict[str, str]:
    code = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    settings = {
        "spark.master": master,
        "spark.executorEnv.PYTHONPATH": code,  # the same place in the image of the executors
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.windowGroupLimitThreshold": "1000000",
        "spark.ui.showConsoleProgress": "false",
    }
    if master.startswith("local"):
        settings |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": str(os.cpu_count()),
        }
    return settings
