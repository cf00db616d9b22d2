"""Operations counted by hand: a Uniter and a MixNeXtVLAD small enough to count on paper."""

from vidsim import schema
from vidsim.models.configs import UniterConfig
from vidsim.models.cross_config import CrossConfig
from vidsim.models.flops import VideoShape, forward_flops
from vidsim.models.input_spec import InputSpec
from vidsim.models.mix_nextvlad_config import MixNeXtVLADConfig

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
