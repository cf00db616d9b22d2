"""What every family promises: padding changes nothing, float32 comes out, weights have names."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.models.configs import build_backbone
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.families import FAMILIES

BACKBONES = {
    "mix": ("mix_nextvlad", {}),
    "mix_bare": ("mix_nextvlad", {"frame_norm": False, "fusion_norm": False}),
    "mix_rotary": ("mix_nextvlad", {"positions": "rotary", "text_pooling": "max"}),
    "uniter": ("uniter", {}),
    "uniter_rotary": ("uniter", {"positions": "rotary"}),
    "uniter_token_mean": ("uniter", {"uniter_pooling": "token_mean"}),
    "uniter_max": ("uniter", {"uniter_pooling": "max"}),
    "uniter_cls": ("uniter", {"uniter_pooling": "cls"}),
    "uniter_frame_skip": ("uniter", {"frame_skip": True}),
    "videobert": (
        "joint",
        {
            "sequence": "frames sep words",
            "pooling": "sep",
            "frame_positions": True,
            "match_at": "sep",
        },
    ),
    "videobert_rotary": (
        "joint",
        {
            "sequence": "frames sep words",
            "pooling": "sep",
            "positions": "rotary",
            "match_at": "sep",
        },
    ),
    "winner": (
        "joint",
        {
            "sequence": "cls frames sep words",
            "pooling": "attention",
            "frame_positions": True,
            "frame_activation": "linear",
        },
    ),
    "lxmert": ("cross", {"relational_layers": 1, "visual_embedding": "boxed"}),
    "lxmert_unshared": ("cross", {"shared_cross_attention": False, "cross_pooling": "mean"}),
    "lxmert_rotary": ("cross", {"positions": "rotary"}),
    "actbert": ("tangled", {}),
    "actbert_rotary": ("tangled", {"positions": "rotary", "action_spans": 3}),
    "albef": ("albef", {}),
    "albef_rotary": ("albef", {"positions": "rotary", "fusion_from": "after"}),
    "albef_mean": ("albef", {"text_pooling": "mean", "frame_skip": True, "projection": "mlp"}),
}
TITLES, FRAMES = (6, 2, 5, 2, 9), (3, 4, 0, 0, 1)  # an empty title is [CLS] [SEP]
LENGTHS = {schema.HIDDEN_STATES: TITLES, schema.FRAME_STATES: FRAMES}  # of outputs by position
LENGTHS[schema.ACTION_STATES] = FRAMES  # at most one for each frame
GOLDEN = {
    "mix": (0, 0.074553, 0.549519, 0.416517, 0.100234),
    "mix_bare": (0, 0.087487347, 0.1248968, 0.031587284, 0.066750556),
    "mix_rotary": (0.308733, 0.214054, 0.477256, 0.430546, 0),
    "uniter": (-0.501368, 0.46044, -0.200726, -1.183182, -1.09847),
    "uniter_rotary": (-1.712701, 2.206509, -0.256478, -1.005497, -0.219289),
    "uniter_token_mean": (-0.54060119, 0.41434258, -0.24305788, -1.286144, -1.2266996),
    "uniter_max": (-0.48448914, 0.22407547, -0.83886433, -0.75143886, -0.83775675),
    "uniter_cls": (-0.70384967, 0.26235813, -0.35522977, -1.3852236, -1.3474823),
    "uniter_frame_skip": (0.10988295, 0.13747612, -0.44351608, 0.16689059, -0.54548723),
    "videobert": (-0.29856697, -0.3216317, -0.4737702, 1.8722351, -0.50045836),
    "videobert_rotary": (-1.7880735, 2.1097436, -0.21802124, -1.0331272, -0.22094838),
    "winner": (-1.8472821, -2.4404702, -0.99751794, -0.55180597, 0.58694923),
    "lxmert": (0.11127055, -0.041292004, -0.76324594, -0.0012605458, -0.40725431),
    "lxmert_unshared": (0.29106393, 0.32560641, 0.3461273, -0.16712251, 0.11242032),
    "lxmert_rotary": (-0.58309281, 0.72921383, -1.1693913, 0.4566206, 0.40775219),
    "actbert": (2.1983027, 0.10319366, 0.63424933, -1.2216675, -0.039407454),
    "actbert_rotary": (1.7429659, -1.8277426, 1.0259528, -1.2058634, -0.64716297),
    "albef": (1.1529105, -0.87043065, 0.10546164, 1.3839567, -0.73525846),
    "albef_rotary": (0.8330633, 1.3950539, -0.40513116, -0.49246731, -0.3685967),
    "albef_mean": (-0.31741872, 1.4900792, 0.050209809, 1.7481816, 1.800349),
}


@pytest.fixture(scope="module", params=BACKBONES)
def named(request, build_smallest):
    family, fields = BACKBONES[request.param]
    return request.param, build_smallest(family, **fields)


@pytest.fixture
def backbone(named):
    return named[1]


def outputs(backbone, inputs):
    """As numpy arrays, the video axis first."""
    found = {}
    for key, value in backbone(inputs, training=False).items():
        array = ops.convert_to_numpy(value)
        by_branch = key in (schema.BRANCH_LOGITS, schema.VISION_VECTORS)
        found[key] = np.swapaxes(array, 0, 1) if by_branch else array
    return found


def test_every_family_is_tested():
    assert {family for family, _ in BACKBONES.values()} == set(FAMILIES)


@pytest.mark.parametrize(("more_words", "more_frames"), [(0, 5), (6, 0), (3, 2)])
def test_padding_changes_no_output(backbone, make_inputs, more_words, more_frames):
    expected = outputs(backbone, make_inputs(TITLES, FRAMES))
    longer = make_inputs(TITLES, FRAMES, max(TITLES) + more_words, max(FRAMES) + more_frames)
    found = outputs(backbone, longer)
    assert found.keys() == expected.keys() == set(backbone.output_keys)
    for key in found:
        if key not in LENGTHS:
            np.testing.assert_allclose(found[key], expected[key], atol=1e-5, err_msg=key)
            continue
        for row, real in enumerate(LENGTHS[key]):
            a, b = (states[key][row, :real] for states in (found, expected))
            np.testing.assert_allclose(a, b, atol=1e-5, err_msg=key)


def test_a_video_alone_is_embedded_as_in_a_batch(backbone, make_inputs):
    together = make_inputs(TITLES, FRAMES)
    expected = outputs(backbone, together)[schema.EMBEDDING]
    for row, (words, count) in enumerate(zip(TITLES, FRAMES, strict=True)):
        alone = {key: value[row : row + 1] for key, value in together.items()}
        alone |= {key: alone[key][:, :words] for key in (schema.TOKEN_IDS, schema.TOKEN_MASK)}
        count = max(count, 1)
        alone |= {key: alone[key][:, :count] for key in (schema.FRAMES, schema.FRAME_MASK)}
        found = outputs(backbone, alone)[schema.EMBEDDING][0]
        np.testing.assert_allclose(found, expected[row], atol=1e-5)


def test_words_and_frames_both_count(backbone, make_inputs):
    """The guard of the tests above: an embedding that read nothing would pass them."""
    inputs = make_inputs(TITLES, FRAMES)
    before = outputs(backbone, inputs)[schema.EMBEDDING]
    for key, row in ((schema.TOKEN_IDS, 2), (schema.FRAMES, 1)):
        changed = {name: value.copy() for name, value in inputs.items()}
        changed[key][row, 1] = -changed[key][row, 1] if key == schema.FRAMES else 99
        after = outputs(backbone, changed)[schema.EMBEDDING]
        moved = np.abs(after - before).max(axis=1) > 1e-3
        np.testing.assert_array_equal(moved, np.arange(len(TITLES)) == row)


def test_shapes(backbone):
    config = backbone.config
    made = {schema.EMBEDDING: (2, config.hidden_size), schema.TAG_LOGITS: (2, 4)}
    branches = {
        schema.BRANCH_LOGITS: (2, 2, 4),
        schema.VISION_VECTORS: (2, 2, 12),
        schema.TEXT_VECTOR: (2, 12),
        schema.WORD_VECTOR: (2, 16),
    }
    states = {
        schema.HIDDEN_STATES: (2, 3, 16),
        schema.FRAME_STATES: (2, 5, 16),
        schema.MATCH_VECTOR: (2, 16),
    }
    if config.family == "tangled":
        states[schema.FRAME_STATES], states[schema.MATCH_VECTOR] = (2, 5, 12), (2, 12)
        states[schema.ACTION_STATES] = (2, config.action_spans, 16)
    if config.family == "albef":
        states |= {schema.TEXT_EMBEDDING: (2, 8), schema.VIDEO_EMBEDDING: (2, 8)}
    expected = made | (branches if config.family == "mix_nextvlad" else states)
    inputs = {
        schema.TOKEN_IDS: np.zeros((2, 3), "int32"),
        schema.TOKEN_MASK: np.ones((2, 3), bool),
        schema.FRAMES: np.ones((2, 5, 1536), "float16"),
        schema.FRAME_MASK: np.ones((2, 5), bool),
    }
    found = {key: value.shape for key, value in backbone(inputs).items()}
    assert found == expected


def test_no_two_weights_share_a_path(backbone):
    paths = [weight.path for weight in backbone.weights]
    assert len(paths) > 30
    assert sorted(set(paths)) == sorted(paths)


def test_golden(named, make_inputs):
    """Five numbers of the mean embedding: what changes them changes every old checkpoint."""
    name, backbone = named
    embedding = outputs(backbone, make_inputs(TITLES, FRAMES))[schema.EMBEDDING].mean(axis=0)
    np.testing.assert_allclose(embedding[:5], GOLDEN[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_gives_float32(family, build_smallest, make_inputs):
    """bfloat16 has 8 bits: the embedding points where that of float32 does, to a few percent."""
    inputs = make_inputs(TITLES, FRAMES)
    expected = outputs(build_smallest(family), inputs)[schema.EMBEDDING]
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        backbone = build_smallest(family)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {weight.dtype for weight in backbone.trainable_weights} == {"float32"}
    found = backbone(inputs, training=False)
    for key in (schema.EMBEDDING, schema.TAG_LOGITS):
        assert keras.backend.standardize_dtype(found[key].dtype) == "float32"
    found = ops.convert_to_numpy(EmbeddingModel(backbone)(inputs))
    assert found.dtype == np.float32
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((found * expected).sum(axis=1) / norms > 0.995).all()
    assert np.abs(found - expected).max() > 1e-5  # it was half precision


def test_frame_skip_adds_the_frames_own_mean(build_smallest, make_inputs):
    """Beside the same pooled vector: its part of the projection, times the embedded frames."""
    skipping = build_smallest("uniter", frame_skip=True)
    plain = build_smallest("uniter")
    by_path = {weight.path: weight for weight in skipping.weights}
    for weight in plain.weights:
        same = by_path[weight.path]
        weight.assign(same.numpy()[: weight.shape[0]] if weight.shape else same)
    inputs = make_inputs(TITLES, FRAMES)
    found = outputs(skipping, inputs)[schema.EMBEDDING] - outputs(plain, inputs)[schema.EMBEDDING]
    embedded = ops.convert_to_numpy(skipping.frame_embedding(inputs[schema.FRAMES]))
    mask = inputs[schema.FRAME_MASK][:, :, None]
    mean = (embedded * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
    kernel = skipping.project.kernel.numpy()
    np.testing.assert_allclose(found, mean @ kernel[16:], atol=1e-5)


@pytest.mark.parametrize("embedding_size", [None, 6])
def test_frames_start_with_the_norm_of_loaded_words(build_smallest, embedding_size):
    """Unless words are embedded more narrowly than frames."""
    smallest = build_smallest("uniter", positions="rotary")
    encoder = dataclasses.replace(smallest.spec.encoder, embedding_size=embedding_size)
    spec = dataclasses.replace(smallest.spec, encoder=encoder)
    backbone = build_backbone(smallest.config, spec)
    words, frames = backbone.text_encoder.norm, backbone.frame_embedding.norm
    words.gamma.assign(words.gamma + 2)
    words.beta.assign(words.beta - 3)
    backbone.encoder_was_loaded()
    followed = embedding_size is None
    assert (frames.gamma.numpy() == (3 if followed else 1)).all()
    assert (frames.beta.numpy() == (-3 if followed else 0)).all()
