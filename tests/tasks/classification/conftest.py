"""A tiny data set of two levels of classes, which words and frames tell together."""

import numpy as np
import pytest

from vidsim.records.video import Video
from vidsim.records.writer import write_videos

WIDTH = 32
LIST = "10\t1\n11\t1\n20\t2\n21\t2\n30\t2\n"  # 30 has no video
CATEGORIES = (10, 11, 20, 21)


def made_video(number, category=0, test=False):
    """The words tell the parent, the frames which of its two classes."""
    rng = np.random.default_rng([7, number])
    category = CATEGORIES[number % 4] if category == 0 else category
    word = {1: "music song", 2: "sport ball"}.get((category or 10) // 10, "other")
    frames = rng.normal(0, 0.3, (1 + number % 3, WIDTH))
    frames[:, : WIDTH // 2] += 2.0 * ((category or 0) % 2)
    name = f"{'t' if test else 'v'}{number:03d}"
    return Video(name, f"{word} {number}", frames.astype("float16"), None, category)


@pytest.fixture(scope="session")
def write_data():
    """`write_data(folder)`: 64 videos of 4 classes, 2 without one, 12 test videos."""

    def write(folder):
        videos = [made_video(number) for number in range(64)]
        nameless = [made_video(number, None) for number in (64, 65)]
        # 40 to 63 stand in both files: the union has each once
        write_videos(folder / "pointwise" / "a.tfrecords", videos + nameless)
        write_videos(folder / "pairwise" / "pairwise.tfrecords", videos[40:])
        tests = [made_video(number, test=True) for number in range(100, 112)]
        write_videos(folder / "test_b" / "test_b.tfrecords", tests)
        (folder / "category_list.txt").write_text(LIST)
        return folder

    return write
