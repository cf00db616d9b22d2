"""The six recipes: what makes them different, and that every one of them trains."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.pair_scorer import PairScorer
from vidsim.models.task_model import TaskModel
from vidsim.objectives.configs import TagConfig
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.masking import mask_words
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives
from vidsim.recipes.registry import CHALLENGE as RECIPES
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer

DIFFERENCES = {  # recipe: (the one it is made from, field: (there, here))
    "mix_asl": (
        "mix",
        {
            "pretrain.tag.tag_loss": ("bce", "asl"),
            "finetune.tag.tag_loss": ("bce", "asl"),
            "finetune.total_steps": (4000, 3000),
        },
    ),
    "mix_roformer": (
        "mix",
        {
            "model.positions": ("absolute", "rotary"),
            "model.text_pooling": ("cls", "max"),
        },
    ),
    "uniter_asl": (
        "uniter",
        {
            "pretrain.tag.tag_loss": ("bce", "asl"),
            "finetune.tag.tag_loss": ("bce", "asl"),
            "pretrain.masked_lm.mlm_weight": (10.0, 5.0),
        },
    ),
    "uniter_roformer": (
        "uniter",
        {
            "model.positions": ("absolute", "rotary"),
            "pretrain.batch_size": (256, 210),
            "finetune.batch_size": (128, 112),
            "finetune.total_steps": (3000, 4000),
            "finetune.similarity.similarity_weight": (128.0, 112.0),
        },
    ),
    "uniter": (
        "mix",
        {
            "pretrain.branch_kl.branch_kl_weight": (10.0, 0.0),
            "pretrain.contrastive.contrastive_weight": (10.0, 0.0),
            "pretrain.masked_lm.mlm_weight": (0.0, 10.0),
            "finetune.total_steps": (4000, 3000),
        },
    ),
}
PUBLISHED = {  # systems' own commands: batches of both stages, finetuning steps, MLM, KL weight
    "mix": (256, 128, 4000, 0, 0.5),
    "mix_asl": (256, 128, 3000, 0, 0.5),
    "mix_roformer": (256, 128, 4000, 0, 0.5),
    "uniter": (256, 128, 3000, 10, 0.5),
    "uniter_asl": (256, 128, 3000, 5, 0.5),
    "uniter_roformer": (210, 112, 4000, 10, 0.5),
}
STAGES = ("pretrain", "finetune")


def fields(config, prefix=""):
    """Every leaf of nested dataclasses by its dotted name."""
    found = {}
    for item in dataclasses.fields(config):
        value, name = getattr(config, item.name), prefix + item.name
        nested = fields(value, f"{name}.") if dataclasses.is_dataclass(value) else {name: value}
        found |= nested
    return found


def load(name, size="base"):
    (recipe,) = registry.load(name, size)
    return recipe


@pytest.mark.parametrize("name", DIFFERENCES)
def test_recipes_differ_only_in_what_their_names_say(name):
    """Between the two families, the shape fields that only one of them has are not compared."""
    base, expected = DIFFERENCES[name]
    before, after = fields(load(base)), fields(load(name))
    assert before.pop("name") == base
    assert after.pop("name") == name
    if name == "uniter":
        shared = before.keys() & after.keys()
        only = {key.partition(".")[0] for key in before.keys() ^ after.keys()}
        assert only == {"model"}
    else:
        shared = before.keys()
        assert before.keys() == after.keys()
    changed = {key: (before[key], after[key]) for key in shared if before[key] != after[key]}
    assert changed == expected


def test_every_recipe_is_compared():
    assert set(RECIPES) == {"mix", *DIFFERENCES} == set(PUBLISHED)


@pytest.mark.parametrize("name", RECIPES)
def test_base_has_the_published_numbers(name):
    recipe = load(name)
    batch, pair_batch, steps, mlm, kl = PUBLISHED[name]
    pretrain, finetune, model = recipe.pretrain, recipe.finetune, recipe.model
    assert (pretrain.batch_size, finetune.batch_size) == (batch, pair_batch)
    assert (pretrain.total_steps, pretrain.epochs) == (60000, 30)
    assert (finetune.total_steps, finetune.epochs) == (steps, 20)
    assert (finetune.similarity.kl_weight, pretrain.masked_lm.mlm_weight) == (kl, mlm)
    assert pretrain.masked_lm.mlm_probability == 0.15
    assert finetune.similarity.similarity_weight == pair_batch  # a sum over the batch, as a mean
    for config in (pretrain.optimizer, finetune.optimizer):
        assert (config.lr, config.bert_lr, config.warmup_steps) == (5e-4, 3e-5, 1000)
    assert pretrain.optimizer.bert_warmup_steps == 2000
    assert (model.encoder_layers, model.encoder_width, model.encoder_heads) == (12, 768, 12)
    assert (model.encoder_intermediate, model.vocab_size) == (3072, 21128)
    assert (model.bert_seq_length, model.max_frames, model.hidden_size) == (32, 32, 256)
    asl = pretrain.tag
    assert (asl.asl_gamma_pos, asl.asl_gamma_neg, asl.asl_clip) == (0, 1, 0)
    if model.family == "mix_nextvlad":
        assert (model.vlad_cluster_size, model.vlad_groups, model.vlad_hidden_size) == (64, 8, 1024)
        assert (model.branches, model.vlad_expansion, model.se_ratio) == (3, 2, 8)
        assert (model.vlad_batch_norm, model.dropout) == (True, 0.2)
        assert pretrain.contrastive.contrastive_temperature == 0.07
        assert pretrain.branch_kl.branch_kl_temperature == 2
    else:
        assert model.uniter_pooling == "mean"


@pytest.mark.parametrize("size", ["tiny", "small"])
@pytest.mark.parametrize("name", RECIPES)
def test_sizes_change_numbers_only(name, size):
    """Never what the recipe is: its positions and its losses.

    Text pooling is free: a first token says nothing before long training or a pretrained encoder.
    """
    before, after = fields(load(name)), fields(load(name, size))
    changed = {key.rpartition(".")[2] for key in before if before[key] != after[key]}
    assert "encoder_layers" in changed
    assert not changed & {"name", "positions", "uniter_pooling", "tag_loss"}
    assert {key for key in changed if key.endswith("_weight")} <= {"tag_weight"}
    recipe = load(name, size)
    assert recipe.model.encoder_width % recipe.model.encoder_heads == 0
    for stage in STAGES:  # a loss that a size turned off would be missed by nobody else
        used, published = (
            [type(c) for c in objectives(getattr(r, stage)) if c.weight]
            for r in (recipe, load(name))
        )
        assert used == published
        assert TagConfig in used
    for config in (recipe.pretrain, recipe.finetune):
        assert config.optimizer.warmup_steps < config.total_steps
        assert config.eval_freq <= config.total_steps


def test_sizes_are_ordered():
    def effort(size):
        recipe = load("mix", size)
        return recipe.model.encoder_layers * recipe.model.encoder_width, recipe.model.vocab_size

    assert effort("tiny") < effort("small") < effort("base")


# --- Really built, at size tiny -------------------------------------------------------------------


@pytest.fixture(scope="module")
def batches(videos, tokenizer, tags):
    """One batch of each stage: masked words in the first, pairs in the second."""
    keras.utils.set_random_seed(0)
    examples = Examples(videos, tokenizer, tags, load("mix", "tiny").model)
    alone = examples.batch(np.arange(2, 12))
    rng = np.random.default_rng(0)
    ids, mask = alone[schema.TOKEN_IDS], alone[schema.TOKEN_MASK]
    masked = mask_words(ids, mask, tokenizer.special, len(tokenizer), 0.5, rng)
    keys = (schema.TOKEN_IDS, schema.MLM_POSITIONS, schema.MLM_LABELS, schema.MLM_WEIGHTS)
    pairs = {key: value.reshape(5, 2, *value.shape[1:]) for key, value in alone.items()}
    pairs[schema.SIM] = np.array([0.1, 0.9, 0.4, 0.6, 0.3], "float32")
    both = {
        "pretrain": alone | dict(zip(keys, masked, strict=True)),
        "finetune": pairs,
    }
    return {
        stage: {key: ops.convert_to_tensor(value) for key, value in batch.items()}
        for stage, batch in both.items()
    }


@pytest.fixture(scope="module", params=RECIPES)
def tiny(request, tokenizer, tags):
    """Recipe and backbone."""
    keras.utils.set_random_seed(0)
    recipe = load(request.param, "tiny")
    encoder = recipe.model.encoder(len(tokenizer))
    return recipe, build_backbone(recipe.model, InputSpec(encoder, len(tags), {"frames": 1536}))


@pytest.fixture(params=STAGES)
def task(request, tiny):
    """(stage's name, its configuration, task)."""
    recipe, backbone = tiny
    config = getattr(recipe, request.param)
    kind, more = (PairScorer, (schema.COSINE,)) if request.param == "finetune" else (TaskModel, ())
    available = (*backbone.output_keys, *more)
    return (
        request.param,
        config,
        kind(backbone, build_objectives(objectives(config), backbone, available)),
    )


def test_gradients_reach_every_variable(task, batches):
    """Except the bias of the keys without rotations: it adds the same to all scores of a query."""
    import tensorflow as tf

    stage, _, task = task
    batch = batches[stage]
    with tf.GradientTape() as tape:
        loss = task.compute_loss(x=batch, y_pred=task(batch, training=True))
    variables = task.trainable_variables
    assert len({id(variable) for variable in variables}) == len(variables)
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    unreached = set()
    for variable, gradient in zip(variables, gradients, strict=True):
        dense = None if gradient is None else tf.convert_to_tensor(gradient).numpy()
        assert dense is None or np.isfinite(dense).all(), variable.path
        if dense is None or np.abs(dense).max() < 1e-6:
            unreached.add(variable.path.partition("/text_encoder/")[2] or variable.path)
    absolute = task.backbone.config.positions == "absolute"
    assert unreached == ({"layer_0/attention/key/bias"} if absolute else set())


def test_every_variable_has_one_learning_rate(task):
    """Adam's first step is the learning rate, whatever the gradient: 1 for the encoder, 1/1000 for
    the rest. Twice in a group, or in both, a variable would move further; in none, not at all."""
    _, _, task = task
    config = OptimizerConfig(
        lr=1e-3, bert_lr=1.0, warmup_steps=0, bert_warmup_steps=0, weight_decay=0, clip_norm=0
    )
    optimizer = build_optimizer(config, task.backbone, steps=10**9, planned=10**9)
    variables = task.trainable_variables
    optimizer.build(variables)
    before = [variable.numpy().copy() for variable in variables]
    optimizer.apply([ops.full_like(variable, 0.3) for variable in variables])
    for variable, value in zip(variables, before, strict=True):
        rate = 1.0 if "/text_encoder/" in variable.path else 1e-3
        np.testing.assert_allclose(value - variable.numpy(), rate, rtol=2e-3, err_msg=variable.path)
        variable.assign(value)


def test_a_training_step(task, batches):
    """Eagerly: the graph of all this is proved elsewhere, and takes ten times as long to make."""
    stage, config, task = task
    first = [weight.numpy().copy() for weight in task.backbone.weights]
    trainer = Trainer(task, build_optimizer(config.optimizer, task.backbone, 2, 2))
    task.run_eagerly = True
    logs = task.train_on_batch(batches[stage], return_dict=True)
    names = [objective.name for objective in task.objectives]
    assert set(logs) == {"loss", *names}
    assert logs["loss"] == pytest.approx(sum(logs[name] for name in names), rel=1e-4)
    assert all(abs(logs[name]) > 1e-3 for name in names)
    for weight, value in zip(task.backbone.weights, first, strict=True):
        if "key/bias" not in weight.path:
            assert (weight.numpy() != value).any(), weight.path
    trainer.reset()
    for weight, value in zip(task.backbone.weights, first, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_a_pretrained_encoder_is_changed_slowly(size):
    (taught,), (tuned,) = (
        registry.load("uniter", size),
        registry.load("uniter", size, pretrained=True),
    )
    for stage in ("pretrain", "finetune"):
        before, after = getattr(taught, stage).optimizer, getattr(tuned, stage).optimizer
        assert after.bert_lr <= before.bert_lr / 10
        assert after.lr == before.lr
    assert (taught.model.frame_skip, tuned.model.frame_skip) == (False, True)
    assert (taught.pretrain.masked_lm.mlm_weight, tuned.pretrain.masked_lm.mlm_weight) == (10, 0)
    assert registry.load("uniter", "base", pretrained=True) == registry.load("uniter", "base")
