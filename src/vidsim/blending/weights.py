"""How much each recipe counts in the blend."""

import math
from collections.abc import Sequence

from vidsim.errors import VidsimError

PUBLISHED_WEIGHTS = {
    "mix": 0.17,
    "mix_asl": 0.20,
    "mix_roformer": 0.13,
    "uniter": 0.13,
    "uniter_asl": 0.20,
    "uniter_roformer": 0.17,
}
"""The 4th place's weights in the CIKM 2021 challenge's final; they add up to one."""


def resolve_weights(recipes: Sequence[str], given: str | None) -> tuple[dict[str, float], str]:
    """The weight of each recipe, adding up to one, and a sentence on where they are from.

    Args:
        recipes: the recipes to blend.
        given: ``--weights``, "name=number,name=number"; None for the published weights.

    Raises:
        VidsimError: a recipe without a weight, a weight without a recipe, or not a positive number.
    """
    if not recipes:
        raise VidsimError("no recipe to blend; --recipes names one or more")
    if given is None:
        raw = {name: weight for name, weight in PUBLISHED_WEIGHTS.items() if name in recipes}
    else:
        raw = _parse(given)
    unweighted = [name for name in recipes if name not in raw]
    if unweighted:
        example = ",".join(f"{name}=1" for name in recipes)
        raise VidsimError(
            f"no weight for {', '.join(unweighted)}: give one to every recipe, e.g. "
            f"--weights {example}"
        )
    unknown = [name for name in raw if name not in recipes]
    if unknown:
        raise VidsimError(
            f"--weights {given}: {', '.join(unknown)} is not blended; the recipes are "
            f"{', '.join(recipes)}"
        )
    total = math.fsum(raw.values())
    weights = {name: raw[name] / total for name in recipes}
    return weights, _origin(weights, given is not None, math.isclose(total, 1.0))


def _parse(given: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for entry in given.split(","):
        name, _, number = (part.strip() for part in entry.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not name or name in weights or not (math.isfinite(weight) and weight > 0):
            raise VidsimError(
                f"--weights {given}: {entry.strip()!r} is not accepted; write each recipe once, "
                "with a positive number: mix=0.5,uniter=0.5"
            )
        weights[name] = weight
    return weights


def _origin(weights: dict[str, float], given: bool, whole: bool) -> str:
    if given:
        source = "weights as given"
    elif len(weights) == len(PUBLISHED_WEIGHTS):
        source = "published weights"
    else:
        source = f"published weights of {len(weights)} of the {len(PUBLISHED_WEIGHTS)} recipes"
    scaled = "" if whole else ", scaled to add up to one"
    return f"{source}{scaled}: " + ", ".join(f"{n} {w:.4f}" for n, w in weights.items())
