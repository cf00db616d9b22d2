"""LXMERT's gradients from our layers beside those of the public code, FGM's and PGD's too.

VIDSIM_GOLDENS=FOLDER sh test.sh tests/models/test_cross_gradients.py
"""

import numpy as np
import pytest
from keras import ops
from published_lxmert import numpy_of, read, wbdc

from vidsim import schema
from vidsim.losses.classification import softmax_cross_entropy
from vidsim.models.attack import Attack

PARTS = (  # those of the encoder's weights whose gradients the file has
    "embeddings.word_embeddings.weight",
    "embeddings.token_type_embeddings.weight",
    "embeddings.position_embeddings.weight",
    "encoder.x_layers.0.visual_attention.att.query.weight",
    "encoder.x_layers.0.visn_inter.dense.weight",
    "encoder.x_layers.1.lang_inter.dense.weight",
)
FROZEN = ("word_embeddings", "position_embeddings", "token_type_embeddings")


def differentiated(golden):
    """The smoothed loss as a function, and what it is differentiated by, with its names there."""
    backbone, head, inputs = wbdc(golden)
    published = backbone.published_weights()
    variables = {f"encoder.bert.{name}": published[name] for name in PARTS}
    variables |= {"classifier.weight": head.kernel, "classifier.bias": head.bias}
    variables["video_dense.weight"] = backbone.frame_embedding.project.kernel
    labels = golden["in/label"][:, 0]

    def loss():
        logits = head(backbone(inputs, training=False)[schema.MATCH_VECTOR])
        return ops.mean(softmax_cross_entropy(labels, logits, 0.1))

    return loss, variables


def same_gradients(found, variables, golden, prefix):
    for name, gradient in found.items():
        expected = golden[f"{prefix}/{name}"]
        gradient = gradient.T if variables[name].path.endswith("/kernel") else gradient
        start = 1 if any(table in name for table in FROZEN) else 0
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            gradient[start:], expected[start:], atol=1e-4 * scale, rtol=1e-4, err_msg=name
        )


def test_gradients_of_the_wbdc_model(differentiate_scalar):
    """Row 0 of its three tables is frozen by PyTorch's padding_idx; ours learn."""
    golden = read("lxmert_wbdc2022.npz")
    loss, variables = differentiated(golden)
    value, gradients = differentiate_scalar(loss, variables)
    np.testing.assert_allclose(value, golden["fgm/loss_clean"], rtol=1e-5)
    same_gradients(gradients, variables, golden, "fgm/grad_clean")


@pytest.mark.parametrize("name", ["fgm", "pgd"])
def test_adversarial_training_of_the_wbdc_model(name, differentiate_scalar):
    """Every displacement, the loss under each, and the gradients that are added up."""
    golden = read("lxmert_wbdc2022.npz")
    loss, variables = differentiated(golden)
    words = "encoder.bert.embeddings.word_embeddings.weight"
    table = variables[words]
    attack = Attack(table, 1, 1.0, 1.0) if name == "fgm" else Attack(table, 4, 0.3, 1.0)
    undisturbed, displacement = table.numpy(), np.zeros(table.shape, "float32")
    clean = gradients = differentiate_scalar(loss, variables)[1]
    for step in range(attack.steps):
        gradient = np.array(gradients[words])
        gradient[0] = 0.0  # as PyTorch's padding_idx has it
        moved = attack.displaced(*map(ops.convert_to_tensor, (displacement, gradient)))
        displacement = numpy_of(moved)
        end = f"_{step}" if name == "pgd" else ""
        delta = "word_embeddings_delta" if name == "pgd" else "delta_word_embeddings"
        np.testing.assert_allclose(displacement, golden[f"{name}/{delta}{end}"], atol=1e-5)
        table.assign(undisturbed + displacement)
        value, gradients = differentiate_scalar(loss, variables)
        np.testing.assert_allclose(value, golden[f"{name}/loss_adv{end}"], rtol=2e-5)
    sums = {key: clean[key] + gradients[key] for key in clean}
    if name == "pgd":
        sums = {words: sums[words]}
    same_gradients(sums, variables, golden, f"{name}/grad_sum")


@pytest.fixture
def differentiate_scalar():
    """`differentiate_scalar(loss, variables)`: its value, and the gradients by the same names."""
    import keras

    def by_tensorflow(loss, variables):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [variable.value for variable in variables.values()])
        return value, [tf.convert_to_tensor(gradient) for gradient in found]

    def by_jax(loss, variables):
        import jax

        def of(values):
            with keras.StatelessScope(list(zip(variables.values(), values, strict=True))):
                return loss()

        return jax.value_and_grad(of)([variable.value for variable in variables.values()])

    def run(loss, variables):
        kind = by_tensorflow if keras.backend.backend() == "tensorflow" else by_jax
        value, gradients = kind(loss, variables)
        named = zip(variables, gradients, strict=True)
        return float(numpy_of(value)), {name: numpy_of(g) for name, g in named}

    return run
