"""`Embedder.from_pretrained`: the mean over real tokens, whatever stands beside them."""

import json

import numpy as np
import pytest
from keras import ops

import vidsim
from vidsim.errors import VidsimError
from vidsim.models.configs import UniterConfig, build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.pretrained.encoder_folder import EncoderFolder

TEXTS = ["猫咪 playing", "", "play", "猫 play 咪 playing 猫 猫", "play", "unknown"]


def expected(path, texts, length=20):
    """One text after the other, so that there is no padding; the mean by numpy."""
    folder = EncoderFolder(path)
    config = UniterConfig(positions=folder.positions, bert_seq_length=length)
    spec = InputSpec(folder.encoder_config(config), 1, {"frames": 4})
    backbone = build_backbone(config, spec)
    folder.load_into(backbone)
    found = []
    for text in texts:
        tokens = folder.tokenizer().encode([text], length)
        ids = tokens.values[None]
        hidden = ops.convert_to_numpy(backbone.text_encoder(ids, np.ones(ids.shape, bool)))
        found.append(hidden[0].astype("float64").sum(0) / ids.shape[1])
    return np.array(found)


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("kind", ["bert", "roformer"])
def test_the_mean_over_real_tokens_in_any_batch(make_folder, kind):
    path, _ = make_folder(kind)
    if kind == "roformer":
        pytest.importorskip("rjieba")
    embedder = vidsim.Embedder.from_pretrained(str(path))
    found = embedder.encode(titles=TEXTS)
    assert found.shape == (6, 16) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected(path, TEXTS), atol=1e-5)
    assert np.abs(found[0] - found[3]).max() > 1e-3  # they are no constants
    np.testing.assert_allclose(embedder.encode(TEXTS, batch_size=2), found, atol=1e-6)
    turned = embedder.encode(text for text in reversed(TEXTS))
    np.testing.assert_allclose(turned[::-1], found, atol=1e-6)
    unit = embedder.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(unit, found / np.linalg.norm(found, axis=1)[:, None], atol=1e-6)
    assert embedder.encode([]).shape == (0, 16)


def test_the_longest_text(make_folder, monkeypatch):
    """sentence_bert_config.json, else the tokenizer's, else the encoder's; never beyond that."""
    path, _ = make_folder("bert", tokenizer={"model_max_length": 1e30, "do_lower_case": False})
    monkeypatch.setenv("HOME", str(path.parent))
    long = "play 猫 咪 " * 20
    load = vidsim.Embedder.from_pretrained
    whole = load("~/bert")
    assert whole.max_seq_length == 20
    np.testing.assert_allclose(whole.encode([long]), expected(path, [long]), atol=1e-5)
    write(path / "tokenizer_config.json", {"model_max_length": 6, "do_lower_case": False})
    assert load(path).max_seq_length == 6
    write(path / "sentence_bert_config.json", {"max_seq_length": 4, "do_lower_case": True})
    short = load(path)
    assert short.max_seq_length == 4
    np.testing.assert_allclose(short.encode([long]), expected(path, [long], 4), atol=1e-5)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(short.encode([long]), whole.encode([long]), atol=1e-3)
    np.testing.assert_array_equal(short.encode(["Play"]), short.encode(["play"]))
    assert np.abs(whole.encode(["Play"]) - whole.encode(["play"])).max() > 0.01
    write(path / "sentence_bert_config.json", {"max_seq_length": "512"})
    with pytest.raises(VidsimError, match=r"sentence_bert_config.json: longest text '512'"):
        load(path)


def test_the_modules_of_sentence_transformers(make_folder):
    """The encoder in a subfolder, pooling and normalisation beside it; others are refused."""
    encoder, _ = make_folder("bert")
    path = encoder.parent / "model"
    path.mkdir()
    encoder = encoder.rename(path / "0_Transformer")
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"path": place or "0_Transformer", "type": f"sentence_transformers.models.{kind}"}
        for place, kind in kinds.items()
    ]
    write(path / "modules.json", modules)
    load = vidsim.Embedder.from_pretrained
    for pooling in (None, {"pooling_mode_mean_tokens": True}, {"pooling_mode": "mean"}):
        if pooling is not None:
            write(path / "1_Pooling" / "config.json", pooling | {"pooling_mode_cls_token": False})
        found = load(path)
    np.testing.assert_allclose(found.encode(TEXTS[:2]), expected(encoder, TEXTS[:2]), atol=1e-5)
    for pooling in (
        {"pooling_mode_cls_token": True},
        {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
        {"pooling_mode": "lasttoken"},
    ):
        write(path / "1_Pooling" / "config.json", pooling)
        with pytest.raises(VidsimError, match=r"1_Pooling/config.json: pooling by .*; supported"):
            load(path)
    write(path / "modules.json", [*modules[:1], {"path": "2_Dense", "type": "x.models.Dense"}])
    with pytest.raises(VidsimError, match=r"modules.json: a module of type Dense; supported are"):
        load(path)


def test_mistakes_are_named(make_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, _ = make_folder("bert")
    (run := tmp_path / "mix").mkdir()
    (run / "checkpoints.json").write_text("{}")
    (recipe := tmp_path / "folds" / "fold0").mkdir(parents=True)
    (checkpoint := tmp_path / "ckpt-1").mkdir()
    (checkpoint / "model.safetensors").write_bytes(b"")
    (checkpoint / "config.json").write_text('{"family": "joint"}')
    (path / "report.json").write_text("{}")  # as vidsim's ensembles have one
    (path / "fold0").mkdir()
    embedder = vidsim.Embedder.from_pretrained(path)
    for arguments, message in (
        ({"titles": ["a"], "frames": [np.zeros((1, 1536))]}, "a text encoder embeds titles alone"),
        ({"titles": None}, "give titles"),
        ({"titles": "a"}, "titles is one text"),
        ({"titles": ["a", None]}, r"titles\[1\] is None"),
        ({"titles": ["a"], "batch_size": 0}, "batch_size is 0"),
    ):
        with pytest.raises(VidsimError, match=message):
            embedder.encode(**arguments)
    for name, message in (
        ("./nothing", r"^from_pretrained ./nothing: no such folder$"),
        (tmp_path / "nothing", "nothing: no such folder"),
        ("", "from_pretrained: an empty name"),
        (path / "config.json", "this is a file"),
        (tmp_path, r"config\.json: no such file; accepted is a Hugging Face folder"),
        (run, "models that vidsim trained.*load them by Embedder.from_checkpoint"),
        (recipe.parent, "models that vidsim trained"),
        (checkpoint, "models that vidsim trained"),
        (None, "from_pretrained: None; accepted is the path of a folder, or a Hub name"),
    ):
        with pytest.raises(VidsimError, match=message):
            vidsim.Embedder.from_pretrained(name)
