"""EMA, FGM and PGD: against plain numpy, published numbers, and what they must leave alone."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.models.attack import Attack
from vidsim.training.configs import OptimizerConfig, RunConfig
from vidsim.training.tricks_config import TricksConfig

SCRIPT = Path(__file__).with_name("toy_updates.py")
TOY = runpy.run_path(str(SCRIPT))
build, update, weights, averages = (
    TOY[name] for name in ("build", "update", "weights", "averages")
)
IDS, TARGET, LR = TOY["IDS"], TOY["TARGET"], TOY["LR"]


def gradients(words, project):
    """Of the mean of (y - t)^2 / 2 with y = (E[a] + E[b]) w: dE[i] = w (y - t) / B, a row for each
    time that i is read; dw = sum (E[a] + E[b]) (y - t) / B."""
    x = words[IDS].sum(axis=1)
    error = (x @ project[:, 0] - TARGET) / len(TARGET)
    of_words = np.zeros_like(words)
    np.add.at(of_words, IDS, (error[:, None] * project[:, 0])[:, None])
    loss = (len(TARGET) * error**2).sum() / 2
    return loss, of_words, (x * error[:, None]).sum(axis=0)[:, None]


def attacked(words, project, steps, alpha, eps):
    """The weights after one update of gradient descent on the clean and the last gradient."""
    loss, clean, clean_project = gradients(words, project)
    displacement, gradient = np.zeros_like(words), clean
    for _ in range(steps):
        displacement = displacement + alpha * gradient / np.linalg.norm(gradient)
        displacement *= min(1.0, eps / np.linalg.norm(displacement))
        _, gradient, of_project = gradients(words + displacement, project)
    return loss, words - LR * (clean + gradient), project - LR * (clean_project + of_project)


CASES = {
    "fgm": ({"fgm": 0.7}, (1, 0.7, 0.7)),
    "pgd": ({"pgd_steps": 4, "pgd_alpha": 0.3, "pgd_eps": 1.0}, (4, 0.3, 1.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_add_up_and_the_table_is_put_back(name):
    """Two updates as numpy makes them; the loss shown is that without displacement."""
    tricks, numbers = CASES[name]
    trainer = build(**tricks)
    for number in (1, 2):
        before = weights(trainer)
        loss, words, project = attacked(before["words"], before["project"], *numbers)
        assert update(trainer) == pytest.approx(loss, rel=1e-5)
        after = weights(trainer)
        np.testing.assert_allclose(after["words"], words, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(after["project"], project, rtol=1e-5, atol=1e-6)
        assert after["passes"] == number  # state moves by the pass without displacement alone
        assert np.abs(after["words"] - before["words"])[[0, 1, 3, 4]].min() > 0
        np.testing.assert_array_equal(after["words"][[2, 5]], before["words"][[2, 5]])


def test_the_sum_of_displacements_is_no_longer_than_eps():
    """Along one gradient: 0.3, 0.6, 0.9, then 1.0; a norm of 0, NaN or infinity displaces nothing.

    The norm is that of the whole table, not of its rows.
    """
    attack = Attack(None, 4, 0.3, 1.0)
    gradient = np.array([[3.0, 0], [0, 4]], "float32")
    displacement = np.zeros_like(gradient)
    for expected in (0.3, 0.6, 0.9, 1.0, 1.0):
        displacement = np.array(attack.displaced(displacement, gradient))
        assert np.linalg.norm(displacement) == pytest.approx(expected)
        np.testing.assert_allclose(displacement / expected, gradient / 5, rtol=1e-6)
    for bad in (0.0, np.nan, np.inf, 3e38):
        same = attack.displaced(displacement, np.full_like(gradient, bad))
        np.testing.assert_allclose(np.array(same), displacement, rtol=1e-6)


def test_dropout_draws_the_same_mask_with_and_without_displacement(monkeypatch):
    """Its seed after one update is the one after one pass, whatever the number of passes."""
    drawn, call = [], keras.layers.Dropout.call

    def remembered(self, inputs, training=False):
        x = call(self, inputs, training=training)
        drawn.append(np.array(x) == 0)
        return x

    monkeypatch.setattr(keras.layers.Dropout, "call", remembered)
    trainer = build(dropout=0.5, pgd_steps=2)
    for _ in range(2):
        update(trainer)
    assert len(drawn) == 6 and drawn[0].any() and not drawn[0].all()
    for masks in (drawn[:3], drawn[3:]):
        np.testing.assert_array_equal(masks[1], masks[0])
        np.testing.assert_array_equal(masks[2], masks[0])
    assert (drawn[3] != drawn[0]).any()
    monkeypatch.undo()

    def seed(**tricks):
        trainer = build(dropout=0.5, **tricks)
        update(trainer)
        return [v.numpy().tolist() for v in trainer.task.variables if "seed" in v.path]

    assert seed() == seed(fgm=0.5) == seed(pgd_steps=3) != [[3, 0]]


def test_average_follows_every_update_that_is_made():
    """average = 0.9 average + 0.1 weight, from the first weights on; a skipped update is none."""
    trainer = build(ema=0.9, fgm=0.5)
    expected = weights(trainer)
    for number in range(3):
        losses_before = averages(trainer), weights(trainer)
        update(trainer, broken=number == 1)
        after, now = weights(trainer), averages(trainer)
        if number == 1:
            for name in now:
                np.testing.assert_array_equal(now[name], losses_before[0][name])
                np.testing.assert_array_equal(after[name], losses_before[1][name])
            assert after["passes"] == losses_before[1]["passes"]
            continue
        for name in now:
            expected[name] = 0.9 * expected[name] + 0.1 * after[name]
            np.testing.assert_allclose(now[name], expected[name], rtol=1e-6)
            assert np.abs(now[name] - after[name]).max() > 1e-3
    assert int(trainer.task.total_notfinite.numpy()) == 1
    assert trainer.task.notfinite_parts.numpy().tolist() == [0]


def test_averages_are_shown_and_taken_back_to_the_last_bit():
    trainer = build(ema=0.9)
    update(trainer)
    raw, average = weights(trainer), averages(trainer)
    with pytest.raises(VidsimError, match="in between"), trainer.weights_to_keep():
        for name, value in average.items():
            np.testing.assert_array_equal(weights(trainer)[name], value)
            assert np.abs(value - raw[name]).max() > 0
        raise VidsimError("in between")
    for name, value in raw.items():
        np.testing.assert_array_equal(weights(trainer)[name], value)
    with build().weights_to_keep():
        pass


def test_a_run_that_was_killed_goes_on_bit_for_bit():
    """The averages and the seeds are in the saved state, and `reset` undoes them."""
    trainer = build(dropout=0.5, ema=0.9, pgd_steps=2)
    first = averages(trainer)
    update(trainer)
    saved = trainer.state()
    update(trainer)
    expected = weights(trainer) | {f"average {n}": v for n, v in averages(trainer).items()}
    other = build(dropout=0.5, ema=0.9, pgd_steps=2)
    other.restore(saved)
    update(other)
    found = weights(other) | {f"average {n}": v for n, v in averages(other).items()}
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    other.reset()
    for name, value in averages(other).items():
        np.testing.assert_array_equal(value, first[name])


def test_half_precision_displaces_too():
    """float16 scales the loss: the direction of the gradient is the same, and the update follows
    that of float32 to a few percent."""
    plain = build(fgm=0.7, ema=0.9)
    update(plain)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trainer = build(fgm=0.7, ema=0.9)
    finally:
        keras.config.set_dtype_policy("float32")
    before = weights(trainer)
    for _ in range(9):  # until the scale of the loss fits
        update(trainer)
        if not int(trainer.task.notfinite_count.numpy()):
            break
    assert weights(trainer)["passes"] == 1
    for name in ("words", "project"):
        moved = weights(trainer)[name] - before[name]
        expected = weights(plain)[name] - before[name]
        assert np.abs(expected).max() > 0.05
        np.testing.assert_allclose(moved, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.traced
def test_traced_on_tensorflow_as_eagerly_and_on_jax(monkeypatch):
    monkeypatch.setattr(keras.Model, "run_eagerly", property(lambda _: True, lambda *_: None))
    run = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=os.environ | {"PYTHONWARNINGS": "ignore", "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    eager = TOY["story"]()
    monkeypatch.undo()
    for found in (TOY["story"](), json.loads(run.stdout)):
        for one, other in zip(eager, found, strict=True):
            assert one["skipped"] == other["skipped"] == 1 and one["passes"] == other["passes"] == 2
            for name in ("losses", "words", "project"):
                np.testing.assert_allclose(other[name], one[name], rtol=1e-5, atol=1e-6)
            for name in ("words", "project"):
                averages = [record["average"][name] for record in (other, one)]
                np.testing.assert_allclose(*averages, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tricks": TricksConfig(fgm=1.0, pgd_steps=3)}, "FGM is PGD of one step"),
        ({"tricks": TricksConfig(fgm=1.0), "devices": 2}, "an attack runs on one device only"),
        (
            {"tricks": TricksConfig(pgd_steps=3), "optimizer": OptimizerConfig(bert_lr=0.0)},
            "pgd-steps 3 .*the word embeddings are not trained",
        ),
    ],
)
def test_what_cannot_be_combined_is_refused(fields, words):
    with pytest.raises(VidsimError, match=words):
        RunConfig(**fields).check_fields()
    RunConfig(tricks=TricksConfig(ema=0.999), devices=2).check_fields()


def test_an_attack_needs_words(monkeypatch):
    monkeypatch.setattr(TOY["Toy"], "word_embeddings", lambda _: None)
    monkeypatch.setattr(TOY["Toy"], "config", type("C", (), {"family": "toy"}), raising=False)
    with pytest.raises(VidsimError, match=r"--fgm 1.*trains no word embeddings"):
        build(fgm=1.0)


@pytest.fixture(scope="module")
def goldens():
    folder = os.environ.get("VIDSIM_GOLDENS")
    if not folder:
        pytest.skip("set VIDSIM_GOLDENS to the folder of the published systems' reference numbers")
    return np.load(Path(folder) / "lxmert_wbdc2022.npz")


WORDS = "encoder.bert.embeddings.word_embeddings.weight"


def test_published_displacements(goldens):
    """FGM at eps 1, and the first displacement of PGD at alpha 0.3."""
    clean = goldens[f"fgm/grad_clean/{WORDS}"]
    zeros = np.zeros_like(clean)
    found = np.array(Attack(None, 1, 1.0, 1.0).displaced(zeros, clean))
    np.testing.assert_allclose(found, goldens["fgm/delta_word_embeddings"], atol=2e-6)
    found = np.array(Attack(None, 4, 0.3, 1.0).displaced(zeros, clean))
    np.testing.assert_allclose(found, goldens["pgd/word_embeddings_delta_0"], atol=2e-6)


@pytest.mark.parametrize("decay", ["0.999", "0.9"])
def test_published_averages(goldens, decay):
    """Fed the weights after each of three updates."""
    names = ["classifier.weight", "classifier.bias", "video_dense.bias", WORDS]
    task = keras.Model()
    task.trained = [keras.Variable(goldens[f"w0/{name}"], name="w") for name in names]
    from vidsim.models.weight_average import WeightAverage

    class Holder:
        trainable_variables = task.trained

        def add_state(self, name, shape):
            return keras.Variable(np.zeros(shape, "float32"), name=name, trainable=False)

    average = WeightAverage(Holder(), float(decay))
    for step in (1, 2, 3):
        for name, weight in zip(names, task.trained, strict=True):
            weight.assign(goldens[f"ema/param_after_step{step}/{name}"])
        average.update(True)
        for name, value in zip(names, average.averages, strict=True):
            expected = goldens[f"ema/shadow_{decay}_after_step{step}/{name}"]
            np.testing.assert_allclose(value.numpy(), expected, atol=1e-6)
