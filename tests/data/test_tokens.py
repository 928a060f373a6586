"""What a raw value means, by hand."""

import pyarrow as pa

from mutualctr.data.tokens import TRANSFORMS, log_squared


def test_log_squared_by_hand():
    # ln(3)² = 1.207 → 1; ln(100)² = 21.2 → 21; ln(23255)² = 101.09 → 101; up to 2: the number
    values = pa.array([-3, 0, 2, 3, 100, 23255, None])
    assert log_squared(values).to_pylist() == ["-3", "0", "2", "1", "21", "101", None]


def test_hours_by_hand():
    # 14102118: 21 October 2014, a Tuesday, 18 h; 25 October 2014 was a Saturday
    values = pa.array([14102118, 14102503, None])
    assert TRANSFORMS["hour_of_day"](values).to_pylist() == ["18", "03", None]
    assert TRANSFORMS["weekday"](values).to_pylist() == ["1", "5", None]
    assert TRANSFORMS["weekend"](values).to_pylist() == ["0", "1", None]


def test_every_transform_takes_an_empty_column():
    for name, transform in TRANSFORMS.items():
        tokens = transform(pa.array([], pa.int64()))
        assert len(tokens) == 0, name
        assert tokens.type == pa.string(), name
    assert len(TRANSFORMS) == 5
