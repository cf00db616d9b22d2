"""Saved and loaded, a model gives the same numbers; anything that does not fit is an error."""

import json

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import load_file, save_file

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.training.checkpoint import (
    CONFIG,
    TAGS,
    WEIGHTS,
    Checkpoint,
    load_checkpoint,
    load_weights,
    read_description,
)


@pytest.fixture(scope="module")
def checkpoint(build_smallest, tokenizer, tags):
    backbone = build_smallest("mix_nextvlad", num_labels=len(tags), vocab_size=len(tokenizer))
    return Checkpoint(backbone, tokenizer, tags, {"recipe": "mix", "step": 7})


@pytest.fixture
def folder(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "ckpt-7")
    return tmp_path / "ckpt-7"


def test_round_trip(checkpoint, folder, make_inputs):
    loaded = load_checkpoint(folder)
    assert loaded.backbone.config == checkpoint.backbone.config
    assert loaded.backbone.spec == checkpoint.backbone.spec
    assert loaded.tokenizer.digest == checkpoint.tokenizer.digest
    np.testing.assert_array_equal(loaded.tags.ids, checkpoint.tags.ids)
    assert loaded.info["recipe"] == "mix"
    assert loaded.info["step"] == 7
    inputs = make_inputs((5, 3), (2, 3))
    for key, value in checkpoint.backbone(inputs, training=False).items():
        found = loaded.backbone(inputs, training=False)[key]
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), ops.convert_to_numpy(value), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_weight_that_is_not_finite_is_never_written(checkpoint, tmp_path, value):
    weight = checkpoint.backbone.weights[3]
    before = weight.numpy()
    broken = before.copy()
    broken.flat[-1] = value
    weight.assign(broken)
    try:
        with pytest.raises(VidsimError, match=rf"ckpt-7: not saved, 1 of .*{weight.path}"):
            checkpoint.save(tmp_path / "ckpt-7")
    finally:
        weight.assign(before)
    assert list(tmp_path.iterdir()) == []


def test_moving_statistics_are_in_the_file(checkpoint, folder):
    stored = load_file(str(folder / WEIGHTS))
    moving = [w for w in checkpoint.backbone.weights if "moving_" in w.name]
    assert len(moving) == 6  # of the gate and two branches, mean and variance
    for weight in moving:
        np.testing.assert_array_equal(stored[weight.path], weight.numpy())


def test_files_are_described_by_their_hashes(folder):
    hashes = read_description(folder)["sha256"]
    assert set(hashes) == {WEIGHTS, TAGS, "tokenizer.json", "tokenizer_config.json"}
    for name, digest in hashes.items():
        assert digest == file_digest(folder / name)


def test_every_misfit_is_listed(checkpoint, folder):
    path = folder / WEIGHTS
    stored = load_file(str(path))
    first, second, third, *_ = sorted(name for name, value in stored.items() if value.ndim == 2)
    stored[first] = stored[first][1:]
    stored["an/old/name"] = stored.pop(second)
    before = {weight.path: weight.numpy().copy() for weight in checkpoint.backbone.weights}
    stored[third] = stored[third] + 1
    save_file(stored, str(path))
    with pytest.raises(VidsimError) as error:
        load_weights(checkpoint.backbone, folder)
    lines = str(error.value).splitlines()
    assert str(path) in lines[0]
    wanted = tuple(before[first].shape)
    have = (wanted[0] - 1, *wanted[1:])
    assert lines[1:] == [
        f"  missing     {second}",
        "  unexpected  an/old/name",
        f"  shape       {first}: model {wanted}, file {have}",
    ]
    for weight in checkpoint.backbone.weights:  # nothing was loaded by halves
        np.testing.assert_array_equal(weight.numpy(), before[weight.path])


def test_a_folder_without_checkpoint(tmp_path):
    with pytest.raises(VidsimError, match=r"no checkpoint here \(config.json is missing\)"):
        load_checkpoint(tmp_path)


def test_an_unknown_family(folder):
    description = read_description(folder) | {"family": "tower"}
    (folder / CONFIG).write_text(json.dumps(description))
    with pytest.raises(VidsimError, match=r"unknown family 'tower'; known are .*mix_nextvlad"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", [WEIGHTS, TAGS, "tokenizer.json", "tokenizer_config.json"])
def test_any_damage_is_one_error(folder, name):
    """A flipped byte, a cut file and a missing one, each named; nothing of it is used."""
    whole = (folder / name).read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (flipped, whole[:middle], b""):
        (folder / name).write_bytes(damaged)
        with pytest.raises(VidsimError, match=rf"{name}: damaged or exchanged"):
            load_checkpoint(folder)
    (folder / name).unlink()
    with pytest.raises(VidsimError, match=rf"{name}: no such file; the checkpoint is not whole"):
        load_checkpoint(folder)
    if name == WEIGHTS:
        (folder / name).write_bytes(whole[:middle])
        with pytest.raises(VidsimError, match=rf"{name}: damaged"):
            load_weights(None, folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 4}, "a checkpoint of format 4, written by a later version"),
        ({"format": "3"}, "damaged, or not of a vidsim checkpoint: format missing"),
        ({"model": {"towers": 2}}, "model has towers, which this version of vidsim does not know"),
        ({"sha256": None}, "not of a vidsim checkpoint: sha256 missing"),
        ({"inputs": None}, "not of a vidsim checkpoint: inputs missing"),
        ({"format": 2}, "not of a vidsim checkpoint: encoder, num_labels missing"),
    ],
)
def test_a_checkpoint_of_a_later_version(folder, change, said):
    (folder / CONFIG).write_text(json.dumps(read_description(folder) | change))
    with pytest.raises(VidsimError, match=said):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder": {}}, r"encoder: .*missing 1 required positional argument: 'vocab_size'"),
        ({"encoder": None}, "damaged: inputs has no encoder"),
        ({"num_labels": "four"}, "inputs: num_labels is 'four'; accepted are whole numbers from 0"),
        ({"widths": {"frames": 0}}, "inputs: the width of frames is 0; accepted .* from 1"),
        ({"widths": [1536]}, "damaged: inputs has no widths"),
        ({"widths": {}, "text_fields": []}, "inputs: a model needs texts or vectors"),
        ({"text_fields": [7]}, r"inputs: text_fields is \(7,\)"),
        ({"smell": 3}, "inputs has smell, which this version of vidsim does not know"),
        ({"widths": {"frames": 768}}, "mix_nextvlad model"),
    ],
)
def test_damaged_inputs(folder, change, said):
    description = read_description(folder)
    description["inputs"] |= change
    (folder / CONFIG).write_text(json.dumps(description))
    with pytest.raises(VidsimError, match=rf"{folder}.*{said}"):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["", '{"family": "mix', "[1]", "7", "[" * 100_000])
def test_a_description_that_is_none(folder, text):
    (folder / CONFIG).write_text(text)
    with pytest.raises(VidsimError, match=rf"{CONFIG}: damaged"):
        load_checkpoint(folder)


def test_weights_of_another_model_do_not_fit(folder, build_smallest):
    with pytest.raises(VidsimError, match="does not fit this uniter model") as error:
        load_weights(build_smallest("uniter"), folder)
    assert "missing     uniter/frame_embedding/project/kernel" in str(error.value)
    assert schema.TAG_LOGITS not in str(error.value)
