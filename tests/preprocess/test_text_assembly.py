"""Keywords by hand and at parity with scikit-learn; what is cut; what a checkpoint keeps."""

import json
import math
import sys

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.preprocess.text_assembly import AssemblyConfig, TextAssembler, words

TITLE, OCR, ASR = schema.TITLE, schema.OCR_TEXT, schema.ASR_TEXT
TITLES = ["The cat cooks", "the dog sings", "the cat sings the blues"]


def test_keywords_derived():
    """n = 3. df: the 3, cat 2, sings 2, others 1. idf: the ln(4/4) + 1 = 1, cat ln(4/3) + 1 =
    1.288, dog ln(4/2) + 1 = 1.693. "dog the the cat": the 2 * 1 > dog 1.693 > cat 1.288."""
    made = TextAssembler.fit({TITLE: TITLES})
    assert made.idf["the"] == pytest.approx(1)
    assert made.idf["cat"] == pytest.approx(math.log(4 / 3) + 1)
    assert made.idf["dog"] == pytest.approx(math.log(2) + 1)
    assert made.keywords("dog, THE the cat! unknown") == ["the", "dog", "cat"]
    assert made.keywords("sings cat") == ["sings", "cat"]  # equal: as they stand
    assert made.keywords("") == []
    few = TextAssembler(made.idf, AssemblyConfig(keywords=1))
    assert few.keywords("cat dog") == ["dog"]


def test_whole_words_are_weighed_over_all_training_texts():
    """The published code's two errors would give equal weights, and sentences as words."""
    made = TextAssembler.fit({TITLE: TITLES, OCR: ["", "cat", ""], ASR: ["cooks"] * 3})
    assert made.idf["cat"] == made.idf["cooks"] == 1 < made.idf["sings"]
    assert all(" " not in word for word in made.idf)


def test_parity_with_scikit_learn():
    rng = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(60)]
    texts = [" ".join(rng.choice(vocabulary, 12) if i else []) for i in range(40)]
    made = TextAssembler.fit({TITLE: texts[:20], ASR: texts[20:]}, AssemblyConfig(keywords=99))
    joined = [f"{a} {b}" for a, b in zip(texts[:20], texts[20:], strict=True)]
    reference = TfidfVectorizer().fit(joined)
    names = reference.get_feature_names_out()
    assert made.idf == pytest.approx(dict(zip(names, reference.idf_, strict=True)))
    for text, row in zip(joined, reference.transform(joined).toarray(), strict=True):
        weights = dict(zip(names, row, strict=True))
        found = [weights[word] for word in made.keywords(text)]
        np.testing.assert_allclose(found, sorted(row[row > 0], reverse=True))


def test_the_vocabulary_is_bounded_by_the_words_of_most_texts():
    made = TextAssembler.fit({TITLE: TITLES}, AssemblyConfig(max_features=4))
    assert list(made.idf) == ["blues", "cat", "sings", "the"]  # of the rare ones the first


def test_chinese_words_are_jiebas():
    pytest.importorskip("rjieba")
    assert words("猫咪在厨房做饭 Hello-World a 4K") == [
        "猫咪",
        "厨房",
        "做饭",
        "hello",
        "world",
        "4k",
    ]


def test_both_ends_are_kept_and_counted():
    """edge 2: four pieces stay whole, of five the middle goes; a Chinese character is a piece."""
    made = TextAssembler({"dog": 1.0, "cat": 2.0, "fox": 3.0, "owl": 4.0, "elk": 5.0})
    made.config = AssemblyConfig(edge=2)
    columns = {
        TITLE: ["a b c d", "a b, c d e", "猫在厨房做饭", ""],
        OCR: ["dog cat fox owl elk", "", "x" * 200, "猫 play 狗 ing 鱼"],
        ASR: ["", "", "", "  a  b  "],
    }
    done = made.assemble(columns)
    assert list(done.texts) == [TITLE, OCR, ASR]
    assert done.texts[TITLE] == ["elk owl cat dog a b c d", "a b, d e", "猫在 做饭", ""]
    assert done.texts[OCR] == ["dog cat owl elk", "", "x" * 64 + " " + "x" * 40, "猫 play ing 鱼"]
    assert done.texts[ASR] == columns[ASR]
    assert done.cut == {"keywords": 1, TITLE: 2, OCR: 3, ASR: 0}
    assert done.without_keywords == 3
    assert "4 videos' texts the middle was cut out of 1 keywords, 2 title, 3 ocr_text" in str(done)
    alone = made.assemble({ASR: ["a cat"]})
    assert alone.texts == {TITLE: ["cat"], ASR: ["a cat"]}
    plain = TextAssembler({}).assemble({TITLE: [" ".join(map(str, range(200)))]})
    assert plain.texts[TITLE][0].split() == [str(i) for i in (*range(64), *range(136, 200))]


def test_the_state_is_all_there_is(monkeypatch):
    """Through JSON, to the bit, and without scikit-learn; the same from the same texts."""
    made = TextAssembler.fit({TITLE: TITLES}, AssemblyConfig(keywords=3, edge=5, max_features=9))
    again = TextAssembler.fit({TITLE: list(TITLES)}, made.config)
    assert json.dumps(made.state()) == json.dumps(again.state())
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    read = TextAssembler.from_state(json.loads(json.dumps(made.state())))
    assert (read.idf, read.config) == (made.idf, made.config)
    assert read.assemble({TITLE: TITLES}) == made.assemble({TITLE: TITLES})


def test_what_cannot_be_assembled_is_named(monkeypatch):
    state = TextAssembler.fit({TITLE: TITLES}).state()
    damaged = [None, {}, state | {"format": 2}, state | {"idf": state["idf"][1:]}]
    damaged += [state | {"words": ["cat"] * 6}, state | {"words": [1] * 6}]
    damaged += [state | {"idf": [math.nan] * 6}, state | {"idf": ["1"] * 6}, state | {"edge": 0}]
    for wrong in damaged:
        with pytest.raises(VidsimError, match=r"text assembly: .*accepted"):
            TextAssembler.from_state(wrong)
    with pytest.raises(VidsimError, match="no words in title, ocr_text, asr_text of the training"):
        TextAssembler.fit({TITLE: ["", "a"]})
    with pytest.raises(VidsimError, match="needed is one of each field"):
        TextAssembler.fit({TITLE: ["cat"], ASR: []})
    with pytest.raises(VidsimError, match="no texts"):
        TextAssembler.fit({"name": ["cat"]})
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(VidsimError, match=r"rjieba, which is not .* sh setup.sh text"):
        TextAssembler.fit({TITLE: ["猫咪做饭"]})
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(VidsimError, match=r"scikit-learn, which is not .* sh setup.sh text"):
        TextAssembler.fit({TITLE: TITLES})
