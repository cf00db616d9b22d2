"""Titles to token ids, many at a time, with the `tokenizers` library."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import WordPiece

from vidsim.errors import VidsimError
from vidsim.preprocess.masking import SpecialTokens
from vidsim.preprocess.ragged import Ragged

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FILE_NAME = "tokenizer.json"


class TitleTokenizer:
    """A BERT-style tokenizer: [CLS] title [SEP], cut to a length.

    Args:
        tokenizer: a `tokenizers.Tokenizer` whose post-processor adds [CLS] and [SEP].
    """

    def __init__(self, tokenizer: Tokenizer):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        found = [tokenizer.token_to_id(token) for token in _SPECIAL]
        ids = [number for number in found if number is not None]
        if len(ids) < len(_SPECIAL):
            raise VidsimError(f"the tokenizer needs all of {', '.join(_SPECIAL)}; it has {found}")
        self.special = SpecialTokens(*ids)

    @classmethod
    def train(cls, titles: Sequence[str], vocab_size: int) -> "TitleTokenizer":
        """Trains a WordPiece vocabulary: Chinese characters apart, the rest lower-cased words.

        Args:
            titles: the data set's own titles.
            vocab_size: at most this many wordpieces.

        Reference: Schuster and Nakajima 2012; BERT's own normalisation.
        """
        learner = bert_tokenizer({token: number for number, token in enumerate(_SPECIAL)})
        # The trainer numbers inner letters ("##a") in the order of a hash map, another one each
        # time, and breaks ties by number. Announced beforehand they have fixed numbers.
        letters = sorted(_inner_letters(learner, titles))
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size, special_tokens=[*_SPECIAL, *letters], show_progress=False
        )
        learner.train_from_iterator(titles, trainer)
        return cls(bert_tokenizer(learner.get_vocab()))

    @classmethod
    def read(cls, folder: Path) -> "TitleTokenizer":
        """Reads ``tokenizer.json`` of a folder that ``save`` wrote."""
        path = folder / FILE_NAME
        if not path.exists():
            raise VidsimError(f"{path}: no such file; a checkpoint folder holds its tokenizer")
        return cls(Tokenizer.from_file(str(path)))

    def save(self, folder: Path) -> None:
        """Writes ``tokenizer.json``, which Hugging Face's libraries read too."""
        (folder / FILE_NAME).write_text(self._json(), encoding="utf-8")

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def digest(self) -> str:
        """sha256 of vocabulary and settings."""
        return hashlib.sha256(self._json().encode()).hexdigest()

    def encode(self, titles: Sequence[str], length: int) -> Ragged:
        """Token ids of every title.

        Args:
            titles: N texts.
            length: most tokens of one title, [CLS] and [SEP] included; the right end is cut off.
        """
        self._tokenizer.enable_truncation(length)
        encodings = self._tokenizer.encode_batch_fast(list(titles))
        self._tokenizer.no_truncation()
        return Ragged.from_lists([encoding.ids for encoding in encodings])

    def _json(self) -> str:
        return self._tokenizer.to_str(pretty=True)


def bert_tokenizer(vocabulary: dict[str, int], lowercase: bool = True) -> Tokenizer:
    """BERT's tokenizer for a vocabulary: Chinese characters apart, wordpieces, [CLS] and [SEP].

    Raises:
        VidsimError: the vocabulary lacks a special token.
    """
    absent = [token for token in _SPECIAL if token not in vocabulary]
    if absent:
        raise VidsimError(f"the tokenizer's vocabulary lacks {', '.join(absent)}")
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, vocabulary[token]) for token in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def _inner_letters(tokenizer: Tokenizer, titles: Sequence[str]) -> set[str]:
    """Every letter that stands inside a word of the titles, as the wordpiece "##<letter>"."""
    letters: set[str] = set()
    for title in titles:
        text = tokenizer.normalizer.normalize_str(title)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text):
            letters.update(word[1:])
    return {f"##{letter}" for letter in letters}
