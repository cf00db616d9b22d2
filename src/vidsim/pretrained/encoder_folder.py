"""Text encoders of other projects: a Hugging Face folder as it was downloaded.

Read are config.json, model.safetensors and the tokenizer's files; nothing in them is executed.
"""

import json
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from tokenizers import Tokenizer

from vidsim.errors import VidsimError
from vidsim.models.backbone import Backbone, BackboneConfig
from vidsim.models.encoder_config import EncoderConfig, Positions
from vidsim.preprocess.title_tokenizer import TitleTokenizer, bert_tokenizer
from vidsim.pretrained.weight_names import LoadReport, plan_load

POSITIONS: dict[str, Positions] = {"bert": "absolute", "roformer": "rotary"}
_ACTIVATIONS = ("gelu", "relu", "silu", "tanh")


class EncoderFolder:
    """One pretrained text encoder on disk.

    Args:
        path: a folder with config.json, model.safetensors, and tokenizer.json or vocab.txt.

    Raises:
        VidsimError: a file is missing, or an architecture that is not supported.
    """

    def __init__(self, path: Path):
        self.path = path
        self._config = self._read_json("config.json")
        kind = self._config.get("model_type")
        if kind not in POSITIONS:
            raise VidsimError(
                f"{path / 'config.json'}: model_type {kind!r}; supported are {', '.join(POSITIONS)}"
            )
        self.positions: Positions = POSITIONS[kind]
        activation = self._config.get("hidden_act", "gelu")
        if activation not in _ACTIVATIONS:
            raise VidsimError(
                f"{path / 'config.json'}: hidden_act {activation!r}; supported are "
                f"{', '.join(_ACTIVATIONS)}"
            )

    def encoder_config(self, config: BackboneConfig) -> EncoderConfig:
        """The folder's architecture; dropout is the recipe's."""
        stated = self._config
        encoder = EncoderConfig(
            vocab_size=stated["vocab_size"],
            width=stated["hidden_size"],
            layers=stated["num_hidden_layers"],
            heads=stated["num_attention_heads"],
            intermediate=stated["intermediate_size"],
            positions=self.positions,
            max_positions=stated.get("max_position_embeddings", 512),
            type_vocab_size=stated.get("type_vocab_size", 2),
            embedding_size=stated.get("embedding_size"),
            activation=stated.get("hidden_act", "gelu"),
            dropout=config.encoder_dropout,
            attention_dropout=config.encoder_dropout,
            layer_norm_eps=stated.get("layer_norm_eps", 1e-12),
            rotary_value=stated.get("rotary_value", False),
        )
        if config.bert_seq_length > encoder.max_positions:
            raise VidsimError(
                f"--bert-seq-length {config.bert_seq_length}: {self.path} has "
                f"{encoder.max_positions} positions"
            )
        return encoder

    def tokenizer(self) -> TitleTokenizer:
        """The folder's own tokenizer.

        Raises:
            VidsimError: none there, one that cuts words with jieba, or one whose vocabulary is
                larger than the encoder's.
        """
        settings = self._settings()
        if "RoFormer" in settings.get("tokenizer_class", self._default_tokenizer()):
            raise VidsimError(
                f"{self.path}: its tokenizer cuts words with jieba, which is not supported; "
                "accepted are RoFormer folders with a BERT tokenizer (tokenizer_class in "
                "tokenizer_config.json), such as character-based ones"
            )
        if (self.path / "tokenizer.json").exists():
            tokenizer = TitleTokenizer(Tokenizer.from_file(str(self.path / "tokenizer.json")))
        else:
            lower = settings.get("do_lower_case", True)
            tokenizer = TitleTokenizer(bert_tokenizer(self._vocabulary(), lower))
        if len(tokenizer) > self._config["vocab_size"]:
            raise VidsimError(
                f"{self.path}: the tokenizer has {len(tokenizer)} tokens, the encoder only "
                f"{self._config['vocab_size']}"
            )
        return tokenizer

    def load_into(self, backbone: Backbone) -> LoadReport:
        """Loads the text encoder's weights into the backbone, strictly.

        Raises:
            VidsimError: no model.safetensors, or an encoder tensor that is missing or of another
                shape.
        """
        path = self.path / "model.safetensors"
        if not path.exists():
            raise VidsimError(
                f"{path}: no such file; weights are read from model.safetensors (a .bin or .h5 "
                "file is turned into one by transformers' save_pretrained)"
            )
        stored = load_file(str(path))
        report, values = plan_load(stored, backbone, str(path))
        for variable, value in values:
            variable.assign(value)
        return report

    def _default_tokenizer(self) -> str:
        return "RoFormerTokenizer" if self.positions == "rotary" else "BertTokenizer"

    def _settings(self) -> dict[str, Any]:
        present = (self.path / "tokenizer_config.json").exists()
        return self._read_json("tokenizer_config.json") if present else {}

    def _vocabulary(self) -> dict[str, int]:
        path = self.path / "vocab.txt"
        if not path.exists():
            raise VidsimError(f"{self.path}: neither tokenizer.json nor vocab.txt is there")
        with path.open(encoding="utf-8") as file:  # not splitlines(): U+2028 and its like are words
            return {line.rstrip("\n"): number for number, line in enumerate(file)}

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise VidsimError(
                f"{self.path / name}: no such file; --bert-dir takes a Hugging Face folder with "
                "config.json, model.safetensors, and tokenizer.json or vocab.txt"
            ) from None


def choose_folder(bert_dir: str | None, positions: Positions) -> EncoderFolder | None:
    """The first folder of ``--bert-dir`` with these positions; None without ``--bert-dir``.

    Raises:
        VidsimError: none of the folders has that architecture.
    """
    if bert_dir is None:
        return None
    folders = [EncoderFolder(Path(name.strip())) for name in bert_dir.split(",")]
    for folder in folders:
        if folder.positions == positions:
            return folder
    wanted = next(kind for kind, place in POSITIONS.items() if place == positions)
    raise VidsimError(
        f"--bert-dir {bert_dir}: none of these is a {wanted} folder, which a recipe with "
        f"{positions} positions needs; add one after a comma, or name other --recipes"
    )
