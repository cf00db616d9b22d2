"""Ratings on the raters' own scale, and what of them is kept for the test."""

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.tables.id_index import IdIndex, packed
from vidsim.tables.rating_list import RatingRange, Ratings, read_ratings
from vidsim.tables.row_log import RowLog
from vidsim.tables.test_part import by_pairs, by_share, by_videos

IDS = IdIndex(packed([b"a", b"b", b"c"]))


def read(path, lines, scale=None, columns=None):
    path.write_text("".join(f"{line}\n" for line in lines))
    return read_ratings(path, IDS, scale, columns or {}, RowLog())


def test_a_scale_is_named_and_never_guessed(tmp_path):
    """1 to 5: 1 is 0, 4 is 0.75. Without the flag the message says what the table has."""
    lines = ["one,id_2,score", "a,b,1", "b,c,4"]
    names = {"id_1": "one", "rating": "score"}
    found = read(tmp_path / "r.csv", lines, RatingRange.parse("1,5"), names)
    assert found.rows.tolist() == [[0, 1], [1, 2]]
    assert found.values.tolist() == [0, 0.75] and (found.least, found.most) == (1, 4)
    with pytest.raises(VidsimError, match=r"r.csv:3: the rating is 4, and .* from 1 to 4. Say"):
        read(tmp_path / "r.csv", lines, None, names)
    within = read(tmp_path / "r.csv", ["id_1,id_2,rating", "a,b,.25", "b,a,1e0"])
    assert within.values.tolist() == [0.25, 1]


@pytest.mark.parametrize("text", ["5", "5,0", "0,5,6", "a,b", "0,0", "0,inf", "nan,1", ""])
def test_a_range_that_is_none(text):
    with pytest.raises(VidsimError, match="accepted is LOW,HIGH"):
        RatingRange.parse(text)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["id_1,id_2,sim", "a,b,1"], "no column rating; there are id_1, id_2, sim. Another name"),
        (["id_1,id_2,rating"], "no column|no rating"),
        (["id_1,id_2,rating", "a,b,nan"], ":2: the rating is \"'nan'\""),
        (["id_1,id_2,rating", "a,b"], ":2: the rating is"),
        (["id_1,id_2,rating", ",b,1"], ":2: the id is ''"),
        (["id_1,id_2,rating", "a,x,1"], ":2: no video 'x' in the table of videos"),
    ],
)
def test_a_table_that_is_no_ratings(tmp_path, lines, message):
    with pytest.raises(VidsimError, match=message):
        read(tmp_path / "r.csv", lines)


def ratings_of(pairs, splits=None):
    rows = np.array(pairs).reshape(-1, 2)
    splits = None if splits is None else np.array(splits, np.uint8)
    return Ratings(rows, np.zeros(len(rows)), splits, 0, 1)


def test_a_split_of_videos():
    """Video 3 is the test's, so is pair 1 of two such; pair 2 has one video on each side."""
    parts = by_videos(np.array([0, 1, 2, 2]), ratings_of([[0, 1], [2, 3], [1, 2]]))
    assert parts.train.tolist() == [True, True, False, False]
    assert parts.rated.tolist() == [True, True, False, False]
    assert (parts.train_pairs.tolist(), parts.test_pairs.tolist()) == (
        [True, False, False],
        [False, True, False],
    )
    assert parts.left_out == 1


def test_a_split_of_pairs():
    """Video 1 is in a pair of each part, so it is in both; video 3 in none, so it is trained on."""
    parts = by_pairs(4, ratings_of([[0, 1], [1, 2]], [0, 2]))
    assert parts.train.tolist() == [True, True, False, True]
    assert parts.test.tolist() == [False, True, True, False]
    assert parts.rated.tolist() == [True, True, False, False] and parts.left_out == 0


@pytest.mark.parametrize("linked", [False, True])
def test_a_share_that_no_video_of_training_is_in(linked):
    """Groups of 5 stay whole and no pair is lost; where all are linked, a few are lost."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 40, 400)
    pairs = rng.integers(0, 5, (400, 2)) + 5 * group[:, None]
    if linked:
        pairs = np.concatenate([pairs, [[5 * g, 5 * g + 5] for g in range(39)]])
    ratings = ratings_of(pairs)
    parts = by_share(210, ratings, 0.2, seed=1)
    tested, trained = (set(pairs[p].ravel()) for p in (parts.test_pairs, parts.train_pairs))
    assert not tested & trained
    assert 0.1 < parts.test_pairs.mean() < 0.3
    assert parts.left_out == 0 if not linked else 0 < parts.left_out < 0.1 * len(pairs)
    assert parts.train[200:].all()  # who is in no pair is trained on
    again, other = by_share(210, ratings, 0.2, 1), by_share(210, ratings, 0.2, 2)
    assert (again.test == parts.test).all() and (other.test != parts.test).any()
    most = by_share(210, ratings, 0.8, 1)
    assert 0.65 < most.test_pairs.mean() < 0.9


def test_a_share_without_ratings_and_one_that_cannot_be():
    parts = by_share(100, None, 0.1, 0)
    assert parts.test.sum() == 10 and (parts.train == ~parts.test).all()
    with pytest.raises(VidsimError, match=r"--test-share 0.5: of 1 ratings"):
        by_share(2, ratings_of([[0, 1]]), 0.5, 0)
