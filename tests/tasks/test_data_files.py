"""What a stage says of the records and ratings it opens, and what it leaves out."""

from pathlib import Path

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig
from vidsim.records.file_pattern import FilePattern
from vidsim.records.fold_manifest import read_folds
from vidsim.records.folds import published_folds
from vidsim.records.labels import read_labels
from vidsim.records.pairs import read_pair_file
from vidsim.records.record_error import RecordError
from vidsim.records.sample import write_sample
from vidsim.records.tfrecord import iter_records
from vidsim.stages import write_tfrecord
from vidsim.stages.training_records import PretrainFiles
from vidsim.tasks.data_files import complete, open_pairs, open_ratings, open_table
from vidsim.tasks.similarity.configs import WriteTfrecordConfig
from vidsim.tasks.similarity.ensemble_plan import rated_test_pairs
from vidsim.tasks.similarity.pair_source import PairSource

BAD = 3  # the record of pairwise.tfrecords that is damaged


@pytest.fixture
def data_dir(tmp_path) -> Path:
    write_sample(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def stop(data_dir, tmp_path) -> Common:
    return Common(data_dir=data_dir, save_dir=tmp_path / "save")


@pytest.fixture
def skip(data_dir, tmp_path) -> Common:
    return Common(data_dir=data_dir, save_dir=tmp_path / "save", on_bad_record="skip")


def damage(path: Path, record: int = BAD) -> bytes:
    """Flips a bit of a record's payload; returns that payload as it was."""
    there = list(iter_records(path))[record]
    data = bytearray(path.read_bytes())
    data[there.offset] ^= 1
    path.write_bytes(data)
    return there.payload


@pytest.fixture
def damaged(data_dir) -> Path:
    path = data_dir / "pairwise" / "pairwise.tfrecords"
    damage(path)
    return path


def test_a_whole_file_is_opened_without_a_word(data_dir, skip, capsys):
    assert len(open_table(skip, data_dir / "pairwise" / "pairwise.tfrecords")) == 240
    assert capsys.readouterr().out == ""


def test_stop_is_the_default(damaged, stop):
    with pytest.raises(RecordError, match=f"record {BAD} "):
        open_table(stop, damaged)


def test_skip_lists_what_it_skipped_every_time_and_stop_stops_again(damaged, stop, skip, capsys):
    for _ in ("from the file", "from its index"):
        table = open_table(skip, damaged)
        assert (len(table), table.skipped) == (239, 1)
        said = capsys.readouterr().out.splitlines()
        assert said[0] == f"SKIPPED 1 bad records (1 in {damaged}):"
        assert said[1].startswith(f"  {damaged}: record {BAD} (at byte ")
        with pytest.raises(RecordError, match=f"record {BAD} "):
            open_table(stop, damaged)


def test_the_digest_of_a_data_set_with_a_gap_is_another(data_dir, skip):
    path = data_dir / "pairwise" / "pairwise.tfrecords"
    whole = open_table(skip, path).digest
    damage(path)
    path.with_name(f"{path.name}.index.npz").unlink()  # the change of time may be too small
    assert open_table(skip, path).digest != whole, "so a finished step is made again"


def test_ratings_of_a_skipped_video_are_left_out_and_listed(damaged, skip, capsys):
    labels = damaged.with_name("label.tsv")
    pairs, rows = open_ratings(labels, open_table(skip, damaged))
    left = complete(rows)
    assert len(pairs) == 1320 and 0 < len(pairs) - len(left) < 100
    out = capsys.readouterr().out
    assert f"LEFT OUT {1320 - len(left)} of 1320 rated pairs, for lack of a skipped video:" in out
    first = int(np.flatnonzero((rows < 0).any(axis=1))[0])
    assert f"  {labels}:{first + 1}: no video " in out


def test_an_unknown_id_is_an_error_where_nothing_was_skipped(data_dir, skip):
    labels = data_dir / "pairwise" / "label.tsv"
    with labels.open("a") as file:
        file.write("404\t405\t0.5\n405\t404\t0.5\n")
    table = open_table(skip, data_dir / "pairwise" / "pairwise.tfrecords")
    with pytest.raises(
        VidsimError,
        match=r"label\.tsv:1321: no video '404' nor '405' among the 240 .*; 1 more lines",
    ):
        open_ratings(labels, table)


def test_unusual_ratings_are_told(data_dir, stop, capsys):
    labels = data_dir / "pairwise" / "label.tsv"
    first, second, _ = labels.read_text().split("\n")[0].split("\t")
    with labels.open("a") as file:
        file.write(f"{second}\t{first}\t0.0123\n{first}\t{first}\t1\n")
    write_tfrecord.run(stop, WriteTfrecordConfig())
    out = capsys.readouterr().out
    assert f"{labels}: 1 ratings of a video with itself (first: line 1322); each line" in out
    assert "1 ratings of pairs rated before, 1 of them differently (first: lines 1 and 1321)" in out
    assert sum(entry.val_pairs for entry in read_folds(data_dir).folds) == 1322


def test_the_other_pairs_stay_in_their_folds(damaged, stop, skip, capsys):
    with pytest.raises(RecordError):
        write_tfrecord.run(stop, WriteTfrecordConfig())
    write_tfrecord.run(skip, WriteTfrecordConfig())
    labels = read_labels(damaged.with_name("label.tsv"))
    _, rows = open_ratings(damaged.with_name("label.tsv"), open_table(skip, damaged))
    known = set(complete(rows).tolist())
    lost = 0
    for fold, entry in zip(published_folds(1320), read_folds(skip.data_dir).folds, strict=True):
        pairs, _ = read_pair_file(skip.data_dir / "pairwise" / entry.name / "val.tfrecord")
        left = [row for row in fold.val.tolist() if row in known]
        assert pairs.id_1.tolist() == labels.id_1[left].tolist()
        assert entry.val_pairs == len(left)
        lost += len(fold.val) - len(left)
    assert lost == 1320 - len(known) > 0


def test_self_contained_pairs_hold_the_right_videos_behind_a_gap(damaged, skip):
    """A row of the table is no record number any more once a record was skipped."""
    write_tfrecord.run(skip, WriteTfrecordConfig(num_folds=2, fold_size=9, self_contained=True))
    entry = read_folds(skip.data_dir).folds[1]
    _, inside = read_pair_file(skip.data_dir / "pairwise" / entry.name / "val.tfrecord")
    table = open_table(skip, damaged)
    assert inside is not None and len(inside) > 9
    rows = table.rows_of(inside.ids)
    assert inside.titles == [table.titles[row] for row in rows]
    assert inside.n_frames.tolist() == table.n_frames[rows].tolist()
    assert (rows >= BAD).any()


def test_pretraining_validates_on_what_is_left(damaged, stop, skip):
    config = PretrainConfig()
    with pytest.raises(RecordError):
        PretrainFiles(stop).open(config)
    data = PretrainFiles(skip).open(config)
    assert len(data.validation.videos) == 239
    pairs = data.validation.pairs
    assert 1220 < len(pairs) < 1320
    data.validation.videos.rows_of(np.concatenate((pairs.id_1, pairs.id_2)))  # all are there


def test_the_submission_is_scored_on_what_is_left(data_dir, stop, skip):
    videos = data_dir / "test_b" / "test_b.tfrecords"
    damage(videos)
    table = open_table(skip, videos)
    pairs, rows = rated_test_pairs(FilePattern.of(videos), table)
    assert pairs is not None and 200 < len(pairs) < 300
    assert table.ids[rows[:, 0]].tolist() == pairs.id_1.tolist()
    assert table.ids[rows[:, 1]].tolist() == pairs.id_2.tolist()


# --- fold files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "pairs"), [("train", 1200), ("val", 120)])
def test_a_fold_file_cut_between_two_records(stop, skip, capsys, part, pairs):
    write_tfrecord.run(stop, WriteTfrecordConfig())
    path = stop.data_dir / "pairwise" / "0-119val" / f"{part}.tfrecord"
    *_, last = iter_records(path)
    path.write_bytes(path.read_bytes()[: last.start])
    assert len(open_pairs(stop, path)[0]) == pairs - 1, "nothing in the file itself tells"
    told = rf"{part}\.tfrecord: .* {pairs - 1} records, but {pairs} were written"
    with pytest.raises(RecordError, match=told):
        PairSource(stop, FinetuneConfig()).load(0)
    capsys.readouterr()
    assert len(getattr(PairSource(skip, FinetuneConfig()).load(0), part)) == pairs - 1
    assert f"SKIPPED 1 bad records (1 in {path}):" in capsys.readouterr().out


def test_a_damaged_pair(stop, skip, capsys):
    write_tfrecord.run(stop, WriteTfrecordConfig())
    path = stop.data_dir / "pairwise" / "0-119val" / "val.tfrecord"
    damage(path, 7)
    with pytest.raises(RecordError, match="record 7 "):
        PairSource(stop, FinetuneConfig()).load(0)
    capsys.readouterr()
    assert len(PairSource(skip, FinetuneConfig()).load(0).val) == 119
    assert f"  {path}: record 7 " in capsys.readouterr().out
