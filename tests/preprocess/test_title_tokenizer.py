"""Titles to ids: the same every time, and the same as the tokenizer of the published encoders."""

import json
import subprocess
import sys

import numpy as np
import pytest
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer

from vidsim.errors import VidsimError
from vidsim.preprocess import title_tokenizer
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


WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "非",
    "常",
    "视",
    "频",
    "非常",
    "视频",
    "play",
]
CUT = {"非常视频 Play": [2, 9, 10, 11, 3], "视频[MASK]非": [2, 10, 4, 5, 3], "常非": [2, 6, 5, 3]}


def with_jieba():
    inner = bert_tokenizer({word: i for i, word in enumerate(WORDS)})
    inner.normalizer = BertNormalizer(handle_chinese_chars=False)  # RoFormer's, words left whole
    return TitleTokenizer(inner, jieba=True)


def in_another_process(code: str, *arguments) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


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
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    theirs = transformers.BertTokenizer.from_pretrained(str(tmp_path))
    assert {title: theirs(title)["input_ids"] for title in MIXED} == MIXED


def test_truncation_keeps_the_end_token(published):
    assert encode(published, ["猫咪做饭猫咪", "猫"], 4) == [[2, 5, 6, 3], [2, 5, 3]]
    assert encode(published, ["猫咪做饭猫咪"]) == [[2, 5, 6, 7, 8, 5, 6, 3]]  # and is not left on


def test_a_title_of_a_million_characters(published):
    """It is cut like any other: the ids are those of its beginning."""
    for long in ("猫咪" * 500_000, "play " * 200_000):
        ids = published.encode([long], 8).values.tolist()
        assert len(ids) == 8
        assert ids == published.encode([long[:100]], 8).values.tolist()
    assert published.encode(["x" * 1_000_000], 8).values.tolist() == [2, 1, 3]


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
        "print(T.train(json.loads(sys.argv[1]), 150).digest)"
    )
    digests = {TitleTokenizer.train(titles, 150).digest for _ in range(3)}
    digests |= {in_another_process(code, json.dumps(titles)) for _ in range(2)}
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


@pytest.mark.parametrize("kind", ["trained", "published", "jieba"])
def test_transformers_reads_the_saved_folder(tmp_path, kind, published):
    tokenizer = {
        "trained": lambda: TitleTokenizer.train(TITLES, 200),
        "published": lambda: published,
        "jieba": with_jieba,
    }[kind]()
    tokenizer.save(tmp_path)
    titles = [*MIXED, *TITLES, *CUT]
    expected = encode(tokenizer, titles)
    name = "RoFormerTokenizer" if kind == "jieba" else "BertTokenizer"
    assert getattr(transformers, name).from_pretrained(tmp_path)(titles)["input_ids"] == expected
    (tmp_path / "config.json").write_text('{"family": "mix", "model": {}}')  # of a checkpoint
    found = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (type(found).__name__, found(titles)["input_ids"]) == (name, expected)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"lowercase": False}, [2, 1, 9, 13, 5, 6, 3]),
        ({"handle_chinese_chars": False}, [2, 9, 9, 13, 1, 3]),
        ({"strip_accents": False}, [2, 9, 9, 1, 5, 6, 3]),
    ],
)
def test_settings_are_told_to_transformers(tmp_path, settings, expected):
    inner = bert_tokenizer({word: i for i, word in enumerate(VOCABULARY)})
    inner.normalizer = BertNormalizer(**{"strip_accents": True} | settings)
    TitleTokenizer(inner).save(tmp_path)
    found = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert found("Play play café 猫咪").input_ids == expected


