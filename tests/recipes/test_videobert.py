"""VideoBERT: its document's sequence and losses, at every size."""

import pytest

from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
@pytest.mark.parametrize("pretrained", [False, True])
def test_it_is_what_the_document_says(size, pretrained):
    (recipe,) = registry.load("videobert", size, pretrained)
    recipe.check("pretrain")
    recipe.check("finetune")
    model, pretrain = recipe.model, recipe.pretrain
    assert (model.sequence, model.match_at) == ("frames sep words", "sep")
    assert model.frame_positions
    assert model.positions == "absolute"
    used = {type(c).__name__: c.weight for c in objectives(pretrain) if c.weight}
    of_few_videos = {"TagConfig": 1.0} if size != "base" else {}  # not in the document
    assert used == {"MaskedLMConfig": 1.0, "MatchConfig": 1.0} | of_few_videos
    assert pretrain.masked_lm.mlm_reduction == "sum"
    corruption = pretrain.corruption
    assert (corruption.words, corruption.mismatch) == (0.15, "random")
    assert not corruption.words_of_mismatched
    assert pretrain.augmentation.modality_dropout == 0  # half of a video matches nothing


def test_base_is_bert_base():
    (recipe,) = registry.load("videobert", "base")
    model = recipe.model
    assert (model.encoder_layers, model.encoder_width, model.encoder_heads) == (12, 768, 12)
