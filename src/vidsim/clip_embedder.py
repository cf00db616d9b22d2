"""A published CLIP behind the interface of `Embedder`: texts and videos in one space."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from vidsim.blending.blend import l2_normalize
from vidsim.embedder_inputs import checked_batch_size, checked_texts, tracked
from vidsim.errors import VidsimError
from vidsim.extractors.clip_text import ClipTexts
from vidsim.extractors.extractor import Extractor, ModelExtractor
from vidsim.extractors.vit_folder import VisionFolder


class ClipEmbedder:
    """Texts, pictures and videos to vectors of which a cosine says how well they fit.

    Args:
        pictures: the tower of pictures, as an extractor.
        texts: the tower of texts.

    Attributes:
        width: numbers of a vector.
    """

    def __init__(self, pictures: Extractor, texts: ClipTexts):
        if pictures.width != texts.width:
            raise VidsimError(
                f"{pictures.name}: its pictures have {pictures.width} numbers, its texts "
                f"{texts.width}; these are no two towers of one space"
            )
        self._pictures, self._texts, self.width = pictures, texts, pictures.width

    @classmethod
    def from_folder(cls, path: Path) -> Self:
        """Reads a Hugging Face folder.

        Args:
            path: with config.json, weights, preprocessor_config.json and the tokenizer.

        Raises:
            VidsimError: one of them is missing, damaged or not supported.
        """
        folder = VisionFolder(path)
        name, picture = f"vit:{path.name}", folder.preprocessing()
        return cls(
            ModelExtractor.of_model(name, folder.digest, picture, folder.model()), ClipTexts(folder)
        )

    def encode(
        self,
        texts: Iterable[str] | None = None,
        frames: Iterable[Any] | None = None,
        videos: Iterable[str | Path] | None = None,
        batch_size: int = 64,
        show_progress_bar: bool | None = None,
        normalize_embeddings: bool = False,
        max_frames: int = 32,
    ) -> np.ndarray:
        """Embeds N texts, or N videos: one of the first three is given.

        Args:
            texts: N texts in order; what is beyond 77 tokens is cut off.
            frames: N videos as pictures, each (n, H, W, 3) uint8 RGB, or a list of (H, W, 3). One
                picture is a video of one frame.
            videos: N paths of video files, pictures, or folders of pictures.
            batch_size: texts in one forward pass.
            show_progress_bar: None: in a terminal only.
            normalize_embeddings: whether every vector is scaled to length 1.
            max_frames: of a file in `videos`, at the centres of as many equal spans of its time.

        Returns:
            (N, width) float32: a text's vector as the model gives it; of a video the mean of its
            pictures' vectors, each first scaled to length 1.

        Raises:
            VidsimError: none or several are given, a value is not accepted, or a file gives no
                frames; with the place.
        """
        if sum(value is not None for value in (texts, frames, videos)) != 1:
            raise VidsimError("encode: give texts, frames or videos, one of them")
        if texts is not None:
            out = self._of_texts(
                checked_texts(texts, "texts"), checked_batch_size(batch_size), show_progress_bar
            )
        else:
            out = self._of_videos(frames, videos, max_frames, show_progress_bar)
        return l2_normalize(out) if normalize_embeddings else out

    def _of_texts(self, texts: list[str], size: int, show: bool | None) -> np.ndarray:
        rows = self._texts.tokens(texts)
        order = np.argsort([-len(row) for row in rows], kind="stable")
        out = np.empty((len(texts), self.width), "float32")
        for part in tracked([order[i : i + size] for i in range(0, len(order), size)], show):
            out[part] = self._texts.embed([rows[row] for row in part])
        return out

    def _of_videos(
        self, frames: Any, videos: Any, max_frames: int, show: bool | None
    ) -> np.ndarray:
        from vidsim import raw_videos
        from vidsim.video_files.sampling import Sampling

        if videos is None:
            pictures = raw_videos.checked_pictures(frames)
            found = raw_videos.extract_pictures(pictures, self._pictures, show)
        else:
            paths, sampling = raw_videos.checked_paths(videos), Sampling(max_frames)
            found = raw_videos.extract_videos(paths, self._pictures, sampling, show)
        out = np.zeros((len(found), self.width), "float32")
        for number, vectors in enumerate(found):
            out[number] = l2_normalize(vectors).mean(axis=0)
        return out
