"""The challenge's winner: its published numbers, and ranks as labels."""

import numpy as np
import pytest
from scipy.stats import rankdata

from vidsim.errors import VidsimError
from vidsim.losses.tag import binary_cross_entropy
from vidsim.metrics.spearman import rank_normalized
from vidsim.recipes import registry
from vidsim.recipes.recipe import FinetuneConfig, objectives
from vidsim.records.pairs import Pairs
from vidsim.tasks.similarity.pair_source import FoldPairs
from vidsim.training.run_identity import make_identity


def load(size, pretrained=False):
    (recipe,) = registry.load("winner", size, pretrained)
    return recipe


def test_base_has_the_published_numbers():
    recipe = load("base")
    model, pretrain, finetune = recipe.model, recipe.pretrain, recipe.finetune
    assert (model.encoder_layers, model.encoder_width, model.encoder_heads) == (24, 1024, 16)
    assert (model.sequence, model.encoder_intermediate) == ("cls frames sep words", 4096)
    assert model.layout.absolute_positions(model.text_length) == 36
    assert model.max_frames == 32
    assert model.frame_positions
    assert model.frame_type
    assert (pretrain.batch_size, finetune.batch_size) == (128, 32)
    assert pretrain.total_steps == 40 * 1_063_613 // 128  # pointwise and pairwise videos
    assert finetune.total_steps == 10 * 65_373 // 32
    rates = {"pretrain": (5e-4, 5e-5), "finetune": (5e-5, 1e-5)}
    for stage, expected in rates.items():
        config = getattr(recipe, stage)
        optimizer = config.optimizer
        assert (optimizer.lr, optimizer.bert_lr) == expected
        assert (optimizer.weight_decay, optimizer.schedule) == (0.01, "cosine")
        for warmup in (optimizer.warmup_steps, optimizer.bert_warmup_steps):
            assert warmup == pytest.approx(0.06 * config.total_steps, abs=1)
    corruption = pretrain.corruption
    assert corruption.frames == pytest.approx(0.9 * 0.15)
    assert (corruption.words, corruption.frames_hidden) == (0.15, 1)
    assert corruption.mismatch == "none"


def test_the_tag_loss_weighs_as_published():
    """1250/3 times the mean over 10,000 tags, where the project's loss is their sum."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2, 10_000))
    labels = rng.integers(0, 2, (2, 10_000))
    p = 1 / (1 + np.exp(-logits))
    published = 1250 / 3 * np.mean(-labels * np.log(p) - (1 - labels) * np.log(1 - p))
    ours = np.mean(binary_cross_entropy(labels, logits))
    assert load("base").pretrain.tag.tag_weight * ours == pytest.approx(published, rel=1e-6)


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_its_losses_at_every_size(size):
    recipe = load(size)
    recipe.check("pretrain")
    recipe.check("finetune")
    used = {type(c).__name__: c.weight for c in objectives(recipe.pretrain) if c.weight}
    assert used == {
        "TagConfig": pytest.approx(1 / 24),
        "MaskedLMConfig": pytest.approx(1 / 3.75),
        "MaskedFramesConfig": pytest.approx(1 / 9),
    }
    finetune = recipe.finetune
    assert [type(c).__name__ for c in objectives(finetune) if c.weight] == ["SimilarityConfig"]
    assert finetune.similarity.kl_weight == 0
    assert finetune.rank_labels
    assert finetune.optimizer.schedule == "cosine"


# --- Ranks as labels ------------------------------------------------------------------------------


@pytest.mark.parametrize("ratings", [[0.3, 0.1, 0.3, 0.9, 0.3, 0.1], [0.5, 0.2], [1, 2, 3, 4, 0]])
def test_ranks_are_those_of_scipy(ratings):
    """Of 0.1 0.1 0.3 0.3 0.3 0.9: ranks 1.5 1.5 4 4 4 6, so 0 0 and (4 - 1.5) / 4.5 and 1."""
    ratings = np.array(ratings, "float32")
    ranks = rankdata(ratings, method="average")
    expected = (ranks - ranks.min()) / (ranks.max() - ranks.min())
    found = rank_normalized(ratings)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_ratings_without_an_order_are_refused():
    with pytest.raises(VidsimError, match=r"3 ratings, all equal.*leave --rank-labels out"):
        rank_normalized(np.full(3, 0.4, "float32"))


def test_ranks_are_of_the_training_ratings_alone():
    train = Pairs.from_lists([b"1", b"2", b"3"], [b"4", b"5", b"6"], [0.1, 0.9, 0.2])
    val = Pairs.from_lists([b"7"], [b"8"], [0.15])
    as_rated, by_rank = (FoldPairs(0, train, None, val, None, ranks) for ranks in (False, True))
    np.testing.assert_array_equal(as_rated.targets, train.sim)
    np.testing.assert_allclose(by_rank.targets, [0, 1, 0.5])
    np.testing.assert_array_equal(by_rank.train.sim, train.sim)


def test_they_make_another_run():
    """A record from before the flag has its default."""
    plain, ranked = (
        make_identity({"finetune": FinetuneConfig(rank_labels=ranks)}) for ranks in (False, True)
    )
    assert ranked.differences(plain.fields) == ["rank_labels: False -> True"]
    old = {"finetune": dict(plain.fields["finetune"])}
    del old["finetune"]["rank_labels"]
    assert plain.differences(old) == []
    assert ranked.differences(old) == ["rank_labels: False -> True"]
