"""Titles to ids: the same every time, and the same as the tokenizer of the published encoders."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from vidsim.errors import VidsimError
from vidsim.preprocess.title_tokenizer import TitleTokenizer, bert_tokenizer

TITLES = [
    "猫咪学做饭",
    "我家猫咪Playing",
    "football 2021!",
    "Café 猫 players play",
    "",
    "做饭，唱歌",
]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "猫", "咪", "做", "饭", "play", "##ing"]
VOCABULARY += ["##er", "##s", "cafe", "2021", "20", "##2", "!", "，", "foot", "##ball", "的"]
MIXED = {  # title -> ids as transformers' BertTokenizer gives them for this vocabulary
    "": [2, 3],
    "猫咪做饭": [2, 5, 6, 7, 8, 3],
    "猫咪Playing": [2, 5, 6, 9, 10, 3],
    "Café，players 2021!": [2, 13, 18, 9, 11, 12, 14, 17, 3],
    "FOOTBALL的唱 2022": [2, 19, 20, 21, 1, 15, 16, 16, 3],
    "\t猫\u3000咪\u0000\n": [2, 5, 6, 3],
    "[MASK]猫": [2, 4, 5, 3],
}


@pytest.fixture
def published():
    return TitleTokenizer(bert_tokenizer({word: i for i, word in enumerate(VOCABULARY)}))


def encode(tokenizer, titles, length=32):
    ragged = tokenizer.encode(titles, length)
    assert ragged.values.dtype == np.int32
    return [row.tolist() for row in np.split(ragged.values, ragged.splits[1:-1])]


def test_ids_of_mixed_titles(published):
    assert encode(published, list(MIXED)) == list(MIXED.values())


def test_the_table_above_is_true(tmp_path):
    transformers = pytest.importorskip("transformers")
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    theirs = transformers.BertTokenizer.from_pretrained(str(tmp_path))
    assert {title: theirs(title)["input_ids"] for title in MIXED} == MIXED


def test_truncation_keeps_the_end_token(published):
    assert encode(published, ["猫咪做饭猫咪", "猫"], 4) == [[2, 5, 6, 3], [2, 5, 3]]
    assert encode(published, ["猫咪做饭猫咪"]) == [[2, 5, 6, 7, 8, 5, 6, 3]]  # and is not left on


def test_special_ids(published):
    special = published.special
    assert (special.pad, special.unk, special.cls, special.sep, special.mask) == (0, 1, 2, 3, 4)
    assert len(published) == len(VOCABULARY)


def test_training_knows_the_titles():
    tokenizer = TitleTokenizer.train(TITLES, 200)
    assert tokenizer.special.unk not in tokenizer.encode(TITLES, 32).values
    assert encode(tokenizer, ["PLAYING"]) == encode(tokenizer, ["playing"])
    assert encode(tokenizer, [""]) == [[tokenizer.special.cls, tokenizer.special.sep]]
    assert encode(tokenizer, ["猫猫"])[0][1:2] * 2 == encode(tokenizer, ["猫猫"])[0][1:3]


def test_training_has_one_outcome():
    """In other processes too: hash maps begin elsewhere in each."""
    titles = [f"{a}{b}{c} title" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuvwx"]
    code = (
        "import json, sys; from vidsim.preprocess.title_tokenizer import TitleTokenizer as T;"
        "print(T.train(json.load(sys.stdin), 150).digest)"
    )
    digests = {TitleTokenizer.train(titles, 150).digest for _ in range(3)}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(titles), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_the_vocabulary_is_as_large_as_asked():
    titles = ["playing player played plays play"] * 3 + ["sing singing singer sings"] * 3
    assert len(TitleTokenizer.train(titles, 30)) == 30


def test_saved_and_read_it_gives_the_same_ids(tmp_path):
    tokenizer = TitleTokenizer.train(TITLES, 200)
    digest = tokenizer.digest
    tokenizer.save(tmp_path)
    again = TitleTokenizer.read(tmp_path)
    assert again.digest == digest
    assert encode(again, TITLES, 6) == encode(tokenizer, TITLES, 6)
    assert again.digest == tokenizer.digest == digest  # encoding leaves no trace in it


def test_a_folder_without_tokenizer(tmp_path):
    with pytest.raises(VidsimError, match=r"tokenizer\.json: no such file"):
        TitleTokenizer.read(tmp_path)


def test_a_vocabulary_without_special_tokens():
    with pytest.raises(VidsimError, match=r"lacks \[CLS\], \[MASK\]"):
        bert_tokenizer({"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "猫": 3})
    with pytest.raises(VidsimError, match="the tokenizer needs all of"):
        TitleTokenizer(Tokenizer(WordPiece({"[UNK]": 0}, unk_token="[UNK]")))
