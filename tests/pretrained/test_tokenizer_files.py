"""Tokenizers of Hugging Face folders: what transformers reads, and what it must not do silently."""

import json
import socket
import sys

import pytest
import transformers
from tokenizers import Tokenizer
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import ByteLevel

from vidsim.errors import VidsimError
from vidsim.preprocess.title_tokenizer import bert_tokenizer
from vidsim.pretrained.tokenizer_files import read_tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "非", "常", "视", "频", "非常", "视频"]
WORDS += ["play", "##ing", "Play", "\u2028", "\u3000x"]
NUMBERS = {word: number for number, word in enumerate(WORDS)}
TITLE = "非常视频 Playing"
CHARACTERS, JIEBA = [2, 5, 6, 7, 8, 11, 12, 3], [2, 9, 10, 11, 12, 3]

# tokenizer_config.json as published: hfl/chinese-roberta-wwm-ext, junnyu/roformer_chinese_char_base
# and junnyu/roformer_chinese_base.
OF_HFL = {"init_inputs": []}
OF_JUNNYU = {
    "do_lower_case": True,
    "do_basic_tokenize": True,
    "never_split": None,
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "tokenize_chinese_chars": True,
    "strip_accents": None,
    "special_tokens_map_file": None,
    "tokenizer_file": None,
    "name_or_path": "junnyu/roformer_chinese_char_base",
    "tokenizer_class": "BertTokenizer",
}
OF_JUNNYU_WORDS = OF_JUNNYU | {"model_max_length": 1536, "tokenizer_class": "RoFormerTokenizer"}

