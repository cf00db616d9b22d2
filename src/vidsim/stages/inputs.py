"""Finding and opening a data set's files for a stage. Nothing here needs TensorFlow or Keras."""

import numpy as np

from vidsim.config import Common
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.records.file_pattern import FilePattern
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.stages.data_files import open_table
from vidsim.training.configs import RunConfig

POINTWISE = "pointwise/*.tfrecords"
PAIRWISE = "pairwise/pairwise.tfrecords"
TEST = "test_b/test_b.tfrecords"


def open_videos(common: Common, pattern: str | None, default: str) -> VideoTable:
    """The videos of a pattern, or of the default one under the data folder."""
    return open_table(common, pattern or FilePattern(common.data_dir, default))


def open_tags(common: Common, config: RunConfig) -> TagVocabulary:
    """The tag list."""
    return TagVocabulary.read(config.multi_label_file or common.data_dir / "tag_list.txt")


def pair_rows(table: VideoTable, pairs: Pairs) -> np.ndarray:
    """(P, 2) rows of each pair's two videos."""
    return np.stack([table.rows_of(pairs.id_1), table.rows_of(pairs.id_2)], axis=1)
