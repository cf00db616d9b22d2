"""vidsim convert: tables, features and ratings into a data folder, and each odd thing in them."""

import json
import re

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.records.frame_reader import FrameReader
from vidsim.records.labels import read_labels
from vidsim.records.tfrecord import iter_records
from vidsim.records.video_table import load_videos
from vidsim.records.wire import parse_example

WIDTH = 6
IDS = [f"v{n}" for n in range(12)]
FRAMES = {v: np.arange((n % 4) * WIDTH).reshape(-1, WIDTH) + n for n, v in enumerate(IDS)}
"""Of 0 to 3 frames: v0, v4 and v8 have none."""


@pytest.fixture
def given(tmp_path):
    """A table of 12 videos, a folder of their features, and ratings from 0 to 5."""
    return Given(tmp_path / "given")


class Given:
    def __init__(self, folder):
        self.folder, self.features = folder, folder / "features"
        self.features.mkdir(parents=True)
        self.rows = [f"{v},title {v},cats|dogs,sport,x" for v in IDS]
        for video, frames in FRAMES.items():
            np.save(self.features / f"{video}.npy", frames.astype(np.float32))
        self.ratings = [f"{IDS[n]},{IDS[(n + 1) % 4 + n // 4 * 4]},{n % 6}" for n in range(12)]

    def write(self):
        table = "id,title,tags,category,url\n" + "".join(f"{row}\n" for row in self.rows)
        (self.folder / "clips.csv").write_text(table)
        lines = "id_1,id_2,rating\n" + "".join(f"{row}\n" for row in self.ratings)
        (self.folder / "ratings.csv").write_text(lines)

    def convert(self, out, *more, ratings=True):
        self.write()
        words = ["convert", "--videos", str(self.folder / "clips.csv"), "--data-dir", str(out)]
        words += ["--features", str(self.features), "--tag-separator", "|"]
        if ratings:
            words += ["--ratings", str(self.folder / "ratings.csv"), "--rating-range", "0,5"]
        return main([*words, *more])


def frames_of(table):
    reader, found = FrameReader(table), {}
    for row, video in enumerate(table.ids.tolist()):
        n = int(table.n_frames[row])
        places, there = np.arange(n)[None], np.ones((1, n), bool)
        found[video.decode()] = reader.read(np.array([row]), places, there)[0] if n else None
    return found


def test_the_layout_of_the_challenge(given, tmp_path, capsys):
    """Ratings link v0-v3, v4-v7 and v8-v11: a whole group goes to the test, the rest is rated."""
    data = tmp_path / "data"
    given.rows.append("free,unrated,,,")
    np.save(given.features / "free.npy", np.ones((1, WIDTH), np.float16))
    np.save(given.features / "nobody.npy", np.ones((1, WIDTH), np.float16))
    assert given.convert(data, "--test-share", "0.3") == 0
    out = capsys.readouterr().out
    assert "columns that are not used: url" in out
    assert "1 videos with features are not in" in out and "\n  nobody\n" in out
    assert "8 rated pairs to train on, 4 for the test" in out
    rated = load_videos(data / "pairwise" / "pairwise.tfrecords")
    test = load_videos(data / "test_b" / "test_b.tfrecords")
    train = load_videos(str(data / "pointwise" / "*.tfrecords"))
    everything = {v.decode() for t in (rated, test) for v in t.ids.tolist()}
    assert everything == set(IDS) and (len(rated), len(test)) == (8, 4)
    tested = {v.decode() for v in test.ids.tolist()}
    assert {v.decode() for v in train.ids.tolist()} == everything - tested | {"free"}
    assert (data / "pointwise" / "rated.tfrecords").is_symlink()
    for video, frames in {**frames_of(rated), **frames_of(test)}.items():
        if not len(FRAMES[video]):
            assert frames is None
        else:
            np.testing.assert_array_equal(frames, FRAMES[video].astype(np.float16))
    assert next(iter(rated.titles)) == f"title {rated.ids[0].decode()}"
    for name, table in (("pairwise", rated), ("test_b", test)):
        pairs = read_labels(data / name / "label.tsv")
        assert (table.find(pairs.id_1) >= 0).all() and (table.find(pairs.id_2) >= 0).all()
        for one, other, sim in zip(pairs.id_1, pairs.id_2, pairs.sim, strict=True):
            line = next(
                r for r in given.ratings if r.startswith(f"{one.decode()},{other.decode()},")
            )
            assert sim == pytest.approx(int(line.split(",")[2]) / 5)
    assert (data / "tag_list.txt").read_text() == "1\n2\n"
    assert (data / "tag_names.txt").read_text() == "1\tcats\n2\tdogs\n"
    assert (data / "category_names.txt").read_text() == "1\tsport\n"
    assert not (data / "convert.parts").exists()
    assert main(["check", str(data), "--save-dir", str(tmp_path)]) == 0
    capsys.readouterr()
    assert given.convert(data, "--test-share", "0.3") == 0
    assert "done already" in capsys.readouterr().out


