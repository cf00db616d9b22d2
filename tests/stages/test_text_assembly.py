"""--text-assembly tfidf from pretraining to the Embedder: every reader makes the same token ids."""

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.errors import VidsimError
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.records.video import Video
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos
from vidsim.training.checkpoint import load_checkpoint, model_shape
from vidsim.training.checkpoint_keeper import best_checkpoint
from vidsim.video_models import VideoModel


def test_from_pretraining_to_the_embedder(tmp_path, capsys):
    rng = np.random.default_rng(0)
    words = [f"word{n}" for n in range(60)]
    videos = [
        Video(
            str(n),
            f"title {n % 7}",
            rng.normal(size=(2, 16)).astype("float16"),
            asr_text=" ".join(rng.choice(words, 150 if n % 2 else 10)),
        )
        for n in range(60)
    ]
    path = tmp_path / "data" / "pointwise" / "a.tfrecords"
    write_videos(path, videos)
    flags = ["--data-dir", str(tmp_path / "data"), "--save-dir", str(tmp_path / "save")]
    flags += ["--size", "tiny", "--recipes", "uniter", "--total-steps", "2", "--batch-size", "16"]
    flags += ["--text-fields", "title,asr_text", "--text-lengths", "24,200"]
    assert main(["pretrain", *flags, "--text-assembly", "tfidf"]) == 0
    out = capsys.readouterr().out
    assert "of 44 videos' texts the middle was cut out of 0 keywords, 0 title, " in out
    assert main(["pretrain", *flags]) == 1  # part of the run's identity
    assert "text_assembly: tfidf -> none" in capsys.readouterr().err

    folder = best_checkpoint(tmp_path / "save" / "pretrain" / "uniter")
    checkpoint, table = load_checkpoint(folder), load_videos(path)
    tokenizer, config = checkpoint.tokenizer, checkpoint.backbone.config
    assert tokenizer.assembler is not None and "word7" in tokenizer.assembler.idf
    assert tokenizer.digest != type(tokenizer)(tokenizer._tokenizer).digest
    tensors = InputTensors.of(checkpoint.backbone.spec.widths)
    batch = Examples(table, tokenizer, None, config, tensors).batch(np.arange(60))
    texts = {"title": table.titles, "asr_text": list(table.text("asr_text"))}
    inputs = VideoModel(checkpoint).inputs(texts, [video.frames for video in videos])
    ids, mask = inputs.sequences.tokens.pad(np.arange(60), tokenizer.special.pad)
    np.testing.assert_array_equal(ids, batch["token_ids"])
    np.testing.assert_array_equal(mask, batch["token_mask"])
    assert mask.sum(axis=1)[1] > 100
    tokenizer.assembler = None
    plain = VideoModel(checkpoint).inputs(texts, [video.frames for video in videos])
    assert plain.sequences.tokens.lengths(np.array([0]))[0] < mask.sum(axis=1)[0]  # no keywords

    described = checkpoint.info
    others = described | {"sha256": described["sha256"] | {"text_assembly.json": "another"}}
    assert model_shape(described) != model_shape(others)
    (folder / "text_assembly.json").write_text("{}")
    with pytest.raises(VidsimError, match=r"text_assembly.json: damaged or exchanged"):
        load_checkpoint(folder)
