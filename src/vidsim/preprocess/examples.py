"""Videos made ready once - titles tokenized, tags looked up - and assembled into batches by row."""

import numpy as np

from vidsim import schema
from vidsim.models.configs import BackboneConfig
from vidsim.preprocess.cut_titles import CutTitles
from vidsim.preprocess.frames import sample_frames
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.records.frame_reader import FrameReader
from vidsim.records.video_table import VideoTable


class Examples:
    """The videos of a table as a model's inputs. Frames stay on disk until a batch needs them.

    Args:
        table: the videos.
        tokenizer: of the model that will read them.
        tags: the model's tag vocabulary.
        config: lengths, the frame sampling rule, and which of title and frames are shown.
    """

    def __init__(
        self,
        table: VideoTable,
        tokenizer: TitleTokenizer,
        tags: TagVocabulary,
        config: BackboneConfig,
    ):
        self.table = table
        self.tokenizer = tokenizer
        self.num_labels = len(tags)
        self.config = config
        titles = [""] * len(table) if config.modalities == "frames" else table.titles
        self._tokens = tokenizer.encode(titles, config.bert_seq_length)
        self._n_frames = table.n_frames * (config.modalities != "title")
        self._tags = tags.columns(table.tag_values, table.tag_splits)
        self._reader = FrameReader(table)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def cut_titles(self) -> CutTitles:
        """How many titles are longer than the model reads, and the longest of all."""
        return self._tokens.cut

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """(B, 2) how many tokens and frames each video takes up in a batch."""
        frames = np.minimum(self._n_frames[rows], self.config.max_frames)
        return np.stack([self._tokens.lengths(rows), frames], axis=1)

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """One batch, padded no further than its own longest title and video.

        Args:
            rows: (B,) row numbers of the table.

        Returns:
            token_ids, token_mask (B, L), frames (B, T, 1536) float16, frame_mask (B, T),
            tags (B, C), by their names in vidsim.schema.
        """
        token_ids, token_mask = self._tokens.pad(rows, self.tokenizer.special.pad)
        index, frame_mask = sample_frames(
            self._n_frames[rows], self.config.max_frames, self.config.frame_sampling
        )
        return {
            schema.TOKEN_IDS: token_ids,
            schema.TOKEN_MASK: token_mask,
            schema.FRAMES: self._reader.read(rows, index, frame_mask),
            schema.FRAME_MASK: frame_mask,
            schema.TAGS: self._tags.multi_hot(rows, self.num_labels),
        }
