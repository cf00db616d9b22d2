"""`vidsim check`: one row for each file, every problem named with its place, status 0 or 1."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.records.record_log import RecordLog
from vidsim.records.sample import write_sample
from vidsim.records.tfrecord import iter_records
from vidsim.records.video import Video
from vidsim.records.writer import write_videos

PAIRWISE = "pairwise/pairwise.tfrecords"
FOLD = "pairwise/0-119val/train.tfrecord"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The sample with its folds, for copies."""
    folder = tmp_path_factory.mktemp("made") / "sample"
    write_sample(folder)
    save = folder.with_name("save")
    assert main(["write_tfrecord", "--data-dir", str(folder), "--save-dir", str(save)]) == 0
    return folder


@pytest.fixture
def data(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


@pytest.fixture
def check(data, tmp_path, capsys):
    """Checks the folder; returns the status and what was printed."""

    def check() -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["check", str(data), "--save-dir", str(tmp_path / "save")])
        return status, *capsys.readouterr()

    return check


def test_all_is_well(data, check):
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    status, out, err = check()
    assert (status, err) == (0, "")
    for content, path in (
        ("32 tags", "tag_list.txt"),
        ("120 videos", "pointwise/pretrain_1.tfrecords"),
        ("240 videos", PAIRWISE),
        ("1,320 ratings", "pairwise/label.tsv"),
        ("1,200 pairs", FOLD),
        ("120 pairs", "pairwise/1200-1319val/val.tfrecord"),
        ("20 videos", "test_a/test_a.tfrecords"),
        ("300 ratings", "test_b/label.tsv"),
        ("954 captions", "retrieval/captions.tsv"),
    ):
        assert f"{content:>16}  ok     {data / path}" in out
    assert "1 without frames; 1 without title; 1 tags not in tag_list.txt" in out
    assert out.endswith(f"check: 33 files of {data}, all well\n")
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before, "it only reads"


def test_it_is_the_same_with_a_flag(data, capsys):
    assert main(["check", "--data-dir", str(data)]) == 0
    assert "all well" in capsys.readouterr().out


def test_it_starts_without_tensorflow_and_keras(data):
    code = (
        "import sys; from vidsim.cli import main; status = main(['check', sys.argv[1]]); "
        "heavy = {'tensorflow', 'keras', 'transformers', 'matplotlib', 'scipy'} & set(sys.modules);"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(data)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def flip(path: Path, record: int, place: int) -> int:
    """Flips a bit at a place counted from the record's beginning; returns that beginning."""
    records = iter_records(path, RecordLog(skip=True))
    start = next(item.start for item in records if item.number == record)
    content = bytearray(path.read_bytes())
    content[start + place] ^= 4
    path.write_bytes(content)
    return start


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (3, "the checksum of its length does not fit"),
        (9, "the checksum of its length does not fit"),
        (500, "damaged data"),
        (-1, "damaged data"),  # of the checksum of the record before
    ],
)
@pytest.mark.parametrize("path", [PAIRWISE, "test_b/test_b.tfrecords", FOLD])
def test_a_flipped_byte(data, check, path, place, reason):
    place = min(place, 50) if path == FOLD else place
    start = flip(data / path, 9, place)
    status, out, err = check()
    record = 8 if place < 0 else 9
    at = f" (at byte {start})" if place >= 0 else ""
    assert status == 1
    assert f"{data / path}: record {record}{at}" in out and reason in out
    assert out.endswith(f"check: 1 problem in 1 of 33 files of {data}\n") and err == ""


