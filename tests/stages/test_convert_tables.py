"""vidsim convert on tables of contests and of image-text sets; splits, captions, classes."""

import json
import sys
import types

import numpy as np
import pytest

from vidsim import schema
from vidsim.cli import main
from vidsim.config import Common
from vidsim.records.video_table import load_videos
from vidsim.tasks.classification.labelled import open_labelled
from vidsim.tasks.retrieval.captions import read_captions


def convert(folder, *more):
    return main(
        ["convert", "--videos", str(folder / "t.json"), "--data-dir", str(folder / "d"), *more]
    )


def write(folder, rows, name="t.json"):
    (folder / name).write_text(json.dumps(rows, ensure_ascii=False))


def test_a_contest_hands_out_an_array(tmp_path, capsys):
    """Of document 001: categories of four digits, whose first two are their parent."""
    rows = [
        {"id": str(n), "title": f"标题{n}", "asr": "", "category_id": f"0{n % 3}0{n % 2}"}
        | {"ocr": [{"time": 2, "text": "b"}, {"time": 1, "text": "a"}]}
        | {"split": "val" if n in (4, 5) else "train"}
        for n in range(12)
    ]
    write(tmp_path, rows)
    assert convert(tmp_path, "--category-parent-letters", "2") == 0
    out = capsys.readouterr().out
    assert "12 videos of texts alone" in out and "6 categories of 3 parents" in out
    data = tmp_path / "d"
    table = load_videos(data / "pointwise" / "videos-00000.tfrecords")
    assert table.text(schema.OCR_TEXT)[0] == "a b" and table.titles[11] == "标题11"
    names = dict(
        line.split("\t") for line in (data / "category_names.txt").read_text().split("\n")[:-1]
    )
    values = table.number(schema.CATEGORY_ID).values.tolist()
    assert [names[str(value)] for value in values] == [row["category_id"] for row in rows]
    for line in (data / "category_list.txt").read_text().splitlines():
        own, parent = line.split("\t")
        assert names[own][:2] == names[parent]
    assert (data / "classification" / "dev.txt").read_text() == "4\n5\n"
    labelled = open_labelled(Common(data_dir=data, save_dir=tmp_path))
    assert labelled.listed and labelled.counts.tolist() == [2] * 6


def test_pictures_and_captions(tmp_path, capsys):
    """Of document 003: a row for each sentence of a picture to train on, a list for the test."""
    rows = [{"image": "a/1.jpg", "caption": f"one {n}"} for n in range(3)]
    rows += [{"image": "a/2.jpg", "caption": "two", "split": "val"}]
    rows += [{"image": "b/3.jpg", "caption": ["three", "drei"], "split": "test"}]
    write(tmp_path, rows)
    write(tmp_path, [{"id": "2", "caption": "zwei"}], "c.json")
    np.savez(tmp_path / "f.npz", ids=["1", "2", "3"], features=np.ones((3, 1, 5), "float32"))
    more = ["--features", str(tmp_path / "f.npz"), "--captions", str(tmp_path / "c.json")]
    assert convert(tmp_path, *more) == 0
    assert "2 repeated rows are read once" in capsys.readouterr().out
    data, found = tmp_path / "d", {}
    for name in ("captions", "dev_captions", "test_captions"):
        captions = read_captions(data / "retrieval" / f"{name}.tsv")
        found[name] = list(zip(captions.videos.tolist(), captions.sentences, strict=True))
    assert found == {
        "captions": [(b"1", f"one {n}") for n in range(3)],
        "dev_captions": [(b"2", "two"), (b"2", "zwei")],
        "test_captions": [(b"3", "three"), (b"3", "drei")],
    }
    table = load_videos(data / "pointwise" / "videos-00000.tfrecords")
    assert list(table.titles) == ["one 0", "two"]
    assert load_videos(data / "test_b" / "test_b.tfrecords").titles[0] == "three"
    assert main(["check", str(data), "--save-dir", str(tmp_path)]) == 0


