"""The stage that makes the folds: written once, redone on a change, clear when it cannot.

The files are read back by the readers of records/, whose own tests hold them against
TensorFlow's.
"""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.records.fold_manifest import read_folds
from vidsim.records.folds import published_folds
from vidsim.records.labels import read_labels
from vidsim.records.pairs import read_pair_file
from vidsim.records.sample import write_sample
from vidsim.stages import write_tfrecord
from vidsim.tasks.similarity import write_folds
from vidsim.tasks.similarity.configs import WriteTfrecordConfig


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The sample data set, for copies."""
    folder = tmp_path_factory.mktemp("made") / "sample"
    write_sample(folder)
    return folder


@pytest.fixture
def data_dir(made, tmp_path) -> Path:
    """A copy of the sample's pairwise folder that a test may change."""
    shutil.copytree(made / "pairwise", tmp_path / "data" / "pairwise")
    return tmp_path / "data"


@pytest.fixture
def run(data_dir, tmp_path, capsys):
    """Runs the stage with some flags and returns what it printed."""

    def run(redo: bool = False, fold_seed: int = 42, seed: int = 42, **flags) -> str:
        folders = {"data_dir": data_dir, "save_dir": tmp_path / "save"}
        common = Common(**folders, redo=redo, fold_seed=fold_seed, seed=seed)
        write_tfrecord.run(common, WriteTfrecordConfig(**flags))
        return capsys.readouterr().out

    return run


def folders(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "pairwise").iterdir() if path.is_dir()}


def test_the_published_folds_of_the_sample(run, data_dir):
    out = run()
    labels = read_labels(data_dir / "pairwise" / "label.tsv")
    entries = read_folds(data_dir).folds
    assert len(entries) == 11
    for fold, entry in zip(published_folds(1320), entries, strict=True):
        assert entry.name == f"{120 * fold.index}-{120 * fold.index + 119}val"
        for name, rows in (("train", fold.train), ("val", fold.val)):
            pairs, table = read_pair_file(data_dir / "pairwise" / entry.name / f"{name}.tfrecord")
            assert table is None
            assert pairs.id_1.tolist() == labels.id_1[rows].tolist()
            assert pairs.id_2.tolist() == labels.id_2[rows].tolist()
            assert pairs.sim.tolist() == labels.sim[rows].tolist()
        val = labels.take(fold.val)
        videos = set(val.id_1.tolist()) | set(val.id_2.tolist())
        train = labels.take(fold.train)
        seen = videos & (set(train.id_1.tolist()) | set(train.id_2.tolist()))
        assert (entry.fold, entry.train_pairs, entry.val_pairs) == (fold.index, 1200, 120)
        assert (entry.val_videos, entry.val_videos_seen) == (len(videos), len(seen))
        assert (
            f"fold {entry.fold} {entry.name}: 1200 train, 120 val, "
            f"{len(seen)} of {len(videos)} val videos seen in training\n"
        ) in out
    assert "240 videos, 1320 pairs" in out and "11 folds, 1." in out


def test_the_same_again_is_skipped(run, data_dir):
    run()
    files = [path for path in data_dir.rglob("*.*") if path.suffix in (".json", ".tfrecord")]
    before = [path.stat().st_mtime_ns for path in files]
    out = run()
    assert out.startswith("write_tfrecord: done already: 11 folds in") and out.count("\n") == 1
    assert [path.stat().st_mtime_ns for path in files] == before


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_finished_folds_are_kept_where_flags_or_data_changed(run, data_dir):
    """What changed is named field by field; a request that cannot be met does no harm either."""
    pairwise = data_dir / "pairwise"
    run()
    before = contents(pairwise)
    lines = before["label.tsv"].splitlines(keepends=True)
    (pairwise / "label.tsv").write_bytes(b"".join(lines[:-1]))
    with pytest.raises(VidsimError) as caught:
        run(num_folds=5, fold_size=100, self_contained=True, fold_seed=7, seed=8)
    message = str(caught.value)
    for change in (
        "--num-folds: 11 -> 5\n",
        "--fold-size: not given -> 100\n",
        "--self-contained: False -> True\n",
        "--fold-seed: 42 -> 7\n",
        "digest of label.tsv: ",
        "--redo, which moves them to ",
        "--data-dir",
    ):
        assert change in message
    assert "--seed" not in message and "pairwise.tfrecords" not in message
    with pytest.raises(VidsimError, match="cannot make 2000 folds"):
        run(redo=True, num_folds=2000)
    assert {**contents(pairwise), "label.tsv": before["label.tsv"]} == before


