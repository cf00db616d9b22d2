"""Examples shared by all models that see the videos alike: titles are tokenized once."""

from vidsim.models.configs import BackboneConfig
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.records.video_table import VideoTable


class ExampleStore:
    """Makes the Examples of videos for a model, or gives those made for one that reads the same."""

    def __init__(self):
        self._made: dict[tuple, Examples] = {}

    def get(
        self,
        table: VideoTable,
        tokenizer: TitleTokenizer,
        tags: TagVocabulary,
        config: BackboneConfig,
    ) -> Examples:
        """The Examples of these four, by their content: equal ones make one Examples."""
        shown = (config.modalities, config.bert_seq_length, config.max_frames)
        key = (table.digest, tokenizer.digest, tags.digest, *shown, config.frame_sampling)
        if key not in self._made:
            self._made[key] = Examples(table, tokenizer, tags, config)
        return self._made[key]
