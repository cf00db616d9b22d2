"""The list of folds: written and read back, and a clear word when it is missing or damaged."""

import json

import pytest

from vidsim.errors import VidsimError
from vidsim.records.fold_manifest import FoldEntry, FoldManifest, read_folds, write_folds

MANIFEST = FoldManifest(
    configuration={"num_folds": 2, "fold_size": None},
    digests={"label.tsv": "ab"},
    folds=(FoldEntry(0, "0-4val", 5, 5, 9, 8), FoldEntry(1, "5-9val", 4, 5, 9, 0, 1)),
)


def test_round_trip(tmp_path):
    write_folds(tmp_path, MANIFEST)
    assert read_folds(tmp_path) == MANIFEST
    assert [str(path.relative_to(tmp_path)) for path in MANIFEST.files(tmp_path)] == [
        "pairwise/0-4val/train.tfrecord",
        "pairwise/0-4val/val.tfrecord",
        "pairwise/5-9val/train.tfrecord",
        "pairwise/5-9val/val.tfrecord",
    ]


def test_not_written_yet(tmp_path):
    with pytest.raises(VidsimError) as caught:
        read_folds(tmp_path)
    assert "not written yet" in str(caught.value)
    assert f"`python write_tfrecord.py --data-dir {tmp_path}`" in str(caught.value)


ENTRY = {"fold": 0, "train_pairs": 1, "val_pairs": 1, "val_videos": 1, "val_videos_seen": 1}


def manifest_of(**changes) -> str:
    return json.dumps(
        {"configuration": {}, "digests": {}, "folds": [ENTRY | {"name": "0-4val"} | changes]}
    )


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        manifest_of(x=1),
        manifest_of(name=5),
        manifest_of(val_pairs="1"),
        "[" * 9999,
    ],
)
def test_damaged(tmp_path, content):
    (tmp_path / "pairwise").mkdir()
    (tmp_path / "pairwise" / "folds.json").write_text(content)
    with pytest.raises(VidsimError, match=r"folds\.json is not a list of folds"):
        read_folds(tmp_path)


def test_a_later_format(tmp_path):
    """And a manifest without a number, of the first format, is read."""
    write_folds(tmp_path, MANIFEST)
    path = tmp_path / "pairwise" / "folds.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(VidsimError, match=r"have format 3; this vidsim reads formats up to 2: use"):
        read_folds(tmp_path)
    path.write_text(manifest_of())
    assert read_folds(tmp_path).folds == (FoldEntry(0, "0-4val", 1, 1, 1, 1, 0, None),)


def test_names_cannot_lead_elsewhere(tmp_path):
    write_folds(tmp_path, FoldManifest({}, {}, (FoldEntry(0, "../x", 1, 1, 1, 1),)))
    with pytest.raises(VidsimError, match="must look like 0-5999val"):
        read_folds(tmp_path)
