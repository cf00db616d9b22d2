"""Examples shared by all models that see the videos alike: titles are tokenized once."""

from collections import OrderedDict

from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputShape, InputTensors
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.records.video_table import VideoTable


class ExampleStore:
    """Makes the Examples of videos for a model, or gives those made for one that reads the same.

    Args:
        most: how many are kept; beyond that, the one not asked for the longest is forgotten. Two
            are in use at a time, test and validation videos; four serve two tokenizers.
    """

    def __init__(self, most: int = 4):
        self.most = most
        self._made: OrderedDict[tuple, Examples] = OrderedDict()

    def get(
        self,
        table: VideoTable,
        tokenizer: TitleTokenizer,
        tags: TagVocabulary | None,
        shape: InputShape,
        tensors: InputTensors | None = None,
    ) -> Examples:
        """The Examples of these, by their content: equal ones make one Examples."""
        wanted = tensors or InputTensors()
        key = (
            *(None if part is None else part.digest for part in (table, tokenizer, tags)),
            *(shape.texts, shape.modalities, shape.max_frames, shape.frame_sampling),
            *(wanted.names, tuple(sorted(wanted.widths.items()))),
            *(
                None if part is None else part.digest
                for part in (wanted.categories, wanted.actions)
            ),
        )
        if key not in self._made:
            self._made[key] = Examples(table, tokenizer, tags, shape, tensors)
        self._made.move_to_end(key)
        while len(self._made) > self.most:
            self._made.popitem(last=False)
        return self._made[key]
