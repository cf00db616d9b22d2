"""The recipe albef: its published numbers, and the sizes that are trained here."""

import pytest

from vidsim.errors import VidsimError
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.momentum_pretrainer import MomentumPretrainer
from vidsim.objectives.objective import build_objectives
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives
from vidsim.tasks.registry import TASKS, for_task


def at(size, task=None):
    found = registry.load("albef", size)
    return (for_task(found, TASKS[task], size, False) if task else found)[0]


def test_published_numbers():
    """Li et al. 2021 and the public code's configurations."""
    recipe = at("base")
    model, run, retrieval = recipe.model, recipe.pretrain, at("base", "retrieval").finetune
    assert (model.encoder_layers, model.fusion_layers, model.fusion_from) == (12, 6, "split")
    assert (model.encoder_width, model.hidden_size, model.frame_layers) == (768, 256, 12)
    contrast = (run.itc.itc_queue, run.itc.itc_momentum, run.itc.itc_alpha, run.itc.itc_temperature)
    assert contrast == (65536, 0.995, 0.4, 0.07)
    assert (run.batch_size, run.epochs, run.masked_lm.mlm_probability) == (512, 30, 0.15)
    rates = run.optimizer
    assert (rates.lr, rates.bert_lr, rates.minimum_lr, rates.weight_decay) == (
        1e-4,
        1e-4,
        1e-5,
        0.02,
    )
    assert [c.weight for c in objectives(run) if c.weight] == [1.0, 1.0, 1.0]  # mlm, match, itc
    assert run.corruption.unmasked and run.corruption.mismatch == "none"
    assert (retrieval.batch_size, retrieval.epochs, retrieval.match.match_weight) == (32, 10, 1.0)
    assert (retrieval.optimizer.lr, retrieval.optimizer.minimum_lr) == (1e-5, 1e-6)
    assert (retrieval.itc.itc_weight, retrieval.retrieval.retrieval_weight) == (1.0, 0.0)


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_every_size_is_accepted(size):
    for task in (None, "retrieval", "classification"):
        at(size, task).check("finetune")
    at(size).check("pretrain")


def test_the_smallest_is_pretrained_beside_a_teacher():
    recipe = at("tiny")
    encoder = recipe.model.encoder(50)
    backbone = build_backbone(recipe.model, InputSpec(encoder, 3, {"frames": 8}))
    losses = build_objectives(objectives(recipe.pretrain), backbone, backbone.output_keys)
    model = recipe.pretrain.task_model(backbone, losses)
    assert isinstance(model, MomentumPretrainer)
    assert [loss.name for loss in losses] == ["tag", "mlm", "match", "itc"]


def test_what_does_not_fit_is_said():
    recipe = at("tiny").but(pretrain={"itc_queue": 33}, origin="flag")
    with pytest.raises(VidsimError, match="--itc-queue 33 is not a multiple of --batch-size 32"):
        recipe.check("pretrain")
    recipe = at("tiny").but(model={"fusion_layers": 2}, origin="flag")
    spec = InputSpec(recipe.model.encoder(50), 0, {"frames": 8})
    with pytest.raises(VidsimError, match="--fusion-layers 2 leaves no layer for the text alone"):
        build_backbone(recipe.model, spec)
