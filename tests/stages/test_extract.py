"""vidsim extract: features of folders, with an extractor whose numbers are known by hand."""

import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "video_files"))
from PIL import Image

from fake_extractor import GridExtractor, Misbehaving
from made_files import corners, film, grey, greys, level
from vidsim import cli
from vidsim.cli import main
from vidsim.errors import Interrupted, VidsimError
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.stages.extract import Work, extract_features
from vidsim.video_files.libraries import decoder_version
from vidsim.video_files.limits import Limits
from vidsim.video_files.sampling import Sampling
from vidsim.video_files.sources import find_videos

WORK = Work(batch_size=8, decoders=2, limits=Limits(seconds=20, megabytes=1500))
FOUR = Sampling(4)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Films of 4, 20 and 40 frames, a picture, a folder of two, and three files without frames."""
    folder = tmp_path_factory.mktemp("clips")
    for name, count in (("long", 40), ("short", 4), ("middle", 20)):
        film(folder / f"{name}.mp4", greys(count), qp=4, g=12)
    Image.fromarray(corners()).save(folder / "picture.png")
    (folder / "slides").mkdir()
    for number in (1, 2):
        Image.fromarray(grey(number)).save(folder / "slides" / f"{number}.png")
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture
def extractor(monkeypatch):
    """What --extractor loads, without TensorFlow."""
    made = GridExtractor()
    registry = types.SimpleNamespace(load_extractor=lambda named: made)
    monkeypatch.setitem(sys.modules, "vidsim.extractors.registry", registry)
    monkeypatch.setattr(cli, "_start_keras", lambda op_threads: None)
    return made


def extract(clips, out, *more):
    words = ["extract", "--video-files", str(clips), "--features-out", str(out), *more]
    return main([*words, "--batch-size", "8"])


def read(out, video):
    with np.load(out / f"{video}.npz") as arrays:
        assert set(arrays) == {"features", "times"}
        features, times = arrays["features"], arrays["times"]
    assert features.dtype == np.float16 and times.dtype == np.float64
    assert len(features) == len(times) and (np.diff(times) > 0).all()
    return features, times


def contents(out):
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def failures(out):
    lines = (out / "failed.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_features_and_times_of_every_video(clips, extractor, tmp_path, capsys):
    """Of grey frames every number is level / 255; of the picture, its corners' colours."""
    assert extract(clips, tmp_path / "out", "--max-frames", "4") == 0
    said = capsys.readouterr().out
    expected = {"long": [5, 15, 25, 35], "middle": [2, 7, 12, 17], "short": [0, 1, 2, 3]}
    for video, frames in expected.items():
        features, times = read(tmp_path / "out", video)
        np.testing.assert_allclose(times, np.array(frames) / 25)
        levels = np.array([level(frame) for frame in frames])[:, None] / 255
        np.testing.assert_allclose(features, np.repeat(levels, 48, 1), atol=0.01)
    features, times = read(tmp_path / "out", "picture")
    assert times.tolist() == [0]
    cells = features.reshape(4, 4, 3)
    np.testing.assert_array_equal(cells[[0, 0, 3], [0, 3, 0]], np.eye(3))
    np.testing.assert_array_equal(cells[3, 3], [1, 1, 1])
    assert read(tmp_path / "out", "slides")[1].tolist() == [0, 1]
    assert [line["id"] for line in failures(tmp_path / "out")] == ["empty", "text"]
    assert {line["reason"] for line in failures(tmp_path / "out")} == {"empty", "unknown_format"}
    assert failures(tmp_path / "out")[0]["file"] == str(clips / "empty.mp4")
    assert "5 videos have features, 15 frames extracted; 2 videos gave none" in said
    assert set(extractor.batches) == {8} and len(extractor.batches) == 2  # across videos
    assert extractor.last[6].any() and not extractor.last[7].any()  # of 16 rows 15 are frames
    assert FeatureOrigin.read(tmp_path / "out") == FeatureOrigin(
        "grid", "0" * 64, 48, decoder_version(), "4 frames at bin centres"
    )


def test_the_same_bytes_twice_and_after_an_interruption(clips, tmp_path, monkeypatch):
    """Whatever the number of decoders and the order in which videos are finished."""
    files = find_videos(clips).files
    whole, other, parts = (tmp_path / name for name in ("whole", "other", "parts"))
    extract_features(files, GridExtractor(), FOUR, whole, WORK)
    extract_features(files, GridExtractor(), FOUR, other, Work(8, 1, WORK.limits))
    assert contents(other) == contents(whole)

    class Interrupting(GridExtractor):
        def extract(self, batch):
            if self.batches:
                raise KeyboardInterrupt
            return super().extract(batch)

    with pytest.raises(Interrupted, match="videos have features, and the same command goes on"):
        extract_features(files, Interrupting(), FOUR, parts, WORK)
    done = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.npz")}
    assert 0 < len(done) < 5
    counts = extract_features(files, GridExtractor(), FOUR, parts, WORK)
    assert (counts.videos, counts.before) == (5, len(done))
    assert {name: (parts / name).stat().st_mtime_ns for name in done} == done
    assert contents(parts) == contents(whole)
    again = GridExtractor()
    assert extract_features(files, again, FOUR, parts, WORK).before == 5
    assert not again.batches and contents(parts) == contents(whole)


