"""Property: with its checksums, any damage of a file of records is found.

That any bytes at all are read or refused is tested in tests/fuzz.
"""

import numpy as np

from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import frame_record, iter_records
from vidsim.records.wire import BYTES, INT64, Feature, encode_example

FRAME = bytes(3072)
VIDEO = {
    "id": Feature(BYTES, [b"7"]),
    "title": Feature(BYTES, ["好".encode()]),
    "tag_id": Feature(INT64, [3, 1 << 40]),
    "category_id": Feature(INT64, [10102]),
    "frame_feature": Feature(BYTES, [FRAME]),
}
NO_FRAMES = {**VIDEO, "id": Feature(BYTES, [b"8"]), "frame_feature": Feature(BYTES, [])}


def damaged(rng: np.random.Generator, data: bytes) -> bytes:
    """The bytes with one or two changes: cut, put in, overwritten, left out, a bit flipped."""
    for _ in range(int(rng.integers(1, 3))):
        at = int(rng.integers(len(data) + 1))
        # most of a video is its frames; half of the changes go to the small fields before or after
        if rng.integers(2):
            at = min(at % 64, len(data)) if rng.integers(2) else max(len(data) - at % 64, 0)
        few = rng.bytes(int(rng.integers(1, 12)))
        kind = int(rng.integers(8))
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + few + data[at:]
        elif kind == 2:
            data = data[:at] + few + data[at + len(few) :]
        elif kind == 3:
            data = data[:at] + data[at + len(few) :]
        elif kind == 4:
            data = data[:at] + b"\xff" * len(few) + data[at + len(few) :]
        elif at < len(data):
            data = data[:at] + bytes((data[at] ^ 1 << int(rng.integers(8)),)) + data[at + 1 :]
    return data


def test_every_damage_of_a_file_is_found(tmp_path):
    """With the count known, a file is read whole only if it is the file that was written."""
    path = tmp_path / "v.tfrecords"
    payloads = [encode_example(record) for record in (VIDEO, NO_FRAMES, VIDEO)]
    whole = b"".join(map(frame_record, payloads))
    rng = np.random.default_rng(3)
    different = 0
    for _ in range(2000):
        content = damaged(rng, whole)
        path.write_bytes(content)
        log = RecordLog(skip=True)
        try:
            read = [record.payload for record in iter_records(path, log, expected=3)]
        except RecordError:  # nothing left of it
            continue
        assert set(read) <= set(payloads)
        assert (content == whole) == (not log.bad)
        different += content != whole
    assert different > 1500
