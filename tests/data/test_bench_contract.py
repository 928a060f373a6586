"""The contract's benchmark: its two sides agree on planted defects, expectation by expectation."""

from benchmarks.bench_contract import measure


def test_both_engines_find_the_same_defects():
    found = measure(rows=3000)
    assert found["expectations"] == 84
    assert found["verdicts_equal"]
    assert found["failed"] >= 3