def test_parts_make_what_the_whole_makes(clips, extractor, tmp_path):
    extract(clips, tmp_path / "whole")
    for number in (1, 2):
        extract(clips, tmp_path / "parts", "--part", f"{number}/2")
    lists = list((tmp_path / "parts").glob("failed.jsonl*"))
    assert lists and all("part-" in path.name for path in lists)
    extract(clips, tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert not list((tmp_path / "parts").glob("*.part-*"))


def test_a_file_that_was_mended_is_read_by_the_next_command(clips, extractor, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes((clips / "short.mp4").read_bytes())
    (videos / "b.mp4").write_bytes((clips / "short.mp4").read_bytes()[:100])
    assert extract(videos, tmp_path / "out") == 0
    assert [line["id"] for line in failures(tmp_path / "out")] == ["b"]
    (videos / "b.mp4").write_bytes((clips / "short.mp4").read_bytes())
    assert extract(videos, tmp_path / "out") == 0
    assert not (tmp_path / "out" / "failed.jsonl").exists()
    np.testing.assert_array_equal(read(tmp_path / "out", "a")[0], read(tmp_path / "out", "b")[0])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"digest": "1" * 64}, f"digest: {'0' * 64} -> {'1' * 64}"),
        ({"name": "other"}, "extractor: grid -> other"),
        ({"fps": 2.0}, "sampling: 4 frames at bin centres -> 2 frames a second"),
    ],
)
def test_two_origins_in_one_folder_are_refused(clips, tmp_path, change, line):
    files = {"a": clips / "short.mp4"}
    extract_features(files, GridExtractor(), FOUR, tmp_path, WORK)
    before, changed = contents(tmp_path), GridExtractor()
    sampling = Sampling(**change) if "fps" in change else FOUR
    for name, value in change.items():
        setattr(changed, name, value)
    with pytest.raises(VidsimError) as error:
        extract_features(files | {"b": clips / "long.mp4"}, changed, sampling, tmp_path, WORK)
    assert line in str(error.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["a.npy", "b.npz", "failed.jsonl"])
def test_files_of_unknown_origin_are_left_alone(clips, tmp_path, name):
    (tmp_path / name).write_text("somebody's own")
    with pytest.raises(VidsimError, match=f"{name}: a file of unknown origin"):
        extract_features({"a": clips / "short.mp4"}, GridExtractor(), FOUR, tmp_path, WORK)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"} == {name}
    assert (tmp_path / name).read_text() == "somebody's own"


def test_a_table_names_the_videos(clips, extractor, tmp_path, capsys):
    table = tmp_path / "some.csv"
    table.write_text("title,id,file\nx,7,short.mp4\ny,middle,\nz,gone,\nw,up,../none.mp4\n")
    assert extract(clips, tmp_path / "out", "--videos", str(table)) == 0
    assert {path.stem for path in (tmp_path / "out").glob("*.npz")} == {"7", "middle"}
    assert [(line["id"], line["reason"]) for line in failures(tmp_path / "out")] == [
        ("gone", "missing"),
        ("up", "missing"),
    ]
    assert "6 videos of" in capsys.readouterr().out
    for text, message in (
        ("id\na\na\n", "row 2: id 'a' again"),
        ("id\na/b\n", "'a/b' is no id"),
        ("id\n..\n", "'..' is no id"),
        ("name\na\n", "no column id"),
        ("id\n", "no video"),
    ):
        table.write_text(text)
        assert extract(clips, tmp_path / "out", "--videos", str(table)) == 1
        assert message in capsys.readouterr().err


def test_what_the_command_refuses(clips, extractor, tmp_path, capsys):
    (tmp_path / "two").mkdir()
    for name in ("a.mp4", "a.mkv"):
        (tmp_path / "two" / name).touch()
    (tmp_path / "none").mkdir()
    for words, message in (
        (["extract"], "--video-files names"),
        (["extract", "--video-files", "x", "--features-out", "y"], "x: not a folder"),
        (["extract", "--video-files", str(tmp_path / "none"), "--features-out", "y"], "no video"),
        (["extract", "--video-files", str(tmp_path / "two"), "--features-out", "y"], "two files"),
    ):
        assert main(words) == 1
        assert message in capsys.readouterr().err
    assert extract(clips, tmp_path / "out", "--fps", "1", "--max-frames", "4") == 1
    assert "--max-frames 4 and --fps 1.0: accepted is one" in capsys.readouterr().err
    only = tmp_path / "only"
    only.mkdir()
    (only / "a.mp4").write_text("none")
    assert extract(only, tmp_path / "out") == 1
    assert "0 videos have features" in capsys.readouterr().err


def test_without_pyav_the_extra_is_named(clips, extractor, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    assert extract(clips, tmp_path / "out") == 1
    assert "sh setup.sh video installs them" in capsys.readouterr().err


def test_numbers_that_are_none_are_a_reason(clips, tmp_path):
    files = {"a": clips / "short.mp4"}
    with pytest.raises(VidsimError, match="1 videos gave none: 1 not_finite"):
        extract_features(files, GridExtractor(Misbehaving(how="infinite")), FOUR, tmp_path, WORK)
    assert failures(tmp_path)[0]["detail"] == "192 of 192 numbers"


SLOW_COMMAND = """
import signal, sys, time, types
from vidsim import cli
from fake_extractor import GridExtractor

class Slow(GridExtractor):
    def extract(self, batch):
        print("batch", flush=True)
        time.sleep(0.5)
        return super().extract(batch)

loaded = types.SimpleNamespace(load_extractor=lambda named: Slow())
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
sys.modules["vidsim.extractors.registry"] = loaded  # TensorFlow takes seconds
cli._start_keras = lambda op_threads: None
sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_ends_the_command_and_its_decoders(clips, tmp_path):
    """As a terminal sends it, to all processes of the group."""
    words = ["extract", "--video-files", str(clips), "--features-out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_COMMAND, *words, "--batch-size", "2"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.stdout.readline() != "batch\n":
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "videos have features, and the same command goes on from there" in said
    assert "Traceback" not in said
    for _ in range(50):
        if not group_lives(process.pid):
            return
        time.sleep(0.1)
    pytest.fail("a decoder is still there")


def group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