def test_all_damage_is_listed_not_the_first_only(data, check):
    for record in (3, 5, 200):
        flip(data / PAIRWISE, record, 700)
    flip(data / FOLD, 77, 30)
    (data / "pointwise" / "pretrain_0.tfrecords").unlink()
    status, out, err = check()
    assert status == 1
    for record in (3, 5, 200):
        assert f"{data / PAIRWISE}: record {record} (at byte " in out
    assert f"{'237 videos':>16}  3 BAD  {data / PAIRWISE}" in out
    assert f"{data / FOLD}: record 77 (at byte " in out
    assert "pretrain_0.tfrecords: there is no such file" not in out, "it has no index, is not known"
    assert "of videos that could not be read" in out
    assert out.endswith(f"check: 4 problems in 2 of 32 files of {data}\n") and err == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "record 0 (at byte 0): the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "run `git lfs pull`"),
        (np.random.default_rng(0).bytes(5000), "not a TFRecord file"),
        (None, "there is no such file"),
    ],
)
@pytest.mark.parametrize("path", [PAIRWISE, "test_b/test_b.tfrecords", FOLD])
def test_what_is_no_file_of_records(data, check, path, content, reason):
    if content is None:
        (data / path).unlink()
    else:
        (data / path).write_bytes(content)
    status, out, err = check()
    assert status == 1
    assert f"{data / path}: " in out and reason in out
    assert "check: 1 problem in 1 of 33 files of" in out and err == ""
    assert ("478 of videos that could not be read" in out) == (path == PAIRWISE)


@pytest.mark.parametrize(("kept", "where"), [(5, "in the header"), (40, "bytes announced")])
@pytest.mark.parametrize("path", [PAIRWISE, FOLD])
def test_a_truncation_within_a_record(data, check, path, kept, where):
    start = [record.start for record in iter_records(data / path)][12]
    (data / path).write_bytes((data / path).read_bytes()[: start + kept])
    status, out, _ = check()
    assert status == 1
    assert f"{data / path}: record 12 (at byte {start}): truncated" in out and where in out


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (PAIRWISE, "ends after 12 records, but its index knows 228 more videos: truncated between"),
        (FOLD, "ends after 12 records, but 1200 were written: truncated between two records"),
    ],
)
def test_a_truncation_between_two_records(data, check, path, reason):
    start = [record.start for record in iter_records(data / path)][12]
    (data / path).write_bytes((data / path).read_bytes()[:start])
    status, out, _ = check()
    assert status == 1
    assert f"{data / path}: record 12 (at byte {start}): the file {reason}" in out


def test_a_file_that_was_indexed_and_is_gone(data, check):
    for path in (data / "pointwise").glob("*.tfrecords"):
        (path.with_name(f"{path.name}.index.npz")).write_bytes(b"")
    (data / "pointwise" / "pretrain_0.tfrecords").unlink()
    status, out, _ = check()
    assert status == 1
    assert "pretrain_0.tfrecords: there is no such file, but an index of it: put" in out


def test_content(data, check):
    """One file with a NaN, an id with two contents and one twice the same, a tag nobody listed."""
    path = data / "test_b" / "test_b.tfrecords"
    good = np.ones((2, 1536), np.float16)
    odd = np.where(np.arange(1536) == 5, np.inf, good).astype(np.float16)
    videos = [("1", good), ("2", odd), ("1", good), ("3", good[:0]), ("3", good)]
    write_videos(path, [Video(name, "", frames, (5,)) for name, frames in videos])
    (data / "test_b" / "label.tsv").write_text("1\t1\t0.5\n1\t3\t0.5\n3\t1\t0.25\n1\t2\t0.5\n")
    status, out, _ = check()
    assert status == 1
    notes = "frames of 1536 numbers; no titles; 1 without frames; 4 tags not in tag_list.txt; "
    notes += "1 repeated, read once"
    assert f"{'4 videos':>16}  2 BAD  {path} ({notes})" in out
    assert (
        f"{path}: record 1 (at byte " in out
        and "element 0 has 1 numbers that are NaN or inf" in out
    )
    assert f"{path}: record 4 (at byte " in out
    assert (
        "id '3' stands in record 3 already, with another frame_feature; one id is one video" in out
    )
    assert "1 ratings of a video with itself (first: line 1)" in out
    assert "1 ratings of pairs rated before, 1 of them differently (first: lines 2 and 3)" in out
    assert "1 of videos that could not be read" in out


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        ("tag_list.txt", "5\n5\n", "tag_list.txt:2: tag 5 stands in line 1 already"),
        ("pairwise/label.tsv", "1\t2\n", "label.tsv:1: '1\\t2', 2 columns; accepted is"),
        ("test_b/label.tsv", "1\t2\t0.5\n", "label.tsv:1: no video '1' nor '2' among the 100"),
        ("pairwise/folds.json", "{", "folds.json is not a list of folds"),
    ],
)
def test_the_other_files(data, check, path, content, problem):
    (data / path).write_text(content)
    status, out, _ = check()
    assert status == 1
    assert problem in out


