"""Flags of turning video files into features, as data: read without TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from vidsim.config_fields import Config, Count, Range

Rate = Annotated[float, Range(0, 1000, above=True)]


@dataclass(frozen=True)
class ExtractConfig(Config):
    """Flags of `vidsim extract`."""

    video_files: Path | None = None
    """Folder of videos: files of video, pictures, and folders of pictures. A name without its
    ending is the video's id."""
    videos: Path | None = None
    """Table (.csv, .tsv or .jsonl) with a column id, and perhaps file: only these videos. Without
    it all of the folder."""
    features_out: Path | None = None
    """Folder to write: ID.npz for each video, features.json, and failed.jsonl with those that gave
    none. A command that was interrupted goes on."""
    extractor: str = "efficientnet_lite0"
    """The model of pictures: a name in vidsim.extractors.registry, which may have a folder or a
    name behind a colon."""
    max_frames: Count = 32
    """Frames of a video, at the centres of so many equal bins of its time; a frame that is shown
    at several is taken once."""
    fps: Rate | None = None
    """Frames a second in place of --max-frames, whatever the video's length."""
    batch_size: Count = 16
    """Frames of a batch, of several videos; the model takes at most 64 at a time. On a CPU, which
    computes a batch on each processor, more than 16 take more memory and no less time."""
    decoders: Annotated[int, Range(1, 1024)] | None = None
    """Processes that decode; default: one for each processor, at most 16."""
    decode_seconds: Annotated[float, Range(1, 1e6)] = 120.0
    """Seconds of computing that the decoder may take for a small file; for each megabyte it has 5
    more, and by the clock four times as many."""
    decode_megabytes: Annotated[int, Range(512, 2**20)] = 4096
    """Memory of a decoder, as address space; its libraries alone have some hundreds."""
    part: str | None = None
    """K/N: of the videos, every Nth from the Kth on, counted from 1, for N commands that share the
    work. The list of those that gave nothing is then failed.jsonl.part-K-of-N; the same command
    without --part tries them once more and writes failed.jsonl."""

    def contradictions(self) -> Iterator[str]:
        """What must be named, and is not; two ways to choose frames."""
        if self.video_files is None:
            yield "--video-files names the folder of videos"
        if self.features_out is None:
            yield "--features-out names the folder to write"
        if self.fps is not None and self.origin("max_frames") != "default":
            yield f"{self.said('max_frames')} and {self.said('fps')}: accepted is one of them"
