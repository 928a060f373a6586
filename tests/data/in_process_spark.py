"""What `result_of_each` asks of a Spark session, run in this process: no Java, no second."""

import pickle
from types import SimpleNamespace

from mutualctr.data.on_spark.ingest import read_files


class Here:
    """Runs every task where it was made."""

    def __init__(self, sent=lambda thing: thing):
        """`sent` is what becomes of a task and its item on the way to an executor."""
        self._sent = sent

    @property
    def sparkContext(self):
        return SimpleNamespace(parallelize=lambda items, parts: _Items(items, self._sent))


class _Items:
    def __init__(self, items, sent):
        self._items, self._sent = items, sent

    def map(self, function):
        results = [self._sent(function)(self._sent(item)) for item in self._items]
        return SimpleNamespace(collect=lambda: results)


def as_tasks(reader, parts):
    """`read` of an ingest: the files of a source as tasks, pickled as Spark pickles them."""
    import pytest

    cloudpickle = pytest.importorskip("pyspark.cloudpickle", reason="pyspark is not installed")
    session = Here(sent=lambda thing: pickle.loads(cloudpickle.dumps(thing)))
    return read_files(session, reader, parts)
