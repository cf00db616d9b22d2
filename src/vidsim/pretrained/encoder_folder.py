"""Text encoders of other projects: a Hugging Face folder as it was downloaded.

Read are config.json, the weights and the tokenizer's files; nothing in them is executed.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.layers.activations import ACTIVATIONS
from vidsim.models.albef import Albef
from vidsim.models.backbone import Backbone
from vidsim.models.configs import BackboneConfig, Positions
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.sentence_model import SentenceModel
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.pretrained.albef_names import ALBEF_FILE, load_albef
from vidsim.pretrained.hub import hub_revision, local_folder, transformer_folder
from vidsim.pretrained.json_files import read_json_object
from vidsim.pretrained.tokenizer_files import read_tokenizer
from vidsim.pretrained.weight_files import ACCEPTED, read_weights
from vidsim.pretrained.weight_names import LoadReport, plan_load

POSITIONS: dict[str, Positions] = {"bert": "absolute", "roformer": "rotary", "lxmert": "absolute"}
_LXMERT_LAYERS = {"num_hidden_layers": "l_layers", "x_layers": "x_layers", "r_layers": "r_layers"}
"""What is read -> what LXMERT's config.json calls it; its num_hidden_layers is no number."""
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
)
_OPTIONAL_SIZES = ("max_position_embeddings", "type_vocab_size", "embedding_size")
_LARGEST = 1 << 24  # no model comes near


