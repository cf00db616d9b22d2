"""Checkpoints: one folder with everything needed to embed a video, and nothing that runs code.

config.json has a format number, family, architecture, the inputs that the model is built for,
recipe, step and the hashes of the other files, which are compared whenever a checkpoint is read;
model.safetensors the weights by path; tokenizer.json and tokenizer_config.json are as Hugging
Face's libraries read them; tag_list.txt has the tag ids in the order of the classifier's columns.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.files import file_digest, write_folder, write_json
from vidsim.models.configs import build_backbone
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.families import family_config, family_file
from vidsim.models.input_spec import InputSpec
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.training.task_head import load_head, save_head
from vidsim.training.tensor_file import save_tensors

if TYPE_CHECKING:
    import keras

    from vidsim.models.backbone import Backbone

WEIGHTS, CONFIG, TAGS = "model.safetensors", "config.json", "tag_list.txt"
FORMAT = 3
"""Of the checkpoints that are written now. Those of format 1, which had no number, and 2 are read
too: in them, frames were always 1536 numbers wide."""
_BEFORE_INPUTS = (1, 2)
_FORMER_FRAMES = 1536
_NEEDED = {"family": str, "model": dict, "inputs": dict, "sha256": dict}
_NEEDED_BEFORE = {"family": str, "model": dict, "encoder": dict, "num_labels": int, "sha256": dict}


@dataclass(frozen=True)
class Checkpoint:
    """A model with what belongs to it: tokenizer, tag vocabulary, and where it came from."""

    backbone: "Backbone"
    tokenizer: TitleTokenizer
    tags: TagVocabulary
    info: dict[str, Any]
    """Recipe, step, metrics: whatever the stage that wrote it wanted said."""
    head: "keras.layers.Layer | None" = None
    """The task's own layers that go with the backbone; in a file of their own."""

    def save(self, folder: Path) -> None:
        """Writes the folder whole or not at all.

        Raises:
            VidsimError: a weight is not finite.
        """
        config = self.backbone.config
        weights = weights_by_path(self.backbone)
        broken = [name for name, value in weights.items() if not np.isfinite(value).all()]
        if broken:
            raise VidsimError(
                f"{folder}: not saved, {len(broken)} of {len(weights)} weights are not finite, "
                f"{broken[0]} among them. The run has diverged: lower --lr and --bert-lr"
            )
        with write_folder(folder) as new:
            save_tensors(new / WEIGHTS, weights)
            if self.head is not None:
                save_head(self.head, new)
            self.tokenizer.save(new)
            (new / TAGS).write_text("".join(f"{tag}\n" for tag in self.tags.ids))
            files = [path for path in sorted(new.iterdir()) if path.is_file()]
            description = {
                "format": FORMAT,
                "family": config.family,
                "model": dataclasses.asdict(config),
                "inputs": dataclasses.asdict(self.backbone.spec),
                **self.info,
                **({"family_file": family_file(config)} if family_file(config) else {}),
                "sha256": {path.name: file_digest(path) for path in files},
            }
            write_json(new / CONFIG, description)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Builds the model that a folder describes and loads its weights, strictly.

    Raises:
        VidsimError: no checkpoint there, one that is damaged or of a later version, an unknown
            family, or weights that do not fit.
    """
    description = verified_description(folder)
    path, family = folder / CONFIG, description["family"]
    try:
        kind = family_config(family, description.get("family_file"))
    except VidsimError as error:
        raise VidsimError(f"{folder}: {error}") from None
    config = _configured(kind, description["model"], path, "model")
    spec = _spec(description, path)
    try:
        backbone = build_backbone(config, spec)
    except VidsimError as error:
        raise VidsimError(f"{path}: {error}") from None
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise VidsimError(f"{path}: no {family} model can be built from it ({error})") from error
    load_weights(backbone, folder)
    tags = TagVocabulary.read(folder / TAGS, may_be_empty=True)
    return Checkpoint(backbone, TitleTokenizer.read(folder), tags, description)


def load_with_head(
    folder: Path, make_head: "Callable[[Backbone, Mapping[str, Any]], keras.layers.Layer | None]"
) -> Checkpoint:
    """A checkpoint with the layers of its task as its `head`, all with their weights.

    Args:
        folder: of the checkpoint.
        make_head: the backbone and the settings of its task to new layers; None where there are
            none.

    Raises:
        VidsimError: as `load_checkpoint`, or the head's file is damaged.
    """
    checkpoint = load_checkpoint(folder)
    settings = checkpoint.info.get("task", {}).get("settings", {})
    checkpoint = dataclasses.replace(checkpoint, head=make_head(checkpoint.backbone, settings))
    if checkpoint.head is not None:
        load_head(checkpoint.head, folder)
    return checkpoint


def take_weights(checkpoint: Checkpoint, folder: Path) -> None:
    """Takes over the weights of another checkpoint of the same shape, head included.

    Raises:
        VidsimError: they are damaged, or of another shape.
    """
    load_weights(checkpoint.backbone, folder)
    if checkpoint.head is not None:
        load_head(checkpoint.head, folder)


def read_description(folder: Path) -> dict[str, Any]:
    """The checkpoint's config.json.

    Raises:
        VidsimError: there is none, it is no description of a checkpoint, or of a later format.
    """
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise VidsimError(
            f"{folder}: no checkpoint here ({CONFIG} is missing); expected is a folder like "
            "save/pretrain/mix/ckpt-4000"
        ) from None
    except (ValueError, RecursionError) as error:
        raise VidsimError(f"{path}: damaged: this is not JSON ({error})") from None
    number = content.get("format", 1) if isinstance(content, dict) else None
    if type(number) is int and number > FORMAT:
        raise VidsimError(
            f"{path}: a checkpoint of format {number}, written by a later version of vidsim; this "
            f"version reads formats up to {FORMAT}"
        )
    needed = _NEEDED_BEFORE if number in _BEFORE_INPUTS else _NEEDED
    wrong = [
        name
        for name, kind in needed.items()
        if not isinstance(content, dict) or not isinstance(content.get(name), kind)
    ]
    wrong += ["format"] if type(number) is not int else []
    if wrong:
        raise VidsimError(
            f"{path}: damaged, or not of a vidsim checkpoint: {', '.join(wrong)} missing"
        )
    return content


def verified_description(folder: Path) -> dict[str, Any]:
    """The checkpoint's config.json, after every file was compared with its hash in there.

    Raises:
        VidsimError: as `read_description`, or a file is missing or another than was written.
    """
    description = read_description(folder)
    hashes = description["sha256"]
    for name in dict.fromkeys([WEIGHTS, TAGS, *hashes]):
        path = folder / Path(name).name
        if not path.is_file():
            raise VidsimError(f"{path}: no such file; the checkpoint is not whole")
        if file_digest(path) != hashes.get(name):
            raise VidsimError(
                f"{path}: damaged or exchanged: its sha256 is not the one in {CONFIG}; copy the "
                "whole checkpoint again, or train it again"
            )
    return description


def model_shape(description: dict[str, Any]) -> list[Any]:
    """What two checkpoints must share to be served by one model: all but the weights."""
    files = ("tokenizer.json", "tokenizer_config.json", "text_assembly.json", "tag_list.txt")
    hashes = [description["sha256"].get(name) for name in files]
    task = description.get("task")
    inputs = description.get("inputs", [description.get(n) for n in ("encoder", "num_labels")])
    return [description["family"], description["model"], inputs, task, *hashes]


def load_weights(backbone: "Backbone", folder: Path) -> str:
    """Loads every weight of a model of the same shape; anything else is an error.

    Returns:
        one line that says what was loaded.

    Raises:
        VidsimError: the file is missing or damaged; or a table of missing, unexpected and wrongly
            shaped weights.
    """
    path = folder / WEIGHTS
    if not path.exists():
        raise VidsimError(f"{path}: no such file")
    try:
        stored = load_file(str(path))
    except (SafetensorError, ValueError) as error:
        raise VidsimError(f"{path}: damaged: {error}") from error
    wanted = {w.path: w for w in backbone.weights}
    problems = [f"  missing     {name}" for name in wanted if name not in stored]
    problems += [f"  unexpected  {name}" for name in stored if name not in wanted]
    for name in sorted(set(stored) & set(wanted)):
        if stored[name].shape != tuple(wanted[name].shape):
            want, have = tuple(wanted[name].shape), stored[name].shape
            problems.append(f"  shape       {name}: model {want}, file {have}")
    if problems:
        raise VidsimError(
            f"{path} does not fit this {backbone.config.family} model:\n" + "\n".join(problems)
        )
    for name, variable in wanted.items():
        variable.assign(stored[name])
    return f"loaded {len(wanted)} of {len(stored)} tensors from {folder}"


def weights_by_path(backbone: "Backbone") -> dict[str, np.ndarray]:
    """All weights, batch normalisation's moving statistics included, by their variable paths."""
    weights = {weight.path: weight.numpy() for weight in backbone.weights}
    if len(weights) != len(backbone.weights):
        raise ValueError(f"{backbone.name}: two weights share a path")
    return weights


