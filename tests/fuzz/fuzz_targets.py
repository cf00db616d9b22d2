"""What is fuzzed: every reader of bytes that others wrote, through its public entry.

A target may answer, or refuse with a VidsimError that names the file. Anything else that leaves it,
a hang, or memory out of proportion is a finding.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from fuzz_formats import FLAT, RECORDS, SAFETENSORS, ZIP, Format
from vidsim.errors import VidsimError
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.pretrained.hdf5_tensors import hdf5_tensors
from vidsim.pretrained.json_files import read_json_object
from vidsim.pretrained.weight_files import read_weights
from vidsim.records import sidecar
from vidsim.records.fields import FIELDS
from vidsim.records.labels import label_notes, read_labels
from vidsim.records.pairs import read_pair_file
from vidsim.records.record_log import RecordLog
from vidsim.records.sidecar import INDEX_SUFFIX
from vidsim.records.video_file import read_videos
from vidsim.records.video_table import VideoTable, table_of
from vidsim.records.wire import WireError, parse_example
from vidsim.tasks.similarity.submission import check_submission

CORPUS = Path(__file__).parent / "corpus"
INDEXED_AT = 10**18  # nanoseconds: when the file of the kept index was changed last


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        file: name of the file that the input becomes.
        read: called with its path; raises VidsimError to refuse.
        format: how to change the inside of an input and make lengths and checksums fit again.
        tokens: what the mutator likes to put in.
        ends_process: some inputs crash it or keep it busy; it never runs in vidsim's own process.
    """

    file: str
    read: Callable[[Path], object]
    format: Format = FLAT
    tokens: tuple[bytes, ...] = ()
    ends_process: bool = False


class Runner:
    """Runs inputs of one target in a folder that has nothing else."""

    def __init__(self, name: str, folder: Path):
        self.name, self.target = name, TARGETS[name]
        self.path = folder / self.target.file

    def __call__(self, content: bytes) -> bool:
        """Whether the input was read; False if it was refused as it should be."""
        self.path.write_bytes(content)
        try:
            self.target.read(self.path)
        except VidsimError as error:
            assert str(self.path.parent) in str(error), f"which file? {str(error)[:200]}"
            assert len(str(error)) < 4000 + len(content) // 8, "a message as long as the file"
            return False
        return True