def test_captions_of_a_video_that_was_left_out(tmp_path):
    """2 has no features, 3 is not in the table: neither's sentences are left."""
    write(tmp_path, [{"id": "1", "caption": "one"}, {"id": "2", "caption": "two"}])
    sentences = [{"id": video, "caption": f"also {video}"} for video in "123"]
    write(tmp_path, sentences, "c.json")
    np.savez(tmp_path / "f.npz", ids=["1"], features=np.ones((1, 1, 5), "float32"))
    more = ["--features", str(tmp_path / "f.npz"), "--captions", str(tmp_path / "c.json")]
    assert convert(tmp_path, *more, "--on-bad-record", "skip") == 0
    text = (tmp_path / "d" / "retrieval" / "captions.tsv").read_text()
    assert text == "1\tone\n1\talso 1\n"


def test_tags_that_are_numbers_and_the_most_frequent_ones(tmp_path):
    write(tmp_path, [{"id": str(n), "tags": [7, 90 + n % 2][: 1 + n % 3]} for n in range(6)])
    assert convert(tmp_path, "--max-tags", "2") == 0
    assert (tmp_path / "d" / "tag_list.txt").read_text() == "7\n90\n"
    assert not (tmp_path / "d" / "tag_names.txt").exists()
    table = load_videos(tmp_path / "d" / "pointwise" / "videos-00000.tfrecords")
    assert sorted(set(table.numbers(schema.TAG_ID).values.tolist())) == [7, 90, 91]


@pytest.mark.parametrize(
    ("columns", "flags", "message"),
    [
        ("tr", (), "both have a column split"),
        ("t", ("--test-share", "0.5"), "--test-share: the column split says"),
        ("t", ("--folds-only",), "--folds-only: the column split keeps"),
        ("", ("--columns", "titel=name"), "'titel=name'; accepted is field=column"),
        ("", ("--columns", "title=name"), "no column 'name', which --columns names for title"),
        ("", ("--folds-only", "--captions", "none.csv"), "none.csv: there is no such file"),
    ],
)
def test_flags_that_do_not_go_with_the_tables(tmp_path, capsys, columns, flags, message):
    split = {"split": "test"}
    write(tmp_path, [{"id": str(n)} | (split if "t" in columns else {}) for n in range(4)])
    pairs = [{"id_1": "0", "id_2": "1", "rating": 1} | (split if "r" in columns else {})]
    write(tmp_path, pairs, "r.json")
    assert convert(tmp_path, "--ratings", str(tmp_path / "r.json"), *flags) == 1
    assert message in capsys.readouterr().err


@pytest.fixture
def asked(monkeypatch):
    """Puts stand-ins for what decodes and computes; says what they were asked for."""
    asked = {}

    def extract_features(files, extractor, sampling, out):
        asked.update(files=files, extractor=extractor, sampling=sampling)
        out.mkdir()
        for video in files:
            np.savez(out / f"{video}.npz", features=np.ones((2, 3), "float16"), times=[0.5, 1.5])

    def named_videos(folder, named, where):
        files = {video: folder / (file or f"{video}.mp4") for video, file in named}
        return types.SimpleNamespace(files=files, notes=["noted"])

    stand_in = {
        "vidsim.extractors.registry": {"load_extractor": lambda name: name},
        "vidsim.stages.extract": {"extract_features": extract_features},
        "vidsim.video_files.sampling": {"Sampling": lambda frames, fps: (frames, fps)},
        "vidsim.video_files.sources": {"named_videos": named_videos},
    }
    for name, members in stand_in.items():
        if name.rpartition(".")[0] not in sys.modules:
            package = name.rpartition(".")[0]
            monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**members))
    monkeypatch.setattr("vidsim.keras_start.start_keras", lambda op_threads: None)
    return asked


def test_raw_videos_are_extracted_first(tmp_path, asked, capsys):
    """Which file is whose, and where the features go; what is done is not asked for again."""
    write(tmp_path, [{"id": "a"}, {"id": "b", "file": "x/y.mov"}])
    raw = tmp_path / "raw"
    assert convert(tmp_path, "--video-files", str(raw), "--fps", "2") == 0
    assert "noted" in capsys.readouterr().out
    assert asked["files"] == {"a": raw / "a.mp4", "b": raw / "x" / "y.mov"}
    assert (asked["extractor"], asked["sampling"]) == ("efficientnet_lite0", (32, 2.0))
    table = load_videos(tmp_path / "d" / "pointwise" / "videos-00000.tfrecords")
    assert table.n_frames.tolist() == [2, 2]
    asked.clear()
    assert convert(tmp_path, "--video-files", str(raw), "--fps", "2") == 0 and asked == {}