def test_redo_moves_finished_folds_aside_whole(run, data_dir, monkeypatch):
    """Nothing is deleted, and no file of the user's moved; an interrupted move goes on."""
    pairwise = data_dir / "pairwise"
    run()
    (pairwise / "0-119val" / "notes.txt").write_text("mine")
    before = contents(pairwise)
    move, moved = shutil.move, []
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "move", lambda *to: moved.append(move(*to)) or 1 / (3 - len(moved)))
        with pytest.raises(ZeroDivisionError):
            run(redo=True, num_folds=5)
    out = run(redo=True, num_folds=5)
    assert f"the folds that were there are in {pairwise / 'folds.old-1'} now" in out
    assert "5 folds, " in out
    ours = {name for name in before if name.endswith((".tfrecord", "folds.json"))}
    assert contents(pairwise / "folds.old-1") == {name: before[name] for name in ours}
    assert contents(pairwise)["0-119val/notes.txt"] == b"mine"
    assert folders(data_dir) == {
        *(f"{i * 264}-{i * 264 + 263}val" for i in range(5)),
        "0-119val",
        "folds.old-1",
    }
    assert "done already: 5 folds" in run(redo=True, num_folds=5)  # nothing has changed
    assert "folds.old-2 now" in run(redo=True, num_folds=4)
    assert len(list((pairwise / "folds.old-2").glob("*/*.tfrecord"))) == 10


def test_old_folds_are_the_same_folds(run, data_dir):
    """As written before --fold-seed and the count of pairs; a flag that they lack had its default.

    What --seed cut then, --fold-seed cuts now.
    """
    record = data_dir / "pairwise" / "folds.json"
    run(fold_seed=7)
    content = json.loads(record.read_text())
    content["configuration"] = {"num_folds": 11, "fold_size": None, "seed": 7}
    del content["format"]
    for entry in content["folds"]:
        del entry["val_pairs_seen"]
    record.write_text(json.dumps(content))
    assert read_folds(data_dir).folds[0].val_pairs_seen is None
    assert "done already: 11 folds" in run(fold_seed=7, seed=1)
    with pytest.raises(VidsimError, match=r"--fold-seed: 7 -> 42\n"):
        run(seed=7)
    content["configuration"]["by_year"] = True
    record.write_text(json.dumps(content))
    with pytest.raises(VidsimError, match="--by-year: True -> unknown to this version"):
        run(fold_seed=7)


def test_a_lost_file_is_written_again_and_no_other(run, data_dir):
    run()
    lost = data_dir / "pairwise" / read_folds(data_dir).folds[3].name / "val.tfrecord"
    content = lost.read_bytes()
    lost.unlink()
    lost.with_name("train.tfrecord").write_bytes(b"as it was")
    assert f"of 22 files these are gone: {lost}; written again" in run()
    assert lost.read_bytes() == content
    assert lost.with_name("train.tfrecord").read_bytes() == b"as it was"


