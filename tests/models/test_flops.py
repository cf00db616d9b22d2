"""Operations counted by hand: a model of each family, small enough to count on paper."""

from types import SimpleNamespace

import pytest

from vidsim import schema
from vidsim.models.albef_config import AlbefConfig
from vidsim.models.configs import JointConfig, UniterConfig
from vidsim.models.cross_config import CrossConfig
from vidsim.models.flops import VideoShape, forward_flops
from vidsim.models.input_spec import InputSpec
from vidsim.models.mix_nextvlad_config import MixNeXtVLADConfig
from vidsim.models.tangled_config import TangledConfig
from vidsim.recipes import registry

SIZES = {"encoder_width": 4, "encoder_layers": 2, "encoder_heads": 1, "encoder_intermediate": 8}
SIZES |= {"hidden_size": 2}


def count(config, shape, vocabulary=10):
    spec = InputSpec(config.encoder(vocabulary), 3, {schema.FRAMES: 1536})
    return forward_flops(config, spec, shape)


def test_uniter():
    """Sequence 3 + 2 = 5. A token and layer: four 4 x 4 and two 4 x 8 products, 2 (64 + 64) = 256;
    scores and sum, 2 x 2 x 4 x 5 = 80; 2 layers x 5 x 336 = 3360. Frames 2 x 2 x 1536 x 4 = 24576,
    projection 2 x 4 x 2 = 16, classifier 2 x 2 x 3 = 12."""
    config = UniterConfig(**SIZES)
    plain = VideoShape(words=3, frames=2)
    assert count(config, plain) == 3360 + 24576 + 16 + 12
    masked = VideoShape(words=3, frames=2, masked=2)
    assert count(config, masked) - count(config, plain) == 2 * (2 * 4 * 4 + 2 * 4 * 10)
    skip = UniterConfig(**SIZES, frame_skip=True)
    assert count(skip, plain) - count(config, plain) == 2 * 4 * 2


def test_cross():
    """A layer over n tokens: n x 256 + n x 16 n. Over 3 words 912, over 2 frames 576; two text
    layers 1824, one over frames 576. Across: 5 x four 4 x 4 products 640, scores and sums
    3 x 2 x 2 x 4 x 2 + 2 x 2 x 2 x 4 x 3 = 192; with both layers 2320, of which 3. Frames 24576,
    pooler 32, projection 16, classifier 12."""
    config = CrossConfig(**SIZES, cross_layers=3, relational_layers=1)
    plain = VideoShape(words=3, frames=2)
    expected = 1824 + 576 + 3 * (640 + 192 + 912 + 576) + 24576 + 32 + 16 + 12
    assert count(config, plain) == expected


def test_sequences_with_separators():
    """[CLS] frames [SEP] words: 1 + 2 + 1 + 2 = 6 positions of 3 words and 2 frames. 2 layers x 6 x
    (256 + 2 x 2 x 4 x 6) = 4224; attention pooling 6 (2 x 4 x 4 + 2 x 4) = 240; without [CLS] five
    positions, 3360."""
    plain = VideoShape(words=3, frames=2)
    winner = JointConfig(**SIZES, sequence="cls frames sep words", pooling="attention")
    assert count(winner, plain) == 4224 + 240 + 24576 + 16 + 12
    videobert = JointConfig(**SIZES, sequence="frames sep words")
    assert count(videobert, plain) == 3360 + 24576 + 16 + 12


