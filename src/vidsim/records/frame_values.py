"""Numbers that are none, found in vectors of float16 where they lie in a record.

One NaN makes every weight NaN a few steps later, far from its cause, so vectors are looked at when
the index is made. Bit patterns are compared, which is several times as fast as numpy.isfinite.
"""

import numpy as np

from vidsim.records.wire import ElementSpan

_EXPONENT = 0x7C00  # of a float16; all ones in NaN and infinity, and only there
_BYTES_AT_ONCE = 3 << 20  # whatever the length of the record


def odd_element(record: bytes, span: ElementSpan, size: int) -> str | None:
    """Look for NaN and infinity in the vectors of a record.

    Args:
        record: the serialized Example.
        span: where its vectors lie.
        size: bytes of each.

    Returns:
        Which element is the first to have some, and how many; None where all numbers are finite.
    """
    at_once = max(_BYTES_AT_ONCE // size, 1)
    for first in range(0, span.count, at_once):
        count = min(span.count - first, at_once)
        start = span.offset + first * span.stride
        shape, strides = (count, size), (span.stride, 1)
        vectors = np.ndarray(shape, np.uint8, record, start, strides).view("<u2")
        odd = (vectors & _EXPONENT) == _EXPONENT  # (count, numbers of a vector)
        if odd.any():
            place = int(odd.any(axis=1).argmax())
            count = int(odd[place].sum())
            return f"element {first + place} has {count} numbers that are NaN or infinite"
    return None
