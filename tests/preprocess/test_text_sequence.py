"""Several text fields as one sequence, worked out by hand; tensors of other fields, by name."""

import numpy as np
import pytest

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.configs import BackboneConfig
from vidsim.preprocess.category_vocabulary import CategoryVocabulary
from vidsim.preprocess.example_store import ExampleStore
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.preprocess.pipeline import embedding_dataset
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.text_sequence import FieldTexts, text_sequences
from vidsim.preprocess.title_tokenizer import SPECIAL, TitleTokenizer, bert_tokenizer
from vidsim.records.video import Video
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos

WORDS = {word: number for number, word in enumerate([*SPECIAL, *"abcdefgh"])}
CLS, SEP = WORDS["[CLS]"], WORDS["[SEP]"]
A, B, C, D, E, F = (WORDS[letter] for letter in "abcdef")


@pytest.fixture
def letters() -> TitleTokenizer:
    """Of one-letter words."""
    return TitleTokenizer(bert_tokenizer(WORDS))


def test_derived_sequences_types_and_what_was_cut(letters):
    """Title of 4 tokens with [CLS] and [SEP], transcript of 3 and signs of 2, each with [SEP]."""
    fields = [
        FieldTexts("title", ["a b c", "", "", "a"], 4),
        FieldTexts("asr_text", ["d e f", "d", "", ""], 3),
        FieldTexts("ocr_text", ["f", "e f", " ", "b"], 2),
    ]
    made = text_sequences(letters, fields)
    ids, mask = made.tokens.pad(np.arange(4))
    types, _ = made.types.pad(np.arange(4))
    assert [row[real].tolist() for row, real in zip(ids, mask, strict=True)] == [
        [CLS, A, B, SEP, D, E, SEP, F, SEP],
        [CLS, D, SEP, E, SEP],
        [CLS, SEP],
        [CLS, A, SEP, B, SEP],
    ]
    assert [row[real].tolist() for row, real in zip(types, mask, strict=True)] == [
        [0, 0, 0, 0, 1, 1, 1, 2, 2],
        [0, 1, 1, 2, 2],
        [0, 0],
        [0, 0, 0, 2, 2],
    ]
    counted = [(cut.field, cut.count, cut.longest, cut.limit) for cut in made.cuts]
    assert counted == [("title", 1, 5, 4), ("asr_text", 1, 4, 3), ("ocr_text", 1, 3, 2)]
    said = "1 of 4 asr_texts (25.0 %) have more than 3 tokens and are cut, the longest has 4"
    assert made.cuts[1].text() == said
    alone = text_sequences(letters, fields[:1])
    assert alone.types is None
    assert alone.tokens.values.tolist() == letters.encode(fields[0].texts, 4).values.tolist()


def test_flags_of_text_fields_are_checked():
    texts = BackboneConfig(text_fields="title, asr_text", text_lengths="8,16")
    assert texts.texts == (("title", 8), ("asr_text", 16)) and texts.encoder(99).max_positions == 32
    for wrong, said in (
        ({"text_fields": "title,sound"}, "--text-fields .*different ones of title, asr_text"),
        ({"text_fields": "title,title"}, "--text-fields"),
        ({"text_lengths": "8,9"}, "--text-lengths .* one for each of --text-fields title"),
        ({"text_lengths": "2"}, "--text-lengths .*whole numbers from 3"),
    ):
        with pytest.raises(VidsimError, match=said):
            BackboneConfig(**wrong).check_fields()


def vectors(count: int, width: int) -> np.ndarray:
    return (np.arange(count * width).reshape(count, width) / 8).astype("float16")


@pytest.fixture
def table(tmp_path):
    """Two videos of every field, frames of 6 numbers, and one of which only the id is known."""
    more = {"action_feature": vectors(3, 4), "action_label": [5, 9]}
    regions = {"region_feature": vectors(2, 7), "region_box": vectors(2, 5)}
    made = [
        Video("1", "a b", vectors(4, 6), (10,), 70, "c d", more | regions),
        Video("2"),
        Video("3", "", vectors(1, 6), (), 71, "e", {"action_label": [9], "ocr_text": "f"}),
    ]
    write_videos(tmp_path / "v.tfrecords", made)
    return load_videos(tmp_path / "v.tfrecords")


SHAPE = BackboneConfig(text_fields="title,asr_text,ocr_text", text_lengths="8,8,8", max_frames=2)


