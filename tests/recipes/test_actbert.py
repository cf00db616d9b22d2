"""ActBERT: its published numbers, and that it can be built at every size."""

import pytest

from vidsim import schema
from vidsim.models.input_spec import InputSpec
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
@pytest.mark.parametrize("pretrained", [False, True])
def test_it_is_what_was_published(size, pretrained):
    (recipe,) = registry.load("actbert", size, pretrained)
    recipe.check("pretrain")
    recipe.check("finetune")
    used = {type(c).__name__: c.weight for c in objectives(recipe.pretrain) if c.weight}
    names = ["MaskedLMConfig", "MatchConfig", "MaskedFramesConfig", "MaskedActionsConfig"]
    names += ["TagConfig"] if size != "base" else []  # few videos: see the docstring
    assert used == dict.fromkeys(names, 1.0)
    corruption = recipe.pretrain.corruption
    assert (corruption.words, corruption.frames, corruption.actions) == (0.15, 0.15, 0.15)
    assert (corruption.frames_hidden, corruption.actions_hidden) == (0.9, 0.9)
    assert corruption.mismatch == "random" and not corruption.words_of_mismatched
    assert recipe.pretrain.augmentation.modality_dropout == 0  # half of a video matches nothing
    model = recipe.model
    assert not list(model.misfits(InputSpec(model.encoder(200), 0, {schema.FRAMES: 8})))
    assert not model.published_quirks


def test_base_has_the_published_sizes():
    (recipe,) = registry.load("actbert", "base")
    model, pretrain = recipe.model, recipe.pretrain
    assert (model.encoder_layers, model.encoder_width, model.encoder_heads) == (12, 768, 12)
    assert (model.region_layers, model.region_width, model.region_heads) == (2, 1024, 8)
    assert (model.action_layers, model.action_heads, model.action_spans) == (3, 12, 5)
    assert (model.tangled_layers, model.tangled_width, model.tangled_heads) == (2, 1024, 8)
    optimizer = pretrain.optimizer
    assert (optimizer.lr, optimizer.minimum_lr, optimizer.weight_decay) == (2e-4, 2e-5, 1e-4)
    assert (pretrain.batch_size, pretrain.epochs) == (8, 10)


def test_frames_stand_for_what_the_data_lack():
    (recipe,) = registry.load("actbert", "base")
    model, widths = recipe.model, {schema.FRAMES: 8}
    assert model.reads(widths) == widths
    said = model.about_data(widths)
    assert "frames are the regions" in said and "up to 5 equal spans" in said and "tags" in said
    widths |= {schema.REGIONS: 6, schema.REGION_BOXES: 5, schema.ACTIONS: 7}
    widths |= {schema.ACTION_LABELS: 9, schema.REGION_CLASSES: 4}
    assert model.reads(widths) == {n: w for n, w in widths.items() if n != schema.FRAMES}
    assert model.about_data(widths) == ""
    (other,) = registry.load("uniter", "base")
    assert other.model.reads(widths) == {schema.FRAMES: 8}
