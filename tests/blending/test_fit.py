"""Weights fitted to predictions: the best are found, and noise is not."""

import numpy as np
import pytest

from vidsim.blending.fit import VOTES, Fit, fit_weights
from vidsim.metrics.spearman import spearman


def truth_and_judge(rows):
    truth = np.random.default_rng(0).normal(size=rows)
    return truth, lambda values, at: spearman(values, truth[at])


def test_models_count_by_what_they_know():
    """Derived: of independent errors of variance 1 and 4 the best weights are 0.8 and 0.2."""
    truth, judge = truth_and_judge(20_000)
    rng = np.random.default_rng(1)
    found = fit_weights(
        {
            "sure": truth + rng.normal(size=len(truth)),
            "unsure": truth + 2 * rng.normal(size=len(truth)),
        },
        np.arange(len(truth)) % 5,
        judge,
    )
    assert found.weights == pytest.approx({"sure": 0.8, "unsure": 0.2}, abs=0.06)
    assert found.score > found.equal + 0.01
    assert found.cross_fitted == pytest.approx(found.score, abs=0.002)


def test_equal_models_keep_equal_weights():
    truth, judge = truth_and_judge(400)
    same = truth + np.random.default_rng(1).normal(size=400)
    found = fit_weights({"a": same, "b": same, "c": same}, np.zeros(400), judge)
    assert found.weights == pytest.approx(dict.fromkeys("abc", 1 / 3))
    assert found.cross_fitted is None
    assert found.score == found.equal


def test_a_model_that_knows_nothing_is_left_with_its_first_vote():
    truth, judge = truth_and_judge(2_000)
    noise = np.random.default_rng(2).normal(size=2_000)
    found = fit_weights({"noise": 5 * noise, "truth": truth}, np.zeros(2_000), judge)
    assert found.weights["noise"] == pytest.approx(1 / (VOTES + 2))


def test_what_is_fitted_to_noise_does_not_last_on_other_folds():
    """Derived: twenty models of noise correlate with the rows fitted to, not with the others."""
    _, judge = truth_and_judge(60)
    rng = np.random.default_rng(3)
    found = fit_weights({str(k): rng.normal(size=60) for k in range(20)}, np.arange(60) % 3, judge)
    assert found.score > 0.25
    assert found.cross_fitted is not None
    assert found.cross_fitted < found.score - 0.1


def test_rows_of_several_numbers_and_the_rows_judged():
    """Probabilities (N, C); each fold's are judged with weights of the other fold."""
    asked = []

    def judge(values, at):
        assert values.shape == (len(at), 3)
        asked.append(tuple(at.tolist()))
        return float(values[:, 0].mean())

    folds = np.array([0, 0, 1, 1])
    high, low = np.full((4, 3), 0.9), np.full((4, 3), 0.1)
    found = fit_weights({"low": low, "high": high}, folds, judge)
    assert set(asked) == {(0, 1), (2, 3), (0, 1, 2, 3)}
    assert found.weights["high"] == pytest.approx((VOTES + 1) / (VOTES + 2))
    assert found.cross_fitted == pytest.approx(found.score)


def test_a_score_that_moves_in_steps_is_climbed():
    """Derived: "sharp" is always wrong with 1.0, "soft" right with 0.7 against 0.3. Their blend is
    right from a weight w of "soft" on with 0.7 w > 0.3 w + (1 - w): w > 5 / 7. One vote more than
    equal weights changes nothing, two do, 3 / 4."""
    truth = np.tile([0, 1], 10)
    soft = np.where(np.eye(2)[truth] > 0, 0.7, 0.3)
    sharp = 1 - np.eye(2)[truth]

    def judge(values, at):
        return float(np.mean(values.argmax(axis=1) == truth[at]))

    found = fit_weights({"soft": soft, "sharp": sharp}, np.zeros(20), judge)
    assert found.equal == 0
    assert found.score == 1
    assert found.weights == {"soft": 0.75, "sharp": 0.25}


def test_constant_predictions_are_no_error():
    truth, judge = truth_and_judge(50)
    found = fit_weights({"flat": np.ones(50), "good": truth}, np.zeros(50), judge)
    assert found.weights == {"flat": 0.5, "good": 0.5}  # a constant moves no rank
    assert fit_weights({"one": truth}, np.zeros(50), judge).weights == {"one": 1.0}


def test_words():
    fit = Fit({"a": 0.75, "b": 0.25}, 0.5, 0.4, 0.45)
    assert fit.words("weights fitted to pairs", "Spearman") == (
        "weights fitted to pairs, on which they score too well (Spearman 0.5000, equal weights "
        "0.4000; each fold by weights fitted to the others: 0.4500): a 0.7500, b 0.2500"
    )
    worse = Fit({"a": 1.0}, 0.5, 0.4, 0.35)
    assert "0.3500, so that equal weights may do better" in worse.words("", "")
    assert worse.to_json() == {"score": 0.5, "equal_weights": 0.4, "out_of_fold": 0.35}
