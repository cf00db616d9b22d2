"""Titles that are longer than a model reads, counted before there is a model.

Nothing here needs TensorFlow or Keras.
"""

from collections.abc import Iterator, Sequence

from vidsim.errors import VidsimError
from vidsim.preprocess.cuts import TITLE_TOKENS
from vidsim.preprocess.title_tokenizer import SPECIAL, TitleTokenizer, bert_tokenizer
from vidsim.pretrained.hub import local_folder, transformer_folder
from vidsim.pretrained.json_files import read_json_object

FEWEST = (
    "titles are counted in words and characters as BERT splits them, the fewest tokens that it can "
    "make of them; --bert-dir counts by the tokenizer of a folder"
)


class TitleCheck:
    """Counts titles of more tokens than models read by default.

    Args:
        bert_dir: encoder folders or names on the Hugging Face Hub, separated by commas: each
            one's own tokenizer counts. None: a word or Chinese character counts as one token, so
            that what is found is a lower bound for any vocabulary of BERT's kind.

    Attributes:
        exact: whether the tokens are those of a tokenizer.

    Raises:
        VidsimError: a folder cannot be had or has no tokenizer that is supported.
    """

    def __init__(self, bert_dir: str | None):
        self.exact = bert_dir is not None
        if bert_dir is None:
            no_words = {token: number for number, token in enumerate(SPECIAL)}
            self._tokenizers = {"": TitleTokenizer(bert_tokenizer(no_words))}
        else:
            names = [name.strip() for name in bert_dir.split(",")]
            self._tokenizers = {f"by {name} " * (len(names) > 1): _read(name) for name in names}

    def notes(self, titles: Sequence[str]) -> Iterator[str]:
        """A line for each tokenizer by which some of the titles are cut."""
        for prefix, tokenizer in self._tokenizers.items():
            cut = tokenizer.encode(titles, TITLE_TOKENS).cut
            if cut.count:
                yield prefix + cut.text(at_least=not self.exact)


def _read(name: str) -> TitleTokenizer:
    from vidsim.pretrained.tokenizer_files import read_tokenizer

    folder = transformer_folder(local_folder(name))
    path = folder / "config.json"
    if not path.is_file():
        raise VidsimError(f"--bert-dir {name}: {path} is not there")
    config = read_json_object(path)
    kind, size = config.get("model_type"), config.get("vocab_size")
    if kind not in ("bert", "roformer") or not isinstance(size, int):
        raise VidsimError(
            f"{path}: model_type {kind!r:.200} and vocab_size {size!r:.200}; supported are bert "
            "and roformer, with a whole number as vocab_size"
        )
    return read_tokenizer(folder, config)
