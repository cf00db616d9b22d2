"""Which tensor of a Hugging Face checkpoint is which weight of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsim.errors import VidsimError
from vidsim.models.backbone import Backbone
from vidsim.models.sentence_model import SentenceModel

_WORDS = "embeddings.word_embeddings.weight"
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
_HEADS = ("pooler.", "cls.")
"""Beginnings of weights that a checkpoint may lack: they then start at random."""
_COMPUTED = ("embeddings.position_ids", "encoder.embed_positions.weight")
"""Constants that some libraries stored as if they were weights."""


@dataclass(frozen=True)
class LoadReport:
    """What became of every tensor of a file, by its name there without the model's prefix."""

    path: str
    loaded: tuple[str, ...]
    left_out: tuple[str, ...]
    """In the file; the model has no place for them."""
    absent: tuple[str, ...]
    """Heads of the model that the file has not; they start at random."""

    def __str__(self) -> str:
        rows = [
            ("loaded", self.loaded, ""),
            ("left out on purpose", self.left_out, ""),
            ("not in the file", self.absent, " (random at the start)"),
        ]
        lines = [f"weights of {self.path}:"]
        for state, names, remark in rows:
            if names:
                lines.append(f"  {state:<20}{len(names):>4}  {_summary(names)}{remark}")
        return "\n".join(lines)


def published_weights(backbone: Backbone | SentenceModel) -> dict[str, Any]:
    """The text encoder's variables, and the pooler's, by Hugging Face's names."""
    named = {_their_name(variable.path): variable for variable in backbone.weights}
    return {name: variable for name, variable in named.items() if name is not None}


def plan_load(
    stored: Mapping[str, np.ndarray], wanted: Mapping[str, Any], path: str
) -> tuple[LoadReport, list[tuple[Any, np.ndarray]]]:
    """Pairs every variable with a tensor of the file.

    Args:
        stored: the file's tensors by name, under any prefix ("bert.", "module.roformer.", none).
        wanted: variables by Hugging Face's names without prefix; those of pooler and masked-word
            head may be missing in the file.
        path: of the file, for messages.

    Raises:
        VidsimError: a table of the encoder's tensors that are missing, unknown or of another shape.
    """
    tensors = _without_prefix(stored, path)
    problems, values = [], []
    for name, variable in wanted.items():
        if name not in tensors:
            if not name.startswith(_HEADS):
                problems.append(f"  missing  {name}")
            continue
        value = tensors[name]
        value = value.T if variable.path.endswith("/kernel") else value
        if value.shape != tuple(variable.shape):
            problems.append(f"  shape    {name}: file {value.shape}, model {variable.shape}")
        values.append((variable, value.astype("float32")))
    spare = sorted(set(tensors) - set(wanted))
    encoder = ("embeddings.", "embeddings_project.", "encoder.")
    unknown = [name for name in spare if name.startswith(encoder) and name not in _COMPUTED]
    problems += [f"  unknown  {name}" for name in unknown]
    if problems:
        raise VidsimError(f"{path} does not fit its config.json:\n" + "\n".join(problems))
    report = LoadReport(
        path,
        loaded=tuple(name for name in wanted if name in tensors),
        left_out=tuple(spare),
        absent=tuple(name for name in wanted if name not in tensors),
    )
    return report, values


def _without_prefix(stored: Mapping[str, np.ndarray], path: str) -> dict[str, np.ndarray]:
    """Tensors by their names inside the encoder; heads beside it lose the outer part only."""
    names = {_modern(name): value for name, value in stored.items()}
    found = [name[: -len(_WORDS)] for name in names if re.fullmatch(rf"(.*\.)?{_WORDS}", name)]
    if len(found) != 1:
        raise VidsimError(
            f"{path}: {len(found)} tensors named ...{_WORDS}; accepted is one encoder of BERT's or "
            "RoFormer's layout in a file"
        )
    inside = found[0]  # "module.bert."
    outside = re.sub(r"(bert|roformer)\.$", "", inside)  # "module."
    return {name.removeprefix(inside).removeprefix(outside): v for name, v in names.items()}


def _modern(name: str) -> str:
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


def _summary(names: tuple[str, ...]) -> str:
    """Names in few words: a layer's sixteen tensors, and all layers, are one entry each."""
    layer = re.compile(r"encoder\.layer\.(\d+)\.")
    numbers = [int(match[1]) for match in map(layer.match, names) if match]
    groups: dict[str, list[str]] = {}
    for name in names:
        group = re.sub(r"^(embeddings|cls\.predictions)\..*", r"\1", name)
        if layer.match(name):
            group = f"encoder.layer.{min(numbers)}-{max(numbers)}"
        groups.setdefault(group, []).append(name)
    return ", ".join(
        of[0] if len(of) == 1 else f"{group} ({len(of)})" for group, of in groups.items()
    )
