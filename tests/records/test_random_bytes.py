"""Property: whatever bytes come, a reader reads them or raises a VidsimError, and soon.

Thousands of inputs from fixed seeds: whole files with random damage, and payloads with random
damage inside a frame whose checksums fit, which is how a faulty writer damages a record.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.records.labels import label_notes, read_labels
from vidsim.records.pairs import read_pair_file
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import frame_record, iter_records
from vidsim.records.video_table import load_videos
from vidsim.records.wire import BYTES, FLOAT, INT64, Feature, encode_example, parse_example

pytestmark = pytest.mark.timeout(240)

FRAME = bytes(3072)
VIDEO = {
    "id": Feature(BYTES, [b"7"]),
    "title": Feature(BYTES, ["好".encode()]),
    "tag_id": Feature(INT64, [3, 1 << 40]),
    "category_id": Feature(INT64, [10102]),
    "frame_feature": Feature(BYTES, [FRAME]),
}
NINE = {**VIDEO, "id": Feature(BYTES, [b"9"])}
PAIR = {"id_1": VIDEO["id"], "id_2": VIDEO["id"], "sim": Feature(FLOAT, [0.5])}
FAT = {f"{name}_{side}": value for side in (1, 2) for name, value in VIDEO.items()} | {
    "sim": PAIR["sim"]
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


def files(seed: int, count: int, *records: dict[str, Feature]) -> Iterator[bytes]:
    """Damaged files, then files of damaged payloads, then random bytes."""
    rng = np.random.default_rng(seed)
    payloads = [encode_example(record) for record in records]
    for _ in range(count):
        yield damaged(rng, b"".join(map(frame_record, payloads)))
        which = int(rng.integers(len(payloads)))
        yield b"".join(
            frame_record(damaged(rng, payload) if number == which else payload)
            for number, payload in enumerate(payloads)
        )
        yield rng.bytes(int(rng.integers(0, 99)))


def outcomes(path: Path, read: Callable[[], object], contents: Iterator[bytes]) -> Counter:
    """How often reading succeeds and how often it fails as it may; anything else escapes."""
    counts = Counter()
    for content in contents:
        path.write_bytes(content)
        try:
            read()
            counts["read"] += 1
        except VidsimError as error:
            assert str(path) in str(error)
            counts["refused"] += 1
    return counts


@pytest.mark.parametrize("skip", [False, True])
def test_videos(tmp_path, monkeypatch, skip):
    path = tmp_path / "v.tfrecords"
    monkeypatch.setattr("vidsim.records.sidecar._save", lambda *_: True)

    def read():
        log = RecordLog(skip)
        table = load_videos(path, log=log)
        assert len(table) and table.skipped == len(log.bad)

    counts = outcomes(path, read, files(1, 500, VIDEO, NO_FRAMES, NINE))
    assert min(counts["read"], counts["refused"]) > 10


@pytest.mark.parametrize("pair", [PAIR, FAT], ids=["thin", "self-contained"])
@pytest.mark.parametrize("skip", [False, True])
def test_pairs(tmp_path, pair, skip):
    path = tmp_path / "p.tfrecord"
    counts = outcomes(
        path, lambda: read_pair_file(path, RecordLog(skip), 2), files(2, 400, pair, pair)
    )
    assert min(counts["read"], counts["refused"]) > 10


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


def test_a_payload_is_parsed_or_refused():
    rng = np.random.default_rng(4)
    payload = encode_example({**NO_FRAMES, "sim": PAIR["sim"]})
    parsed = 0
    for _ in range(5000):
        try:
            parse_example(damaged(rng, payload))
            parsed += 1
        except ValueError as error:
            assert "not a serialized tf.train.Example" in str(error)
    assert 200 < parsed < 4800


def texts(seed: int, count: int, words: list[bytes]) -> Iterator[bytes]:
    """Words in random order, and now and then random bytes."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        chosen = [words[at] for at in rng.integers(len(words), size=rng.integers(0, 12))]
        if not rng.integers(4):
            chosen.append(rng.bytes(3))
        yield b"".join(chosen)


def test_labels(tmp_path):
    path = tmp_path / "label.tsv"

    def read():
        pairs = read_labels(path)
        assert len(pairs) and ((pairs.sim >= 0) & (pairs.sim <= 1)).all()
        assert all(pairs.id_1) and all(pairs.id_2)
        label_notes(pairs)

    words = [b"1\t2\t0.5\n"] * 9 + [b"1\t2\t1\r\n", b"2\t1\t0\n", b"3\t3\t1e-3\n", b"\n", b"\t"]
    words += [b"\xef\xbb\xbf", b"\0", b"nan", b"0,5", b"9" * 400, b"1\t2\t", b" ", b"\r", b"id\n"]
    counts = outcomes(path, read, texts(5, 3000, words))
    assert min(counts["read"], counts["refused"]) > 100


def test_tag_lists(tmp_path):
    path = tmp_path / "tag_list.txt"
    words = [b"%d\n" % number for number in range(20)]
    words += [b"\n", b"\r\n", b" ", b"-3\n", b"1.5", b"\xef\xbb\xbf", b"9" * 25, b"\0", b"x"]
    counts = outcomes(path, lambda: TagVocabulary.read(path), texts(6, 3000, words))
    assert min(counts["read"], counts["refused"]) > 100
