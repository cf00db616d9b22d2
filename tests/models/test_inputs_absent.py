"""What data lack: tags, texts or frames, in all of a data set or in a batch."""

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.pair_scorer import PairScorer
from vidsim.objectives.configs import (
    BranchKLConfig,
    ContrastiveConfig,
    MaskedLMConfig,
    SimilarityConfig,
    TagConfig,
)
from vidsim.objectives.objective import build_objectives
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer

WINNER = {"sequence": "cls frames sep words", "frame_positions": True}
FORMS = {
    "mix": ("mix_nextvlad", {}),
    "mix_max": ("mix_nextvlad", {"text_pooling": "max"}),
    "uniter": ("uniter", {}),
    "uniter_cls": ("uniter", {"uniter_pooling": "cls"}),
    "uniter_max": ("uniter", {"uniter_pooling": "max"}),
    "uniter_frame_skip": ("uniter", {"frame_skip": True}),
    "videobert": ("joint", {"sequence": "frames sep words", "pooling": "sep"}),
    "winner": ("joint", WINNER | {"pooling": "attention"}),
    "lxmert": ("cross", {"relational_layers": 1}),
    "lxmert_mean": ("cross", {"cross_pooling": "mean", "visual_embedding": "normed"}),
    "actbert": ("tangled", {}),
    "albef": ("albef", {}),
    "albef_mean": ("albef", {"text_pooling": "mean", "frame_skip": True, "projection": "mlp"}),
}
TEXT = (schema.TOKEN_IDS, schema.TOKEN_MASK)
FRAMES = (schema.FRAMES, schema.FRAME_MASK)
TITLES, COUNTS = (6, 2, 5, 2), (3, 4, 0, 1)


def embed(backbone, inputs):
    return ops.convert_to_numpy(backbone(inputs, training=False)[schema.EMBEDDING])


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_without_frames_or_without_text(form, build_smallest, make_inputs):
    """Nothing there, and all of it masked, are the same; half of a text is not nothing."""
    family, fields = FORMS[form]
    backbone = build_smallest(family, **fields)
    inputs = make_inputs(TITLES, COUNTS)
    for keys in (FRAMES, TEXT):
        hidden = inputs | {keys[1]: np.zeros_like(inputs[keys[1]])}
        empty = inputs | {key: inputs[key][:, :0] for key in keys}
        expected = embed(backbone, hidden)
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(embed(backbone, empty), expected, atol=1e-5)
        trained = backbone(empty, training=True)[schema.EMBEDDING]
        assert np.isfinite(ops.convert_to_numpy(trained)).all()
    first_only = inputs | {schema.TOKEN_MASK: np.arange(max(TITLES)) < np.ones((4, 1))}
    found = embed(backbone, first_only)
    assert np.isfinite(found).all()
    short = inputs | {key: first_only[key][:, :1] for key in TEXT}
    np.testing.assert_allclose(embed(backbone, short), found, atol=1e-5)
    nothing = inputs | {key: inputs[key][:, :0] for key in FRAMES + TEXT}
    assert np.isfinite(embed(backbone, nothing)).all()


@pytest.mark.parametrize("labels", [0, 4])
@pytest.mark.parametrize("reads", ["text", "frames"])
@pytest.mark.parametrize(
    "form", ["mix", "uniter", "uniter_frame_skip", "winner", "lxmert", "albef"]
)
def test_a_model_of_one_side(form, reads, labels, build_smallest, make_inputs):
    """Builds, trains, embeds; padding changes nothing, and there are no weights of the other."""
    family, fields = FORMS[form]
    of_spec = {"text_fields": ()} if reads == "frames" else {"widths": {}}
    backbone = build_smallest(family, num_labels=labels, inputs=of_spec, **fields)
    keys = FRAMES if reads == "frames" else TEXT

    def given(*shape):
        return {key: make_inputs(TITLES, COUNTS, *shape)[key] for key in keys}

    found = EmbeddingModel(backbone).predict_on_batch(given())
    np.testing.assert_allclose(EmbeddingModel(backbone)(given(9, 6)), found, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert (schema.TAG_LOGITS in backbone.output_keys) == (labels > 0)
    assert (schema.HIDDEN_STATES in backbone.output_keys) == (reads == "text" and form != "mix")
    named = " ".join(weight.path for weight in backbone.weights)
    for part, of in (("words", "text"), ("frame_embedding", "frames"), ("vlad_", "frames")):
        assert part not in named or reads == of
    assert ("classifier" in named) == (labels > 0)

    configs = [SimilarityConfig(), *([TagConfig(tag_branches=False)] if labels else [])]
    available = (*backbone.output_keys, schema.COSINE)
    task = PairScorer(backbone, build_objectives(configs, backbone, available))
    Trainer(task, build_optimizer(OptimizerConfig(), backbone, 9, 9), restartable=False)
    task.run_eagerly = True
    batch = {key: value.reshape(2, 2, *value.shape[1:]) for key, value in given().items()}
    batch |= {schema.SIM: np.array([0.1, 0.9], "float32"), schema.TAGS: np.ones((2, 2, labels))}
    before = [weight.numpy() for weight in backbone.trainable_weights]
    assert np.isfinite(task.train_on_batch(batch, return_dict=True)["loss"])
    moved = [
        (a != b.numpy()).any() for a, b in zip(before, backbone.trainable_weights, strict=True)
    ]
    assert np.mean(moved) > 0.9


@pytest.mark.parametrize(
    ("family", "of_spec", "config", "said"),
    [
        ("uniter", {"num_labels": 0}, TagConfig(), "the tag loss .* to data without tags"),
        ("mix_nextvlad", {"num_labels": 0}, BranchKLConfig(1.0), "branch_kl .* data without tags"),
        ("mix_nextvlad", {"text_fields": ()}, ContrastiveConfig(1.0), "contrast.* without text"),
        ("mix_nextvlad", {"widths": {}}, ContrastiveConfig(1.0), "contrast.* data without frames"),
        ("uniter", {"text_fields": ()}, MaskedLMConfig(1.0), "mlm .* reads no text"),
        ("mix_nextvlad", {"text_fields": ()}, MaskedLMConfig(1.0), "mlm .* reads no text"),
    ],
)
def test_a_loss_of_what_is_not_there(family, of_spec, config, said, build_smallest):
    backbone = build_smallest(family, inputs=of_spec)
    with pytest.raises(VidsimError, match=said):
        build_objectives([config], backbone, backbone.output_keys)


@pytest.mark.parametrize(
    ("fields", "of_spec", "said"),
    [
        ({"pooling": "cls"}, {"text_fields": ()}, "pooling cls needs cls or text in the sequence"),
        (WINNER, {"separator": None}, r"vocabulary's \[SEP\] is not known"),
    ],
)
def test_a_form_that_the_data_do_not_allow(fields, of_spec, said, build_smallest):
    with pytest.raises(VidsimError, match=said):
        build_smallest("joint", inputs=of_spec, **fields)
