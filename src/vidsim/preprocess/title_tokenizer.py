"""Titles to token ids, many at a time, with the `tokenizers` library."""

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import WordPiece

from vidsim.errors import VidsimError
from vidsim.preprocess.cuts import CutTexts
from vidsim.preprocess.masking import SpecialTokens
from vidsim.preprocess.ragged import Ragged
from vidsim.preprocess.text_assembly import TextAssembler
from vidsim.transformers_start import import_transformers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FILE_NAME = "tokenizer.json"
SETTINGS_NAME = "tokenizer_config.json"
ASSEMBLY_NAME = "text_assembly.json"
_AT_A_TIME = 8192  # titles; the library's own objects take far more than the token ids
NO_JIEBA = (
    "this tokenizer cuts words with jieba, whose package rjieba is not installed; "
    "run: sh setup.sh jieba, or pip install rjieba"
)


@dataclass(frozen=True)
class TitleTokens(Ragged):
    """The tokens of N titles, none of more than a limit; and what the limit cut off."""

    cut: CutTexts


class TitleTokenizer:
    """A BERT-style tokenizer: [CLS] title [SEP], cut to a length.

    It is not changed after it was made, so several threads may share it: a setting of the inner
    tokenizer that is changed while another thread is inside jieba would block both for ever.

    Args:
        tokenizer: a `tokenizers.Tokenizer` whose post-processor adds [CLS] and [SEP].
        jieba: whether words are cut with jieba, as RoFormer's are, in place of the tokenizer's own
            pre-tokenizer. That one is Python code, which no tokenizer.json can hold.

    Attributes:
        assembler: makes the texts that are tokenized of a video's fields; None: as they come. It is
            saved, read and hashed with the rest, for a model reads only texts made this way.

    Raises:
        VidsimError: special tokens are missing, or jieba is.
    """

    def __init__(self, tokenizer: Tokenizer, jieba: bool = False):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        check_special(vocabulary, "the tokenizer")
        self.special = SpecialTokens(*(vocabulary[token] for token in SPECIAL))
        ends = tokenizer.encode("").ids
        if ends != [self.special.cls, self.special.sep]:
            raise VidsimError(
                f"the tokenizer makes {ends} of an empty title; needed are [CLS] and [SEP], "
                f"{[self.special.cls, self.special.sep]}"
            )
        self.jieba = jieba
        self.assembler: TextAssembler | None = None
        self._json = tokenizer.to_str(pretty=True)
        if jieba:
            tokenizer.pre_tokenizer = _jieba_words(vocabulary)
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, titles: Sequence[str], vocab_size: int) -> "TitleTokenizer":
        """Trains a WordPiece vocabulary: Chinese characters apart, the rest lower-cased words.

        Args:
            titles: the data set's own titles.
            vocab_size: at most this many wordpieces.

        Reference: Schuster and Nakajima 2012; BERT's own normalisation.
        """
        learner = bert_tokenizer({token: number for number, token in enumerate(SPECIAL)})
        # The trainer numbers inner letters ("##a") in the order of a hash map, another one each
        # time, and breaks ties by number. Announced beforehand they have fixed numbers.
        letters = sorted(_inner_letters(learner, titles))
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size, special_tokens=[*SPECIAL, *letters], show_progress=False
        )
        learner.train_from_iterator(titles, trainer)
        return cls(bert_tokenizer(learner.get_vocab()))

    @classmethod
    def read(cls, folder: Path) -> "TitleTokenizer":
        """Reads a folder that ``save`` wrote; without tokenizer_config.json it is BERT's."""
        path = folder / FILE_NAME
        if not path.exists():
            raise VidsimError(f"{path}: no such file; a checkpoint folder holds its tokenizer")
        settings = folder / SETTINGS_NAME
        stated = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
        jieba = stated.get("tokenizer_class") == "RoFormerTokenizer"
        made, assembly = cls(Tokenizer.from_file(str(path)), jieba), folder / ASSEMBLY_NAME
        if not assembly.exists():
            return made
        try:
            state = json.loads(assembly.read_text(encoding="utf-8"))
            return made.with_assembler(TextAssembler.from_state(state))
        except (ValueError, VidsimError) as error:
            raise VidsimError(f"{assembly}: {error}") from None

    def with_assembler(self, assembler: TextAssembler) -> "TitleTokenizer":
        """The same tokenizer of texts that are assembled first."""
        made = copy.copy(self)
        made.assembler = assembler
        return made

    def save(self, folder: Path) -> None:
        """Writes ``tokenizer.json`` and ``tokenizer_config.json``, as Hugging Face's libraries do.

        Both are needed: transformers makes a BERT or RoFormer tokenizer anew from the vocabulary in
        the one and the settings in the other.
        """
        (folder / FILE_NAME).write_text(self._json, encoding="utf-8")
        settings = json.dumps(self._settings(), indent=2) + "\n"
        (folder / SETTINGS_NAME).write_text(settings, encoding="utf-8")
        if self.assembler is not None:
            (folder / ASSEMBLY_NAME).write_text(self._assembly(), encoding="utf-8")

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def digest(self) -> str:
        """sha256 of vocabulary, settings, the way words are cut and texts are assembled."""
        made = self._json + "jieba" * self.jieba + self._assembly()
        return hashlib.sha256(made.encode()).hexdigest()

    def encode(self, titles: Sequence[str], length: int) -> TitleTokens:
        """Token ids of every title, and how many titles were cut.

        Args:
            titles: N texts.
            length: most tokens of one title, [CLS] and [SEP] included; the right end is cut off.

        Raises:
            VidsimError: not even [CLS] and [SEP] fit into the length.
        """
        if length < 2:
            raise VidsimError(f"titles of {length} tokens: [CLS] and [SEP] alone take 2")
        starts = range(0, max(len(titles), 1), _AT_A_TIME)
        parts = [self._encode(titles[i : i + _AT_A_TIME], length) for i in starts]
        ragged = Ragged.concat([part for part, _ in parts])
        lengths = [count for _, part in parts for count in part]
        return TitleTokens(ragged.values, ragged.splits, CutTexts.of(lengths, length))

    def _encode(self, titles: Sequence[str], length: int) -> tuple[Ragged, list[int]]:
        """The tokens of each title, cut; and how many there were."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(titles))]
        cut = [ids if len(ids) <= length else [*ids[: length - 1], ids[-1]] for ids in rows]
        return Ragged.from_lists(cut), [len(ids) for ids in rows]

    def _assembly(self) -> str:
        """The assembler as JSON; "" where there is none."""
        state = None if self.assembler is None else self.assembler.state()
        return "" if state is None else json.dumps(state, ensure_ascii=False)

    def _settings(self) -> dict[str, Any]:
        """What transformers needs to know beside tokenizer.json."""
        content = json.loads(self._json)
        settings: dict[str, Any] = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
        normalizer, words = content["normalizer"] or {}, content["pre_tokenizer"] or {}
        if (normalizer.get("type"), words.get("type")) != ("BertNormalizer", "BertPreTokenizer"):
            return {"tokenizer_class": "PreTrainedTokenizerFast", **settings}
        return {
            "tokenizer_class": "RoFormerTokenizer" if self.jieba else "BertTokenizer",
            "do_lower_case": normalizer["lowercase"],
            "strip_accents": normalizer["strip_accents"],
            # RoFormer's normalizer leaves this to jieba, its published folders say true
            "tokenize_chinese_chars": self.jieba or normalizer["handle_chinese_chars"],
            **settings,
        }


def bert_tokenizer(vocabulary: dict[str, int], lowercase: bool = True) -> Tokenizer:
    """BERT's tokenizer for a vocabulary: Chinese characters apart, wordpieces, [CLS] and [SEP].

    Raises:
        VidsimError: the vocabulary lacks a special token.
    """
    check_special(vocabulary, "the tokenizer's vocabulary")
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, vocabulary[token]) for token in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def check_special(vocabulary: dict[str, int], source: str) -> None:
    """Raises unless all special tokens are in the vocabulary.

    Raises:
        VidsimError: with the tokens that are missing.
    """
    absent = [token for token in SPECIAL if token not in vocabulary]
    if absent:
        raise VidsimError(f"{source} lacks {', '.join(absent)}; needed are {', '.join(SPECIAL)}")


def _jieba_words(vocabulary: dict[str, int]) -> pre_tokenizers.PreTokenizer:
    """RoFormer's: the words of jieba that the vocabulary has, single characters of all others."""
    roformer = import_transformers().RoFormerTokenizer
    try:
        return roformer(vocab=vocabulary).backend_tokenizer.pre_tokenizer
    except ImportError as error:
        raise VidsimError(NO_JIEBA) from error


def _inner_letters(tokenizer: Tokenizer, titles: Sequence[str]) -> set[str]:
    """Every letter that stands inside a word of the titles, as the wordpiece "##<letter>"."""
    letters: set[str] = set()
    for title in titles:
        text = tokenizer.normalizer.normalize_str(title)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text):
            letters.update(word[1:])
    return {f"##{letter}" for letter in letters}
