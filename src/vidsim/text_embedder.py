"""A published sentence encoder behind the interface of `Embedder`: texts in, numpy out."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from vidsim import schema
from vidsim.blending.blend import l2_normalize
from vidsim.embedder_inputs import checked_batch_size, checked_titles, tracked
from vidsim.errors import VidsimError
from vidsim.models.configs import UniterConfig
from vidsim.models.sentence_model import SentenceModel
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.pretrained.encoder_folder import EncoderFolder
from vidsim.pretrained.hub import hub_revision, local_folder, transformer_folder
from vidsim.pretrained.sentence_folder import SentenceSettings, sentence_settings


class TextEmbedder:
    """Texts to vectors: the mean of a text encoder's hidden states over real tokens.

    Args:
        model: the encoder with its mean.
        tokenizer: the encoder's own.
        settings: longest text, and whether it is lower-cased.
    """

    def __init__(self, model: SentenceModel, tokenizer: TitleTokenizer, settings: SentenceSettings):
        self._model, self._tokenizer, self._settings = model, tokenizer, settings
        self.max_seq_length = settings.max_seq_length

    @classmethod
    def from_pretrained(cls, name: str | Path) -> Self:
        """Loads a Hugging Face folder, or one of sentence-transformers, as it was downloaded.

        Args:
            name: a folder, or a repository of the Hub like
                sentence-transformers/all-MiniLM-L6-v2, perhaps with @revision.

        Raises:
            VidsimError: no such folder, damage, an encoder other than BERT or RoFormer, or a
                pooling other than the mean.
        """
        if not isinstance(name, str | Path):
            raise VidsimError(
                f"from_pretrained: {name!r}; accepted is the path of a folder, or a Hub name"
            )
        place = local_folder(os.fspath(name), "from_pretrained")
        folder = EncoderFolder(transformer_folder(place), str(name), hub_revision(place))
        # Of this configuration only dropout is read, and there is none when a model embeds.
        encoder = folder.encoder_config(UniterConfig(bert_seq_length=3, encoder_dropout=0.0))
        settings = sentence_settings(place, folder.path, encoder)
        tokenizer = folder.tokenizer()
        model = SentenceModel(encoder)
        folder.load_into(model)
        return cls(model, tokenizer, settings)

    def encode(
        self,
        titles: Iterable[str],
        frames: Any = None,
        batch_size: int = 64,
        show_progress_bar: bool | None = None,
        normalize_embeddings: bool = False,
    ) -> np.ndarray:
        """Embeds N texts.

        Args:
            titles: N texts in order, as for `Embedder.encode`; what is beyond ``max_seq_length``
                tokens is cut off.
            frames: None: a text encoder sees none.
            batch_size: texts in one forward pass, 1 or more; those of like length go together.
            show_progress_bar: None: in a terminal only.
            normalize_embeddings: whether every vector is scaled to length 1, so that a dot product
                is a cosine. A Normalize module of the folder is not applied unless this is set.

        Returns:
            (N, width) float32, in the order given; a text's vector is the same in any batch, but
            for the last digits.

        Raises:
            VidsimError: no titles, frames, or a title that is no text, with its place.
        """
        if frames is not None:
            raise VidsimError("encode: frames were given; a text encoder embeds titles alone")
        texts, batch_size = checked_titles(titles), checked_batch_size(batch_size)
        if self._settings.lower_case:
            texts = [text.lower() for text in texts]
        tokens = self._tokenizer.encode(texts, self.max_seq_length)
        order = np.argsort(-tokens.lengths(np.arange(len(texts))), kind="stable")
        batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        out = np.empty((len(texts), self._model.encoder_config.width), "float32")
        for rows in tracked(batches, show_progress_bar):
            token_ids, token_mask = tokens.pad(rows, self._tokenizer.special.pad)
            inputs = {schema.TOKEN_IDS: token_ids, schema.TOKEN_MASK: token_mask}
            out[rows] = self._model.predict_on_batch(inputs)
        return l2_normalize(out) if normalize_embeddings else out
