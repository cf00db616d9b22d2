"""Flags of embedding any videos, as data: read without TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from vidsim.config_fields import Config, Count, Range


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
    test_b/); or a table .csv, .tsv or .jsonl with columns id, title, asr_text, ocr_text. With
    --features or --video-files a table as vidsim convert reads it."""
    features: Path | None = None
    """Features of the table's videos: a folder of ID.npy or ID.npz, or one .npz with ids, splits
    and features."""
    video_files: Path | None = None
    """Folder of the table's videos themselves, from which features are extracted as those that the
    models were trained on. They are kept in <out>.features."""
    extractor: str | None = None
    """What makes features of --video-files, as in vidsim extract. Default: that of the models."""
    max_frames: Count | None = None
    """Frames taken of a video of --video-files. Default: as for the models."""
    fps: Annotated[float | None, Range(0, 1000, above=True)] = None
    """Frames taken a second of --video-files. Default: as for the models."""
    columns: str | None = None
    """Other names of the table's columns, as title=name,id=vid; with --features or
    --video-files."""
    out: Path | None = None
    """NAME.npz for one file with ids and embeddings, or a folder for one such file per shard. A
    command that was interrupted goes on."""
    shard_size: Count = 4096
    """Videos in a shard."""
    batch_size: Count = 128
    """Videos embedded at a time; where the memory of a GPU does not suffice, half as many."""
    by_file: bool = False
    """A file of embeddings for each TFRecord file of --videos (a path, a pattern, or a folder with
    *.tfrecords), of the same name, in the folder --out. A file that cannot be embedded is named in
    the end, and the others go on."""
    part: str | None = None
    """K/N: of the files of --by-file, every Nth from the Kth on, counted from 1, for N commands
    that share the work."""

    def contradictions(self) -> Iterator[str]:
        """What must be named, and is not."""
        if (self.checkpoint is None) == (self.blend is None):
            yield "one of --checkpoint FOLDER and --blend FOLDER names the models"
        if self.videos is None:
            yield "--videos names a TFRecord file, a pattern, a data folder or a table"
        if self.out is None:
            yield "--out names the file (NAME.npz) or the folder to write"
        if self.features is not None and self.video_files is not None:
            yield "--features and --video-files: one of them gives the features"
        if self.columns is not None and self.features is None and self.video_files is None:
            yield "--columns has no meaning without --features or --video-files"
        if self.part is not None and not self.by_file:
            yield "--part has no meaning without --by-file"
        if self.by_file:
            if self.out is not None and self.out.suffix == ".npz":
                yield f"{self.said('out')}: with --by-file this is a folder"
            if self.features is not None or self.video_files is not None:
                yield "--by-file reads TFRecords, and no --features or --video-files"
        for name in ("extractor", "max_frames", "fps"):
            if getattr(self, name) is not None and self.video_files is None:
                yield f"{self.said(name)} has no meaning without --video-files"
