"""Hugging Face folders: the same numbers as a plain BERT, and every way a folder can be wrong."""

import json
import math
import os

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import save_file

from vidsim.errors import VidsimError
from vidsim.models.configs import UniterConfig, build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.mix_nextvlad_config import MixNeXtVLADConfig
from vidsim.pretrained import encoder_folder
from vidsim.pretrained.encoder_folder import EncoderFolder, EncoderFolders
from vidsim.pretrained.hub import hub_revision

IDS = np.array([[2, 5, 6, 7, 8, 3], [2, 9, 3, 0, 0, 0]])
MASK = IDS > 0


def reference(tensors, ids, mask, rotary=False, rotary_value=False):
    """The encoder as its papers have it, in float64, from the file's own tensors."""
    t = {name: value.astype("float64") for name, value in tensors.items()}

    def linear(x, name):
        return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return scaled * t[f"{name}.LayerNorm.weight"] + t[f"{name}.LayerNorm.bias"]

    x = t["embeddings.word_embeddings.weight"][ids]
    x = x + t["embeddings.token_type_embeddings.weight"][0]
    if not rotary:
        x = x + t["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = norm(x, "embeddings")
    if "embeddings_project.weight" in t:
        x = linear(x, "embeddings_project")
    for i in range(2):
        layer = f"encoder.layer.{i}"
        q, k, v = (
            linear(x, f"{layer}.attention.self.{name}").reshape(*ids.shape, 2, 8)
            for name in ("query", "key", "value")
        )
        if rotary:
            q, k, v = turn(q), turn(k), turn(v) if rotary_value else v
        scores = np.einsum("bqnh,bknh->bnqk", q, k) / np.sqrt(8)
        shares = np.exp(scores) * mask[:, None, None, :]
        shares /= shares.sum(axis=-1, keepdims=True)
        context = np.einsum("bnqk,bknh->bqnh", shares, v).reshape(x.shape)
        x = norm(
            x + linear(context, f"{layer}.attention.output.dense"), f"{layer}.attention.output"
        )
        wide = linear(x, f"{layer}.intermediate.dense")
        wide = wide * (1 + np.vectorize(math.erf)(wide / math.sqrt(2))) / 2
        x = norm(x + linear(wide, f"{layer}.output.dense"), f"{layer}.output")
    return x


def turn(x):
    """(B, S, heads, 8): neighbouring features as complex numbers."""
    angles = np.arange(x.shape[1])[:, None] * 10000 ** (-np.arange(4) / 4)
    turned = (x[..., ::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)[None, :, None]
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)


def build(folder, config):
    return build_backbone(config, InputSpec(folder.encoder_config(config), 3, {"frames": 1536}))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("bert", {}),
        ("roformer", {}),
        ("roformer", {"embedding_size": 6, "rotary_value": True}),
    ],
)
def test_value_equals_the_reference(make_folder, kind, changes):
    path, tensors = make_folder(kind, config=changes)
    folder = EncoderFolder(path)
    backbone = build(folder, UniterConfig(positions=folder.positions, bert_seq_length=8))
    report = folder.load_into(backbone)
    assert (set(report.loaded), report.left_out, report.absent) == (set(tensors), (), ())
    found = ops.convert_to_numpy(backbone.text_encoder(IDS, MASK))
    rotary = kind == "roformer"
    expected = reference(tensors, IDS, MASK, rotary, changes.get("rotary_value", False))
    np.testing.assert_allclose(found[MASK], expected[MASK], atol=1e-5)


def test_the_pooler_is_loaded_where_there_is_one(make_folder):
    path, tensors = make_folder("bert")
    rng = np.random.default_rng(1)
    pooler = {"pooler.dense.weight": (16, 16), "pooler.dense.bias": (16,)}
    tensors |= {name: rng.normal(size=shape).astype("float32") for name, shape in pooler.items()}
    save_file(tensors, str(path / "model.safetensors"))
    folder = EncoderFolder(path)
    small = {"vlad_cluster_size": 2, "vlad_hidden_size": 8, "vlad_expansion": 0.0625}
    mix = build(folder, MixNeXtVLADConfig(bert_seq_length=8, **small))
    assert set(folder.load_into(mix).loaded) == set(tensors)
    first = reference(tensors, IDS, MASK)[:, 0]
    expected = np.tanh(first @ tensors["pooler.dense.weight"].T + tensors["pooler.dense.bias"])
    found = mix.pooler(mix.text_encoder(IDS, MASK)[:, 0])
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-5)

    report = folder.load_into(build(folder, UniterConfig(bert_seq_length=8)))
    assert report.left_out == tuple(sorted(pooler))
    assert "left out on purpose    2  pooler.dense.bias, pooler.dense.weight" in str(report)


def test_the_folder_decides_the_shape_and_the_recipe_the_dropout(make_folder):
    path, _ = make_folder("roformer", config={"embedding_size": 6, "hidden_act": "relu"})
    encoder = EncoderFolder(path).encoder_config(
        UniterConfig(encoder_dropout=0.3, bert_seq_length=8)
    )
    assert (encoder.width, encoder.layers, encoder.heads, encoder.intermediate) == (16, 2, 2, 24)
    assert (encoder.vocab_size, encoder.max_positions, encoder.embedding_size) == (12, 20, 6)
    assert (encoder.positions, encoder.activation, encoder.layer_norm_eps) == (
        "rotary",
        "relu",
        1e-5,
    )
    assert (encoder.dropout, encoder.attention_dropout) == (0.3, 0.3)


def test_titles_longer_than_its_positions(make_folder):
    path, _ = make_folder("bert")
    with pytest.raises(VidsimError, match=r"--bert-seq-length 21: .* has 20 positions"):
        EncoderFolder(path).encoder_config(UniterConfig(bert_seq_length=21))


