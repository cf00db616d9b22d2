"""CLIP's tokenizer and tower of texts, from the folder that has the tower of pictures too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from vidsim.errors import VidsimError
from vidsim.extractors.published_weights import fill_dense, fill_norm
from vidsim.extractors.vit import LayerConfig, VisionLayer, layer_norm
from vidsim.extractors.vit_config import ConfigReader, tower_config
from vidsim.extractors.vit_folder import CLIP_NAMES, VisionFolder
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor
from vidsim.transformers_start import import_transformers

_DEFAULTS = {
    "hidden_size": 512,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "intermediate_size": 2048,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "eos_token_id": 49407,
}
_WRONG_END = 2  # what config.json of CLIP's own folders says; the end there is the largest number
_LENGTHS = 8  # batches are padded to a multiple: few shapes to compile


class ClipTexts:
    """Texts to vectors in the space of the folder's pictures.

    Args:
        folder: of a whole CLIP, with tokenizer.json, or vocab.json and merges.txt.

    Attributes:
        width: numbers of a vector.

    Raises:
        VidsimError: no tokenizer or text tower in it, or one that does not fit the other.
    """

    def __init__(self, folder: VisionFolder):
        place = folder.path / "config.json"
        if folder.model_type != "clip":
            raise VidsimError(
                f"{place}: model_type {folder.model_type!r}; a tower of texts is read of clip alone"
            )
        self._reader = ConfigReader(place, _DEFAULTS | tower_config(folder.config, "text"))
        self._length = self._reader.whole("max_position_embeddings")
        self._end = self._reader.whole("eos_token_id")
        self._tokenizer = _tokenizer(folder.path, self._reader.whole("vocab_size"))
        self._model = self._load(folder)
        self.width = int(self._model.output_shape[-1])

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, its begin and end included; the right end is cut off."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        limit = self._length
        return [ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]] for ids in rows]

    def embed(self, rows: Sequence[list[int]]) -> np.ndarray:
        """(N, width) float32 of the tokens of N texts, in one forward pass."""
        longest = max(len(ids) for ids in rows)
        longest = min(-(-longest // _LENGTHS) * _LENGTHS, self._length)
        tokens = np.zeros((len(rows), longest), "int32")
        ends = np.zeros(len(rows), "int32")
        for number, ids in enumerate(rows):
            tokens[number, : len(ids)] = ids
            is_end = np.asarray(ids) == (max(ids) if self._end == _WRONG_END else self._end)
            ends[number] = np.argmax(is_end)
        return self._model.predict_on_batch([tokens, ends])

    def _load(self, folder: VisionFolder) -> keras.Model:
        config, words = self._reader.layers(causal=True), self._reader.whole("vocab_size")
        tensors = folder.tensors("embeddings.token_embedding.weight")
        head = folder.tensors("text_projection.weight")
        projection = head.shape("text_projection.weight")[0]
        model = text_tower(config, words, self._length, projection)
        model.get_layer("tokens").set_weights(
            [
                tensors.take("embeddings.token_embedding.weight", words, config.width),
                tensors.take("embeddings.position_embedding.weight", self._length, config.width),
            ]
        )
        for number in range(config.layers):
            layer = model.get_layer(f"layer{number}")
            layer.fill(tensors, f"encoder.layers.{number}.", CLIP_NAMES)
        fill_norm(model.get_layer("norm"), tensors, "final_layer_norm")
        fill_dense(model.get_layer("projection"), head, "text_projection")
        return model


class TokenEmbedding(keras.layers.Layer):
    """A learned vector of each token, and one of its place.

    Args:
        words: size of the vocabulary.
        positions: most tokens of a text.
        width: numbers of a token, D.

    Shapes:
        (B, S) int32 -> (B, S, D)
    """

    def __init__(self, words: int, positions: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.words = self.add_weight((words, width), name="words")
        self.positions = self.add_weight((positions, width), name="positions")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """See VisionLayer."""
        return (*input_shape, self.words.shape[1])

    def call(self, tokens: Tensor) -> Tensor:
        """The sum of both."""
        return ops.take(self.words, tokens, axis=0) + self.positions[: ops.shape(tokens)[1]]


def text_tower(config: LayerConfig, words: int, positions: int, projection: int) -> keras.Model:
    """The model, weights at random: layers tokens, layer0, ..., norm, projection.

    What stands behind a text's end is not seen by it, so padding needs no mask.

    Shapes:
        tokens (B, S) int32, place of each text's end (B,) int32 -> (B, projection)
    """
    tokens, ends = keras.Input((None,), dtype="int32"), keras.Input((), dtype="int32")
    x = TokenEmbedding(words, positions, config.width, name="tokens")(tokens)
    for number in range(config.layers):
        x = VisionLayer(config, name=f"layer{number}")(x)
    last = ops.take_along_axis(x, ends[:, None, None], axis=1)[:, 0]  # (B, S, D) -> (B, D)
    last = layer_norm(config.epsilon, "norm")(last)
    return keras.Model([tokens, ends], dense(projection, "projection", use_bias=False)(last))


def _tokenizer(folder: Path, words: int) -> Any:
    """The folder's tokenizer; no code in the folder is run.

    Raises:
        VidsimError: there is none, or it has more tokens than the tower.
    """
    names = ("tokenizer.json", "vocab.json")
    if not any((folder / name).is_file() for name in names):
        raise VidsimError(f"{folder}: neither tokenizer.json nor vocab.json (with merges.txt)")
    try:
        loaded = import_transformers().CLIPTokenizer.from_pretrained(
            str(folder), local_files_only=True
        )
    except Exception as error:  # whatever a damaged file leads to
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise VidsimError(f"{folder}: transformers cannot read its tokenizer: {line}") from error
    tokenizer = loaded.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    most = 1 + max(vocabulary.values())
    if most > words:
        raise VidsimError(f"{folder}: the tokenizer has {most} tokens, the text tower {words}")
    if len(tokenizer.encode("").ids) != 2:
        raise VidsimError(f"{folder}: its tokenizer does not put a begin and an end around a text")
    return tokenizer
