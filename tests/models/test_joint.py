"""Where every token of a joint sequence stands, and what the heads read, by hand."""

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.layers.attention_pooling import AttentionPooling
from vidsim.layers.segments import Segment
from vidsim.models.configs import JointConfig
from vidsim.models.joint_layout import JointLayout, Place

SEP = 3  # in build_smallest
FORMS = {
    "uniter": ("text frames", [("text", 0, 0), ("frames", 16, 16)]),
    "videobert": ("frames sep words", [("frames", 0, 0), ("sep", 0, 8), ("words", 1, 9)]),
    "winner": (
        "cls frames sep words",
        [("cls", 0, 0), ("frames", 1, 1), ("sep", 1, 9), ("words", 2, 10)],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_places_do_not_depend_on_lengths(form):
    """Texts of at most 16 tokens, [CLS] and 15 others; at most 8 frames."""
    sequence, places = FORMS[form]
    layout = JointLayout(tuple(sequence.split()))
    assert layout.places(16, 8) == [Place(*place) for place in places]
    assert layout.absolute_positions(16) == {"uniter": 16, "videobert": 16, "winner": 17}[form]


def numpy_of(x):
    return ops.convert_to_numpy(x)


def embedded(encoder, token, position, kind=0):
    """One token by BERT's sum of three tables, then LayerNorm, in float64."""
    tables = (encoder.words, token), (encoder.types, kind), (encoder.positions, position)
    x = sum(table.embeddings.numpy().astype("float64")[row] for table, row in tables)
    x = (x - x.mean()) / np.sqrt(x.var() + encoder.config.layer_norm_eps)
    return x * encoder.norm.gamma.numpy() + encoder.norm.beta.numpy()


def frame(layer, vector, place):
    """One frame: projected, plus type and position, LayerNorm."""
    x = vector.astype("float64") @ layer.project.kernel.numpy() + layer.project.bias.numpy()
    x = x + layer.type.numpy() + layer.positions.embeddings.numpy()[place]
    x = (x - x.mean()) / np.sqrt(x.var() + layer.norm.epsilon)
    return x * layer.norm.gamma.numpy() + layer.norm.beta.numpy()


def sequence_of(form, backbone, inputs, row, words, count):
    """The real tokens of one video in the form's order, as Keras' own words say it."""
    ids, frames = inputs[schema.TOKEN_IDS][row], inputs[schema.FRAMES][row]
    encoder = backbone.text_encoder
    seen = [frame(backbone.frame_embedding, frames[i], i) for i in range(count)]
    if form == "videobert":  # [v1 .. vN, SEP, w1 .. wM]
        text = [embedded(encoder, ids[i], i) for i in range(1, words)]
        return [*seen, embedded(encoder, SEP, 0), *text], count
    # [CLS] frames [SEP] title [SEP]: of the pair ("", title), with the frames after [CLS]
    text = [embedded(encoder, ids[i], i + 1) for i in range(1, words)]
    return [embedded(encoder, ids[0], 0), *seen, embedded(encoder, SEP, 1), *text], 1 + count


@pytest.mark.parametrize("form", ["videobert", "winner"])
def test_the_order_of_what_the_encoder_reads(form, build_smallest, make_inputs):
    """The encoder's layers over a sequence put together here, one video at a time, give the pooled
    vector and the hidden states over the title."""
    pooling = {"videobert": "sep", "winner": "token_mean"}[form]
    backbone = build_smallest(
        "joint",
        sequence=FORMS[form][0],
        pooling=pooling,
        frame_positions=True,
        frame_activation="linear",
        max_frames=8,
        match_at="sep",
    )
    titles, counts = (6, 2, 5), (3, 0, 1)
    inputs = make_inputs(titles, counts)
    found = {key: numpy_of(value) for key, value in backbone(inputs, training=False).items()}
    stack = backbone.text_encoder.stack
    for row, (words, count) in enumerate(zip(titles, counts, strict=True)):
        tokens, sep = sequence_of(form, backbone, inputs, row, words, count)
        x = np.array(tokens, "float32")[None]
        alone = Segment(x, np.ones(x.shape[:2], bool), np.arange(x.shape[1]))
        hidden = numpy_of(stack.encode([alone], training=False))[0]
        pooled = hidden[sep] if pooling == "sep" else hidden.mean(axis=0)
        expected = numpy_of(backbone.project(pooled[None]))[0]
        np.testing.assert_allclose(found[schema.EMBEDDING][row], expected, atol=1e-5)
        np.testing.assert_allclose(found[schema.MATCH_VECTOR][row], hidden[sep], atol=1e-5)
        first = int(form == "winner")
        shown = found[schema.FRAME_STATES][row, :count]
        np.testing.assert_allclose(shown, hidden[first : first + count], atol=1e-5)
        over = found[schema.HIDDEN_STATES][row]
        np.testing.assert_allclose(over[1:words], hidden[sep + 1 :], atol=1e-5)
        np.testing.assert_allclose(
            over[0], hidden[0] if form == "winner" else 0 * over[0], atol=1e-5
        )


def test_a_match_head_reads_the_first_token_of_the_text(build_smallest, make_inputs):
    """Unless a [SEP] is asked for; where there is no such token, there is nothing to read."""
    outputs = build_smallest("uniter")(make_inputs((6, 4), (3, 2)), training=False)
    expected = numpy_of(outputs[schema.HIDDEN_STATES])[:, 0]
    np.testing.assert_array_equal(numpy_of(outputs[schema.MATCH_VECTOR]), expected)
    without = build_smallest("joint", sequence="frames words")
    assert schema.MATCH_VECTOR not in without.output_keys
    assert schema.FRAME_STATES in without.output_keys


def test_attention_pooling_is_a_weighted_mean(build_smallest):
    """softmax of v . tanh(W x + b) over the real positions; zeros where there is none."""
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(3, 4, 5)), np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]], bool)
    layer = AttentionPooling()
    layer.build((None, None, 5))
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    kernel, bias = layer.hidden.kernel.numpy(), layer.hidden.bias.numpy()
    scores = (np.tanh(x @ kernel + bias) @ layer.score.kernel.numpy())[..., 0]
    shares = np.exp(scores[0, mask[0]])
    expected = [shares / shares.sum() @ x[0, mask[0]], np.zeros(5), x[2, 1]]
    np.testing.assert_allclose(numpy_of(layer(x.astype("float32"), mask)), expected, atol=1e-6)


