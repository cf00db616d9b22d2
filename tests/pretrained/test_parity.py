"""The text encoder computes what transformers' PyTorch classes compute: values and gradients.

The goldens were made by make_parity_goldens.py. The same tests run on TensorFlow and on JAX.
"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.models.configs import UniterConfig, build_backbone
from vidsim.models.cross_config import CrossConfig
from vidsim.models.input_spec import InputSpec
from vidsim.pretrained.encoder_folder import EncoderFolder

ROOT = Path(__file__).resolve().parents[2]
ON_JAX = ("bert_wide", "roformer_narrow")
EXTRACTORS_ON_JAX = ("test_folders[clip]", "test_texts_of_clip", "test_swin")

OBJECTIVES_ON_JAX = (
    "test_masked_frames.py::test_head_and_loss_are_the_published_ones[small]",
    "test_match.py::test_it_is_the_mean_cross_entropy_of_a_linear_head",
    "test_masked_actions.py::test_mean_over_chosen_actions_of_known_classes",
)


@pytest.fixture
def loaded(parity_case, make_folder):
    """A Uniter with the case's weights in its text encoder, read from a folder."""
    settings, tensors, _ = parity_case
    path, _ = make_folder(settings["model_type"], tensors, config=settings)
    folder = EncoderFolder(path)
    config = UniterConfig(positions=folder.positions, bert_seq_length=8, encoder_dropout=0.0)
    backbone = build_backbone(config, InputSpec(folder.encoder_config(config), 3, {"frames": 1536}))
    folder.load_into(backbone)
    return backbone


def test_hidden_states_and_gradients(
    loaded, parity_case, parity_inputs, some_numbers, differentiate
):
    _, tensors, goldens = parity_case
    ids, mask, weights = parity_inputs
    variables = loaded.published_weights()
    hidden, gradients = differentiate(lambda: loaded.text_encoder(ids, mask), variables, weights)
    np.testing.assert_allclose(hidden[mask], goldens["hidden"], atol=1e-5)
    expected = dict(zip(sorted(tensors), goldens["gradients"], strict=True))
    assert set(expected) == set(variables)
    for name, gradient in gradients.items():
        plain = gradient.T if variables[name].path.endswith("/kernel") else gradient
        np.testing.assert_allclose(some_numbers(plain), expected[name], atol=1e-4, err_msg=name)


def test_lxmert(lxmert, lxmert_inputs, make_folder):
    """Text, relational and cross layers, a box that is the whole picture, and the pooler."""
    path, _ = make_folder("lxmert", lxmert[1], lxmert[0])
    folder = EncoderFolder(path)
    config = CrossConfig(
        cross_layers=lxmert[0]["x_layers"],
        relational_layers=lxmert[0]["r_layers"],
        visual_embedding="boxed",
        bert_seq_length=8,
    )
    ids, mask, frames, frame_mask = lxmert_inputs
    spec = InputSpec(folder.encoder_config(config), 0, {"frames": frames.shape[-1]})
    backbone = build_backbone(config, spec)
    folder.load_into(backbone)
    inputs = {"token_ids": ids, "token_mask": mask, "frames": frames, "frame_mask": frame_mask}
    found = {name: ops.convert_to_numpy(x) for name, x in backbone(inputs, training=False).items()}
    with np.load(Path(__file__).parent / "goldens" / "lxmert.npz") as golden:
        for name, theirs, real in (
            ("hidden_states", "language", mask),
            ("frame_states", "vision", frame_mask),
        ):
            np.testing.assert_allclose(found[name][real], golden[theirs], atol=2e-5, err_msg=name)
        np.testing.assert_allclose(found["match_vector"], golden["pooled"], atol=2e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="this is the other process")
@pytest.mark.slow
def test_the_same_on_jax():
    """The two cases that differ most, LXMERT, extractors and objectives, with the other backend."""
    cases = [f"test_hidden_states_and_gradients[{name}]" for name in ON_JAX] + ["test_lxmert"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"tests/pretrained/test_parity.py::{case}" for case in cases]
    command += [f"tests/extractors/test_parity.py::{case}" for case in EXTRACTORS_ON_JAX]
    command += [f"tests/objectives/{case}" for case in OBJECTIVES_ON_JAX]
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len((*cases, *EXTRACTORS_ON_JAX, *OBJECTIVES_ON_JAX))} passed" in run.stdout
