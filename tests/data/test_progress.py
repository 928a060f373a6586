"""What an ingest says of itself while it runs."""

import logging

from mutualctr.data import progress


def test_a_log_has_a_line_now_and_then(monkeypatch, caplog):
    clock = iter([0.0, 10.0, 31.0, 31.0, 40.0, 70.0, 70.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO), progress.ingest_progress(1000) as advance:
        for _ in range(4):
            advance("daily/a.tsv", 100, 1500)
    assert [record.getMessage() for record in caplog.records] == [
        "Ingest: 3,000 rows, 20 %, in daily/a.tsv",
        "Ingest: 6,000 rows, 40 %, in daily/a.tsv",
    ]


def test_a_terminal_has_a_bar(monkeypatch):
    from rich.console import Console

    console = Console(force_terminal=True, width=120, record=True, file=open("/dev/null", "w"))
    monkeypatch.setattr(progress, "Console", lambda stderr: console)
    with progress.ingest_progress(2_000_000) as advance:
        advance("daily/a.tsv", 500_000, 1500)
        advance("daily/b.tsv", 1_500_000, 10)
    text = console.export_text()
    assert "daily/b.tsv" in text
    assert "1,510 rows" in text
    assert "2.0/2.0 MB" in text
