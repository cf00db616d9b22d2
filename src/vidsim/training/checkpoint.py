"""Checkpoints: one folder with everything needed to embed a video, and nothing that runs code.

config.json has family, architecture, recipe, step and the hashes of the other files;
model.safetensors the weights by path; tokenizer.json and tokenizer_config.json are as Hugging
Face's libraries read them; tag_list.txt has the tag ids in the order of the classifier's columns.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from vidsim.errors import VidsimError
from vidsim.files import file_digest, write_folder, write_json
from vidsim.models.backbone import Backbone
from vidsim.models.configs import FAMILIES, EncoderConfig
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.training.tensor_file import save_tensors

WEIGHTS, CONFIG, TAGS = "model.safetensors", "config.json", "tag_list.txt"


@dataclass(frozen=True)
class Checkpoint:
    """A model with what belongs to it: tokenizer, tag vocabulary, and where it came from."""

    backbone: Backbone
    tokenizer: TitleTokenizer
    tags: TagVocabulary
    info: dict[str, Any]
    """Recipe, step, metrics: whatever the stage that wrote it wanted said."""

    def save(self, folder: Path) -> None:
        """Writes the folder whole or not at all.

        Raises:
            VidsimError: a weight is not finite.
        """
        weights = weights_by_path(self.backbone)
        broken = [name for name, value in weights.items() if not np.isfinite(value).all()]
        if broken:
            raise VidsimError(
                f"{folder}: not saved, {len(broken)} of {len(weights)} weights are not finite, "
                f"{broken[0]} among them. The run has diverged: lower --lr and --bert-lr"
            )
        with write_folder(folder) as new:
            save_tensors(new / WEIGHTS, weights)
            self.tokenizer.save(new)
            (new / TAGS).write_text("".join(f"{tag}\n" for tag in self.tags.ids))
            files = [path for path in sorted(new.iterdir()) if path.is_file()]
            description = {
                "family": self.backbone.config.family,
                "model": dataclasses.asdict(self.backbone.config),
                "encoder": dataclasses.asdict(self.backbone.encoder_config),
                "num_labels": self.backbone.num_labels,
                **self.info,
                "sha256": {path.name: file_digest(path) for path in files},
            }
            write_json(new / CONFIG, description)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Builds the model that a folder describes and loads its weights, strictly.

    Raises:
        VidsimError: no checkpoint there, an unknown family, or weights that do not fit.
    """
    description = read_description(folder)
    family = description["family"]
    if family not in FAMILIES:
        raise VidsimError(f"{folder}: unknown family {family!r}; known are {', '.join(FAMILIES)}")
    config = FAMILIES[family](**description["model"])
    encoder = EncoderConfig(**description["encoder"])
    backbone = config.build(encoder, description["num_labels"])
    load_weights(backbone, folder)
    tokenizer, tags = TitleTokenizer.read(folder), TagVocabulary.read(folder / TAGS)
    return Checkpoint(backbone, tokenizer, tags, description)


def read_description(folder: Path) -> dict[str, Any]:
    """The checkpoint's config.json."""
    path = folder / CONFIG
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VidsimError(
            f"{folder}: no checkpoint here ({CONFIG} is missing); expected is a folder like "
            "save/pretrain/mix/ckpt-4000"
        ) from None


def load_weights(backbone: Backbone, folder: Path) -> str:
    """Loads every weight of a model of the same shape; anything else is an error.

    Returns:
        one line that says what was loaded.

    Raises:
        VidsimError: a table of missing, unexpected and wrongly shaped weights.
    """
    path = folder / WEIGHTS
    if not path.exists():
        raise VidsimError(f"{path}: no such file")
    stored, wanted = load_file(str(path)), {w.path: w for w in backbone.weights}
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


def weights_by_path(backbone: Backbone) -> dict[str, np.ndarray]:
    """All weights, batch normalisation's moving statistics included, by their variable paths."""
    weights = {weight.path: np.ascontiguousarray(weight.numpy()) for weight in backbone.weights}
    if len(weights) != len(backbone.weights):
        raise ValueError(f"{backbone.name}: two weights share a path")
    return weights
