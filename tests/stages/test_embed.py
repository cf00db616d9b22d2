"""vidsim embed: the vectors of the Embedder and of inference, whatever names models and videos."""

import json

import numpy as np
import pytest

import vidsim
from vidsim.blending.fold_mean import fold_mean
from vidsim.cli import main
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.records.frame_reader import FrameReader
from vidsim.records.text_table import TextTable
from vidsim.records.video import Video
from vidsim.records.writer import write_videos
from vidsim.stages import embedding_output
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.checkpoint_keeper import CheckpointKeeper

WEIGHTS = {"uniter": 0.7, "mix": 0.3}


@pytest.fixture(scope="module")
def save(build_smallest, tokenizer, tags, tmp_path_factory):
    """A save folder: two recipes with two folds each, and the report of an ensemble."""
    root, members = tmp_path_factory.mktemp("runs") / "save", []
    for recipe, family in (("uniter", "uniter"), ("mix", "mix_nextvlad")):
        backbone = build_smallest(family, len(tags), len(tokenizer))
        checkpoint = Checkpoint(backbone, tokenizer, tags, {})
        for fold in (0, 1):
            for weight in backbone.trainable_weights:
                weight.assign(weight * (1 + 0.1 * fold))
            run = root / "finetune" / recipe / f"fold{fold}"
            keeper = CheckpointKeeper(run, lambda path, _, made=checkpoint: made.save(path))
            keeper.keep(7, {"spearman": 0.5})
            keeper.publish()
            (run / "done.json").write_text("{}")
            made = {"checkpoint_sha256": file_digest(run / "ckpt-7" / "config.json")}
            members.append({"recipe": recipe, "fold": fold, "file": "x", "checkpoint": None} | made)
    write_report(root, members)
    return root


def write_report(root, members, **changed):
    report = {"blend": "svd", "raw": False, "origin": {"members": members, "run_name": None}}
    report["spearman"] = {name: {"weight": weight} for name, weight in WEIGHTS.items()}
    (root / "ensemble").mkdir(exist_ok=True)
    (root / "ensemble" / "report.json").write_text(json.dumps(report | changed))


@pytest.fixture(scope="module")
def frames(videos):
    reader = FrameReader(videos)
    return [
        reader.read(np.array([row]), np.arange(n)[None], np.ones((1, n), bool))[0]
        for row, n in enumerate(videos.n_frames)
    ]


def report_of(save, **changed):
    return json.loads((save / "ensemble" / "report.json").read_text()) | changed


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def embed(flag, folder, videos, out, *more):
    words = ["embed", flag, str(folder), "--videos", str(videos), "--out", str(out), *more]
    return main([*words, "--batch-size", "16"])


def read(path):
    with np.load(path) as arrays:
        assert set(arrays) == {"ids", "embeddings"} and arrays["embeddings"].dtype == np.float32
        return arrays["ids"].tolist(), arrays["embeddings"]


