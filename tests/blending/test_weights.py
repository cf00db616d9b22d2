"""The published weights, subsets of them, and the user's own."""

import pytest

from vidsim.blending.weights import resolve_weights
from vidsim.errors import VidsimError
from vidsim.recipes.registry import CHALLENGE as RECIPES
from vidsim.tasks.similarity.published import WEIGHTS


def test_all_six_are_taken_as_published():
    weights, origin = resolve_weights(RECIPES, None, WEIGHTS)
    assert list(weights) == list(RECIPES)
    assert list(weights.values()) == pytest.approx([0.17, 0.20, 0.13, 0.13, 0.20, 0.17])
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert origin.startswith("published weights: mix 0.1700")


def test_a_subset_is_scaled_and_says_so():
    """0.13 and 0.17 of 0.30 in all; the order is that of the recipes, not of the table."""
    weights, origin = resolve_weights(["uniter", "mix"], None, WEIGHTS)
    assert list(weights.items()) == [
        ("uniter", pytest.approx(13 / 30)),
        ("mix", pytest.approx(17 / 30)),
    ]
    assert origin.startswith("published weights of 2 of the 6 recipes, scaled to add up to one")


def test_given_weights():
    weights, origin = resolve_weights(["mix", "own"], " own = 3 , mix=1")
    assert weights == {"mix": 0.25, "own": 0.75}
    assert origin == "weights as given, scaled to add up to one: mix 0.2500, own 0.7500"
    assert "scaled" not in resolve_weights(["mix", "own"], "mix=0.9,own=0.1")[1]


@pytest.mark.parametrize(
    ("recipes", "weights", "said"),
    [
        (["own"], {"own": 1.0}, "one recipe: own 1.0000"),
        (["own", "other"], {"own": 0.5, "other": 0.5}, "equal weights, as none is published"),
        # 0.17 and 0.13, and for own their mean, 0.15: of 0.45 in all
        (
            ["mix", "own", "uniter"],
            {"mix": 17 / 45, "own": 15 / 45, "uniter": 13 / 45},
            "published weights of 2 of the 6 recipes, and their mean for own, which have none",
        ),
    ],
)
def test_recipes_of_ones_own_without_weights(recipes, weights, said):
    found, origin = resolve_weights(recipes, None, WEIGHTS)
    assert found == pytest.approx(weights)
    assert origin.startswith(said)


@pytest.mark.parametrize(
    ("recipes", "given", "message"),
    [
        (["mix", "own"], "mix=1", "no weight for own; .*as --weights mix=1,own=1"),
        (["mix"], "mix=1,uniter=1", "uniter is not blended; the recipes are mix"),
        (["mix"], "mix", "'mix' is not accepted"),
        (["mix"], "mix=", "'mix=' is not accepted"),
        (["mix"], "mix=0", "positive"),
        (["mix"], "mix=-1", "positive"),
        (["mix"], "mix=nan", "positive"),
        (["mix"], "mix=inf", "positive"),
        (["mix"], "mix=1,mix=2", "'mix=2' is not accepted"),
        (["mix"], "mix=1,", "'' is not accepted"),
        (["mix"], "", "'' is not accepted"),
        ([], None, "no recipe"),
    ],
)
def test_what_is_not_accepted(recipes, given, message):
    with pytest.raises(VidsimError, match=message):
        resolve_weights(recipes, given)
