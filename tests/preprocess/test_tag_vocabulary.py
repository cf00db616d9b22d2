"""Tag ids to columns, and every way a tag list can be wrong."""

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.preprocess.tag_vocabulary import TagVocabulary


@pytest.fixture
def tag_file(tmp_path):
    def write(text):
        path = tmp_path / "tag_list.txt"
        path.write_bytes(text.encode())
        return path

    return write


def test_columns_are_ascending_ids(tag_file):
    tags = TagVocabulary.read(tag_file("\ufeff300\r\n\n 7 \r\n9223372036854775807\n20\n"))
    assert tags.ids.tolist() == [7, 20, 300, 2**63 - 1]
    assert len(tags) == 4


def test_unknown_tags_are_left_out():
    """Below, between and above the known ones; a row of unknown tags is empty."""
    tags = TagVocabulary(np.array([10, 20, 30]))
    values = np.array([30, 15, 10, 5, 99, 20, 20])
    columns = tags.columns(values, np.array([0, 3, 3, 5, 7]))
    rows = [row.tolist() for row in np.split(columns.values, columns.splits[1:-1])]
    assert rows == [[2, 0], [], [], [1, 1]]
    assert columns.multi_hot(np.arange(4), 3).tolist() == [
        [1, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
        [0, 1, 0],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10\n\ncat\n", r"tag_list\.txt:3: 'cat'; accepted is a list of tag ids, one integer"),
        ("10\n20\t \tx\n", r"tag_list\.txt:2: '20\\t \\tx'; accepted"),
        ("10\n1.5\n", r"tag_list\.txt:2: '1\.5'; accepted"),
        ("10\n1_0\n", r"tag_list\.txt:2: '1_0'; accepted"),
        ("10\n１１\n", r"tag_list\.txt:2: '１１'; accepted"),
        ("9223372036854775808\n", r"tag_list\.txt:1: '9223372036854775808'; .*at most 64 bits"),
        ("7" * 5000, r"tag_list\.txt:1: '7{80}'\.\.\. of 5,000 characters; accepted"),
        ("10\n20\n\n10\n", r"tag_list\.txt:4: tag 10 stands in line 1 already"),
        ("\n  \n", r"tag_list\.txt: no tag ids"),
    ],
)
def test_errors_name_file_and_line(tag_file, text, message):
    with pytest.raises(VidsimError, match=message):
        TagVocabulary.read(tag_file(text))


def test_what_is_no_text(tmp_path):
    with pytest.raises(VidsimError, match=r"cannot be read .*; accepted is a list of tag ids"):
        TagVocabulary.read(tmp_path / "tags")
    with pytest.raises(VidsimError, match="cannot be read"):
        TagVocabulary.read(tmp_path)
    (tmp_path / "tags").write_bytes(b"\xff\xfe1\x00\n\x00")
    with pytest.raises(VidsimError, match="tags: not UTF-8 text"):
        TagVocabulary.read(tmp_path / "tags")


def test_digest_is_of_the_ids_in_order(tag_file):
    digest = TagVocabulary.read(tag_file("1\n2\n")).digest
    assert TagVocabulary.read(tag_file("2\n1")).digest == digest
    assert TagVocabulary.read(tag_file("1\n3\n")).digest != digest
