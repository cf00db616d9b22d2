"""How much each recipe counts in the blend."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from vidsim.blending.fit import FIT
from vidsim.errors import VidsimError

_NONE: Mapping[str, float] = MappingProxyType({})


def resolve_weights(
    recipes: Sequence[str], given: str | None, published: Mapping[str, float] = _NONE
) -> tuple[dict[str, float], str]:
    """The weight of each recipe, adding up to one, and a sentence on where they are from.

    Without ``--weights`` the recipes of the challenge's fourth place have their published weights,
    and one of another system or of the user's own counts as much as their mean: as much as any
    other where none is published.

    Args:
        recipes: the recipes to blend.
        given: ``--weights``, "name=number,name=number"; None for the published weights.
        published: weights by recipe that the task has in print.

    Raises:
        VidsimError: a recipe without a weight, a weight without a recipe, or not a positive number.
    """
    if not recipes:
        raise VidsimError("no recipe to blend; --recipes names one or more")
    raw = _default(recipes, published) if given is None else _parse(given)
    unweighted = [name for name in recipes if name not in raw]
    if unweighted:
        example = (
            ",".join([*given.split(","), *(f"{name}=1" for name in unweighted)]) if given else ""
        )
        raise VidsimError(
            f"--weights {given}: no weight for {', '.join(unweighted)}; give one to every recipe, "
            f"as --weights {example}"
        )
    unknown = [name for name in raw if name not in recipes]
    if unknown:
        raise VidsimError(
            f"--weights {given}: {', '.join(unknown)} is not blended; the recipes are "
            f"{', '.join(recipes)}"
        )
    total = math.fsum(raw.values())
    weights = {name: raw[name] / total for name in recipes}
    whole = math.isclose(total, 1.0)
    return weights, _origin(weights, given is not None, whole, published)


def _default(recipes: Sequence[str], published: Mapping[str, float]) -> dict[str, float]:
    known = [published[name] for name in recipes if name in published]
    mean = math.fsum(known) / len(known) if known else 1.0
    return {name: published.get(name, mean) for name in recipes}


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
                "with a positive number: mix=0.5,uniter=0.5 (similarity and classification also "
                f"take {FIT})"
            )
        weights[name] = weight
    return weights


def _origin(
    weights: dict[str, float], given: bool, whole: bool, published: Mapping[str, float]
) -> str:
    own = [name for name in weights if name not in published]
    count = len(weights) - len(own)
    scaled = "" if whole else ", scaled to add up to one"
    if given:
        source = f"weights as given{scaled}"
    elif not count:
        source = "equal weights, as none is published" if len(weights) > 1 else "one recipe"
    else:
        some = f" of {count} of the {len(published)} recipes"
        source = f"published weights{'' if count == len(published) else some}"
        mean = f", and their mean for {', '.join(own)}, which have none" if own else ""
        source += mean + scaled
    return f"{source}: " + ", ".join(f"{n} {w:.4f}" for n, w in weights.items())
