"""Every recipe in every task at size tiny: one update by what the commands put together."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.recipes import registry
from vidsim.tasks.registry import TASKS, for_task
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer

CLASSES = (7, 8, 9)


def pairs(batch):
    """Five pairs of neighbours with ratings."""
    made = {key: x.reshape(5, 2, *x.shape[1:]) for key, x in batch.items()}
    return made | {schema.SIM: np.array([0, 1, 0.25, 0.75, 0.5], "float32")}


def sides(batch):
    """Ten sentences beside their videos: side 0 has no frames, side 1 no words."""
    made = {}
    for key, x in batch.items():
        if key == schema.TAGS:
            continue
        of_text = key in (schema.TOKEN_IDS, schema.TOKEN_MASK, schema.TOKEN_TYPES)
        empty = np.zeros_like(x)
        made[key] = np.stack([x, empty] if of_text else [empty, x], axis=1)
    return made | {schema.VIDEO_ROW: np.arange(10, dtype="int32") // 2}


def labelled(batch):
    """Ten videos with their classes."""
    shares = np.full((10, len(CLASSES)), 1 / len(CLASSES), "float32")
    made = {key: x for key, x in batch.items() if key != schema.TAGS}
    category = np.arange(10, dtype="int32") % len(CLASSES)
    return made | {schema.CATEGORY: category, schema.CLASS_SHARES: shares}


BATCHES = {"similarity": pairs, "retrieval": sides, "classification": labelled}
SETTINGS = {
    "similarity": {},
    "retrieval": {"tower_hidden": 0, "tower_dropout": 0.0},
    "classification": {"classes": CLASSES},
}


def test_every_task_is_here():
    assert set(BATCHES) == set(TASKS)


@pytest.mark.slow
@pytest.mark.parametrize("task", BATCHES)
@pytest.mark.parametrize("name", registry.RECIPES)
def test_one_update(name, task, videos, tokenizer, tags):
    """The loss is finite, and the embedding that the task reads is learned."""
    keras.utils.set_random_seed(0)
    loaded = registry.load(name, "tiny")
    (recipe,) = for_task(loaded, TASKS[task], "tiny", False)
    config, model = recipe.finetune, recipe.model
    widths = model.reads({schema.FRAMES: 1536})
    texts = tuple(field for field, _ in model.texts)
    encoder, separator = model.encoder(len(tokenizer)), tokenizer.special.sep
    spec = InputSpec(encoder, len(tags), widths, texts, separator=separator)
    backbone = build_backbone(model, spec)
    settings = dict(SETTINGS[task])
    if task == "retrieval" and config.match.match_weight:
        settings["match"] = True
    head = TASKS[task].head(backbone, settings)
    trained = TASKS[task].task_model(backbone, head, config)
    trainer = Trainer(trained, build_optimizer(config.optimizer, backbone, 9, 9), restartable=False)
    examples = Examples(videos, tokenizer, tags, model, InputTensors.of(widths))
    batch = BATCHES[task](examples.batch(np.arange(2, 12)))
    before = trainer.state()
    logs = trained.train_on_batch(
        {key: ops.convert_to_tensor(x) for key, x in batch.items()}, return_dict=True
    )
    assert np.isfinite(list(logs.values())).all()
    assert int(trained.total_notfinite.numpy()) == 0
    weights = {id(weight) for weight in trained.trainable_variables}
    moved = [
        key
        for key, value in trainer.state().items()
        if value.dtype == np.float32 and value.shape and (value != before[key]).any()
    ]
    assert len(moved) > len(weights) / 2
    predicts = TASKS[task].prediction_model(backbone, head)
    shown = examples.batch(np.arange(4))
    found = np.asarray(predicts({k: x for k, x in shown.items() if k != schema.TAGS}))
    assert found.shape == (4, len(CLASSES) if task == "classification" else model.hidden_size)
    assert np.isfinite(found).all()
