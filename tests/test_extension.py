"""Story: a family, an objective and an evaluator from outside, through every command.

They stand in two files of the user's, as CONTRIBUTING promises: nothing in vidsim names them.
"""

import json
import sys

import numpy as np
import pytest

import vidsim
from vidsim.cli import main
from vidsim.errors import VidsimError
from vidsim.models.families import FAMILIES
from vidsim.records.sample import write_sample

pytestmark = pytest.mark.slow

RECIPE = '''
from dataclasses import dataclass, field, replace
from typing import ClassVar

from vidsim.config_fields import Count, Weight
from vidsim.models.configs import BackboneConfig
from vidsim.objectives.configs import ObjectiveConfig
from vidsim.recipes import mix
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig, Recipe
from vidsim.training.configs import OptimizerConfig


@dataclass(frozen=True)
class MeanConfig(BackboneConfig):
    family: ClassVar[str] = "mean_frames"

    mean_units: Count = 8
    """Size of the layer before the embedding."""

    @classmethod
    def backbone_class(cls):
        from my_model import MeanFrames

        return MeanFrames


@dataclass(frozen=True)
class SmallConfig(ObjectiveConfig):
    small_weight: Weight = 0.5
    """Weight of the embeddings' mean square."""

    @property
    def weight(self):
        return self.small_weight

    def build(self, backbone):
        from my_model import SmallObjective

        return SmallObjective(self.small_weight, name="small")


@dataclass(frozen=True)
class MyFinetuning(FinetuneConfig):
    small: SmallConfig = field(default_factory=SmallConfig)

    def pair_evaluator(self, rows_1, rows_2, sim):
        from my_model import Distance

        return Distance(rows_1, rows_2, sim)


def recipe():
    return Recipe(
        "mine",
        MeanConfig(hidden_size=16),
        PretrainConfig(total_steps=2, optimizer=OptimizerConfig(warmup_steps=1)),
        MyFinetuning(total_steps=2, eval_freq=1),
    )
'''
MODEL = """
import numpy as np
from keras import layers, ops

from vidsim import schema
from vidsim.layers.pooling import masked_mean
from vidsim.metrics.spearman import pair_cosine
from vidsim.models.backbone import Backbone
from vidsim.objectives.objective import Objective


class MeanFrames(Backbone):
    def __init__(self, config, spec):
        super().__init__(config, spec)
        self.text_encoder = layers.Embedding(spec.encoder.vocab_size, 8, name="text_encoder")
        self.widen = layers.Dense(config.mean_units, activation="relu", name="widen")
        self.project = layers.Dense(config.hidden_size, dtype="float32", name="project")
        self.classifier = layers.Dense(spec.num_labels, dtype="float32", name="classifier")

    def call(self, inputs, training=None):
        frames = ops.cast(inputs[schema.FRAMES], self.compute_dtype)
        frames = masked_mean(frames, ops.cast(inputs[schema.FRAME_MASK], "bool"))
        mask = ops.cast(inputs[schema.TOKEN_MASK], "bool")
        words = masked_mean(self.text_encoder(inputs[schema.TOKEN_IDS]), mask)
        embedding = self.project(self.widen(ops.concatenate([frames, words], axis=-1)))
        return {schema.EMBEDDING: embedding, schema.TAG_LOGITS: self.classifier(embedding)}


class SmallObjective(Objective):
    needs = (schema.EMBEDDING,)

    def call(self, outputs, inputs):
        return ops.mean(ops.square(outputs[schema.EMBEDDING]))


class Distance:
    primary_metric = "distance"
    greater_is_better = False

    def __init__(self, rows_1, rows_2, sim):
        self.pairs, self.sim = (rows_1, rows_2), sim

    def __call__(self, embeddings):
        distances = np.abs(pair_cosine(embeddings, *self.pairs) - self.sim)
        return {"distance": np.float32(distances.mean())}
"""


def test_a_family_an_objective_and_an_evaluator_from_outside(tmp_path, monkeypatch, capsys):
    own, data, save = tmp_path / "files" / "mine.py", tmp_path / "data", tmp_path / "save"
    own.parent.mkdir()
    own.write_text(RECIPE)
    (own.parent / "my_model.py").write_text(MODEL)
    write_sample(data)
    common = ["--data-dir", str(data), "--save-dir", str(save), "--recipes", str(own)]
    common += ["--folds", "0", "--size", "tiny", "--output-zip", str(tmp_path / "result.zip")]
    assert main(["write_tfrecord", *common]) == 0
    assert main(["finetune", *common]) == 1
    assert f"`python pretrain --recipes {own}` first" in capsys.readouterr().err
    assert main(["pretrain", *common]) == 0
    assert main(["finetune", *common, "--small-weight", "0.25"]) == 0
    monkeypatch.delitem(FAMILIES, "mean_frames")  # as in another process
    for name in [name for name in sys.modules if name.startswith("vidsim_recipe_mine")]:
        monkeypatch.delitem(sys.modules, name)
    run = save / "finetune" / "mine" / "fold0"
    with pytest.raises(
        VidsimError, match=r"unknown family 'mean_frames'.*load_recipe_file\('mine.py'"
    ):
        vidsim.Embedder.from_checkpoint(run)
    assert main(["inference", *common]) == 0
    assert main(["ensemble", *common]) == 0
    assert "one recipe: mine 1.0000" in capsys.readouterr().out

    history = json.loads((run / "metrics.json").read_text())["history"]
    assert {"val_distance", "small"} <= {name for entry in history for name in entry}
    kept = json.loads((run / "checkpoints.json").read_text())
    distances = {e["step"]: e["val_distance"] for e in history if "val_distance" in e}
    assert kept["best"]["step"] == min(distances, key=distances.get)
    recorded = json.loads((run / "config.json").read_text())
    assert '"small_weight": 0.25' in json.dumps(recorded)

    assert vidsim.load_recipe_file(own).model.hidden_size == 16
    vectors = vidsim.Embedder.from_checkpoint(run).encode(frames=[np.ones((3, 1536))])
    assert vectors.shape == (1, 16)
