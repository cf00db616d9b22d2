"""Each pair judged by its own fold's models, once."""

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.metrics.spearman import spearman
from vidsim.records.pairs import Pairs
from vidsim.tasks.similarity.out_of_fold import fit_out_of_fold, score_out_of_fold
from vidsim.tasks.similarity.scores import ENSEMBLE, Scores


def pairs_of(*rows):
    return Pairs.from_lists(*map(list, zip(*rows, strict=True)))


def vectors_with(cosines):
    """A load() for pairs (a, n) whose cosine is cosines[recipe, fold][n]; all of length one."""

    def load(name, fold, ids):
        assert ids.dtype.kind == "U"
        values = [1.0 if n == "a" else cosines[name, fold][n] for n in ids.tolist()]
        return np.array([[c, (1 - c * c) ** 0.5] for c in values], np.float32)

    return load


FOLDS = {
    0: pairs_of((b"a", b"1", 0.1), (b"a", b"2", 0.2)),
    1: pairs_of((b"3", b"a", 0.3), (b"a", b"4", 0.4)),
}
# Fold 0 ranks its pairs well but at high cosines, fold 1 ranks badly and at low ones.
COSINES = {("mix", 0): {"1": 0.8, "2": 0.9}, ("mix", 1): {"3": 0.4, "4": 0.3}}


def test_pooled_and_per_fold_derived():
    """Folds alone: +1 and -1, mean 0. Pooled: ranks 3 4 2 1 against 1 2 3 4, squared differences
    4 4 1 9, so 1 - 6 * 18 / (4 * 15) = -0.8. With one recipe the ensemble is that recipe.
    """
    scores, seen = score_out_of_fold(FOLDS, vectors_with(COSINES), {"mix": 1.0}, "sum", False)
    assert list(scores) == ["mix", ENSEMBLE]
    for row in scores.values():
        assert row.folds == {0: pytest.approx(1), 1: pytest.approx(-1)}
        assert row.fold_mean == pytest.approx(0)
        assert row.out_of_fold == pytest.approx(-0.8)
    assert seen == {(b"1", b"a"), (b"2", b"a"), (b"3", b"a"), (b"4", b"a")}


def test_each_fold_is_asked_for_its_own_videos_only():
    asked = []

    def load(name, fold, ids):
        asked.append((name, fold, ids.tolist()))
        return vectors_with({(name, fold): COSINES["mix", fold]})(name, fold, ids)

    score_out_of_fold(FOLDS, load, {"mix": 0.5, "own": 0.5}, "sum", False)
    assert asked == [
        ("mix", 0, ["1", "2", "a"]),
        ("own", 0, ["1", "2", "a"]),
        ("mix", 1, ["3", "4", "a"]),
        ("own", 1, ["3", "4", "a"]),
    ]


def test_the_ensemble_blends_within_a_fold():
    """Two recipes with the pairs' cosines in opposite orders: the heavier one decides."""
    opposite = {("own", 0): {"1": 0.9, "2": 0.8}, ("own", 1): {"3": 0.3, "4": 0.4}}
    load = vectors_with(COSINES | opposite)
    scores, _ = score_out_of_fold(FOLDS, load, {"mix": 0.9, "own": 0.1}, "sum", False)
    assert scores[ENSEMBLE].folds == pytest.approx(scores["mix"].folds)
    scores, _ = score_out_of_fold(FOLDS, load, {"mix": 0.1, "own": 0.9}, "sum", False)
    assert scores[ENSEMBLE].folds == pytest.approx(scores["own"].folds)


def test_a_pair_in_two_folds_is_pooled_once():
    """Whichever of its videos comes first."""
    twice = {0: FOLDS[0], 1: pairs_of((b"2", b"a", 0.2), (b"3", b"a", 0.3), (b"a", b"4", 0.4))}
    cosines = {("mix", 0): COSINES["mix", 0], ("mix", 1): COSINES["mix", 1] | {"2": 0.0}}
    scores, seen = score_out_of_fold(twice, vectors_with(cosines), {"mix": 1.0}, "sum", False)
    assert len(seen) == 4
    assert scores["mix"].out_of_fold == pytest.approx(-0.8)
    assert scores["mix"].folds[1] == pytest.approx(spearman([0, 0.4, 0.3], [0.2, 0.3, 0.4]))


def test_a_fold_of_one_pair_is_refused():
    with pytest.raises(VidsimError, match="there are 1"):
        score_out_of_fold(
            {0: pairs_of((b"a", b"1", 0.1))}, vectors_with(COSINES), {"mix": 1.0}, "sum", False
        )


def test_spread_derived():
    """0.7, 0.8 and 0.9: squares 0.01 + 0 + 0.01 over 2 is 0.01; of one fold there is none."""
    assert Scores({0: 0.7, 1: 0.8, 2: 0.9}, 0.8).fold_spread == pytest.approx(0.1)
    assert Scores({4: 0.7}, 0.7).fold_spread == 0


def test_weights_are_fitted_to_the_pairs_that_are_scored():
    """Derived: of g, "bad" is 0.9 - 1.1 g, so that the equal mean falls with g; with one more vote
    for "good" it is 0.3 + 0.3 g, in the right order, and no vote makes that better."""
    folds = {
        0: pairs_of(*[(b"a", b"%d" % n, n / 10) for n in range(1, 5)]),
        1: pairs_of(*[(b"a", b"%d" % n, n / 10) for n in range(5, 9)]),
    }
    good = {str(n): n / 10 for n in range(1, 9)}
    bad = {name: 0.9 - 1.1 * value for name, value in good.items()}
    found = {(r, f): values for r, values in (("good", good), ("bad", bad)) for f in folds}
    fit = fit_out_of_fold(folds, vectors_with(found), ["bad", "good"])
    assert fit.weights == pytest.approx({"bad": 1 / 3, "good": 2 / 3})
    assert fit.equal == pytest.approx(-1)
    assert fit.score == pytest.approx(1)
    assert fit.cross_fitted == pytest.approx(1)
