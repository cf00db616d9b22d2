"""What tasks have at size small beside a pretrained encoder: the values that were measured."""

import pytest

from vidsim.recipes import registry
from vidsim.tasks.registry import TASKS, for_task


def of(name, task, pretrained=True):
    (recipe,) = for_task(registry.load(name, "small", pretrained), TASKS[task], "small", pretrained)
    recipe.check("finetune")
    return recipe


@pytest.mark.parametrize("name", registry.RECIPES)
@pytest.mark.parametrize("task", ["retrieval", "classification"])
def test_the_encoder_is_not_trained_and_the_means_are_read(name, task):
    """But by lxmert's classes, which have its own values; ALBEF has projections of its own."""
    config = of(name, task).finetune
    skip = config.tower_skip if task == "retrieval" else config.class_skip
    assert config.optimizer.bert_lr == (1e-4 if (name, task) == ("lxmert", "classification") else 0)
    assert skip == ((name, task) != ("albef", "retrieval"))
    assert config.tricks.ema and config.augmentation.frame_dropout == 0.3
    plain = of(name, task, pretrained=False).finetune
    assert plain.optimizer.bert_lr > 0


def test_albef():
    recipe = of("albef", "retrieval")
    config, model = recipe.finetune, recipe.model
    assert (config.tower_hidden, config.itc.itc_queue, config.itc.itc_alpha) == (0, 2048, 0.6)
    assert (model.frame_layers, model.projection_hidden) == (0, 4096)


def test_heads_of_classes():
    """By which docs/results.md has its figures: eight heads, which read mixed rows."""
    found = {
        pretrained: of("mix", "classification", pretrained).finetune for pretrained in (True, False)
    }
    heads = {key: (config.class_heads, config.class_hidden) for key, config in found.items()}
    assert heads == {True: (8, 2048), False: (1, 0)}
    assert [found[key].mixup for key in (True, False)] == [0.4, 0]
