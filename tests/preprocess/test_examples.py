"""Batches of videos, against the records they come from."""

import numpy as np
import pytest

from vidsim import schema
from vidsim.models.configs import BackboneConfig
from vidsim.preprocess.cut_titles import TITLE_TOKENS, CutTitles
from vidsim.preprocess.example_store import ExampleStore
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.frames import sample_frames
from vidsim.records.frame_reader import FrameReader


@pytest.mark.parametrize("rows", [[3, 0, 39, 25], [1, 9], [4, 4]])
def test_a_batch_is_what_the_records_say(examples, videos, tokenizer, rows):
    batch = examples.batch(np.array(rows))
    for place, row in enumerate(rows):
        words = tokenizer.encode([videos.titles[row]], 6).values
        real = batch[schema.TOKEN_MASK][place]
        np.testing.assert_array_equal(batch[schema.TOKEN_IDS][place][real], words)
        assert (batch[schema.TOKEN_IDS][place][~real] == tokenizer.special.pad).all()

        n = int(videos.n_frames[row])
        index, taken = sample_frames(np.array([n]), 8)
        frames = batch[schema.FRAMES][place][batch[schema.FRAME_MASK][place]]
        every = np.arange(max(n, 1))[None]
        whole = FrameReader(videos).read(np.array([row]), every, every < n)[0]
        np.testing.assert_array_equal(frames, whole[index[taken]])
        assert not batch[schema.FRAMES][place][~batch[schema.FRAME_MASK][place]].any()

        begin, end = videos.tag_splits[row : row + 2]
        tags = videos.tag_values[begin:end].tolist()
        assert batch[schema.TAGS][place].tolist() == [int(t in tags) for t in (10, 20, 30, 40)]


def test_padded_to_its_own_longest(examples, videos):
    """Rows 1 and 9 have no frames; row 0 has no title."""
    batch = examples.batch(np.array([1, 9]))
    assert batch[schema.FRAMES].shape == (2, 1, 1536)
    assert not batch[schema.FRAME_MASK].any()
    assert examples.batch(np.array([0]))[schema.TOKEN_MASK].shape == (1, 2)
    assert {key: value.dtype.name for key, value in batch.items()} == {
        schema.TOKEN_IDS: "int32",
        schema.TOKEN_MASK: "bool",
        schema.FRAMES: "float16",
        schema.FRAME_MASK: "bool",
        schema.TAGS: "uint8",
    }


def test_the_sampling_rule_is_the_configured_one(videos, tokenizer, tags):
    """Row 4 has 63 frames; of 32, the published rule takes the first, the uniform one all over."""
    taken = []
    for rule in ("published", "uniform"):
        config = BackboneConfig(max_frames=32, frame_sampling=rule)
        taken.append(Examples(videos, tokenizer, tags, config).batch(np.array([4]))[schema.FRAMES])
    whole = FrameReader(videos).read(np.array([4]), np.arange(63)[None], np.ones((1, 63), bool))
    np.testing.assert_array_equal(taken[0], whole[:, :32])
    np.testing.assert_array_equal(taken[1][:, -1], whole[:, 62])


def test_one_modality_alone_is_the_other_one_empty(videos, tokenizer, tags):
    """Row 4 has a title and 63 frames."""
    row = np.array([4])
    both, title, frames = (
        Examples(videos, tokenizer, tags, BackboneConfig(modalities=which)).batch(row)
        for which in ("both", "title", "frames")
    )
    np.testing.assert_array_equal(title[schema.TOKEN_IDS], both[schema.TOKEN_IDS])
    assert title[schema.FRAME_MASK].tolist() == [[False]]
    np.testing.assert_array_equal(frames[schema.FRAMES], both[schema.FRAMES])
    assert frames[schema.TOKEN_IDS].tolist() == [[tokenizer.special.cls, tokenizer.special.sep]]


def test_titles_that_were_cut_are_counted(videos, tokenizer, tags, examples):
    """Against each title's tokens without a limit; and the limit is the one of the recipes."""
    lengths = [len(tokenizer.encode([title], 999).values) for title in videos.titles]
    count = sum(length > 6 for length in lengths)
    assert 0 < count < 40
    assert examples.cut_titles == CutTitles(count, 40, max(lengths), 6)
    share = f"{100 * count / 40:.1f} %"
    assert examples.cut_titles.text().startswith(f"{count} of 40 titles ({share}) have more than 6")
    assert CutTitles(0, 0, 0, 32).text() == "no title has more than 32 tokens"
    assert BackboneConfig().bert_seq_length == TITLE_TOKENS
    unread = Examples(videos, tokenizer, tags, BackboneConfig(modalities="frames"))
    assert unread.cut_titles.count == 0


def test_the_store_forgets_what_was_not_asked_for_the_longest(videos, tokenizer, tags):
    """Two are kept: lengths 5 and 6, then 5 again, then 7 in place of 6."""
    store = ExampleStore(most=2)

    def get(length):
        return store.get(videos, tokenizer, tags, BackboneConfig(bert_seq_length=length))

    five, six = get(5), get(6)
    assert get(5) is five
    get(7)
    assert get(5) is five
    assert get(6) is not six