def test_nothing_at_all(tmp_path, capsys):
    (tmp_path / "somewhere").mkdir()
    for folder in ("none", "somewhere"):
        assert main(["check", str(tmp_path / folder)]) == 1
        out, err = capsys.readouterr()
        said = f"{tmp_path / folder}: not a data folder; it has none of pointwise/, pairwise/, test"
        assert said in err and out == ""


@pytest.fixture
def only_videos(tmp_path, capsys):
    """`only_videos(folder, videos, *flags)`: the check's rows on a folder with these, no more."""

    def check(folder: Path, videos: list[Video], *flags: str) -> str:
        if videos:
            write_videos(folder / "pointwise" / "v.tfrecords", videos)
        status = main(["check", str(folder), "--save-dir", str(tmp_path / "save"), *flags])
        out, err = capsys.readouterr()
        assert err == "" and status == (" BAD " in out)
        return out

    return check


def test_a_folder_whose_name_could_be_a_pattern(tmp_path, monkeypatch, only_videos):
    """set[12] fits the neighbour set1, and set? both: neither is read in the place of the other."""
    monkeypatch.chdir(tmp_path)
    for name in ("set1", "set[12]", "set?"):
        out = only_videos(Path(name), [Video("1", "x", np.zeros((1, 1536), np.float16))])
        assert f"{name}/pointwise/*.tfrecords: 1, " in out
    Path("set[12]/pointwise/v.tfrecords").unlink()
    out = only_videos(Path("set[12]"), [])
    assert "set[12]/pointwise/*.tfrecords: there is no such file" in out and "set1" not in out


def test_twenty_problems_of_a_kind_and_a_count(tmp_path, only_videos):
    """Of each kind in each file: 30 records with a NaN, and a damaged one after them."""
    path = tmp_path / "pointwise" / "v.tfrecords"
    frames = np.full((1, 1536), np.nan, np.float16)
    odd = [Video(str(number), f"'{number}\"", frames) for number in range(30)]
    only_videos(tmp_path, [*odd, *(Video(name, "x", frames[:0]) for name in "xy")])
    flip(path, 31, 20)
    out = only_videos(tmp_path, [])
    lines = out[out.index(f"31 BAD {path}") :].splitlines()[1:]
    assert all("element 0 has 1536 numbers that are NaN" in line for line in lines[:20])
    assert lines[20].strip() == "and 10 more of this kind"
    assert "record 31 " in lines[21] and "damaged data" in lines[21]
    assert "v.tfrecords" not in "".join(lines[22:])


def test_titles_of_too_many_tokens_are_counted(tmp_path, only_videos, capsys):
    """[CLS], [SEP] and 30 words are 32 tokens; "foot" and "##ball" are two in the vocabulary."""
    titles = ["x " * 30, "x " * 31, "猫" * 40, "football " * 30]
    frames = np.zeros((1, 1536), np.float16)
    videos = [Video(str(number), title, frames) for number, title in enumerate(titles)]
    out = only_videos(tmp_path, videos)
    note = "of 4 titles (%s) have more than 32 tokens and are cut, the longest has"
    assert f"at least 2 {note % '50.0 %'} at least 42)" in out
    assert "check: titles are counted in words and characters as BERT splits them, the few" in out
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "foot", "##ball", "x", "猫"]
    bert = tmp_path / "bert [1]"
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join(words))
    (bert / "config.json").write_text('{"model_type": "bert", "vocab_size": 9}')
    out = only_videos(tmp_path, [], "--bert-dir", str(bert))
    assert f"3 {note % '75.0 %'} 62)" in out
    assert "at least" not in out and "fewest" not in out
    (bert / "config.json").write_text("{}")
    assert main(["check", str(tmp_path), "--bert-dir", str(bert)]) == 1
    assert "config.json: model_type None and vocab_size None; supp" in capsys.readouterr().err