def seeds(name: str) -> list[bytes]:
    """The inputs that are kept for a target, in the order of their names."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


# --- Readers --------------------------------------------------------------------------------------


def _videos(path: Path) -> None:
    log = RecordLog(skip=True)
    _check_table(table_of(read_videos(path, log)))


def _check_table(table: VideoTable) -> None:
    """Every frame lies in the file, and what is made of ids, titles and tags can be made."""
    size = table.paths[0].stat().st_size
    for name, kind in FIELDS.items():
        assert len(table.columns[name]) == len(table)
        assert not kind.in_place or (table.stream(name).ends <= size).all()
    assert len(table) and table.digest
    assert all(video_id.decode() is not None for video_id in table.ids.tolist())


def _pairs(path: Path) -> None:
    pairs, _ = read_pair_file(path, RecordLog(skip=True), 2)
    assert ((pairs.sim >= 0) & (pairs.sim <= 1)).all()


def _payload(path: Path) -> None:
    try:
        parse_example(path.read_bytes())
    except WireError as error:
        raise VidsimError(f"{path}: {error}") from None


def _labels(path: Path) -> None:
    pairs = read_labels(path)
    assert len(pairs) and ((pairs.sim >= 0) & (pairs.sim <= 1)).all()
    assert all(pairs.id_1) and all(pairs.id_2)
    label_notes(pairs)


def _weights(path: Path) -> None:
    _, tensors = read_weights(path.parent)
    size = sum(tensor.nbytes for tensor in tensors.values())
    assert size <= 16 * path.stat().st_size + (2 << 20)


def _shards(path: Path) -> None:
    shard = path.with_name("a.safetensors")
    if not shard.exists():
        shard.write_bytes((CORPUS / "safetensors" / "whole").read_bytes())
    _weights(path)


def _submission(path: Path) -> None:
    problems = check_submission(path, ("11", "22"))
    if problems:
        raise VidsimError(f"{path}: {problems[0][:200]}")


def _hdf5(path: Path) -> None:
    size = sum(tensor.nbytes for tensor in hdf5_tensors(path).values())
    assert size <= path.stat().st_size


def _index(path: Path) -> None:
    """Whatever the index says, the table has places in the file, and its digest can be made."""
    videos = path.with_name(path.name.removesuffix(INDEX_SUFFIX))
    if not videos.exists():
        videos.write_bytes((CORPUS / "videos" / "two").read_bytes())
        os.utime(videos, ns=(0, INDEXED_AT))
    log = RecordLog(skip=True)
    with patch.object(
        sidecar, "write_index", lambda *_: True
    ):  # the next input takes its place anyway
        _check_table(table_of(sidecar.indexed_videos(videos, None, log)))
    list(log.lines())


_NUMBERS = (b"-1", b"0", b"1e999", b"NaN", b"1.5", b"null", b'""', b"true")
_JSON = (*b'[]{},:" \\', *_NUMBERS, b'{"a":', b"[[[[[[[[", b"\\ud800", b"\xff", b"\xc0\x80")
_JSON = tuple(bytes((part,)) if isinstance(part, int) else part for part in _JSON)
_WIRE = (b"\x0a", b"\x12", b"\x1a", b"\x08", b"\x0d", b"\x0a\x00", b"\xff" * 9 + b"\x01")
_NAMES = (b"id", b"title", b"tag_id", b"category_id", b"frame_feature", b"sim", b"_1", b"_2")
_PICKLE = (
    *(bytes((code,)) for code in b"(.NQRbtse]})hq\x85\x86\x87\x94\x89\x93aujKM0"),
    b"h\0",
    b"q\0",
    b"\x8a\x0a" + b"\xff" * 9 + b"\x7f",
    b"X\x01\0\0\0a",
    b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"cposix\nsystem\n",
    b"ctorch\nBFloat16Storage\n",
    b"X\x07\0\0\0storage",
)
_HEADER = (*_JSON, b'"dtype":"F64"', b'"BF16"', b'"BOOL"', b'"shape":[0]', b'"data_offsets":[0,0]')
_HDF5 = (b"TREE", b"SNOD", b"HEAP", b"OHDR", b"OCHK", b"GCOL", b"\x89HDF\r\n\x1a\n", b"\xff" * 8)

TARGETS = {
    "videos": Target("v.tfrecords", _videos, RECORDS, _WIRE + _NAMES),
    "pairs": Target("p.tfrecord", _pairs, RECORDS, _WIRE + _NAMES),
    "index": Target(f"v.tfrecords{INDEX_SUFFIX}", _index, ZIP, (b"<i8", b"|S1", b"|O", b"(2,)")),
    "payload": Target("payload", _payload, FLAT, _WIRE + _NAMES),
    "labels": Target(
        "label.tsv",
        _labels,
        FLAT,
        (b"\t", b"\n", b"\r\n", b" ", b"\xef\xbb\xbf", b"\0", b"0,5", b"1e-3", b".", *_NUMBERS),
    ),
    "tags": Target("tag_list.txt", TagVocabulary.read, FLAT, (b"\n", b"\r", b" ", *_NUMBERS)),
    "safetensors": Target("model.safetensors", _weights, SAFETENSORS, _HEADER),
    "torch_zip": Target("pytorch_model.bin", _weights, ZIP, _PICKLE),
    "torch_legacy": Target("pytorch_model.bin", _weights, FLAT, _PICKLE),
    "hdf5": Target("tf_model.h5", _hdf5, FLAT, _HDF5, ends_process=True),
    "shards": Target("model.safetensors.index.json", _shards, FLAT, (*_JSON, b"a.safetensors")),
    "json": Target("config.json", read_json_object, FLAT, _JSON),
    "submission": Target("result.zip", _submission, ZIP, (*_JSON, b'"11"', b'"22"')),
}