def test_pairs_in_both_parts_of_a_fold_are_counted(run, data_dir):
    """Every pair is rated twice, once either video first: most validation pairs were trained on."""
    label = data_dir / "pairwise" / "label.tsv"
    rows = [line.split("\t") for line in label.read_text().splitlines()[:660]]
    label.write_text("".join(f"{a}\t{b}\t{c}\n{b}\t{a}\t{c}\n" for a, b, c in rows))
    out = run(num_folds=4)
    total = 0
    for entry in read_folds(data_dir).folds:
        folder = data_dir / "pairwise" / entry.name
        train, val = (read_pair_file(folder / f"{part}.tfrecord")[0] for part in ("train", "val"))
        known = {frozenset(pair) for pair in zip(train.id_1, train.id_2, strict=True)}
        seen = sum(frozenset(pair) in known for pair in zip(val.id_1, val.id_2, strict=True))
        assert entry.val_pairs_seen == seen > 150
        assert f"videos seen in training, {seen} val pairs in training too\n" in out
        total += seen
    assert f"{total} of 1320 validation pairs are in the training part of their own fold" in out
    out = run(num_folds=4, group_by_video=True, redo=True)
    assert {entry.val_pairs_seen for entry in read_folds(data_dir).folds} == {0}
    assert "in training too" not in out and "their own fold" not in out


def test_an_interrupted_run_leaves_no_manifest(run, data_dir, monkeypatch):
    run()
    with monkeypatch.context() as patch:
        patch.setattr(write_folds, "write_folds", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(num_folds=4, redo=True)
    with pytest.raises(VidsimError, match="not written yet"):
        read_folds(data_dir)
    assert "4 folds, " in run(num_folds=4)


def test_self_contained_folds_hold_the_same_pairs_and_their_videos(run, data_dir):
    run(num_folds=2, fold_size=5)
    name = data_dir / "pairwise" / "5-9val" / "val.tfrecord"
    thin, _ = read_pair_file(name)
    run(num_folds=2, fold_size=5, self_contained=True, redo=True)
    fat, table = read_pair_file(name)
    assert table is not None
    for column in ("id_1", "id_2", "sim"):
        assert getattr(fat, column).tolist() == getattr(thin, column).tolist()
    assert set(table.ids.tolist()) == {*fat.id_1.tolist(), *fat.id_2.tolist()}


def test_folds_by_video(run, data_dir):
    out = run(num_folds=4, group_by_video=True)
    assert out.count("0 of ") == 4
    validated = Counter[tuple[bytes, bytes]]()
    for entry in read_folds(data_dir).folds:
        folder = data_dir / "pairwise" / entry.name
        train, val = (read_pair_file(folder / f"{part}.tfrecord")[0] for part in ("train", "val"))
        known = np.concatenate([train.id_1, train.id_2])
        assert not np.isin(np.concatenate([val.id_1, val.id_2]), known).any()
        assert len(train) + len(val) + entry.dropped_pairs == 1320
        validated.update(zip(val.id_1.tolist(), val.id_2.tolist(), strict=True))
    assert max(validated.values()) == 1 and len(validated) > 300
    with pytest.raises(VidsimError, match="--fold-size has no meaning with --group-by-video"):
        run(group_by_video=True, fold_size=100)


def test_an_id_without_a_video(run, data_dir):
    label = data_dir / "pairwise" / "label.tsv"
    label.write_text(label.read_text() + "12345\t67890\t0.5\n")
    with pytest.raises(
        VidsimError,
        match=r"label\.tsv:1321: no video '12345' nor '67890' among the 240 videos of .*tfrecords$",
    ):
        run()
    assert folders(data_dir) == set()


def test_no_data_set(run, data_dir):
    shutil.rmtree(data_dir / "pairwise")
    with pytest.raises(VidsimError) as caught:
        run()
    message = str(caught.value)
    assert "label.tsv" in message and "pairwise.tfrecords not found" in message
    assert "--make-sample" in message


def test_make_sample_where_there_is_none_and_only_there(tmp_path, capsys, made):
    common = Common(data_dir=tmp_path / "new" / "sample", save_dir=tmp_path / "save")
    write_tfrecord.run(common, WriteTfrecordConfig(make_sample=True))
    assert "made a SAMPLE data set" in capsys.readouterr().out
    tags = common.data_dir / "tag_list.txt"
    assert tags.read_bytes() == (made / "tag_list.txt").read_bytes()
    assert len(read_folds(common.data_dir).folds) == 11
    tags.write_text("1\n")
    write_tfrecord.run(common, WriteTfrecordConfig(make_sample=True))
    assert "SAMPLE" not in capsys.readouterr().out
    assert tags.read_text() == "1\n"
