"""Batches of videos, against the records they come from."""

import numpy as np
import pytest

from vidsim import schema
from vidsim.models.configs import BackboneConfig
from vidsim.preprocess.cuts import MOST_FRAMES, TITLE_TOKENS, CutTexts
from vidsim.preprocess.example_store import ExampleStore
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.frames import sample_frames
from vidsim.preprocess.title_tokenizer import TitleTokenizer
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

        tags = videos.numbers("tag_id")
        tags = tags.values[tags.splits[row] : tags.splits[row + 1]].tolist()
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


def test_what_is_left_out_is_counted(videos, tokenizer, tags, examples):
    """Titles against their tokens without a limit; frames and tags by hand, of the fixture's rule.

    N_FRAMES above 8: 33, 63 and 9 in each eight videos. Two tags of five each in 30 videos.
    """
    lengths = [len(tokenizer.encode([title], 999).values) for title in videos.titles]
    count = sum(length > 6 for length in lengths)
    assert 0 < count < 40
    texts, (unknown, frames, unlisted) = examples.cuts.texts, examples.cuts.left
    read = [tokenizer.encode([title], 6).values[1:-1].tolist() for title in videos.titles]
    tokens = [token for title in read for token in title]
    expected = (tokens.count(tokenizer.special.unk), len(tokens))
    assert (unknown.count, unknown.total) == expected
    assert texts == (CutTexts(count, 40, max(lengths), 6),)
    assert (frames.count, frames.total) == (5 * (25 + 55 + 1), 5 * 121)
    values = videos.numbers("tag_id").values
    assert (unlisted.count, unlisted.total) == (int((values == 77).sum()), 60)
    share = f"{100 * count / 40:.1f} %"
    said = examples.cuts.text()
    assert said.startswith(f"{count} of 40 titles ({share}) have more than 6 tokens and are cut")
    assert "; 405 of 605 frames are not taken: at most 8 of a video are; " in said
    assert said.endswith(f"; {unlisted.count} of 60 tags are not in the tag list")
    assert CutTexts(0, 0, 0, 32).text() == "no title has more than 32 tokens"
    assert (BackboneConfig().bert_seq_length, BackboneConfig().max_frames) == (32, MOST_FRAMES)
    assert BackboneConfig().texts == (("title", TITLE_TOKENS),)
    other = TitleTokenizer.train(["nothing of these"], 99)
    unknown = Examples(videos, other, tags, BackboneConfig(bert_seq_length=6)).cuts.left[0]
    assert unknown.count == unknown.total > 0
    assert f"{unknown.total} of {unknown.total} tokens are not in the vocabulary" in unknown.text()
    unread = Examples(videos, tokenizer, tags, BackboneConfig(modalities="frames"))
    assert unread.cuts.texts[0].count == 0


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
