"""`ensemble --check`: a submission from anywhere, judged as a competitor would type it."""

import json
import zipfile

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.records.video import Video
from vidsim.records.writer import write_videos

IDS = [str(10**18 + n) for n in range(5)]


@pytest.fixture
def numbers(tmp_path, monkeypatch):
    """Five test videos in test_b.tfrecords, a folder to be in, and numbers for each of them."""
    monkeypatch.chdir(tmp_path)
    frames = np.zeros((1, 1536), np.float16)
    write_videos("test_b.tfrecords", [Video(name, "", frames) for name in IDS])
    return {name: [1.0, 0.5, n] for n, name in enumerate(IDS)}


def check(numbers) -> int:
    with zipfile.ZipFile("theirs.zip", "w") as archive:
        archive.writestr("result.json", json.dumps(numbers))
    return main(["ensemble", "--check", "theirs.zip", "--ids", "test_b.tfrecords"])


def test_a_good_submission_from_elsewhere(numbers, capsys):
    assert check(numbers) == 0
    assert capsys.readouterr().out == "theirs.zip: good to send in: 5 videos, none missing\n"


def test_a_bad_submission_from_elsewhere(numbers, capsys):
    numbers["stranger"] = numbers.pop(IDS[0])
    numbers[IDS[1]][2] = "x"
    assert check(numbers) == 1
    said = capsys.readouterr().err
    assert "theirs.zip must not be sent in:" in said
    assert "1 x not a video of the test set: stranger" in said
    assert f"1 x missing: {IDS[0]}" in said
    assert f"1 x not a list of numbers: {IDS[1]}" in said