# --- Tokenizers: what a folder may hold is in test_tokenizer_files --------------------------------


def ids(folder, title):
    return folder.tokenizer().encode([title], 32).values.tolist()


def test_tokenizer_of_the_folder(make_folder):
    path, _ = make_folder("bert")
    folder = EncoderFolder(path)
    assert ids(folder, "猫咪 Playing") == [2, 5, 6, 7, 8, 3]
    folder.tokenizer().save(path)
    (path / "vocab.txt").unlink()
    assert ids(folder, "猫咪 Playing") == [2, 5, 6, 7, 8, 3]


def test_a_roformer_of_characters(make_folder):
    path, _ = make_folder("roformer", tokenizer={"tokenizer_class": "BertTokenizer"})
    tokenizer = EncoderFolder(path).tokenizer()
    assert (tokenizer.jieba, len(tokenizer)) == (False, 10)


def test_more_words_than_the_encoder_has(make_folder):
    path, _ = make_folder("bert", config={"vocab_size": 9})
    with pytest.raises(VidsimError, match="the tokenizer has 10 tokens, the encoder only 9"):
        EncoderFolder(path).tokenizer()


# --- Folders that do not do -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "gpt2"}, r"config\.json: model_type 'gpt2'; supported are bert, roformer"),
        ({"hidden_act": "gelu_10"}, "hidden_act 'gelu_10'; supported are gelu, gelu_python"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"is_decoder": True}, r"config\.json: is_decoder is set"),
        ({"hidden_size": "16"}, r"config\.json: hidden_size is '16'; it must be a whole number"),
        ({"vocab_size": None}, r"config\.json: vocab_size is None"),
        (
            {"max_position_embeddings": "512"},
            "max_position_embeddings is '512'; it must be a whole",
        ),
        ({"layer_norm_eps": "1e-5"}, "layer_norm_eps is '1e-5'; accepted is 0 to 1"),
        ({"model_type": ["bert"]}, r"model_type \['bert'\]; supported are bert, roformer"),
        ({"hidden_act": {}}, r"hidden_act \{\}; supported are gelu"),
    ],
)
def test_another_architecture(make_folder, config, message):
    path, _ = make_folder("bert", config=config)
    with pytest.raises(VidsimError, match=message):
        EncoderFolder(path)


@pytest.mark.parametrize("sizes", [{"vocab_size": 10**12}, {"embedding_size": -1}])
def test_sizes_that_no_encoder_has(make_folder, sizes):
    path, _ = make_folder("bert")
    (path / "config.json").write_text(
        json.dumps(json.loads((path / "config.json").read_text()) | sizes)
    )
    with pytest.raises(VidsimError, match=r"config\.json: \w+_size is .* above 0 and at most"):
        EncoderFolder(path)


def test_files_that_are_missing(make_folder):
    path, _ = make_folder("bert")
    folder = EncoderFolder(path)
    (path / "vocab.txt").unlink()
    with pytest.raises(VidsimError, match=r"neither tokenizer\.json nor vocab\.txt"):
        folder.tokenizer()
    backbone = build(folder, UniterConfig(bert_seq_length=8))
    os.rename(path / "model.safetensors", path / "weights.safetensors")
    with pytest.raises(VidsimError, match=r"has no weights: accepted are .*; the folder has conf"):
        folder.load_into(backbone)
    (path / "config.json").unlink()
    with pytest.raises(VidsimError, match=r"config\.json: no such file; accepted is a Hugging"):
        EncoderFolder(path)


def test_the_first_folder_with_the_positions(make_folder):
    bert, _ = make_folder("bert")
    roformer, _ = make_folder("roformer")
    both = f"{bert}, {roformer}"
    assert EncoderFolders(None).choose("rotary") is None
    assert EncoderFolders(both).choose("rotary").path == roformer
    assert EncoderFolders(both).choose("absolute").path == bert
    assert EncoderFolders(both).choose("absolute").revision is None
    with pytest.raises(VidsimError, match="none of these is a roformer folder"):
        EncoderFolders(str(bert)).choose("rotary")
    assert json.loads((bert / "config.json").read_text())["model_type"] == "bert"


def test_names_that_are_no_folders(make_folder, monkeypatch):
    """Each is fetched once, however often it is asked for; its encoder may be in a subfolder."""
    bert, _ = make_folder("bert")
    module = {"path": "bert", "type": "sentence_transformers.models.Transformer"}
    (bert.parent / "modules.json").write_text(json.dumps([module]))
    fetched = []
    monkeypatch.setattr(
        encoder_folder, "local_folder", lambda name: fetched.append(name) or bert.parent
    )
    folders = EncoderFolders("a/b@v1, c/d")
    assert folders.choose("absolute") is folders.choose("absolute")
    assert folders.choose("absolute").path == bert
    assert fetched == ["a/b@v1", "c/d"]


def test_the_revision_is_the_commit_of_the_cache(tmp_path):
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    assert hub_revision(snapshot) is None
    (tmp_path / "models--a--b" / "refs").mkdir()
    assert hub_revision(snapshot) == "0123abcd"


def test_the_digest_is_of_the_files_and_not_of_the_place(make_folder, tmp_path):
    path, _ = make_folder("bert")
    before = EncoderFolder(path).digest
    assert set(before) == {"config.json", "model.safetensors", "vocab.txt"}
    moved = path.rename(tmp_path / "moved")
    assert EncoderFolder(moved).digest == before
    (moved / "vocab.txt").write_text("other", encoding="utf-8")
    assert {k for k, v in EncoderFolder(moved).digest.items() if v != before[k]} == {"vocab.txt"}