@pytest.mark.slow
def test_one_file_by_checkpoint_recipe_and_blend(save, videos, frames, tmp_path, capsys):
    """A recipe is the mean of its folds' unit vectors; the cosine of a blend is 0.7 of the one
    recipe's and 0.3 of the other's."""
    pattern, given = videos.paths[0].parent / "part_*.tfrecords", (videos.titles, frames)
    singles, means = {}, {}
    for recipe in WEIGHTS:
        folder = save / "finetune" / recipe
        folds = [vidsim.Embedder.from_checkpoint(folder / f"fold{n}") for n in (0, 1)]
        singles[recipe] = [fold.encode(*given) for fold in folds]
        means[recipe] = fold_mean(singles[recipe])
        np.testing.assert_allclose(
            vidsim.Embedder.from_checkpoint(folder).encode(*given), means[recipe], atol=1e-5
        )
    assert np.abs(singles["uniter"][0] - singles["uniter"][1]).max() > 1e-3
    blended = vidsim.Embedder.from_checkpoint(save / "ensemble").encode(*given)
    assert blended.shape == (40, 16)
    expected = sum(weight * cosines(means[name]) for name, weight in WEIGHTS.items())
    np.testing.assert_allclose(cosines(blended), expected, atol=1e-5)

    uniter = save / "finetune" / "uniter"
    for name, flag, folder, vectors in (
        ("fold", "--checkpoint", uniter / "fold0", singles["uniter"][0]),
        ("recipe", "--checkpoint", uniter, means["uniter"]),
        ("blend", "--blend", save / "ensemble", blended),
    ):
        out = tmp_path / f"{name}.npz"
        assert embed(flag, folder, pattern, out, "--shard-size", "16") == 0
        ids, found = read(out)
        assert ids == [video.decode() for video in videos.ids]
        np.testing.assert_allclose(found, vectors, atol=1e-5)
        assert not (tmp_path / f"{name}.npz.parts").exists()
    before = file_digest(tmp_path / "recipe.npz")
    capsys.readouterr()
    again = (pattern, tmp_path / "recipe.npz", "--shard-size", "16")
    assert embed("--checkpoint", uniter, *again) == 0
    assert "done already" in capsys.readouterr().out
    assert file_digest(tmp_path / "recipe.npz") == before


@pytest.mark.slow
def test_a_killed_command_goes_on(save, videos, tmp_path, monkeypatch, capsys):
    """Killed in the third of four shards: the same bytes, and two shards are not made again."""
    folder, pattern = save / "finetune" / "uniter", videos.paths[0].parent / "part_*.tfrecords"
    whole, out = tmp_path / "whole", tmp_path / "out"
    size = ("--shard-size", "12")
    assert embed("--checkpoint", folder, pattern, whole, *size) == 0
    write, written = embedding_output.EmbeddingOutput.write, []

    def stop(self, number, *arrays):
        if number == 2:
            raise KeyboardInterrupt
        write(self, number, *arrays)

    def watch(self, number, *arrays):
        written.append(number)
        write(self, number, *arrays)

    monkeypatch.setattr(embedding_output.EmbeddingOutput, "write", stop)
    assert embed("--checkpoint", folder, pattern, out, *size) == 130
    monkeypatch.setattr(embedding_output.EmbeddingOutput, "write", watch)
    shard = out / "shard-000001.npz"
    shard.write_bytes(shard.read_bytes()[:100])  # and a copy that was cut
    assert embed("--checkpoint", folder, pattern, out, *size) == 0
    assert written == [1, 2, 3]
    names = sorted(path.name for path in whole.iterdir())
    assert names == ["manifest.json", *(f"shard-{n:06d}.npz" for n in range(4))]
    for name in names:
        assert (whole / name).read_bytes() == (out / name).read_bytes()
    capsys.readouterr()
    assert embed("--checkpoint", folder / "fold0", pattern, out, *size) == 1
    assert "other models or videos are there" in capsys.readouterr().err
    assert embed("--checkpoint", folder, videos.paths[0], out, *size) == 1
    assert "count: 40 -> 20" in capsys.readouterr().err


