"""`vidsim check` of data that lack a field, or have one of several widths."""

import numpy as np

from vidsim.cli import main
from vidsim.records.video import Video
from vidsim.records.writer import write_videos


def test_what_a_data_set_may_lack(tmp_path, capsys):
    """Titles or frames alone, no tags and no list of them, no ratings, no test videos: all well."""
    frames = np.ones((2, 512), np.float16)
    write_videos(tmp_path / "pointwise" / "a.tfrecords", [Video("1", "a")])
    write_videos(tmp_path / "pointwise" / "b.tfrecords", [Video("2", frames=frames)])
    assert main(["check", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    without = "(not there: no ratings, pretraining validates by its own loss)\n"
    assert f"{tmp_path / 'pairwise'} {without}" in out
    without = "(not there: no test, the ensemble gives its table and no submission)\n"
    assert f"{tmp_path / 'test_b'} {without}" in out
    assert "a.tfrecords (no frames; no tags)\n" in out
    assert "b.tfrecords (frames of 512 numbers; no titles; no tags)\n" in out
    assert "tag_list.txt (not there, and not needed: no video has tags)\n" in out
    other = Video("3", "b", np.ones((1, 768), np.float16), (4,))
    write_videos(tmp_path / "test_a" / "c.tfrecords", [other])
    assert main(["check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert f"frame_feature has vectors of 768 numbers, and those of {tmp_path}" in out
    assert "tag_list.txt: cannot be read" in out
