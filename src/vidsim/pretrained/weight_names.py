"""Which tensor of a Hugging Face checkpoint is which weight of ours."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsim.errors import VidsimError
from vidsim.models.backbone import Backbone

_PREFIX = re.compile(r"^(bert\.|roformer\.)")
_LEFT_OUT = re.compile(  # heads we don't have, and constants that we compute
    r"^(cls\.|pooler\.|embeddings\.position_ids$|encoder\.embed_positions\.weight$)"
)
_OURS = (  # our layer's path -> theirs
    (r"words", "embeddings.word_embeddings"),
    (r"positions", "embeddings.position_embeddings"),
    (r"types", "embeddings.token_type_embeddings"),
    (r"norm", "embeddings.LayerNorm"),
    (r"widen", "embeddings_project"),
    (r"layer_(\d+)/attention/(query|key|value)", r"encoder.layer.\1.attention.self.\2"),
    (r"layer_(\d+)/attention/output", r"encoder.layer.\1.attention.output.dense"),
    (r"layer_(\d+)/attention_norm", r"encoder.layer.\1.attention.output.LayerNorm"),
    (r"layer_(\d+)/expand", r"encoder.layer.\1.intermediate.dense"),
    (r"layer_(\d+)/contract", r"encoder.layer.\1.output.dense"),
    (r"layer_(\d+)/output_norm", r"encoder.layer.\1.output.LayerNorm"),
)
_ENDINGS = {"embeddings": "weight", "kernel": "weight", "gamma": "weight"}
_ENDINGS |= {"bias": "bias", "beta": "bias"}
_LEGACY = {".gamma": ".weight", ".beta": ".bias"}  # LayerNorm's names before 2019


@dataclass(frozen=True)
class LoadReport:
    """What became of every tensor of a file."""

    path: str
    loaded: int
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        left = f"; left out on purpose: {', '.join(self.left_out)}" if self.left_out else ""
        return f"loaded {self.loaded} tensors of the text encoder from {self.path}{left}"


def plan_load(
    stored: dict[str, np.ndarray], backbone: Backbone, path: str
) -> tuple[LoadReport, list[tuple[Any, np.ndarray]]]:
    """Pairs every weight of the backbone's text encoder with a tensor of the file.

    Args:
        stored: the file's tensors by name.
        backbone: its text encoder (and pooler, where it has one) is to be filled.
        path: of the file, for messages.

    Raises:
        VidsimError: a table of tensors that are missing, unknown or of another shape.
    """
    tensors = {_plain(name): value for name, value in stored.items()}
    problems, values, used = [], [], set()
    for variable in backbone.weights:
        name = _their_name(variable.path)
        if name is None:
            continue
        if name not in tensors:
            problems.append(f"  missing  {name}")
            continue
        used.add(name)
        value = tensors[name]
        value = value.T if variable.path.endswith("/kernel") else value
        if value.shape != tuple(variable.shape):
            problems.append(f"  shape    {name}: file {value.shape}, model {variable.shape}")
        values.append((variable, value.astype("float32")))
    left_out = tuple(sorted(name for name in set(tensors) - used if _LEFT_OUT.match(name)))
    problems += [f"  unknown  {name}" for name in sorted(set(tensors) - used - set(left_out))]
    if problems:
        raise VidsimError(f"{path} does not fit its config.json:\n" + "\n".join(problems))
    return LoadReport(path, len(values), left_out), values


def _plain(name: str) -> str:
    name = _PREFIX.sub("", name)
    for old, new in _LEGACY.items():
        name = name[: -len(old)] + new if name.endswith(old) else name
    return name


def _their_name(path: str) -> str | None:
    """The Hugging Face name of a weight of ours; None for weights that no checkpoint has."""
    layer, _, ending = path.rpartition("/")
    if layer.endswith("/pooler"):
        return f"pooler.dense.{_ENDINGS[ending]}"
    _, found, inside = layer.partition("/text_encoder/")
    if not found:
        return None
    for ours, theirs in _OURS:
        match = re.fullmatch(ours, inside)
        if match:
            return f"{match.expand(theirs)}.{_ENDINGS[ending]}"
    raise AssertionError(f"{path}: a weight of the text encoder without a published name")