def test_tensors_by_name(table, letters, tags):
    """Nothing but what is asked for is made, and its column loaded."""
    names = (schema.TOKEN_IDS, schema.TOKEN_MASK, schema.ACTIONS, schema.ACTION_MASK)
    names += (schema.REGIONS, schema.REGION_MASK, schema.REGION_BOXES, schema.ACTION_LABELS)
    classes = CategoryVocabulary.of(table.number(schema.CATEGORY_ID))
    actions = TagVocabulary.of(table.numbers(schema.ACTION_LABEL).values)
    wanted = InputTensors((*names, schema.CATEGORY), {}, classes, actions)
    examples = Examples(table, letters, None, SHAPE, wanted)
    batch = examples.batch(np.arange(3))
    assert tuple(batch) == (*names[:2], schema.TOKEN_TYPES, *names[2:], schema.CATEGORY)
    assert batch[schema.CATEGORY].tolist() == [0, -1, 1] and batch[schema.CATEGORY].dtype == "int32"
    assert batch[schema.ACTION_LABELS].tolist() == [[1, 1], [0, 0], [0, 1]]
    assert batch[schema.ACTIONS].shape == (3, 2, 4) and batch[schema.REGIONS].shape == (3, 2, 7)
    np.testing.assert_array_equal(batch[schema.REGION_BOXES][0], vectors(2, 5))
    np.testing.assert_array_equal(batch[schema.ACTIONS][0], vectors(3, 4)[[0, 2]])
    for mask in (schema.ACTION_MASK, schema.REGION_MASK):
        assert batch[mask].tolist() == [[True, True], [False, False], [False, False]]
    assert {"frame_feature", "tag_id"}.isdisjoint(table.columns.loaded)
    assert "1 of 3 actions are not taken" in examples.cuts.text()
    (element,) = embedding_dataset(examples, np.arange(3), 3)
    assert set(element) == {*batch} - {schema.ACTION_LABELS, schema.CATEGORY}
    for name, tensor in element.items():
        np.testing.assert_array_equal(tensor, batch[name])
    with pytest.raises(ValueError, match="category needs the vocabulary"):
        Examples(table, letters, None, SHAPE, InputTensors((*names[:2], schema.CATEGORY)))


def test_what_is_not_there_is_not_made(table, letters, tags, tmp_path):
    """No tag list: no TAGS. No frames: those of the model's width, all masked; or an error."""
    assert schema.TAGS not in Examples(table, letters, None, SHAPE).names
    assert "tag_id" not in table.columns.loaded
    write_videos(tmp_path / "t.tfrecords", [Video("1", "a")])
    titles = load_videos(tmp_path / "t.tfrecords")
    with pytest.raises(VidsimError, match="frame_feature: not one vector in the 1 videos of"):
        Examples(titles, letters, tags, SHAPE)
    frames = Examples(titles, letters, tags, SHAPE, InputTensors.of({schema.FRAMES: 6}))
    batch = frames.batch(np.array([0]))
    assert batch[schema.FRAMES].shape == (1, 1, 6) and not batch[schema.FRAME_MASK].any()
    alone = Examples(titles, letters, tags, SHAPE, InputTensors.of({}))
    assert schema.FRAMES not in alone.names and alone.lengths(np.array([0])).tolist() == [[3, 0]]
    with pytest.raises(VidsimError, match=r"of 1536 numbers are expected, and those of .* have 6"):
        Examples(table, letters, tags, SHAPE, InputTensors.of({schema.FRAMES: 1536}))
    store = ExampleStore()
    one = store.get(table, letters, tags, SHAPE)
    assert store.get(table, letters, tags, SHAPE) is one
    assert store.get(table, letters, None, SHAPE) is not one


def test_a_category_list_is_read_and_refused(tmp_path, table):
    path = tmp_path / "category_list.txt"
    path.write_text("71\t7\n70\t7\n\n9\n")
    found = CategoryVocabulary.read(path)
    assert found.ids.tolist() == [9, 70, 71] and found.parent_ids.tolist() == [7, 9]
    assert found.parents.tolist() == [1, 0, 0]
    assert found.classes(table.number(schema.CATEGORY_ID)).tolist() == [1, -1, 2]
    path.write_text(found.lines())
    assert CategoryVocabulary.read(path).digest == found.digest
    for content, said in (
        ("", "no category ids"),
        ("1\n1\n", "category_list.txt:2: category 1 stands in line 1 already"),
        ("1\t2\t3\n", "category_list.txt:1: .*an id, a tab and the id of its parent"),
        ("1\t\n", "category_list.txt:1: "),
        ("news\n", "category_list.txt:1: 'news'"),
    ):
        path.write_text(content)
        with pytest.raises(VidsimError, match=said):
            CategoryVocabulary.read(path)
