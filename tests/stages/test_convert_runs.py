"""vidsim convert again: killed and resumed, done already, and folders that hold something else."""

import json

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.files import file_digest
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.tables import record_maker

WIDTH = 4
ORIGIN = FeatureOrigin("net", "0" * 64, WIDTH, "PyAV 18.0", "32 frames at bin centres")


@pytest.fixture
def given(tmp_path):
    """30 videos with features, 10 of them rated."""
    folder = tmp_path / "given"
    (folder / "f").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(30):
        np.save(folder / "f" / f"{number}.npy", rng.random((2, WIDTH), np.float32))
    (folder / "t.csv").write_text("id,title\n" + "".join(f"{n},t{n}\n" for n in range(30)))
    lines = "".join(f"{n},{n + 1},0.5\n" for n in range(0, 10, 2))
    (folder / "r.csv").write_text("id_1,id_2,rating\n" + lines)
    return folder


def convert(given, out, *more):
    words = ["convert", "--videos", str(given / "t.csv"), "--features", str(given / "f")]
    words += ["--ratings", str(given / "r.csv"), "--folds-only", "--data-dir", str(out)]
    return main([*words, "--shard-size", "8", *more])


def watched(read):
    """The usual making of a record, with a list of whose it was."""
    usual = record_maker.RecordMaker.record

    def record(self, row, *more):
        read.append(row.id)
        return usual(self, row, *more)

    return record


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): file_digest(path) for path in files}


def test_a_killed_command_goes_on(given, tmp_path, monkeypatch, capsys):
    """Killed in the third of four files: what is finished is not made again, unless it was cut, or
    features in it were changed since."""
    whole, out, read = tmp_path / "whole", tmp_path / "out", []
    assert convert(given, whole) == 0
    usual, last = record_maker.RecordMaker.record, [b"20"]

    def record(self, row, *more):
        read.append(int(row.id))
        if row.id in last:
            raise KeyboardInterrupt
        return usual(self, row, *more)

    monkeypatch.setattr(record_maker.RecordMaker, "record", record)
    assert convert(given, out) == 130
    assert read == list(range(21)) and not (out / "pointwise" / "videos-00001.tfrecords").exists()
    assert "result" not in json.loads((out / "convert.json").read_text())
    read.clear()
    last[:] = [b"28"]
    assert convert(given, out) == 130 and read == list(range(18, 29))
    first = out / "pointwise" / "videos-00000.tfrecords"
    first.write_bytes(first.read_bytes()[:-1])
    np.save(given / "f" / "3.npy", np.load(given / "f" / "3.npy"))  # made again, of the first file
    read.clear()
    last.clear()
    assert convert(given, out) == 0 and read == [*range(18), *range(26, 30)]
    ours, theirs = contents(out), contents(whole)
    assert ours.pop("convert.json") != theirs.pop("convert.json") and ours == theirs
    read.clear()
    capsys.readouterr()
    assert convert(given, out) == 0 and read == []
    assert f"done already: {out}" in capsys.readouterr().out


def test_what_is_there_is_not_overwritten(given, tmp_path, capsys):
    out = tmp_path / "out"
    assert convert(given, out) == 0
    before = contents(out)
    for change, message in (
        (("--max-tags", "5"), "max_tags: 10000 -> 5"),
        (("--shard-size", "9"), "shard_size: 8 -> 9"),
    ):
        assert convert(given, out, *change) == 1
        assert message in capsys.readouterr().err
    (given / "t.csv").write_text((given / "t.csv").read_text().replace("t7", "other"))
    assert convert(given, out) == 1
    assert "tables.videos: " in capsys.readouterr().err
    (given / "t.csv").write_text((given / "t.csv").read_text().replace("other", "t7"))
    assert convert(given, out) == 0
    np.save(given / "f" / "3.npy", np.zeros((2, WIDTH)))
    capsys.readouterr()
    assert convert(given, out) == 1
    assert "the features were changed since" in capsys.readouterr().err
    assert contents(out) == before
    theirs = tmp_path / "theirs"
    (theirs / "pairwise").mkdir(parents=True)
    assert convert(given, theirs) == 1
    assert "pairwise are there, which vidsim convert did not make" in capsys.readouterr().err
    (out / "convert.json").write_text("{")
    assert convert(given, out) == 1
    assert "convert.json: damaged" in capsys.readouterr().err


def test_a_data_folder_states_the_origin_of_its_features(given, tmp_path, capsys):
    """And refuses those of another one, field by field; a folder of one's own states none."""
    ORIGIN.write(given / "f")
    assert convert(given, tmp_path / "out") == 0
    assert FeatureOrigin.read(tmp_path / "out") == ORIGIN
    other = tmp_path / "other"
    FeatureOrigin("swin", "1" * 64, WIDTH, ORIGIN.decoder, ORIGIN.sampling).write(other)
    capsys.readouterr()
    assert convert(given, other) == 1
    err = capsys.readouterr().err
    assert "extractor: swin -> net" in err and "digest: " in err and "sampling" not in err
    assert FeatureOrigin.read(given) is None


def test_nothing_fits(given, tmp_path, capsys):
    (given / "t.csv").write_text("id,title\n0.mp4,a\n")
    assert main([*words(given), "--on-bad-record", "skip"]) == 1
    err = capsys.readouterr().err
    assert "not one of its 30 ids is in" in err and "an id is '0.mp4', here '0'" in err
    (given / "t.csv").write_text("id,title\n")
    assert main(words(given)) == 1
    assert "t.csv: no video; accepted is a row for each" in capsys.readouterr().err
    (given / "t.csv").write_text("name,title\n1,a\n")
    assert main(words(given)) == 1
    assert "no column id or file; there are name, title. Another name" in capsys.readouterr().err


def words(given):
    words = ["convert", "--videos", str(given / "t.csv"), "--features", str(given / "f")]
    return [*words, "--data-dir", str(given / "out")]


def test_a_mistyped_folder_of_videos_leaves_no_trace(given, tmp_path, capsys):
    """What was stopped before its first file keeps nobody from another conversion."""
    words = ["convert", "--videos", str(given / "t.csv"), "--data-dir", str(tmp_path / "out")]
    assert main([*words, "--video-files", str(given / "nowhere")]) == 1
    assert "nowhere: not a folder" in capsys.readouterr().err
    assert convert(given, tmp_path / "out") == 0
    assert main([*words, "--video-files", str(given)]) == 1
    assert "extractor: None -> efficientnet_lite0" in capsys.readouterr().err
