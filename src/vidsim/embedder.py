"""Embeddings and nothing else: trained models, titles and frames in, numpy out."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vidsim import schema
from vidsim.blending.blend import l2_normalize
from vidsim.embedder_inputs import (
    checked_batch_size,
    checked_inputs,
    checked_texts,
    tracked,
)
from vidsim.errors import VidsimError
from vidsim.model_set import ModelSet, find_model_set, is_model_set
from vidsim.pretrained.hub import local_folder
from vidsim.pretrained.json_files import read_json_object
from vidsim.training.checkpoint import Checkpoint
from vidsim.video_models import (
    ModelInputs,
    VideoModel,
    VideoModels,
    common_origin,
    common_width,
)

if TYPE_CHECKING:
    from vidsim.clip_embedder import ClipEmbedder
    from vidsim.text_embedder import TextEmbedder


class Embedder:
    """A trained model, or several, as a function from videos to vectors.

    Args:
        checkpoint: model, tokenizer and tag vocabulary.

    Example:
        embedder = Embedder.from_checkpoint("save/finetune/uniter/fold0")
        embeddings = embedder.encode(titles=["a cat plays"], frames=[np.zeros((8, 1536))])
    """

    def __init__(self, checkpoint: Checkpoint):
        alone = VideoModel(checkpoint)
        folder = Path("checkpoint")
        self._set = ModelSet(folder, {"": [folder]}, "single")
        self._take(lambda _: alone)
        self._extractor_name: str | None = None

    @classmethod
    def from_checkpoint(cls, path: str | Path, extractor: str | None = None) -> Self:
        """Loads the models of a folder, which is all that is needed of what trained them.

        Args:
            path: of a checkpoint, or of a run, for its best checkpoint (save/finetune/uniter/fold0)
                - vectors as the model gives them; of all folds of a recipe (save/finetune/uniter) -
                the mean of the folds' vectors, each first scaled to length 1, as the ensemble takes
                it; or of an ensemble (save/ensemble) - its recipes, folds and weights. Blended by
                "svd", a vector has all numbers of all recipes: the cosine of two is the weighted
                mean of the recipes' cosines, which the 256 numbers in result.zip approximate for
                the test videos.
            extractor: what makes frames of video files, as `vidsim extract` names it; needed where
                the checkpoint does not say it, or where it is a folder of one's own (vit:FOLDER).

        Raises:
            VidsimError: no checkpoint there, or a damaged one; a fold that is not finished; a
                checkpoint that was blended and is gone.
        """
        if not isinstance(path, str | Path):
            raise VidsimError(f"from_checkpoint: {path!r}; accepted is the path of a folder")
        made = cls.__new__(cls)
        made._set = find_model_set(Path(path))
        made._take(VideoModels().load)
        made._extractor_name = extractor
        return made

    @classmethod
    def from_pretrained(cls, name: str | Path) -> "TextEmbedder | ClipEmbedder":
        """A published model with the same ``encode``: a sentence encoder for titles, or CLIP.

        Args:
            name: a Hugging Face folder, or a name on the Hub; minilm is the one that the extra
                `weights` brings. See `TextEmbedder`; a CLIP gives a `ClipEmbedder`, which has
                texts and videos in one space.

        Raises:
            VidsimError: no such folder, or one that is damaged or not supported, or is of models
                that vidsim trained.
        """
        if not isinstance(name, str | Path):
            raise VidsimError(
                f"from_pretrained: {name!r}; accepted is the path of a folder, or a Hub name"
            )
        folder = local_folder(os.fspath(name), "from_pretrained")
        config = folder / "config.json"
        kind = read_json_object(config).get("model_type") if config.is_file() else None
        if kind == "clip":
            from vidsim.clip_embedder import ClipEmbedder

            return ClipEmbedder.from_folder(folder)
        if kind is None and is_model_set(folder):
            raise VidsimError(
                f"from_pretrained {name}: models that vidsim trained, not a Hugging Face folder; "
                "load them by Embedder.from_checkpoint"
            )
        from vidsim.text_embedder import TextEmbedder

        return TextEmbedder.from_pretrained(name)

    def encode(
        self,
        titles: Iterable[str] | None = None,
        frames: Iterable[np.ndarray] | None = None,
        batch_size: int = 64,
        show_progress_bar: bool | None = None,
        normalize_embeddings: bool = False,
        texts: Mapping[str, Iterable[str]] | None = None,
        videos: Iterable[str | Path] | None = None,
    ) -> np.ndarray:
        """Embeds N videos.

        Args:
            titles: N texts in order: a list, a generator, an array, a column of a table. None where
                there are none, as if each was empty.
            frames: N arrays (n, d) of any integers or floats, n may differ and be 0, d is what the
                model was trained with (1536 on the challenge's data); or one array (N, n, d). None
                where there are none.
            batch_size: videos in one forward pass, 1 or more; those of like length go together.
            show_progress_bar: None: in a terminal only.
            normalize_embeddings: whether every vector is scaled to length 1, so that a dot product
                is a cosine.
            texts: N texts of other fields that the model reads, by the field's name, such as
                "asr_text"; of one that is not given, each video's is empty.
            videos: N paths in place of frames: of video files, pictures, or folders of pictures,
                which are decoded and read by the extractor that the model was trained on. It needs
                the extra `video`.

        Returns:
            (N, 256) float32, in the order given; more numbers of a blend.

        Raises:
            VidsimError: neither titles nor frames, another number of one than of the other, a
                title that is no text, frames of another shape or with numbers that are not finite
                or beyond float16 (65504); with the place, as in ``frames[2][5]``. Or a field that
                the model does not read, an extractor that is not known or another one than the
                model was trained on, or a file that gives no frames.
        """
        if videos is not None:
            if frames is not None:
                raise VidsimError("encode: give frames or videos, not both")
            frames = self._extracted(videos, show_progress_bar)
        titles, frames = checked_inputs(titles, frames, self._width)
        batch_size = checked_batch_size(batch_size)
        given = self._texts(titles, texts or {})
        ready: dict[VideoModel, ModelInputs] = {}

        def embed(folder: Path) -> np.ndarray:
            model = self._load(folder)
            if model not in ready:  # the folds of a recipe read the same
                ready[model] = model.inputs(given, frames)
            return model.embed(ready[model], batch_size, lambda b: tracked(b, show_progress_bar))

        out = self._set.combined(embed)
        return l2_normalize(out) if normalize_embeddings else out

    def _take(self, load: Callable[[Path], VideoModel]) -> None:
        """Builds the models, one for each recipe, and compares what they read."""
        self._load, self._extractor = load, None
        models = {name: load(folders[0]) for name, folders in self._set.recipes.items()}
        self._width, self._origin = common_width(models), common_origin(models)
        self._fields = tuple(dict.fromkeys(f for model in models.values() for f in model.fields))

    def _extracted(self, videos: Iterable[str | Path], show: bool | None) -> list[np.ndarray]:
        """The frames of video files, as the models were trained on them."""
        from vidsim.raw_videos import checked_paths, extract_videos, matching_extractor
        from vidsim.stages.video_features import extraction
        from vidsim.video_files.sampling import Sampling

        if self._width is None:
            raise VidsimError("encode: this model reads texts alone; give titles, and no videos")
        if self._extractor is None:
            self._extractor = matching_extractor(self._extractor_name, self._origin, self._width)
        _, sampling = extraction(self._extractor_name, None, None, self._origin)
        return extract_videos(checked_paths(videos), self._extractor, Sampling(*sampling), show)

    def _texts(self, titles: list[str], texts: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
        """The texts by field, those beside the titles checked."""
        given = {schema.TITLE: titles}
        for name, values in texts.items():
            if name not in self._fields or name == schema.TITLE:
                others = [field for field in self._fields if field != schema.TITLE]
                known = ", ".join(others) or "none"
                raise VidsimError(
                    f"encode: texts has {name!r}; beside titles, this model reads {known}"
                )
            given[name] = checked_texts(values, name)
            if len(given[name]) != len(titles):
                raise VidsimError(
                    f"encode: {len(given[name])} texts of {name} for {len(titles)} videos"
                )
        return given
