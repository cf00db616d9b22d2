"""What a report says of its data and its code."""

import shutil
import subprocess
from importlib.metadata import version

import pytest

from vidsim.provenance import code_commit, installed_versions, is_made_up
from vidsim.records.labels import read_labels
from vidsim.records.sample import write_sample
from vidsim.records.video_table import load_videos


def test_the_sample_is_known_by_its_content(tmp_path):
    data = tmp_path / "renamed"
    write_sample(data)
    rated = read_labels(data / "pairwise" / "label.tsv")
    ids = [*rated.id_1.tolist(), *rated.id_2.tolist()]
    test = load_videos(data / "test_b" / "test_b.tfrecords").ids.tolist()
    assert is_made_up(ids) and is_made_up(test)
    assert not is_made_up([*ids[1:], b"1"])
    assert not is_made_up(load_videos(data / "test_a" / "test_a.tfrecords").ids.tolist())


def test_versions_are_those_installed():
    found = installed_versions()
    assert list(found) == ["vidsim", "keras", "tensorflow", "numpy"]
    assert found["keras"] == version("keras")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_of_the_checkout_that_tracks_the_code(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert code_commit(tmp_path) is None
    git("init", "-q")
    code = tmp_path / "__init__.py"
    code.write_text("")
    assert code_commit(tmp_path) is None  # an environment in somebody's checkout: not tracked
    git("add", ".")
    git("commit", "-qm", "code")
    assert code_commit(tmp_path) == git("rev-parse", "HEAD")
    code.write_text("pass")
    assert code_commit(tmp_path) == git("rev-parse", "HEAD") + "-dirty"
    assert code_commit(tmp_path / "nowhere") is None
