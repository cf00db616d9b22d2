"""The picture of confusions: what is counted in it, and that it is one."""

import numpy as np

from vidsim.tasks.classification import figure
from vidsim.tasks.classification.figure import confusion_table, draw_confusion
from vidsim.tasks.classification.labelled import class_names

TRUTH = np.array([2, 2, 2, 0, 0, 3, 4])
PREDICTED = np.array([2, 0, 1, 0, 3, 3, 2])


def test_counts_by_hand(monkeypatch):
    """Class 1 has no video and is predicted once; by videos: 2 (three), 0 (two), 3, 4."""
    shown, counts = confusion_table(TRUTH, PREDICTED, 5)
    np.testing.assert_array_equal(shown, [2, 0, 3, 4])
    expected = [[1, 1, 0, 0, 1], [0, 1, 1, 0, 0], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0] * 5]
    np.testing.assert_array_equal(counts, expected)
    monkeypatch.setattr(figure, "MOST", 2)
    shown, counts = confusion_table(TRUTH, PREDICTED, 5)
    np.testing.assert_array_equal(shown, [2, 0])
    np.testing.assert_array_equal(counts, [[1, 1, 1], [0, 1, 1], [1, 0, 1]])
    assert counts.sum() == len(TRUTH)
    shown, counts = confusion_table(np.array([1, 0, 1]), np.array([1, 1, 1]), 3)
    np.testing.assert_array_equal(shown, [1, 0])
    np.testing.assert_array_equal(counts, [[2, 0], [1, 0]])


def test_a_picture_with_names(tmp_path):
    (tmp_path / "names.txt").write_text("7\tmusic\n9\ta name that is longer than fits\nodd\n")
    names = class_names(tmp_path / "names.txt", np.array([7, 8, 9, 10, 11]))
    assert names == ["music", "8", "a name that is longer than fits", "10", "11"]
    assert class_names(tmp_path / "none.txt", np.array([7])) == ["7"]
    path = tmp_path / "folder" / "confusion.png"
    path.parent.mkdir()
    draw_confusion(TRUTH, PREDICTED, names, "7 videos", path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(path.read_bytes()) > 5000
