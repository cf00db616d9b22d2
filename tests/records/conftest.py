"""What the tests of records share: the sample data set, made once."""

from pathlib import Path

import numpy as np
import pytest

from vidsim.records.sample import write_sample
from vidsim.records.video import Video


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Path:
    """The sample data set's folder; tests must not change it."""
    folder = tmp_path_factory.mktemp("data") / "sample"
    write_sample(folder)
    return folder


@pytest.fixture
def make_video():
    """A maker of small videos: frame k of video i is filled with i + k / 8."""

    def make(number: int, n_frames: int = 2, **changes) -> Video:
        values = number + np.arange(n_frames)[:, None] / 8
        frames = np.broadcast_to(values, (n_frames, 1536)).astype(np.float16)
        content = {"id": str(100 + number), "title": f"标题{number}", "frames": frames}
        return Video(**{**content, **changes})

    return make
