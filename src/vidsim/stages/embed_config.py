"""Flags of embedding any videos, as data: read without TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vidsim.config_fields import Config, Count


@dataclass(frozen=True)
class EmbedConfig(Config):
    """Flags of `vidsim embed`."""

    checkpoint: Path | None = None
    """A checkpoint, a run's folder (save/finetune/uniter/fold0: its best checkpoint) or all folds
    of a recipe (save/finetune/uniter: the mean of their vectors)."""
    blend: Path | None = None
    """An ensemble's folder (save/ensemble): all that it blended, by its weights."""
    videos: str | None = None
    """TFRecords by path or pattern; a data folder (its pointwise/*.tfrecords, pairwise/ and
    test_b/); or a table .csv, .tsv or .jsonl with columns id, title, asr_text, ocr_text."""
    out: Path | None = None
    """NAME.npz for one file with ids and embeddings, or a folder for one such file per shard. A
    command that was interrupted goes on."""
    shard_size: Count = 4096
    """Videos in a shard."""
    batch_size: Count = 128
    """Videos embedded at a time."""

    def contradictions(self) -> Iterator[str]:
        """What must be named, and is not."""
        if (self.checkpoint is None) == (self.blend is None):
            yield "one of --checkpoint FOLDER and --blend FOLDER names the models"
        if self.videos is None:
            yield "--videos names a TFRecord file, a pattern, a data folder or a table"
        if self.out is None:
            yield "--out names the file (NAME.npz) or the folder to write"
