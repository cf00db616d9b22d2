"""The sample data set: the challenge's files, the same everywhere, worth learning from."""

import hashlib

import numpy as np
import pytest
from scipy.stats import spearmanr

from vidsim.errors import VidsimError
from vidsim.records import sample as sample_module
from vidsim.records.frame_reader import FrameReader
from vidsim.records.labels import read_labels
from vidsim.records.sample import UNLISTED_TAG, write_sample
from vidsim.records.sample_captions import SCENES
from vidsim.records.sample_titles import THEMES, make_title
from vidsim.records.video_table import VideoTable, load_videos

FILES = {
    "pairwise/label.tsv": "1c87c04ba8ad",
    "pairwise/pairwise.tfrecords": "48668e408410",
    "pointwise/pretrain_0.tfrecords": "d278e02fd8fc",
    "pointwise/pretrain_1.tfrecords": "017c4f535a0e",
    "retrieval/captions.tsv": "781ac17d7724",
    "retrieval/test_captions.tsv": "934054fe7bab",
    "tag_list.txt": "7428fc834e07",
    "test_a/test_a.tfrecords": "285abcca3112",
    "test_b/label.tsv": "79e68ae6523d",
    "test_b/test_b.tfrecords": "9ec9ed30ef88",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The sample written once more, and what its videos are really about, by id."""
    made = {}
    make = sample_module._make_video

    def note(*arguments):
        video = make(*arguments)
        made[video.video.id.encode()] = video
        return video

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_module, "_make_video", note)
        write_sample(tmp_path_factory.mktemp("again") / "sample")
    return made


def tags_of(table: VideoTable, row: int) -> list[int]:
    tags = table.numbers("tag_id")
    return tags.values[tags.splits[row] : tags.splits[row + 1]].tolist()


def test_golden_bytes(sample):
    """Integer arithmetic only: the digest must be equal on every machine."""
    names = [path.relative_to(sample) for path in sample.rglob("*") if path.is_file()]
    ours = {
        str(name): hashlib.sha256((sample / name).read_bytes()).hexdigest()[:12]
        for name in names
        if not name.name.endswith(".index.npz")
    }
    assert ours == FILES


def test_counts_and_places(sample):
    sizes = {name: len(load_videos(sample / name)) for name in FILES if "tfrecords" in name}
    assert list(sizes.values()) == [240, 120, 120, 20, 100]
    everything = load_videos([sample / name for name in sizes])
    assert len(set(everything.ids.tolist())) == 600
    assert all(video_id.isdigit() for video_id in everything.ids)
    assert {len(video_id) for video_id in everything.ids.tolist()} >= {16, 17, 18, 19}
    assert len(read_labels(sample / "pairwise" / "label.tsv")) == 1320 == 11 * 120
    assert len(read_labels(sample / "test_b" / "label.tsv")) == 300
    assert everything.n_frames.max() == 63
    assert 11 < everything.n_frames.mean() < 14


def test_awkward_cases_are_there(sample):
    table = load_videos(sample / "pairwise" / "pairwise.tfrecords")
    assert table.n_frames[:4].tolist() == [0, 1, 33, 63]
    assert table.titles.count("") == 1
    assert not all(tags_of(table, row) for row in range(len(table)))
    listed = [int(line) for line in (sample / "tag_list.txt").read_text().split()]
    assert len(set(listed)) == len(listed) == 32
    assert set(table.numbers("tag_id").values.tolist()) - set(listed) == {UNLISTED_TAG}
    assert b"nan" in (sample / "pairwise" / "pairwise.tfrecords").read_bytes()
    pairs = read_labels(sample / "pairwise" / "label.tsv")
    ids, counts = np.unique(np.concatenate([pairs.id_1, pairs.id_2]), return_counts=True)
    assert counts.max() >= 40
    assert len(ids) == 239
    assert set(ids.tolist()) < set(table.ids.tolist())
    for name in ("test_a", "test_b"):
        test = load_videos(sample / name / f"{name}.tfrecords")
        assert test.n_frames[:4].tolist() == [0, 1, 33, 63] and test.titles[4] == ""
        data = (sample / name / f"{name}.tfrecords").read_bytes()
        assert b"tag_id" not in data and b"category_id" not in data


def test_pairs_are_different_and_ratings_have_four_decimals(sample):
    for name in ("pairwise", "test_b"):
        lines = (sample / name / "label.tsv").read_text().splitlines()
        pairs = {frozenset(line.split("\t")[:2]) for line in lines}
        assert len(pairs) == len(lines) and {len(pair) for pair in pairs} == {2}
        assert {len(line.split("\t")[2]) for line in lines} == {6}


def test_rating_needs_title_and_frames(sample, made):
    """What knows both explains the ratings; what knows one of them is clearly worse."""
    pairs = read_labels(sample / "pairwise" / "label.tsv")

    def cosine(name: str) -> np.ndarray:
        first, second = (
            np.array([getattr(made[video_id], name) for video_id in ids.tolist()], float)
            for ids in (pairs.id_1, pairs.id_2)
        )
        norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        return (first * second).sum(axis=1) / np.maximum(norms, 1)

    title, frames = cosine("theme_counts"), cosine("scene_counts")
    assert spearmanr(title + frames, pairs.sim)[0] > 0.97
    assert 0.6 < spearmanr(title, pairs.sim)[0] < 0.75
    assert 0.6 < spearmanr(frames, pairs.sim)[0] < 0.75
    assert abs(spearmanr(title, frames)[0]) < 0.1


def test_features_show_the_scenes_and_tags_follow_both(sample, made):
    table = load_videos(sample / "pairwise" / "pairwise.tfrecords")
    index = np.zeros((len(table), 1), int)
    first = FrameReader(table).read(np.arange(len(table)), index, table.n_frames[:, None] > 0)
    first = first[:, 0].astype(np.float32)
    truth = [made[video_id] for video_id in table.ids.tolist()]
    pure = [row for row, it in enumerate(truth) if (it.scene_counts > 0).sum() == 1]
    scene = np.array([truth[row].scene_counts.argmax() for row in pure])
    unit = first[pure] / np.linalg.norm(first[pure], axis=1, keepdims=True)
    cosines, same = unit @ unit.T, scene[:, None] == scene
    np.fill_diagonal(same, False)
    assert cosines[same].min() > 0.5 > 0.2 > cosines[scene[:, None] != scene].max()
    for counts, first_tag in (("theme_counts", 0), ("scene_counts", 8)):
        tags = set(sample_module._TAGS[first_tag : first_tag + 8])
        right = [
            sample_module._TAGS[first_tag + int(number)] in tags_of(table, row)
            for row in range(len(table))
            for number in [getattr(truth[row], counts).argmax()]
            if tags & set(tags_of(table, row)) and getattr(truth[row], counts).any()
        ]
        assert len(right) > 150 and np.mean(right) > 0.8


def test_sentences_tell_the_scenes(sample, made):
    """Two of each video that has frames, by words of its scenes and of no other."""
    words = [word for scene in SCENES for word in scene]
    assert len(set(words)) == len(words) == 24
    told = {}
    for name in ("captions", "test_captions"):
        for line in (sample / "retrieval" / f"{name}.tsv").read_text("utf-8").splitlines():
            video_id, sentence = line.split("\t")
            told.setdefault(video_id.encode(), []).append(sentence)
    with_frames = {video_id for video_id, it in made.items() if it.scene_counts.any()}
    test_a = set(load_videos(sample / "test_a" / "test_a.tfrecords").ids.tolist())
    assert set(told) == with_frames - test_a
    for video_id, sentences in told.items():
        assert len(sentences) == 2
        for sentence in sentences:
            found = [any(word in sentence for word in scene) for scene in SCENES]
            assert found == (made[video_id].scene_counts > 0).tolist()


def test_titles_hold_the_words_they_are_counted_for():
    words = [word for theme in THEMES for word in theme]
    assert len(set(words)) == len(words) == 64
    titles = []
    for seed in range(300):
        title, counts = make_title(np.random.default_rng(seed), seed % 8, (seed + 1) % 8)
        found = [sum(word in title for word in theme) for theme in THEMES]
        assert found == counts.tolist()
        assert counts[seed % 8] >= counts[(seed + 1) % 8] and 3 <= counts.sum() <= 5
        titles.append(title)
    assert len(set(titles)) > 290


def test_nothing_of_the_users_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(VidsimError, match="is not empty"):
        write_sample(tmp_path)
    with pytest.raises(VidsimError, match="is not empty"):
        write_sample(tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_sample_leaves_no_folder(tmp_path, monkeypatch, sample):
    folder = tmp_path / "new" / "sample"
    with monkeypatch.context() as patch:
        patch.setattr(sample_module, "_rate_pairs", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_sample(folder)
    assert not folder.exists()
    folder.mkdir()  # an empty folder of the user's will do
    write_sample(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["sample"]
    assert (folder / "tag_list.txt").read_bytes() == (sample / "tag_list.txt").read_bytes()
