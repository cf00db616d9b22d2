"""The tokenizer of a Hugging Face folder, read by transformers and then checked.

transformers knows the settings that these files have had over the years. What it does silently is
checked here: it adds special tokens that the vocabulary lacks, makes a vocabulary of 5 tokens where
it does not see the file, and cuts RoFormer's words into characters when it opens vocab.txt itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers

from vidsim.errors import VidsimError
from vidsim.preprocess.title_tokenizer import (
    FILE_NAME,
    NO_JIEBA,
    SETTINGS_NAME,
    TitleTokenizer,
    check_special,
)
from vidsim.pretrained.json_files import is_file_name, read_json_object
from vidsim.transformers_start import import_transformers

VOCABULARY_NAME, ADDED_NAME = "vocab.txt", "added_tokens.json"
_BY_MODEL_TYPE = {
    "bert": "BertTokenizer",
    "roformer": "RoFormerTokenizer",
    "lxmert": "BertTokenizer",
}
_SAME = {"LxmertTokenizer": "BertTokenizer"}  # another name for it
_GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")  # all of it is in tokenizer.json
_PROBES = 1000


def read_tokenizer(folder: Path, config: Mapping[str, Any]) -> TitleTokenizer:
    """Reads tokenizer.json or else vocab.txt, with tokenizer_config.json and its like.

    Args:
        folder: with these files; nothing is fetched, and no code in it is run.
        config: of the encoder: model_type, vocab_size, perhaps tokenizer_class.

    Raises:
        VidsimError: no tokenizer there, one of a kind that is not supported, one that is read
            otherwise than its file has it, or one with more tokens than the encoder.
    """
    path = next((p for p in (folder / FILE_NAME, folder / VOCABULARY_NAME) if p.exists()), None)
    if path is None:
        raise VidsimError(f"{folder}: neither {FILE_NAME} nor {VOCABULARY_NAME} is there")
    settings = _read_if_there(folder / SETTINGS_NAME)
    kind = _kind(path, settings, config)
    vocabulary = _read_vocabulary(path)
    check_special(vocabulary | _added(folder, settings), str(path))
    tokenizer = _load(path, kind, vocabulary)
    _check_vocabulary(tokenizer, path, vocabulary | _added(folder, settings), config["vocab_size"])
    jieba = kind == "RoFormerTokenizer"
    if jieba:  # TitleTokenizer puts jieba in its place again
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    titles = TitleTokenizer(tokenizer, jieba)
    _check_words(titles, path, vocabulary)
    return titles


def _kind(path: Path, settings: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The name of the tokenizer's class in transformers."""
    stated = settings.get("tokenizer_class") or config.get("tokenizer_class")
    name = stated or _BY_MODEL_TYPE[config["model_type"]]
    known = dict.fromkeys(_BY_MODEL_TYPE.values())
    other = settings.get("fast_tokenizer_files") or []
    if not isinstance(other, list) or not all(map(is_file_name, other)):  # transformers opens them
        raise VidsimError(
            f"{path.parent / SETTINGS_NAME}: fast_tokenizer_files is {other!r:.200}; accepted are "
            "names of files in the same folder"
        )
    if name in _GENERIC and path.name == FILE_NAME:
        return _GENERIC[0]
    plain = str(name).removesuffix("Fast")
    plain = _SAME.get(plain, plain)
    if plain not in known:
        raise VidsimError(
            f"{path.parent}: tokenizer_class {name!r:.200}; supported are {', '.join(known)}, and "
            f"with {FILE_NAME} also {', '.join(_GENERIC)}"
        )
    return plain


def _read_vocabulary(path: Path) -> dict[str, int]:
    """Every token and its number; RoFormer's jieba must be given this, not the path."""
    if path.name == VOCABULARY_NAME:
        # not splitlines(): U+2028 and its like are words
        try:  # -sig: a byte order mark is no part of the first word
            with path.open(encoding="utf-8-sig") as file:
                words = [line.rstrip("\n") for line in file]
        except UnicodeDecodeError as error:
            raise VidsimError(
                f"{path}: not UTF-8 text ({error}); accepted is a word a line"
            ) from None
        while words and not words[-1].strip(" \t"):  # not strip(): U+3000 may be the last word
            words.pop()
        return {word: number for number, word in enumerate(words)}
    try:
        return Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    except Exception as error:  # tokenizers raises no narrower one
        raise VidsimError(f"{path}: not a tokenizer ({_line(error)})") from error


def _added(folder: Path, settings: Mapping[str, Any]) -> dict[str, int]:
    """Tokens that are stated outside of the vocabulary, in the newer or in the older way."""
    stated = settings.get("added_tokens_decoder")
    try:
        if stated is None:
            added = _read_if_there(folder / ADDED_NAME).items()
        else:
            added = [(token["content"], number) for number, token in stated.items()]
        return {str(token): int(number) for token, number in added}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        name = ADDED_NAME if stated is None else f"{SETTINGS_NAME}: added_tokens_decoder"
        raise VidsimError(
            f"{folder / name}: accepted are tokens with a whole number each"
        ) from None


def _load(path: Path, kind: str, vocabulary: dict[str, int]) -> Tokenizer:
    given = {"vocab": vocabulary} if path.name == VOCABULARY_NAME else {}
    loader = getattr(import_transformers(), kind)
    try:
        # Called by its class, so that auto_map in tokenizer_config.json (code) is not looked at.
        loaded = loader.from_pretrained(str(path.parent), local_files_only=True, **given)
    except ImportError as error:
        raise VidsimError(f"{path.parent}: {NO_JIEBA}") from error
    except Exception as error:  # whatever a damaged file leads to
        raise VidsimError(
            f"{path.parent}: transformers cannot read its tokenizer: {_line(error)}"
        ) from error
    return loaded.backend_tokenizer


def _check_vocabulary(
    tokenizer: Tokenizer, path: Path, expected: dict[str, int], vocab_size: int
) -> None:
    found = tokenizer.get_vocab(with_added_tokens=True)
    differ = sorted(token for token, _ in found.items() ^ expected.items())
    if differ:
        raise VidsimError(
            f"{path}: it has {len(expected)} tokens, transformers reads {len(found)} from its "
            f"folder; one that differs is {differ[0]!r}"
        )
    size = max(len(found), 1 + max(found.values()))
    if size > vocab_size:
        raise VidsimError(f"{path}: the tokenizer has {size} tokens, the encoder only {vocab_size}")


def _check_words(titles: TitleTokenizer, path: Path, vocabulary: dict[str, int]) -> None:
    """Fails where none of the tokenizer's own words comes out: another kind wrote these files."""
    words = [word for word in vocabulary if word.isalnum()][:_PROBES]
    cut = titles.encode(words, length=32)
    known = [titles.special.unk not in row for row in _rows(cut)]
    if not any(known):
        raise VidsimError(
            f"{path}: of {len(words)} words in it none comes out of the tokenizer; expected are "
            "wordpieces as BERT and RoFormer have them"
        )


def _rows(ragged: Any) -> list[Any]:
    return [ragged.values[a:b] for a, b in zip(ragged.splits, ragged.splits[1:], strict=False)]


def _read_if_there(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.exists() else {}


def _line(error: Exception) -> str:
    """The first line of what an exception says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