def test_a_table_is_as_records(build_smallest, tokenizer, tags, tmp_path):
    """Texts with quotes, tabs, NA and commas; one model of titles alone, three kinds of table."""
    titles = ['a "cat", 猫咪', "NA", "", "做饭 2021"]
    records = [Video(f"00{n}", title) for n, title in enumerate(titles)]
    write_videos(tmp_path / "videos.tfrecords", records)
    rows = "".join(f"00{n}\t{title}\n" for n, title in enumerate(titles))
    (tmp_path / "videos.tsv").write_text("id\ttitle\n" + rows)
    quoted = ('"' + title.replace('"', '""') + '"' for title in titles)
    rows = "".join(f"00{n},{title}\n" for n, title in enumerate(quoted))
    (tmp_path / "videos.csv").write_text("id,title\n" + rows)
    rows = [{"id": f"00{n}", "title": title or None} for n, title in enumerate(titles)]
    (tmp_path / "videos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    backbone = build_smallest("uniter", len(tags), len(tokenizer), modalities="title")
    Checkpoint(backbone, tokenizer, tags, {}).save(tmp_path / "ckpt-1")
    found = []
    for ending in ("tfrecords", "tsv", "csv", "jsonl"):
        out = tmp_path / f"{ending}.npz"
        assert embed("--checkpoint", tmp_path / "ckpt-1", tmp_path / f"videos.{ending}", out) == 0
        ids, vectors = read(out)
        assert ids == ["000", "001", "002", "003"]
        found.append(vectors)
    assert np.abs(found[0][0] - found[0][1]).max() > 1e-3
    for vectors in found[1:]:
        np.testing.assert_array_equal(vectors, found[0])


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.csv", "title\nx\n", r"no column id.* there are title"),
        ("a.csv", "id,titel\n1,x\n", r"column 'titel' is not known; the nearest are title"),
        ("a.csv", "id,title\n1,x\n,y\n", r"row 2: id b''"),
        ("a.csv", "id,title\n1,x\n2,y\n1,z\n", r"row 3: id '1' again"),
        ("a.csv", "id,title\n", r"no video"),
        ("a.csv", "", r"not a table"),
        ("a.csv", "id,title\n1,x\n2\n1,z\n", r"row 3: id '1' again"),
        ("a.tsv", "id\ttitle\n1\tx\ty\n", r"not a table"),
        ("a.jsonl", '{"id": "1"}\n{"id": 2, "title": 3}\n', r"row 2: title is 3"),
        ("a.jsonl", "[1]\n", r"a.jsonl:1: no object"),
        ("a.jsonl", '{"id": "1", "tag": 2}\n', r"column 'tag' is not known"),
    ],
)
def test_tables_with_mistakes(name, text, match, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(VidsimError, match=match):
        TextTable(tmp_path / name)


def test_what_is_refused(save, videos, tmp_path, capsys):
    """Frames of another width, a file of somebody else, models that are not there."""
    fold, path = save / "finetune" / "uniter" / "fold0", videos.paths[0]
    narrow = tmp_path / "narrow.tfrecords"
    write_videos(narrow, [Video("1", "a", np.zeros((2, 8), "float16"))])
    foreign, folder = tmp_path / "foreign.npz", tmp_path / "folder"
    foreign.write_text("mine")
    folder.mkdir()
    (folder / "mine").write_text("mine")
    out = tmp_path / "out.npz"
    for words, message in (
        (("--checkpoint", fold, narrow, out), "frames of 1536 numbers, and those of"),
        (("--checkpoint", fold, path, foreign), "something else is there"),
        (("--checkpoint", fold, path, folder), "something else is there"),
        (("--checkpoint", save, path, out), "no finished checkpoint here"),
        (("--checkpoint", save / "ensemble", path, out), "name this folder by --blend"),
        (("--blend", fold, path, out), "name this folder by --checkpoint"),
        (("--checkpoint", fold, save, out), "a folder without"),
    ):
        assert embed(*words) == 1
        assert message in capsys.readouterr().err
    assert not out.exists() and foreign.read_text() == "mine"
    assert [path.name for path in folder.iterdir()] == ["mine"]
    aligned = tmp_path / "save" / "ensemble"
    aligned.mkdir(parents=True)
    for changed, message in (
        ({"blend": "aligned"}, "the blend is 'aligned'"),
        ({}, "the checkpoint that was blended is not there"),
        ({"origin": 3}, "not the report of an ensemble"),
    ):
        (aligned / "report.json").write_text(json.dumps(report_of(save, **changed)))
        with pytest.raises(VidsimError, match=message):
            vidsim.Embedder.from_checkpoint(aligned)
    (tmp_path / "recipe" / "fold0").mkdir(parents=True)
    with pytest.raises(VidsimError, match="fold0: not finished"):
        vidsim.Embedder.from_checkpoint(tmp_path / "recipe")
