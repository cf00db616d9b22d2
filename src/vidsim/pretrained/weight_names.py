"""Which tensor of a Hugging Face checkpoint is which weight of a model, which names its own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsim.errors import VidsimError

_WORDS = "embeddings.word_embeddings.weight"
_LEGACY = {".gamma": ".weight", ".beta": ".bias"}  # LayerNorm's names before 2019
_HEADS = ("pooler.", "cls.")
"""Beginnings of weights that a checkpoint may lack: they then start at random."""
_BESIDE = ("encoder.x_layers.", "encoder.r_layers.", "encoder.visn_fc.")
"""Beginnings of what LXMERT has beside a text encoder: all of one, or nothing, is read."""
_FRAMES = "encoder.visn_fc."
"""Of those, what depends on how wide the data's frames are: it is not read for another width."""
_COMPUTED = ("embeddings.position_ids", "encoder.embed_positions.weight")
"""Constants that some libraries stored as if they were weights."""

_PARTS = (  # that a table names once, with the number of their tensors
    "embeddings",
    r"cls\.predictions",
    r"encoder\.visn_fc",
    "visual_encoder",
    "visual_encoder_m",
    "text_encoder_m",
)


@dataclass(frozen=True)
class LoadReport:
    """What became of every tensor of a file, by its name there without the model's prefix."""

    path: str
    loaded: tuple[str, ...]
    left_out: tuple[str, ...]
    """In the file; the model has no place for them."""
    absent: tuple[str, ...]
    """Heads of the model that the file has not; they start at random."""
    reshaped: tuple[str, ...] = ()
    """In the file for frames of another width than the data have; they start at random."""

    def __str__(self) -> str:
        rows = [
            ("loaded", self.loaded, ""),
            ("left out on purpose", self.left_out, ""),
            ("not in the file", self.absent, " (random at the start)"),
            ("of another width", self.reshaped, " (random at the start)"),
        ]
        lines = [f"weights of {self.path}:"]
        for state, names, remark in rows:
            if names:
                lines.append(f"  {state:<20}{len(names):>4}  {_summary(names)}{remark}")
        return "\n".join(lines)


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
    wanted, reshaped = _without_other_widths(tensors, wanted)
    optional = _HEADS + tuple(part for part in _BESIDE if not _has(tensors, part))
    problems, values = [], []
    for name, variable in wanted.items():
        if name not in tensors:
            if not name.startswith(optional):
                problems.append(f"  missing  {name}")
            continue
        value = _as_ours(tensors[name], variable)
        if value.shape != tuple(variable.shape):
            problems.append(f"  shape    {name}: file {value.shape}, model {variable.shape}")
        values.append((variable, value.astype("float32")))
    spare = sorted(set(tensors) - set(wanted) - set(reshaped))
    problems += [f"  unknown  {name}" for name in spare if _belongs_to_encoder(name, wanted)]
    if problems:
        raise VidsimError(f"{path} does not fit its config.json:\n" + "\n".join(problems))
    report = LoadReport(
        path,
        loaded=tuple(name for name in wanted if name in tensors),
        left_out=tuple(spare),
        absent=tuple(name for name in wanted if name not in tensors),
        reshaped=reshaped,
    )
    return report, values


def _has(names: Iterable[str], start: str) -> bool:
    return any(name.startswith(start) for name in names)


def _as_ours(value: np.ndarray, variable: Any) -> np.ndarray:
    return value.T if variable.path.endswith("/kernel") else value


def _without_other_widths(
    tensors: Mapping[str, np.ndarray], wanted: Mapping[str, Any]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The variables to fill, and the names of those for frames if the file's are of other ones."""
    of_frames = {name for name in wanted if name.startswith(_FRAMES)}
    fits = all(
        _as_ours(tensors[name], wanted[name]).shape == tuple(wanted[name].shape)
        for name in of_frames & set(tensors)
    )
    if fits:
        return wanted, ()
    return {k: v for k, v in wanted.items() if k not in of_frames}, tuple(sorted(of_frames))


def _belongs_to_encoder(name: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a tensor that the model has no place for is part of what it should have read."""
    for part in _BESIDE:
        if name.startswith(part):
            return _has(wanted, part)
    # a model that reads no text takes the layers of an encoder and not its words
    parts = ("embeddings.", "embeddings_project.") if _WORDS in wanted else ()
    return name.startswith(("encoder.", *parts)) and name not in _COMPUTED


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
    outside = re.sub(r"(bert|roformer|lxmert)\.$", "", inside)  # "module."
    return {name.removeprefix(inside).removeprefix(outside): v for name, v in names.items()}


def _modern(name: str) -> str:
    for old, new in _LEGACY.items():
        name = name[: -len(old)] + new if name.endswith(old) else name
    return name


def _summary(names: tuple[str, ...]) -> str:
    """Names in few words: a layer's sixteen tensors, and all layers, are one entry each."""
    layer = re.compile(r"(encoder\.(?:layer|x_layers|r_layers))\.(\d+)\.")
    found = [match for match in map(layer.match, names) if match]
    groups: dict[str, list[str]] = {}
    for name in names:
        group = re.sub(rf"^({'|'.join(_PARTS)})\..*", r"\1", name)
        if match := layer.match(name):
            numbers = [int(other[2]) for other in found if other[1] == match[1]]
            group = f"{match[1]}.{min(numbers)}-{max(numbers)}"
        groups.setdefault(group, []).append(name)
    return ", ".join(
        of[0] if len(of) == 1 else f"{group} ({len(of)})" for group, of in groups.items()
    )
