import threading

import pytest

from mutualctr.data.in_threads import in_order


def test_results_come_in_the_order_of_the_items():
    slow = threading.Event()

    def double(n: int) -> int:
        if n == 0:
            assert slow.wait(10)  # the first is ready last
        if n == 1:
            slow.set()
        return 2 * n

    assert list(in_order(double, iter(range(50)))) == [2 * n for n in range(50)]
    assert list(in_order(double, iter([]))) == []


def test_items_are_not_taken_far_ahead():
    taken = []

    def items():
        for n in range(1000):
            taken.append(n)
            yield n

    results = in_order(lambda n: n, items())
    assert next(results) == 0
    assert len(taken) < 100
    results.close()


def test_the_first_error_is_the_one_of_the_first_item():
    def items():
        yield from (0, 1)
        raise ValueError("the third cannot be had")

    def refuse(n: int) -> int:
        if n == 1:
            raise ValueError("the second cannot be worked on")
        return n

    with pytest.raises(ValueError, match="second"):
        list(in_order(refuse, items()))
    with pytest.raises(ValueError, match="third"):
        list(in_order(lambda n: n, items()))
