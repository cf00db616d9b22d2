"""What sentence-transformers' files say of a model beside its encoder: which modules, how long.

    modules.json                 the modules in order; none: an encoder alone
    sentence_bert_config.json    longest text in tokens, and whether it is lower-cased first
    1_Pooling/config.json        which pooling

A vector by another pooling or without a module's layer would be a wrong vector, and nobody would
see it: such a model is refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.models.encoder_config import EncoderConfig
from vidsim.pretrained.hub import MODULES, SENTENCES, module_path
from vidsim.pretrained.json_files import read_json, read_json_object

_SUPPORTED = ("Transformer", "Pooling", "Normalize")
_MEAN = "pooling_mode_mean_tokens"


@dataclass(frozen=True)
class SentenceSettings:
    """How a folder's texts become vectors.

    Attributes:
        max_seq_length: most tokens of a text, [CLS] and [SEP] included.
        lower_case: whether texts are lower-cased before they are tokenized.
    """

    max_seq_length: int
    lower_case: bool


def sentence_settings(folder: Path, transformer: Path, encoder: EncoderConfig) -> SentenceSettings:
    """Reads the files above.

    Args:
        folder: of the model.
        transformer: where in it the encoder is.
        encoder: its architecture. No text is longer than it has positions.

    Raises:
        VidsimError: a pooling other than the mean, a module that is not supported, or damage.
    """
    if (folder / MODULES).exists():
        _check_modules(folder / MODULES)
    path = transformer / SENTENCES
    stated = read_json_object(path) if path.exists() else {}
    longest = stated.get("max_seq_length")
    if longest is None:
        path = transformer / "tokenizer_config.json"
        longest = read_json_object(path).get("model_max_length") if path.exists() else None
    if longest is None:
        longest = encoder.max_positions
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not longest >= 3:
        raise VidsimError(f"{path}: longest text {longest!r:.200}; accepted are 3 tokens or more")
    lower_case = stated.get("do_lower_case", False) is True
    return SentenceSettings(int(min(longest, encoder.max_positions)), lower_case)


def _check_modules(path: Path) -> None:
    content: Any = read_json(path)
    for module in content if isinstance(content, list) else ():
        kind = str(module.get("type") if isinstance(module, dict) else module)
        kind = kind.rpartition(".")[2]
        if kind not in _SUPPORTED:
            raise VidsimError(
                f"{path}: a module of type {kind:.200}; supported are {', '.join(_SUPPORTED)}"
            )
        if kind == "Pooling":
            _check_pooling(path.parent / module_path(path, module) / "config.json")


def _check_pooling(path: Path) -> None:
    if not path.exists():
        return  # sentence-transformers' default is the mean
    stated = read_json_object(path)
    modes = {key for key, value in stated.items() if key.startswith("pooling_mode_") and value}
    named = stated.get("pooling_mode", "mean")
    if modes - {_MEAN} or named not in ("mean", ["mean"]):
        other = sorted(modes - {_MEAN}) or named
        raise VidsimError(f"{path}: pooling by {other!s:.200}; supported is the mean alone")