class EncoderFolder:
    """One pretrained text encoder on disk.

    Args:
        path: a folder with config.json, weights (see weight_files), and tokenizer.json or
            vocab.txt.
        name: as the user gave it.
        revision: the commit on the Hugging Face Hub; None where it is a folder of one's own.

    Raises:
        VidsimError: a file is missing, or an architecture that is not supported.
    """

    def __init__(self, path: Path, name: str = "", revision: str | None = None):
        self.path, self.name, self.revision = path, name or str(path), revision
        if not (path / "config.json").is_file():
            raise VidsimError(
                f"{path / 'config.json'}: no such file; accepted is a Hugging Face folder "
                f"with config.json, one of {', '.join(ACCEPTED)}, and tokenizer.json or vocab.txt"
            )
        self._config = read_json_object(path / "config.json")
        kind = self._config.get("model_type")
        if not isinstance(kind, str) or kind not in POSITIONS:
            raise VidsimError(
                f"{path / 'config.json'}: model_type {kind!r:.200}; supported are "
                f"{', '.join(POSITIONS)}"
            )
        self.positions: Positions = POSITIONS[kind]
        self.crossed = kind == "lxmert"
        """Whether it has layers that read frames and text, besides a text encoder."""
        if self.crossed:
            named = _LXMERT_LAYERS.items()
            self._config |= {ours: self._config.get(theirs) for ours, theirs in named}
            self._config["layer_norm_eps"] = 1e-12  # whatever its config.json has
        self._check_config(path / "config.json")

    @cached_property
    def digest(self) -> dict[str, str]:
        """sha256 of every file that may be read, by its name; the folder may lie anywhere."""
        kinds = (".json", ".txt", ".safetensors", ".bin", ".h5", ".pth")
        files = [path for path in sorted(self.path.iterdir()) if path.suffix in kinds]
        return {path.name: file_digest(path) for path in files if path.is_file()}

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
        if config.text_length > encoder.max_positions:
            lengths = f"--bert-seq-length {config.bert_seq_length}"
            if config.text_lengths:
                lengths = f"--text-lengths {config.text_lengths}, {config.text_length} in all"
            raise VidsimError(f"{lengths}: {self.path} has {encoder.max_positions} positions")
        misfits = list(config.folder_misfits(stated)) if self.crossed else []
        if misfits:
            raise VidsimError(f"--bert-dir {self.path}: " + "; ".join(misfits))
        return encoder

    def tokenizer(self) -> TitleTokenizer:
        """The folder's own tokenizer.

        Raises:
            VidsimError: none there, one of a kind that is not supported, or one whose vocabulary
                is larger than the encoder's.
        """
        return read_tokenizer(self.path, self._config)

    def load_into(
        self, backbone: Backbone | SentenceModel, heads: Mapping[str, Any] | None = None
    ) -> LoadReport:
        """Loads the text encoder's weights into the backbone, strictly.

        A folder that has ALBEF.pth beside config.json and vocab.txt of its text encoder fills all
        of an albef that `load_albef` says.

        Args:
            backbone: its text encoder, and its pooler where it has one, are filled.
            heads: further variables to fill, by their published names.

        Raises:
            VidsimError: no weights, or an encoder tensor that is missing or of another shape.
        """
        albef = self.path / ALBEF_FILE
        if isinstance(backbone, Albef) and albef.is_file():
            return load_albef(backbone, albef, heads)
        path, stored = read_weights(self.path)
        wanted = backbone.published_weights() | dict(heads or {})
        report, values = plan_load(stored, wanted, str(path))
        if self.crossed and any(".x_layers." in name for name in report.absent):
            raise VidsimError(f"{path}: no encoder.x_layers, which an LXMERT has")
        for variable, value in values:
            variable.assign(value)
        backbone.encoder_was_loaded()
        return report

    def _check_config(self, path: Path) -> None:
        stated = self._config
        for name in (*_SIZES, *(name for name in _OPTIONAL_SIZES if stated.get(name) is not None)):
            size = stated.get(name)
            if not isinstance(size, int) or not 1 <= size <= _LARGEST:
                raise VidsimError(
                    f"{path}: {name} is {size!r:.200}; it must be a whole number above 0 and at "
                    f"most {_LARGEST}"
                )
        epsilon = stated.get("layer_norm_eps", 1e-12)
        if not isinstance(epsilon, float | int) or not 0 <= epsilon < 1:
            raise VidsimError(f"{path}: layer_norm_eps is {epsilon!r:.200}; accepted is 0 to 1")
        activation = stated.get("hidden_act", "gelu")
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            raise VidsimError(
                f"{path}: hidden_act {activation!r:.200}; supported are {', '.join(ACTIVATIONS)}"
            )
        positions = stated.get("position_embedding_type", "absolute")
        if positions != "absolute":
            raise VidsimError(
                f"{path}: position_embedding_type {positions!r}; supported are absolute (BERT) and "
                "RoFormer's rotations"
            )
        if stated.get("is_decoder"):
            raise VidsimError(f"{path}: is_decoder is set; supported are encoders only")


class EncoderFolders:
    """The folders of ``--bert-dir``, each found, and perhaps fetched, once a command.

    Whatever is read of one, and for however many recipes, is so of one revision.

    Args:
        bert_dir: folders, or names on the Hugging Face Hub, separated by commas; None: there are
            none.
    """

    def __init__(self, bert_dir: str | None):
        self._bert_dir = bert_dir

    def choose(self, positions: Positions) -> EncoderFolder | None:
        """The first folder with these positions; None without ``--bert-dir``.

        Args:
            positions: the recipe's.

        Raises:
            VidsimError: a folder cannot be had, or none of them has that architecture.
        """
        if self._bert_dir is None:
            return None
        for folder in self._folders:
            if folder.positions == positions:
                return folder
        wanted = next(kind for kind, place in POSITIONS.items() if place == positions)
        raise VidsimError(
            f"--bert-dir {self._bert_dir}: none of these is a {wanted} folder, which a recipe with "
            f"{positions} positions needs; add one after a comma, or name other --recipes"
        )

    @cached_property
    def _folders(self) -> list[EncoderFolder]:
        names = [name.strip() for name in (self._bert_dir or "").split(",")]
        found = [(name, local_folder(name)) for name in names]
        return [
            EncoderFolder(transformer_folder(folder), name, hub_revision(folder))
            for name, folder in found
        ]