def test_albef():
    """Words 3, frames 2 and their [CLS]. Text: 3 layers, of which one is fusion's, 2 x 912; frames
    24576, one layer over 3, 912. Fusion: a layer over words 912, across (3 + 3) x two 4 x 4
    products = 384, scores and sums 3 x 2 x 2 x 4 x 3 = 144. Vectors of 4 and 4: compared 16 each,
    embedded 16 each; classifier 12."""
    config = AlbefConfig(**SIZES | {"encoder_layers": 3}, fusion_layers=1, frame_layers=1)
    plain = VideoShape(words=3, frames=2)
    expected = 2 * 912 + 24576 + 912 + 912 + 384 + 144 + 4 * 16 + 12
    assert count(config, plain) == expected
    after = AlbefConfig(
        **SIZES | {"encoder_layers": 3},
        **{"fusion_layers": 1, "frame_layers": 1, "fusion_from": "after", "frame_skip": True},
        **{"projection": "mlp", "projection_hidden": 5},
    )
    # all three layers read words; a video's vector has 1536 numbers more, and two layers compare
    text, video = 2 * 4 * 5 + 2 * 5 * 2, 2 * 1540 * 5 + 2 * 5 * 2
    more = 912 + text + video - 2 * 16 + 2 * 1536 * 2
    assert count(after, plain) - expected == more


def test_tangled():
    """Words 3, regions 2 and the global one, 2 actions; regions 6 wide, inner 7, meeting in 2
    numbers. Embedding 3 (2 x 1536 x 6 + 2 x 5 x 6) + 2 x 2 x 1536 x 4 = 80052. Layers: words
    2 x 912; regions 3 (4 x 72 + 2 x 84 + 2 x 2 x 6 x 3) = 1584; actions, inner 8, 576. Tangled:
    words 3 (3 x 16 + 16 + 2 x 64 + 2 x 2 x 2 x 3) = 648, regions 3 (3 x 24 + 24 + 2 x 84 + 24)
    = 864, actions 2 (192 + 16) = 416; found 2 x 2 x 2 x 2 x 3 = 48 and given 3 x 2 x 2 x 4 = 48, of
    words and of regions; four 2 x 2 products of 2 actions, 64. Poolers 16 + 24 + 16, projection 8,
    classifier 12."""
    streams = {"region_width": 6, "region_heads": 1, "region_intermediate": 7, "region_layers": 1}
    streams |= {"action_layers": 1, "action_heads": 1, "action_intermediate": 8, "action_spans": 5}
    streams |= {"tangled_layers": 1, "tangled_width": 2, "tangled_heads": 1}
    config = TangledConfig(**SIZES, **streams)
    tangled = 648 + 864 + 416 + 2 * (48 + 48) + 64
    expected = 80052 + 2 * 912 + 1584 + 576 + tangled + 16 + 24 + 16 + 8 + 12
    assert count(config, VideoShape(words=3, frames=2)) == expected


def test_every_recipe_is_counted():
    for recipe in registry.load("every", "small"):
        assert count(recipe.model, VideoShape(words=3, frames=2)) > 0
    (recipe,) = registry.load("uniter", "small")
    spec = InputSpec(recipe.model.encoder(10), 3, {schema.FRAMES: 1536})
    with pytest.raises(TypeError, match="the family other"):
        forward_flops(SimpleNamespace(family="other"), spec, VideoShape(3, 2))


def test_mix():
    """Encoder over 3 words: 2 x 3 x (256 + 2 x 2 x 4 x 3) = 1824. Pooler 32, text 2 x 4 x 6 = 48,
    gate 2 (1536 + 6) 2 = 6168. Two branches: a frame 2 x 1536 x 768 + 2 x 768 x 2 groups + 2 x 768
    x 2 x 5 scores + 2 x 768 x 5 sums = 2385408, of which 2; projection 2 x 5 x 384 x 6 = 23040,
    fusion 2 x 12 x 2 = 48, gates 2 x 2 x 2 x 1 = 8, classifier 12."""
    vlad = {"branches": 2, "vlad_expansion": 0.5, "vlad_groups": 2, "vlad_cluster_size": 5}
    config = MixNeXtVLADConfig(**SIZES, **vlad, vlad_hidden_size=6, se_ratio=2)
    branch = 2 * 2385408 + 23040 + 48 + 8 + 12
    expected = 1824 + 32 + 48 + 6168 + 2 * branch
    assert count(config, VideoShape(words=3, frames=2)) == expected
