"""NaN and infinity among frames, found as numpy finds them and named by frame."""

import time

import numpy as np
import pytest

from vidsim.records import frame_values
from vidsim.records.frame_values import odd_element
from vidsim.records.wire import BYTES, ElementSpan, Feature, element_span, encode_example

FRAME_SIZE = 1536
FRAME_BYTES = 2 * FRAME_SIZE


def encoded(frames: np.ndarray) -> tuple[bytes, ElementSpan, int]:
    """A bytes list with these frames, as it stands in a record."""
    record = encode_example({"": Feature(BYTES, [frame.tobytes() for frame in frames])})
    start = len(record) - len(frames) * (3 + FRAME_BYTES)
    return record, element_span(record, start, len(record), FRAME_BYTES), FRAME_BYTES


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (2, FRAME_SIZE - 1), (4, 700)])
def test_one_odd_number_is_found(value, place):
    frames = np.full((5, FRAME_SIZE), 65504, np.float16)
    assert odd_element(*encoded(frames)) is None, "the largest finite number is no infinity"
    frames[place] = value
    expected = f"element {place[0]} has 1 numbers that are NaN or infinite"
    assert odd_element(*encoded(frames)) == expected


def test_parity_with_numpy_on_every_pattern():
    """All 65,536 float16 patterns; 2 x 1,024 of them are NaN or infinite."""
    patterns = np.resize(np.arange(1 << 16, dtype=np.uint16), (43, FRAME_SIZE)).view(np.float16)
    found = 0
    for frame in patterns:
        odd = int((~np.isfinite(frame)).sum())
        said = f"element 0 has {odd} numbers that are NaN or infinite" if odd else None
        assert odd_element(*encoded(frame[None])) == said
        found += odd
    assert found >= 2048


def test_no_frames():
    assert odd_element(b"", ElementSpan(0, 0, FRAME_BYTES), FRAME_BYTES) is None


def test_a_long_record_is_looked_at_in_pieces(monkeypatch):
    monkeypatch.setattr(frame_values, "_BYTES_AT_ONCE", 4 * FRAME_BYTES)
    frames = np.zeros((11, FRAME_SIZE), np.float16)
    assert odd_element(*encoded(frames)) is None
    frames[9, :3] = np.nan
    assert odd_element(*encoded(frames)) == "element 9 has 3 numbers that are NaN or infinite"


def test_it_is_fast():
    """32 x 3 MB; asking numpy of the float16 values themselves takes several times as long."""
    record, span, size = encoded(np.ones((1024, FRAME_SIZE), np.float16))
    started = time.perf_counter()
    for _ in range(32):
        assert odd_element(record, span, size) is None
    assert time.perf_counter() - started < 5
