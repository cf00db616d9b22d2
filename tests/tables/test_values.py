"""Values of rows as fields: texts with times, tags, categories, ids, splits."""

import re
from collections import Counter

import pytest

from vidsim.tables.column_names import VIDEO, ColumnNames, parse_columns
from vidsim.tables.numbered_names import NumberedNames, parents_of
from vidsim.tables.values import TEST, TRAIN, VAL, video_of


def read(row, named=None, separator=","):
    return video_of(row, ColumnNames(VIDEO, named or {}), separator)


def test_a_video_of_the_challenge_of_2022():
    """ocr is a list of {time, text}, joined in the order of time, equal times as they come."""
    ocr = [{"time": 9, "text": "c"}, {"time": 0.5, "text": "a"}, {"time": 9, "text": "d"}]
    ocr += [{"time": 2, "text": ""}]
    video = read({"id": 7, "title": "t", "asr": "s", "ocr": ocr, "category_id": "0305"})
    assert video.id == b"7" and video.category == "0305" and video.split == TRAIN
    assert video.texts == {"title": "t", "asr_text": "s", "ocr_text": "a c d"}


def test_a_set_of_pictures_and_captions():
    """Without an id the file's name is one; a caption is a text or a list of some."""
    video = read({"image": "val2014/COCO_1.jpg", "caption": ["a cat ", "", " on\n a mat"]})
    assert (video.id, video.file) == (b"COCO_1", "val2014/COCO_1.jpg")
    assert video.captions == ("a cat", "on a mat")
    assert read({"id": "x", "image": "a.jpg", "caption": "one"}).captions == ("one",)


def test_columns_of_other_names():
    named = parse_columns("title=name, id=vid")
    assert named == {"title": "name", "id": "vid"}
    assert read({"vid": "1", "name": "n", "title": "no"}, named).texts == {"title": "n"}


def test_tags_and_splits():
    assert read({"id": "1", "tags": "b, a ,b,,two  words"}).tags == ("b", "a", "two words")
    assert read({"id": "1", "tags": [3, "a,b", 3]}).tags == ("3", "a,b")
    assert read({"id": "1", "tags": "a|b,c"}, separator="|").tags == ("a", "b,c")
    splits = [
        read({"id": "1", "split": s}).split for s in ("", None, "Train", "dev", "val", "test")
    ]
    assert splits == [TRAIN, TRAIN, TRAIN, VAL, VAL, TEST]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"title": "t"}, "there is no id"),
        ({"id": 7.0}, "an id is '7.0'; accepted is a text or a whole number"),
        ({"id": True}, "an id is 'True'"),
        ({"id": "a\tb"}, "tabs and line feeds end an id"),
        ({"id": "a" * 300}, "a text of 1 to 256 bytes"),
        ({"id": "1", "title": 3}, "title is '3'; accepted is a text"),
        ({"id": "1", "title": "\udcff"}, "title is no UTF-8"),
        ({"id": "1", "ocr": [{"time": "1", "text": "a"}]}, "the time of ocr_text is"),
        ({"id": "1", "ocr": [5]}, "ocr_text has '5'"),
        ({"id": "1", "split": "trian"}, "split is 'trian'; accepted are train, val and test"),
        ({"id": "1", "tags": [1.5]}, "a tag is '1.5'"),
        ({"id": "1", "caption": "a\0b"}, "caption has a NUL"),
    ],
)
def test_a_value_that_is_none(row, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        read(row)


def test_names_become_numbers_by_frequency():
    """b 3 times, a and c twice; whole numbers stay, unless one would come back otherwise."""
    made = NumberedNames.by_frequency(Counter("bbbccaa"))
    assert made.numbers == {"b": 1, "a": 2, "c": 3} and made.named
    assert list(made.name_lines()) == ["1\tb\n", "2\ta\n", "3\tc\n"]
    assert NumberedNames.by_frequency(Counter(["7", "12", "12"])).numbers == {"12": 12, "7": 7}
    assert NumberedNames.by_frequency(Counter(["07", "12"])).named
    assert NumberedNames.by_name(["10", "9"]).numbers == {"9": 9, "10": 10}


def test_parents_of_categories():
    numbers = NumberedNames.by_name(["10105", "10107", "10201"])
    assert parents_of(numbers, 3).numbers == {"101": 101, "102": 102}
    texts = NumberedNames.by_name(["0305", "0301", "0401"])
    assert texts.numbers == {"0301": 1, "0305": 2, "0401": 3}
    assert parents_of(texts, 2).numbers == {"03": 4, "04": 5}