FOLDERS = {  # model_type, tokenizer_config.json, ids of TITLE
    "bert": ("bert", None, CHARACTERS),
    "hfl": ("bert", OF_HFL, CHARACTERS),
    "fast": ("bert", {"tokenizer_class": "BertTokenizerFast"}, CHARACTERS),
    "cased": ("bert", {"do_lower_case": False}, [2, 5, 6, 7, 8, 13, 12, 3]),
    "roformer": ("roformer", None, JIEBA),
    "roformer_words": ("roformer", OF_JUNNYU_WORDS, JIEBA),
    "roformer_characters": ("roformer", OF_JUNNYU, CHARACTERS),
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*address):
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def make(tmp_path):
    """`make(files, settings)`: a folder with tokenizer.json, vocab.txt or both."""

    def build(files="vocab.txt", settings=None, words=WORDS, jieba=False):
        if "vocab.txt" in files:
            text = "".join(f"{word}\n" for word in words)
            (tmp_path / "vocab.txt").write_bytes(text.encode())
        if "tokenizer.json" in files:
            inner = bert_tokenizer({word: number for number, word in enumerate(words)})
            if jieba:
                inner.normalizer = BertNormalizer(handle_chinese_chars=False)
            inner.save(str(tmp_path / "tokenizer.json"))
        if settings is not None:
            (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        return tmp_path

    return build


def read(folder, model_type="bert", vocab_size=20, **config):
    config |= {"model_type": model_type, "vocab_size": vocab_size}
    return read_tokenizer(folder, config)


def ids(tokenizer, title=TITLE):
    return tokenizer.encode([title], 32).values.tolist()


@pytest.mark.parametrize("files", ["vocab.txt", "tokenizer.json", "vocab.txt tokenizer.json"])
@pytest.mark.parametrize("kind", FOLDERS)
def test_every_kind_of_folder(make, kind, files):
    """From the vocabulary alone transformers cuts RoFormer's words into characters; here not."""
    model_type, settings, expected = FOLDERS[kind]
    tokenizer = read(make(files, settings, jieba=expected == JIEBA), model_type)
    assert ids(tokenizer) == expected
    assert len(tokenizer) == len(WORDS)


@pytest.mark.parametrize("kind", FOLDERS)
def test_parity_with_transformers_on_a_folder_it_wrote(tmp_path, kind):
    model_type, settings, _ = FOLDERS[kind]
    name = "RoFormerTokenizer" if kind in ("roformer", "roformer_words") else "BertTokenizer"
    lower = (settings or {}).get("do_lower_case", True)
    theirs = getattr(transformers, name)(vocab=NUMBERS, do_lower_case=lower)
    theirs.save_pretrained(tmp_path)
    ours = read(tmp_path, model_type)
    for title in (TITLE, "", "常非[MASK]", "视频x\u3000play！", "Été 非常  常非常"):
        assert ids(ours, title) == theirs(title)["input_ids"], title


def test_tokenizer_class_of_the_encoder(make):
    """config.json states it in some folders; tokenizer_config.json comes first."""
    folder = make()
    assert ids(read(folder, "roformer", tokenizer_class="BertTokenizer")) == CHARACTERS
    make(settings={"tokenizer_class": "RoFormerTokenizer"})
    assert ids(read(folder, "roformer", tokenizer_class="BertTokenizer")) == JIEBA


def test_a_tokenizer_that_is_all_in_its_json(make):
    folder = make("tokenizer.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    assert ids(read(folder)) == CHARACTERS
    (folder / "tokenizer.json").unlink()
    make("vocab.txt")
    with pytest.raises(VidsimError, match="tokenizer_class 'PreTrainedTokenizerFast'; supported"):
        read(folder)


def test_only_a_newline_ends_a_word(make):
    """Published Chinese vocabularies have U+2028 in them, where Python's splitlines() would cut."""
    words = [*WORDS[:5], "\u2028", "\x85", "\u3000", "猫"]
    assert ids(read(make(words=words)), "猫") == [2, 8, 3]


@pytest.mark.parametrize(
    ("before", "end", "after"),
    [
        (b"", b"\r\n", b""),
        (b"\xef\xbb\xbf", b"\n", b""),
        (b"", b"\n", b"\n  \n\n"),
        (b"", b"\n", b"\t"),
    ],
)
def test_vocabularies_that_an_editor_saved(make, before, end, after):
    """Windows' line ends, a byte order mark, blank lines at the end: no word, and no other ids."""
    folder = make()
    text = (folder / "vocab.txt").read_bytes().replace(b"\n", end)
    (folder / "vocab.txt").write_bytes(before + text + after)
    tokenizer = read(folder, vocab_size=len(WORDS))
    assert (ids(tokenizer), len(tokenizer)) == (CHARACTERS, len(WORDS))


def test_a_blank_that_is_a_word_keeps_its_number(make):
    """U+3000 is one, at the end too; a blank line among the words has its number as well."""
    words = [*WORDS[:5], "", "猫", "\u3000"]
    folder = make(words=words)
    tokenizer = read(folder)
    assert (len(tokenizer), ids(tokenizer, "猫")) == (8, [2, 6, 3])


def test_added_tokens_are_counted(make):
    folder = make()
    (folder / "added_tokens.json").write_text(json.dumps({"[X]": 16}))
    tokenizer = read(folder, vocab_size=17)
    assert (len(tokenizer), ids(tokenizer, "[X]")) == (17, [2, 16, 3])
    (folder / "added_tokens.json").unlink()
    make(settings={"added_tokens_decoder": {"16": {"content": "[X]", "special": True}}})
    assert ids(read(folder), "[X]") == [2, 16, 3]


def test_without_rjieba(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(VidsimError, match=r"run: sh setup\.sh jieba, or pip install rjieba"):
        read(make(), "roformer")


def test_no_code_of_the_folder_is_run(make, monkeypatch):
    monkeypatch.setenv("HF_HUB_TRUST_REMOTE_CODE", "1")
    settings = {"auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    folder = make(settings=settings)
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Evil: pass\n")
    assert ids(read(folder)) == CHARACTERS
    assert not (folder / "ran").exists()


# --- What must not pass silently ------------------------------------------------------------------


@pytest.mark.parametrize("files", ["vocab.txt", "tokenizer.json"])
def test_a_vocabulary_that_transformers_does_not_see(make, monkeypatch, files):
    """It then makes one of five tokens, as it does with vocab_file=, and says nothing."""
    monkeypatch.setattr(
        transformers.BertTokenizer,
        "from_pretrained",
        classmethod(lambda cls, folder, **_: cls(vocab_file=f"{folder}/vocab.txt")),
    )
    with pytest.raises(VidsimError, match="it has 16 tokens, transformers reads 5"):
        read(make(files))


def test_special_tokens_that_transformers_would_add(make):
    words = [word for word in WORDS if word not in ("[MASK]", "[CLS]")]
    with pytest.raises(VidsimError, match=r"vocab\.txt lacks \[CLS\], \[MASK\]; needed are"):
        read(make(words=words))


def test_more_tokens_than_the_encoder_has(make):
    folder = make()
    assert len(read(folder, vocab_size=16)) == 16
    with pytest.raises(VidsimError, match="the tokenizer has 16 tokens, the encoder only 15"):
        read(folder, vocab_size=15)


def test_words_that_never_come_out(make):
    folder = make("tokenizer.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    inner = Tokenizer.from_file(str(folder / "tokenizer.json"))
    inner.pre_tokenizer = ByteLevel()  # "Ġplay" for "play"
    inner.save(str(folder / "tokenizer.json"))
    with pytest.raises(VidsimError, match="words in it none comes out"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tokenizer.json", "{}", r"tokenizer\.json: not a tokenizer \("),
        ("tokenizer_config.json", "{", r"tokenizer_config\.json: this is not JSON \("),
        ("tokenizer_config.json", "[]", r"tokenizer_config\.json: this is list; expected is a"),
        ("vocab.txt", b"\xff", r"vocab\.txt: not UTF-8 text \("),
        ("tokenizer_config.json", "[" * 2000, "accepted is JSON that is not nested so deeply"),
        (
            "tokenizer_config.json",
            '{"added_tokens_decoder": [1]}',
            "added_tokens_decoder: accepted",
        ),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {}}}', "added_tokens_decoder: "),
        (
            "tokenizer_config.json",
            '{"fast_tokenizer_files": ["tokenizer./../5.json"]}',
            "same folder",
        ),
        (
            "added_tokens.json",
            '{"[X]": []}',
            r"added_tokens\.json: accepted are tokens with a whole",
        ),
        ("added_tokens.json", '{"[X]": 1e999}', r"added_tokens\.json: accepted are tokens with a"),
        ("special_tokens_map.json", "[1]", "transformers cannot read its tokenizer: "),
        ("tokenizer_config.json", '{"tokenizer_class": "T5Tokenizer"}', "'T5Tokenizer'; supported"),
        ("added_tokens.json", '{"[X]": 18}', r"it has 17 tokens, transformers reads 17 .*'\[X\]'"),
    ],
)
def test_files_that_do_not_do(make, name, text, message):
    folder = make()
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(VidsimError, match=message):
        read(folder)


def test_a_folder_without_a_tokenizer(tmp_path):
    with pytest.raises(VidsimError, match=r"neither tokenizer\.json nor vocab\.txt is there"):
        read(tmp_path)