def test_a_folder_from_before_tokenizer_config(tmp_path, published):
    published.save(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    assert encode(TitleTokenizer.read(tmp_path), list(MIXED)) == list(MIXED.values())


def test_a_tokenizer_of_no_known_class_is_all_in_its_json(tmp_path):
    inner = bert_tokenizer({word: i for i, word in enumerate(VOCABULARY)})
    inner.normalizer = None
    TitleTokenizer(inner).save(tmp_path)
    found = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert found("Cafe play").input_ids == [2, 1, 9, 3]


# --- Words of jieba -------------------------------------------------------------------------------


def test_jieba_keeps_words_that_the_vocabulary_has():
    tokenizer = with_jieba()
    assert encode(tokenizer, list(CUT)) == list(CUT.values())
    assert encode(tokenizer, ["非常视频 Play"], 4) == [[2, 9, 10, 3]]


def test_jieba_is_back_in_another_process(tmp_path):
    tokenizer = with_jieba()
    tokenizer.save(tmp_path)
    code = (
        "import pathlib, sys; from vidsim.preprocess.title_tokenizer import TitleTokenizer as T;"
        "t = T.read(pathlib.Path(sys.argv[1])); print(t.encode(sys.argv[2:], 32).values.tolist(),"
        "t.digest)"
    )
    ids = [number for row in CUT.values() for number in row]
    assert in_another_process(code, tmp_path, *CUT) == f"{ids} {tokenizer.digest}"


def test_the_digest_knows_of_jieba(tmp_path):
    with_jieba().save(tmp_path)
    apart = TitleTokenizer(Tokenizer.from_file(str(tmp_path / "tokenizer.json")))
    assert apart.digest != with_jieba().digest == TitleTokenizer.read(tmp_path).digest


def test_threads_share_a_jieba_tokenizer(tmp_path):
    """In a process of its own: what it guards against is one that hangs."""
    with_jieba().save(tmp_path)
    code = """if True:
        import pathlib, sys
        from concurrent.futures import ThreadPoolExecutor
        from vidsim.preprocess.title_tokenizer import TitleTokenizer
        tokenizer = TitleTokenizer.read(pathlib.Path(sys.argv[1]))
        titles = ["非常视频" * n for n in range(60)]
        def encode(length):
            found = [tokenizer.encode(titles, length) for _ in range(3)]
            return all(max(b - a for a, b in zip(f.splits, f.splits[1:])) == length for f in found)
        with ThreadPoolExecutor(4) as threads:
            print(all(threads.map(encode, range(4, 20))))
    """
    assert in_another_process(code, tmp_path) == "True"


def test_without_rjieba(tmp_path, monkeypatch):
    with_jieba().save(tmp_path)
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(VidsimError, match=r"run: sh setup\.sh jieba, or pip install rjieba"):
        TitleTokenizer.read(tmp_path)


# --- What does not do -----------------------------------------------------------------------------


def test_a_folder_without_tokenizer(tmp_path):
    with pytest.raises(VidsimError, match=r"tokenizer\.json: no such file"):
        TitleTokenizer.read(tmp_path)


def test_a_vocabulary_without_special_tokens():
    with pytest.raises(VidsimError, match=r"lacks \[CLS\], \[MASK\]"):
        bert_tokenizer({"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "猫": 3})
    with pytest.raises(VidsimError, match=r"lacks \[PAD\], \[CLS\], \[SEP\], \[MASK\]; needed are"):
        TitleTokenizer(Tokenizer(WordPiece({"[UNK]": 0}, unk_token="[UNK]")))


def test_a_tokenizer_that_adds_no_ends():
    bare = Tokenizer(WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    with pytest.raises(VidsimError, match=r"makes \[\] of an empty title.*\[2, 3\]"):
        TitleTokenizer(bare)


def test_a_length_without_room(published):
    assert encode(published, ["猫咪"], 2) == [[2, 3]]
    with pytest.raises(VidsimError, match="titles of 1 tokens"):
        published.encode(["猫"], 1)


def test_titles_a_few_at_a_time_are_the_same(monkeypatch):
    """The library makes large objects of every title: many are packed in pieces."""
    tokenizer = TitleTokenizer(bert_tokenizer({word: i for i, word in enumerate(VOCABULARY)}))
    whole, sizes, inner = tokenizer.encode(TITLES, 6), [], TitleTokenizer._encode
    monkeypatch.setattr(title_tokenizer, "_AT_A_TIME", 4)
    monkeypatch.setattr(
        TitleTokenizer, "_encode", lambda *args: sizes.append(len(args[1])) or inner(*args)
    )
    pieces = tokenizer.encode(TITLES, 6)
    assert sizes == [4, 2]
    np.testing.assert_array_equal(pieces.values, whole.values)
    np.testing.assert_array_equal(pieces.splits, whole.splits)
    assert pieces.cut == whole.cut and (whole.cut.total, whole.cut.limit) == (6, 6)
