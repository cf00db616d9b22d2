"""What people said of real photographs, where VIDSIM_CXC_DIR names their folder."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from vidsim.records.frame_reader import FrameReader
from vidsim.records.labels import read_labels
from vidsim.records.video_table import load_videos


def test_mean_frames_agree_with_people(cxc_dir):
    """The figure of docs/results.md for the mean frame vector, nothing learned, on test_b."""
    table = load_videos(cxc_dir / "test_b" / "test_b.tfrecords")
    places = np.arange(table.n_frames.max())[None]
    there = places < table.n_frames[:, None]
    frames = FrameReader(table).read(np.arange(len(table)), np.where(there, places, 0), there)
    means = frames.astype(np.float64).sum(1) / there.sum(1, keepdims=True)
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    row = {video_id: number for number, video_id in enumerate(table.ids.tolist())}
    pairs = read_labels(cxc_dir / "test_b" / "label.tsv")
    first, second = (
        [row[video_id] for video_id in ids.tolist()] for ids in (pairs.id_1, pairs.id_2)
    )
    cosines = (unit[first] * unit[second]).sum(1)
    assert len(pairs) == 629
    assert spearmanr(cosines, pairs.sim)[0] == pytest.approx(0.771, abs=1e-3)
