"""Folds of classification: shares of classes, a split that is given, and data that do not do."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.records.video import Video
from vidsim.records.writer import write_videos
from vidsim.schema import CATEGORY, CLASS_SHARES
from vidsim.tasks.classification.configs import (
    ClassFoldConfig,
    ClassificationConfig,
    parse_resample,
)
from vidsim.tasks.classification.fold_source import ClassFolds, FoldVideos
from vidsim.tasks.classification.write_folds import stratified, write_class_folds


def test_every_video_once_and_classes_in_like_shares():
    """23, 10, 7 and 2 videos in 5 folds: each fold has 4 or 5, 2, 1 or 2, and 0 or 1 of them."""
    classes = np.repeat([0, 1, 2, 3], [23, 10, 7, 2])[np.random.default_rng(1).permutation(42)]
    folds = list(stratified(classes, 5, 42))
    assert sorted(np.concatenate(folds).tolist()) == list(range(42))
    for fold in folds:
        assert len(fold) in (8, 9)
        for number, share in enumerate((23 / 5, 10 / 5, 7 / 5, 2 / 5)):
            assert abs((classes[fold] == number).sum() - share) <= 1
    again, other = list(stratified(classes, 5, 42)), list(stratified(classes, 5, 43))
    assert all(np.array_equal(*pair) for pair in zip(folds, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(folds, other, strict=True))


def test_cut_said_kept_and_redone(tmp_path, write_data, capsys):
    common = Common(data_dir=write_data(tmp_path / "d"), save_dir=tmp_path / "s")
    write_class_folds(common, ClassFoldConfig(num_folds=20))
    said = capsys.readouterr().out
    assert "LEFT OUT 2 videos that have no category_id" in said
    assert "24 repeated records are read once" in said
    assert "64 videos, 5 classes of category_list.txt" in said
    assert "1 classes have no video" in said
    assert "4 classes have fewer videos than there are folds" in said and "10 (16)" in said
    folder = tmp_path / "d" / "folds" / "classification"
    manifest = (folder / "folds.json").read_bytes()
    write_class_folds(common, ClassFoldConfig(num_folds=20))
    assert "done already" in capsys.readouterr().out
    with pytest.raises(VidsimError, match="--num-folds: 20 -> 4"):
        write_class_folds(common, ClassFoldConfig(num_folds=4))
    assert (folder / "folds.json").read_bytes() == manifest
    redo = Common(data_dir=tmp_path / "d", save_dir=tmp_path / "s", redo=True)
    write_class_folds(redo, ClassFoldConfig(num_folds=4))
    assert len(json.loads((folder / "folds.json").read_text())["folds"]) == 4
    assert (tmp_path / "d" / "folds" / "classification.old-1" / "folds.json").exists()
    source = ClassFolds(common)
    data = source.load(1)
    assert (source.fewest, data.count, len(data.val)) == (48, 48, 16)
    assert source.settings == {"classes": [10, 11, 20, 21, 30]}
    shares = data.labels()["class_shares"][0]  # 12 of each of four, and one more of each of five
    np.testing.assert_allclose(shares, [13 / 53] * 4 + [1 / 53], rtol=1e-6)
    (folder / "fold1" / "val.txt").write_text("v001\n")
    with pytest.raises(VidsimError, match=r"val\.txt: changed since it was written"):
        ClassFolds(common).load(1)


def test_a_split_that_is_given(tmp_path, write_data):
    """One fold, whose validation is the list; a list that cannot be is refused by its line."""
    common = Common(data_dir=write_data(tmp_path / "d"), save_dir=tmp_path / "s")
    dev = tmp_path / "d" / "classification" / "dev.txt"
    dev.parent.mkdir()
    for text, message in (
        ("v003\nv999\n", r"dev.txt:2: no video 'v999' with a category"),
        ("v003\nv064\n", r"dev.txt:2: no video 'v064' with a category"),
        ("v003\n\nv003\n", r"dev.txt:3: 'v003' stands in line 1 already"),
        ("", r"dev.txt: lists 0 of the 64 videos"),
        ("".join(f"v{n:03d}\n" for n in range(64)), r"dev.txt: lists 64 of the 64"),
    ):
        dev.write_text(text)
        with pytest.raises(VidsimError, match=message):
            write_class_folds(common, ClassFoldConfig())
    dev.write_text("v003\nv010\n")
    with pytest.raises(VidsimError, match=r"--num-folds 3: .*dev\.txt lists"):
        write_class_folds(common, ClassFoldConfig(num_folds=3))
    write_class_folds(common, ClassFoldConfig())
    source = ClassFolds(common)
    data = source.load(0)
    assert source.folds == [0]
    assert data.table.ids[data.val].tolist() == [b"v003", b"v010"]
    assert data.count == 62


def test_data_that_do_not_do(tmp_path):
    """Each is one sentence that names the place."""

    def videos(name, categories, listed=None):
        folder = tmp_path / name
        made = [Video(f"v{n}", "a", None, None, c) for n, c in enumerate(categories)]
        if made:
            write_videos(folder / "pointwise" / "a.tfrecords", made)
        if listed is not None:
            (folder / "category_list.txt").write_text(listed)
        return Common(data_dir=folder, save_dir=tmp_path / "s")

    for common, message in (
        (videos("empty", []), r"neither .*pointwise.* nor .*pairwise.tfrecords is there"),
        (videos("none", [None, None]), r"a.tfrecords: not one has a category_id"),
        (videos("same", [4, 4, None]), r"all have the category 4; .* two categories"),
        (videos("beyond", [4, 5, 6], "4\n5\n"), r"a.tfrecords: record 2 .*category_id 6 is not in"),
        (videos("bad", [4, 5], "4\nfive\n"), r"category_list.txt:2: 'five'"),
        (videos("twice", [4, 5], "4\n5\n4\n"), r"category_list.txt:3: category 4 stands in line 1"),
        (videos("few", [4, 5]), r"--num-folds 5: 2 videos have a category"),
    ):
        with pytest.raises(VidsimError, match=message):
            write_class_folds(common, ClassFoldConfig())


def test_small_classes_are_seen_more_often():
    """Of 4, 9, 10 and 30 training videos, by the table 5:5,10:3,20:2."""
    assert parse_resample("5:5, 10:3,20:2") == ((5, 5), (10, 3), (20, 2))
    assert parse_resample("") == ()
    for wrong in ("5", "5:0", "0:5", "5:5,5:3", "9:2,5:3", "5:5,", "a:3", "5:1001"):
        assert parse_resample(wrong) is None
        with pytest.raises(VidsimError, match=r"--resample .*: accepted is a comma list of SIZE"):
            ClassificationConfig(resample=wrong).check_fields()
    classes = np.repeat([0, 1, 2, 3, 3], [4, 9, 10, 30, 2]).astype("int32")
    videos = SimpleNamespace(classes=classes, vocabulary=range(5))
    train = np.arange(53)[::-1]  # the last two videos validate
    fold = FoldVideos(0, videos, train, np.array([53, 54]), parse_resample("5:5,10:3,20:2"))
    expected = [row for row in train for _ in range({0: 5, 1: 3, 2: 2, 3: 1}[classes[row]])]
    np.testing.assert_array_equal(fold.seen, expected)
    assert fold.count == 4 * 5 + 9 * 3 + 10 * 2 + 30
    labels = fold.labels()
    np.testing.assert_array_equal(labels[CATEGORY], classes[expected])
    shares = np.array([21, 28, 21, 31, 1]) / 102
    np.testing.assert_allclose(labels[CLASS_SHARES], np.tile(shares, (97, 1)), rtol=1e-6)
    plain = FoldVideos(0, videos, train, np.array([53, 54]))
    np.testing.assert_array_equal(plain.seen, train)