def _spec(description: dict[str, Any], path: Path) -> InputSpec:
    """The inputs that a checkpoint's model is built for."""
    if description.get("format", 1) in _BEFORE_INPUTS:
        encoder = _configured(EncoderConfig, description["encoder"], path, "encoder")
        return InputSpec(encoder, description["num_labels"], {schema.FRAMES: _FORMER_FRAMES})
    inputs = dict(description["inputs"])
    for name, kind in (("encoder", dict), ("widths", dict), ("text_fields", list)):
        if not isinstance(inputs.get(name), kind):
            raise VidsimError(f"{path}: damaged: inputs has no {name}")
    encoder = _configured(EncoderConfig, inputs["encoder"], path, "encoder")
    more = {"encoder": encoder, "text_fields": tuple(inputs["text_fields"])}
    return _configured(InputSpec, inputs | more, path, "inputs")


def _configured(kind: type[Any], fields: dict[str, Any], path: Path, section: str) -> Any:
    """A configuration from a checkpoint; a field that it lacks has its default."""
    known = {item.name for item in dataclasses.fields(kind)}
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise VidsimError(
            f"{path}: {section} has {', '.join(unknown)}, which this version of vidsim does not "
            f"know; known are {', '.join(sorted(known))}"
        )
    try:
        return kind(**fields)
    except (TypeError, VidsimError) as error:  # one without a default is missing, or cannot be
        raise VidsimError(f"{path}: {section}: {error}") from None
