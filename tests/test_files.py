"""Whole or not at all."""

import hashlib
import json
from pathlib import Path

import pytest

from vidsim.files import file_digest, write_folder, write_json


def test_a_block_that_raises_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "ckpt-1"
    with write_folder(folder) as new:
        (new / "weights").write_text("old")
    with pytest.raises(RuntimeError, match="disk full"), write_folder(folder) as new:
        (new / "weights").write_text("half")
        raise RuntimeError("disk full")
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt-1"]
    assert (folder / "weights").read_text() == "old"


def test_nothing_is_there_before_the_end(tmp_path):
    folder = tmp_path / "run" / "ckpt-1"
    with write_folder(folder) as new:
        (new / "weights").write_text("w")
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["weights"]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path):
    folder = tmp_path / "ckpt-1"
    for name in ("a", "b"):
        with write_folder(folder) as new:
            (new / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["b"]


def test_json_round_trip(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    write_json(path, {"title": "猫", "path": Path("a/b"), "spearman": 0.5})
    assert json.loads(path.read_text("utf-8")) == {"title": "猫", "path": "a/b", "spearman": 0.5}
    assert "猫" in path.read_text("utf-8")


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, {("a", "tuple"): 1})
    assert [item.name for item in tmp_path.iterdir()] == ["metrics.json"]
    assert json.loads(path.read_text()) == 1


def test_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
