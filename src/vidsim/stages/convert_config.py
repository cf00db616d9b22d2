"""Flags of `vidsim convert`, as data: read without TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from vidsim.config_fields import Config, Count, Range


@dataclass(frozen=True)
class ConvertConfig(Config):
    """Flags of `vidsim convert`."""

    videos: Path | None = None
    """The table of videos: .csv, .tsv, .jsonl, .json (one array) or .parquet, with columns id,
    title, asr_text, ocr_text, tags, category, split, file, caption. Of these only id must be there;
    where it is not, the file's name is the id."""
    features: Path | None = None
    """Features of another program: a folder of ID.npy, each an array (n, d), or of ID.npz with
    features (n, d) and times (n,); or one .npz with ids, splits and features."""
    video_files: Path | None = None
    """Folder of the videos themselves, from which features are extracted: ID.mp4 and the like, or
    the names in the column file."""
    extractor: str = "efficientnet_lite0"
    """What makes features of --video-files, as in vidsim extract."""
    max_frames: Count = 32
    """Frames taken of a video of --video-files, at the centres of as many spans of time."""
    fps: Annotated[float | None, Range(0, 1000, above=True)] = None
    """Frames taken a second of --video-files, instead of --max-frames."""
    ratings: Path | None = None
    """A table of rated pairs with columns id_1, id_2, rating, and perhaps split."""
    rating_range: str | None = None
    """LOW,HIGH: the lowest and the highest rating that the raters could give, such as 0,5. It must
    be named where a rating lies outside of 0 to 1."""
    captions: Path | None = None
    """A table of sentences about videos with columns id and caption, several rows a video."""
    columns: str | None = None
    """Other names of columns, as title=name,id=vid: first the field, then the column, in any of
    the tables."""
    tag_separator: str = ","
    """What stands between the tags of one text."""
    max_tags: Count = 10000
    """Tags in tag_list.txt, the most frequent ones: models learn those."""
    category_parent_letters: Annotated[int | None, Range(1, 1000)] = None
    """Of a category that many letters name its parent, as 2 of 0305; default: no parents."""
    test_share: Annotated[float | None, Range(0, 1, below=True)] = None
    """Share of the ratings to keep for the test (test_b), no video of which is in a pair to train
    on; of videos, where there are no ratings. Default: 0.1 where there are ratings and no column
    split."""
    folds_only: bool = False
    """No test: every rating goes into the folds."""
    shard_size: Count = 4096
    """Videos in a file of pointwise/."""

    def contradictions(self) -> Iterator[str]:
        """What must be named, and what excludes each other."""
        if self.videos is None:
            yield "--videos names a table of videos: .csv, .tsv, .jsonl, .json or .parquet"
        if self.features is not None and self.video_files is not None:
            yield "--features and --video-files: one of them gives the features"
        if self.rating_range is not None and self.ratings is None:
            yield "--rating-range has no meaning without --ratings"
        if self.folds_only and self.test_share:
            yield "--folds-only and --test-share: one of them says what is kept for the test"
        if not self.tag_separator.strip(" ") and self.tag_separator != " ":
            yield "--tag-separator: accepted is a text, such as , or | or one blank"
        if self.video_files is None:
            for name in ("fps", "extractor", "max_frames"):
                if self.origin(name) == "flag":
                    yield f"{self.said(name)} has no meaning without --video-files"