def ratings_are_those_that_were_given(data, given, rated, test):
    ratings = {tuple(line.split(",")[:2]): line.split(",")[2] for line in given.ratings}
    for name, table in (("pairwise", rated), ("test_b", test)):
        pairs = read_labels(data / name / "label.tsv")
        assert (table.find(pairs.id_1) >= 0).all() and (table.find(pairs.id_2) >= 0).all()
        for one, other, sim in zip(pairs.id_1, pairs.id_2, pairs.sim, strict=True):
            assert sim == pytest.approx(int(ratings[one.decode(), other.decode()]) / 5)


def add_rating(line):
    return lambda given: given.ratings.append(line)


def save(video, array):
    return lambda given: np.save(given.features / f"{video}.npy", np.array(array))


def add_row(row):
    return lambda given: given.rows.append(row)


ONES = np.ones((2, WIDTH), np.float32)
ODD = {
    "no features": (add_row("new,t,,,"), "clips.csv: id 'new': no features of it in", 1),
    "an id twice": (add_row("v3,other,,,"), "clips.csv:14: id 'v3' again, with other content", 1),
    "no id": (add_row(",t,,,"), "clips.csv:14: the id is ''", 1),
    "too many values": (add_row("a,b,c,d,e,f"), "line 14, saw 6|csv:14: 6 values", 1),
    "a width": (save("v6", np.ones((2, 7))), r"v6.npy: frames of 7 numbers, and those of 'v1'", 1),
    "NaN": (save("v5", ONES * np.nan), r"v5.npy: frame 0 has nan in column 0", 1),
    "too large": (save("v5", ONES * 1e5), r"v5.npy: frame 0 has 100000.0 in column 0", 1),
    "one vector": (save("v5", np.ones(WIDTH)), r"v5.npy: features of shape \(6,\)", 1),
    "texts": (save("v5", ["a"]), r"v5.npy: features of type <U1", 1),
    "unknown": (add_rating("v1,nobody,3"), "ratings.csv:14: no video 'nobody'", 1),
    "no number": (add_rating("v1,v2,high"), "ratings.csv:14: the rating is \"'high'\"", 1),
    "off the scale": (add_rating("v1,v2,6"), "ratings.csv:14: the rating is 6, outside of", 1),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_stops_or_is_skipped(given, tmp_path, capsys, case):
    """Stop names file and place; skip leaves out that video or rating, says so, and no other."""
    change, message, count = ODD[case]
    change(given)
    assert given.convert(tmp_path / "stop", "--folds-only") == 1
    err = capsys.readouterr().err
    assert re.search(message, err), err
    data = tmp_path / "skip"
    assert given.convert(data, "--folds-only", "--on-bad-record", "skip") == 0
    out = capsys.readouterr().out
    assert f"SKIPPED {count} bad rows" in out and re.search(message, out)
    table = load_videos(data / "pairwise" / "pairwise.tfrecords")
    lost = {"a width": "v6", "NaN": "v5", "too large": "v5", "one vector": "v5", "texts": "v5"}
    assert {v.decode() for v in table.ids.tolist()} == set(IDS) - {lost.get(case)}
    pairs = read_labels(data / "pairwise" / "label.tsv")
    assert len(pairs) == 12 - 2 * (case in lost)
    assert ("2 rated pairs are left out for lack of a skipped video" in out) == (case in lost)


def test_frame_times_and_failed_videos(given, tmp_path, capsys):
    """ID.npz of vidsim extract has times, which go into the record and which readers pass over."""
    (given.features / "v1.npy").unlink()
    np.savez(given.features / "v1.npz", features=FRAMES["v1"], times=np.array([0.25]))
    (given.features / "v2.npy").unlink()
    failed = {"id": "v2", "file": "v2.mp4", "reason": "no_frames"}
    (given.features / "failed.jsonl").write_text(json.dumps(failed) + "\n")
    assert given.convert(tmp_path / "data", ratings=False) == 0
    out = capsys.readouterr().out
    assert "4 videos without frames" in out and "v2: no_frames" in out
    path = tmp_path / "data" / "pointwise" / "videos-00000.tfrecords"
    records = [parse_example(record.payload) for record in iter_records(path)]
    assert [("frame_time" in r) for r in records] == [False, True, *[False] * 10]
    assert list(records[1]["frame_time"].values) == [0.25]
    np.testing.assert_array_equal(frames_of(load_videos(path))["v1"], FRAMES["v1"])