@pytest.mark.parametrize("family", ["uniter", "mix_nextvlad"])
def test_token_types_choose_rows_of_their_table(family, build_smallest, make_inputs):
    """None is 0 everywhere; what lies beyond the table is its last row."""
    backbone = build_smallest(family)
    inputs = make_inputs((6, 4), (3, 2))
    kinds = np.array([[0, 0, 1, 1, 2, 5], [0, 1, 1, 3, 0, 0]], "int32")

    def embed(**types):
        return numpy_of(backbone(inputs | types, training=False)[schema.EMBEDDING])

    plain = embed()
    np.testing.assert_array_equal(embed(**{schema.TOKEN_TYPES: 0 * kinds}), plain)
    typed = embed(**{schema.TOKEN_TYPES: kinds})
    np.testing.assert_array_equal(embed(**{schema.TOKEN_TYPES: np.minimum(kinds, 1)}), typed)
    assert np.abs(typed - plain).max(axis=1).min() > 1e-3
    text = backbone.text_encoder
    found = numpy_of(text.embed(inputs[schema.TOKEN_IDS], kinds))[1, 3]
    expected = embedded(text, inputs[schema.TOKEN_IDS][1, 3], 3, kind=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sequence": "words titles"}, "the sequence has titles; accepted are text "),
        ({"sequence": "frames sep"}, "the sequence 'frames sep' has no words"),
        ({"sequence": "text words"}, "something twice"),
        ({"sequence": "text frames frames"}, "something twice"),
        ({"pooling": "sep"}, "pooling sep needs sep in the sequence, which is 'text frames'"),
        ({"sequence": "frames words", "pooling": "cls"}, "pooling cls needs cls or text in"),
    ],
)
def test_what_no_sequence_can_be(fields, said):
    assert any(said in problem for problem in JointConfig(**fields).contradictions())
    assert list(JointConfig().contradictions()) == []
