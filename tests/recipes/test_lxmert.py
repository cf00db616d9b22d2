"""The recipe lxmert: its published numbers, and that it trains by each of its losses."""

import os
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.losses.classification import softmax_cross_entropy
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.corruption import mismatched_rows
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives
from vidsim.tasks.classification.task import Classification
from vidsim.tasks.registry import for_task
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer


def classification(size, pretrained=False):
    """The recipe's flags of classification at a size."""
    recipes = registry.load("lxmert", size, pretrained)
    (recipe,) = for_task(recipes, Classification(), size, pretrained)
    recipe.check("pretrain")
    recipe.check("finetune")
    return recipe


def test_the_published_numbers():
    recipe = classification("base")
    model, pretrain, finetune = recipe.model, recipe.pretrain, recipe.finetune
    assert (model.encoder_layers, model.cross_layers, model.relational_layers) == (12, 5, 0)
    assert (model.encoder_width, model.max_frames, model.text_length) == (768, 8, 388)
    assert (model.text_fields, model.text_assembly) == ("title,ocr_text,asr_text", "tfidf")
    assert (model.visual_embedding, model.cross_pooling) == ("linear", "cls")
    assert model.shared_cross_attention
    corruption = pretrain.corruption
    assert (corruption.words, corruption.unmasked, corruption.frames) == (0.15, False, 0)
    assert (corruption.mismatch, corruption.words_of_mismatched) == ("reversed", False)
    assert [(o.weight) for o in objectives(pretrain) if o.weight] == [1.0, 0.3]
    assert (pretrain.batch_size, pretrain.optimizer.lr, pretrain.optimizer.bert_lr) == (
        50,
        5e-5,
        5e-5,
    )
    assert (finetune.batch_size, finetune.optimizer.lr, finetune.optimizer.bert_lr) == (
        26,
        4e-5,
        4e-5,
    )
    assert (finetune.classes.label_smoothing, finetune.resample) == (0.1, "100:5,500:3,1000:2")
    assert (finetune.tricks.fgm, finetune.tricks.ema) == (1.0, 0.999)


@pytest.mark.parametrize(
    ("size", "pretrained", "rate"), [("tiny", False, 2e-3), ("small", True, 1e-4)]
)
def test_a_size_has_rates_of_its_own(size, pretrained, rate):
    recipe = classification(size, pretrained)
    assert recipe.finetune.optimizer.bert_lr == rate
    assert recipe.finetune.total_steps <= 400
    assert (recipe.finetune.resample, recipe.finetune.tricks.fgm) == ("", 0)
    assert recipe.finetune.tricks.ema == (0.98 if pretrained else 0)
    assert recipe.model.text_assembly == "none"


def test_pretraining_reaches_every_weight(examples):
    """One update at tiny size on a batch made as pretraining makes it: words masked, the second
    half reversed."""
    (recipe,) = registry.load("lxmert", "tiny")
    recipe = recipe.but(model={"encoder_width": 16, "encoder_intermediate": 16})
    size, special = len(examples.tokenizer), examples.tokenizer.special
    spec = InputSpec(recipe.model.encoder(size), 4, {"frames": 1536})
    backbone = build_backbone(recipe.model, spec)
    task = recipe.pretrain.task_model(
        backbone, build_objectives(objectives(recipe.pretrain), backbone, backbone.output_keys)
    )
    optimizer = build_optimizer(OptimizerConfig(warmup_steps=0), backbone, 9, 9)
    Trainer(task, optimizer, restartable=False)
    task.run_eagerly = True
    made = examples.batch(np.arange(6))
    batch = recipe.pretrain.corruption.apply(made, special, size, np.random.default_rng(1))
    np.testing.assert_array_equal(batch[schema.MATCHED], [1, 1, 1, 0, 1, 0])
    assert not batch[schema.MLM_WEIGHTS][[3, 5]].any()
    before = {weight.path: weight.numpy() for weight in task.trainable_weights}
    logs = task.train_on_batch(batch, return_dict=True)
    assert set(logs) == {"loss", "tag", "mlm", "match"}
    assert all(np.isfinite(value) for value in logs.values())
    still = [
        weight.path
        for weight in task.trainable_weights
        if (before[weight.path] == weight.numpy()).all()
    ]
    assert still == []


def of_the_public_code():
    """The file of the WBDC 2022 system's numbers."""
    folder = os.environ.get("VIDSIM_GOLDENS")
    if not folder:
        pytest.skip("set VIDSIM_GOLDENS to the folder of lxmert_wbdc2022.npz")
    with np.load(Path(folder) / "lxmert_wbdc2022.npz") as file:
        return {key: file[key] for key in file.files if key.startswith(("ce/", "itm/"))}


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_label_smoothing_of_the_wbdc_system(smoothing):
    golden = of_the_public_code()
    loss = softmax_cross_entropy(golden["ce/label"], golden["ce/logits"], smoothing)
    found = ops.convert_to_numpy(ops.mean(loss))
    np.testing.assert_allclose(found, golden[f"ce/loss_smoothing_{smoothing}"], rtol=1e-5)


@pytest.mark.parametrize("size", [5, 6])
def test_the_order_of_the_second_half(size):
    golden = of_the_public_code()
    rows = mismatched_rows(size, "reversed", np.random.default_rng(0))
    np.testing.assert_array_equal(rows, golden[f"itm/shuffled_order_of_{size}"])
    np.testing.assert_array_equal(rows == np.arange(size), golden[f"itm/label_of_{size}"])
