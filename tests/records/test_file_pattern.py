"""What is a pattern: what a user wrote, and never a folder that is there."""

from pathlib import Path

import pytest

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.recipes.recipe import FinetuneConfig
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos
from vidsim.tasks.data_files import PAIRWISE, POINTWISE, open_videos
from vidsim.tasks.similarity.pair_source import PairSource


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """set[12]/p/ beside set1/p/ and set2/p/, with files a, b and [ab]; the working folder."""
    monkeypatch.chdir(tmp_path)
    for folder in ("set[12]", "set1", "set2", "*"):
        (tmp_path / folder / "p").mkdir(parents=True)
        for name in "a", "b", "[ab]":
            (tmp_path / folder / "p" / name).touch()
    return tmp_path


def found(named: str | Path | FilePattern) -> list[str]:
    return [str(path) for path in FilePattern.of(named).files()]


@pytest.mark.parametrize(
    ("named", "files"),
    [
        ("set[12]/p/a", ["set[12]/p/a"]),
        ("set[12]/p/?", ["set[12]/p/a", "set[12]/p/b"]),
        ("set[12]/p/[ab]", ["set[12]/p/[ab]"]),
        ("set1/p/[ab]*", ["set1/p/a", "set1/p/b"]),
        ("set[1]/p/a", ["set1/p/a"]),
        ("set?/p/a", ["set1/p/a", "set2/p/a"]),
        ("set?/**/b", ["set1/p/b", "set2/p/b"]),
        ("./set1//p/a", ["set1/p/a"]),
        ("*/p/a", ["*/p/a"]),
        ("set[3]/p/a", []),
        ("", []),
        ("/", []),
        (".", []),
    ],
)
def test_what_a_user_wrote(places, named, files):
    """A file of that name; otherwise folders that are there, then a pattern. Absolute too."""
    assert found(named) == files
    if files:
        assert found(f"{places}/{named}") == [str(places / name) for name in files]


def test_paths_and_patterns_below_a_folder(places):
    assert found(Path("set[12]/p/?")) == []
    assert found(Path("set1/p/[ab]")) == ["set1/p/[ab]"]
    below = FilePattern(Path("set[12]"), "p/?")
    assert found(below) == ["set[12]/p/a", "set[12]/p/b"]
    assert str(below) == "set[12]/p/?"
    assert found(FilePattern(Path("set[1]"), "p/?")) == []


def test_natural_order(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f"v_{number}").touch()
    names = [Path(name).name for name in found(FilePattern(tmp_path, "v_*"))]
    assert names == ["v_1", "v_2", "v_10"]


def test_data_folders_beside_one_that_their_name_fits(tmp_path, make_video, monkeypatch):
    """Defaults below --data-dir, and files named by flags, are those of the folder itself."""
    monkeypatch.chdir(tmp_path)
    common = Common(data_dir=Path("set[12]"), save_dir=tmp_path / "save")
    for number, folder in enumerate(("set1", "set[12]")):
        for name in (POINTWISE.replace("*", "v"), PAIRWISE, "x.tfrecord"):
            write_videos(tmp_path / folder / name, [make_video(number)])
    own = [b"101"]
    for pattern in (None, "set[12]/p*/*.tfrecords"):
        assert open_videos(common, pattern, POINTWISE).ids.tolist() == own
    assert open_videos(common, None, PAIRWISE).ids.tolist() == own
    parts = {"train_record_pattern": "set[12]/?.tfrecord", "val_record_pattern": "set[12]/[a].*"}
    with pytest.raises(VidsimError, match=r"'set\[12\]/\[a\]\.\*': 0 files match; each of --tra"):
        PairSource(common, FinetuneConfig(**parts))

    (tmp_path / "set[12]" / "pointwise" / "v.tfrecords").unlink()
    with pytest.raises(VidsimError, match=r"set\[12\]/pointwise/v\.tfrecords: there is no such fi"):
        open_videos(common, None, POINTWISE)  # its index tells that it was there
    for named, told in (
        ("none*", r"none\*'; TF"),
        ("pairwise", r"pairwise' \(it is a folder: add"),
    ):
        with pytest.raises(VidsimError, match=rf"no file matches 'set\[12\]/{told}"):
            load_videos(f"set[12]/{named}")
