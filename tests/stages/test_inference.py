"""Inference at the smallest size: what is read how often, and what a kill leaves to do."""

import os
import shutil

import numpy as np
import pytest

from vidsim.blending import member_writer
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest, write_json
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.records.fold_manifest import FoldEntry, FoldManifest, write_folds
from vidsim.records.pairs import Pairs
from vidsim.records.writer import thin_pair_records, write_records
from vidsim.stages import inference
from vidsim.tasks import data_files
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.similarity.task import Similarity
from vidsim.training.checkpoint import Checkpoint

FAMILIES = {"mix": "mix_nextvlad", "mix_asl": "mix_nextvlad", "uniter": "uniter"}
SHARD, BATCH = 8, 40  # 40 test videos are 5 shards, a fold's 12 validated ones 2


class KilledError(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def common(videos, tokenizer, tags, build_smallest, tmp_path_factory):
    """40 videos, two folds, and a finetuned checkpoint of three recipes for each."""
    root = tmp_path_factory.mktemp("inference")
    data = root / "data"
    for name in ("pairwise/pairwise.tfrecords", "test_b/test_b.tfrecords"):
        (data / name).parent.mkdir(parents=True)
        (data / name).write_bytes(b"".join(path.read_bytes() for path in videos.paths))
    entries = []
    for fold in (0, 1):
        ids = videos.ids[fold * 12 : fold * 12 + 12]
        pairs = Pairs(ids[:6], ids[6:], np.linspace(0, 1, 6, dtype="float32"))
        for part in ("train", "val"):
            path = data / "pairwise" / f"{fold}-{fold}val" / f"{part}.tfrecord"
            write_records(path, thin_pair_records(pairs))
        entries.append(FoldEntry(fold, f"{fold}-{fold}val", 6, 6, 12, 0))
    write_folds(data, FoldManifest({}, {}, tuple(entries)))
    for number, (recipe, family) in enumerate(FAMILIES.items()):
        backbone = build_smallest(family, vocab_size=len(tokenizer))
        for fold in (0, 1):
            for weight in backbone.weights:
                if "seed" not in weight.path:
                    weight.assign(weight.numpy() * (1 + 0.1 * (2 * number + fold)))
            run = root / "save" / "finetune" / recipe / f"fold{fold}"
            Checkpoint(backbone, tokenizer, tags, {}).save(run / "ckpt-1")
            write_json(run / "checkpoints.json", {"best": {"folder": "ckpt-1"}})
            write_json(run / "done.json", {})
    return Common(data_dir=data, save_dir=root / "save", recipes=",".join(FAMILIES))


@pytest.fixture
def fresh(common, tmp_path):
    """The same in a save folder of its own, with nothing embedded."""
    shutil.copytree(common.save_dir / "finetune", tmp_path / "save" / "finetune")
    return lambda **flags: Common(data_dir=common.data_dir, save_dir=tmp_path / "save", **flags)


class Model:
    """In place of the model: a number for each video, the same in every batch."""

    def __init__(self, *_):
        self.checkpoint = None

    def load(self, folder):
        self.checkpoint = int(file_digest(folder / "config.json")[:4], 16)
        return self


def predict(task, model, job, part):
    rows = job.rows[part]
    numbers = np.stack([rows, np.full(len(rows), model.checkpoint)], axis=1)
    return {"embedding": numbers.astype("float32")}


def embed(common):
    inference.run(common, InferenceConfig(test_batch_size=BATCH))


def written(common):
    """Every file under inference/ but locks, with its content."""
    folder = common.save_dir / "inference"
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): file_digest(path) for path in files}


@pytest.mark.slow
def test_data_are_read_and_titles_tokenized_once(fresh, monkeypatch):
    """Three recipes of two families and two folds over two files of videos: six checkpoints."""
    encoded, loaded = [], []
    encode, load = TitleTokenizer.encode, data_files.load_videos
    monkeypatch.setattr(
        TitleTokenizer, "encode", lambda *args: encoded.append(len(args[1])) or encode(*args)
    )
    monkeypatch.setattr(
        data_files, "load_videos", lambda *args: loaded.append(args[0]) or load(*args)
    )
    common = fresh(recipes=",".join(FAMILIES))
    embed(common)
    assert len([name for name in written(common) if name.endswith(".npz")]) == 12
    assert len(loaded) == len(set(loaded)) == 2
    assert encoded == [40]  # both files have the same videos


@pytest.mark.slow
def test_videos_are_tokenized_for_each_way_they_are_read(fresh, tokenizer, tags, build_smallest):
    """A recipe with another title length shares nothing: it would be given the others' tokens."""
    backbone = build_smallest("uniter", vocab_size=len(tokenizer), bert_seq_length=4)
    common = fresh(recipes="uniter", folds="0")
    run = common.save_dir / "finetune" / "uniter" / "fold0"
    shutil.rmtree(run / "ckpt-1")
    Checkpoint(backbone, tokenizer, tags, {}).save(run / "ckpt-1")
    alone = fresh(recipes="uniter", folds="0")
    embed(alone)
    expected = written(alone)["uniter/fold0.npz"]
    shutil.rmtree(alone.save_dir / "inference")
    together = fresh(recipes="mix,uniter", folds="0")
    embed(together)
    assert written(together)["uniter/fold0.npz"] == expected


