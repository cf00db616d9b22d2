"""Groups of videos: small components whole, large ones cut where few pairs are lost."""

import numpy as np

from vidsim.records.video_groups import group_videos


def kept(video: np.ndarray, group: np.ndarray) -> float:
    """The share of the pairs that lie within one group."""
    return float((group[video[:, 0]] == group[video[:, 1]]).mean())


def test_derived_components_stay_whole():
    """Four components of 1, 2, 2 and 3 pairs in two groups: 3 + 1 and 2 + 2 pairs."""
    video = np.array([[10, 11], [4, 5], [5, 6], [7, 8], [8, 9], [0, 1], [1, 2], [2, 3]])
    video = 11 - video  # so that the heaviest component does not come first
    group = group_videos(video, 2)
    assert kept(video, group) == 1
    assert np.bincount(group[video[:, 0]]).tolist() == [4, 4]


def test_derived_cut_at_the_bridge():
    """Two complete graphs of five videos and one pair between them: only that pair is lost."""
    five = np.array([(i, j) for i in range(5) for j in range(i)])
    video = np.concatenate([five, five + 5, [[4, 5]]])
    group = group_videos(video, 2)
    assert len(set(group[:5])) == len(set(group[5:])) == 1
    assert kept(video, group) == 20 / 21


def test_large_random_component_keeps_most_pairs_in_even_groups():
    video = np.random.default_rng(1).integers(0, 6000, (6400, 2))
    group = group_videos(video, 11)
    assert kept(video, group) > 0.75  # breadth-first slices keep a sixth, chance an eleventh
    inside = group[video[:, 0]][group[video[:, 0]] == group[video[:, 1]]]
    sizes = np.bincount(inside, minlength=11)
    assert sizes.min() > 0.7 * sizes.max()


def test_a_video_paired_with_itself():
    group = group_videos(np.array([[0, 0], [1, 2]]), 2)
    assert group[1] == group[2] != group[0]