@pytest.mark.slow
def test_killed_anywhere(fresh, monkeypatch, capsys):
    """At every rename and removal: the same files in the end, and no shard embedded twice."""
    monkeypatch.setattr(inference, "_Predictor", Model)
    monkeypatch.setattr(Similarity, "predict", predict)
    monkeypatch.setattr(member_writer, "SHARD", SHARD)
    common = fresh(recipes="uniter", folds="0")
    operations, life = [], [10**6]

    def counted(operation):
        def run(path, *rest, **named):
            if len(operations) >= life[0]:
                raise KilledError
            operations.append(str(rest[0] if rest else path))
            return operation(path, *rest, **named)

        return run

    for module, name in ((os, "replace"), (shutil, "rmtree")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    embed(common)
    whole, every = written(common), list(operations)
    assert set(whole) == {f"uniter/fold0{end}" for end in (".npz", "_val.npz", ".json")}
    shards = [path for path in every if path.endswith(".npy")]
    assert len(shards) == 5 + 2
    resumed = 0
    for death in range(len(every)):
        shutil.rmtree(common.save_dir / "inference", ignore_errors=True)
        operations.clear()
        life[0] = death
        with pytest.raises(KilledError):
            embed(common)
        life[0] = 10**6
        capsys.readouterr()
        embed(common)
        assert written(common) == whole, f"killed before {every[death]}"
        again = [path for path in operations if path.endswith(".npy")]
        assert sorted(again) == sorted(shards)
        resumed += "goes on where it was interrupted" in capsys.readouterr().out
    assert resumed >= len(shards)
    assert not list(common.save_dir.rglob("*.parts"))


def test_shards_of_another_checkpoint_are_not_used(fresh, monkeypatch):
    monkeypatch.setattr(inference, "_Predictor", Model)
    monkeypatch.setattr(Similarity, "predict", predict)
    monkeypatch.setattr(member_writer, "SHARD", SHARD)
    common = fresh(recipes="uniter", folds="0")
    embed(fresh(recipes="uniter", folds="1"))
    save = member_writer.MemberWriter.write

    def write(self, rows, embedding):
        save(self, rows, embedding)
        if rows.start == 2 * SHARD:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(member_writer.MemberWriter, "write", write)
        with pytest.raises(KilledError):
            embed(common)
    parts = common.save_dir / "inference" / "uniter" / "fold0.parts"
    assert len(list(parts.glob("*.npy"))) == 3
    runs = common.save_dir / "finetune" / "uniter"
    shutil.rmtree(runs / "fold0")
    shutil.copytree(runs / "fold1", runs / "fold0")
    embed(common)
    files = written(common)
    assert files["uniter/fold0.npz"] == files["uniter/fold1.npz"]


@pytest.mark.slow
def test_what_the_shards_make_is_what_one_pass_makes(fresh, monkeypatch):
    """The same vectors, but for sums in batches of other lengths; the bytes of numpy.savez."""
    common = fresh(recipes="mix", folds="0")
    embed(common)
    path = common.save_dir / "inference" / "mix" / "fold0.npz"
    with np.load(path) as arrays:
        whole = dict(arrays)
    shutil.rmtree(path.parent)
    monkeypatch.setattr(member_writer, "SHARD", SHARD)
    embed(common)
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["id"], whole["id"])
        np.testing.assert_allclose(arrays["embedding"], whole["embedding"], atol=1e-5)
        assert np.ptp(arrays["embedding"], axis=0).all()
        np.savez(path.with_name("again.npz"), id=arrays["id"], embedding=arrays["embedding"])
    assert path.with_name("again.npz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("info", "said"), [({"recipe": "mix"}, "is of recipe mix"), ({"fold": 1}, "is of fold 1")]
)
def test_a_checkpoint_of_another_recipe_or_fold(fresh, tokenizer, tags, build_smallest, info, said):
    """A copied folder would put pairs of its training into the out-of-fold score."""
    common = fresh(recipes="uniter", folds="0")
    run = common.save_dir / "finetune" / "uniter" / "fold0"
    shutil.rmtree(run / "ckpt-1")
    backbone = build_smallest("uniter", vocab_size=len(tokenizer))
    Checkpoint(backbone, tokenizer, tags, info).save(run / "ckpt-1")
    for config in (InferenceConfig(), InferenceConfig(ckpt_file=run)):
        with pytest.raises(VidsimError, match=said):
            inference.run(common, config)
    assert not written(common)


def test_a_pretrained_checkpoint_embeds_only_where_it_is_named(
    fresh, tokenizer, tags, build_smallest
):
    """In a finetuning's folder it would be taken for one that learned from ratings."""
    common = fresh(recipes="uniter", folds="0")
    run = common.save_dir / "finetune" / "uniter" / "fold0"
    shutil.rmtree(run / "ckpt-1")
    backbone = build_smallest("uniter", vocab_size=len(tokenizer))
    info = {"recipe": "uniter", "stage": "pretrain"}
    Checkpoint(backbone, tokenizer, tags, info).save(run / "ckpt-1")
    with pytest.raises(VidsimError, match="is of stage pretrain, and asked for is stage finetune"):
        inference.run(common, InferenceConfig())
    assert not written(common)
    inference.run(common, InferenceConfig(ckpt_file=run / "ckpt-1"))
    names = {"uniter/fold0.npz", "uniter/fold0_val.npz", "uniter/fold0.json"}
    assert written(common).keys() == names
