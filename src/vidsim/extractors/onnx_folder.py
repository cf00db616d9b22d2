"""Any model of pictures as an ONNX folder that proves itself: onnx:FOLDER.

    model.onnx         pictures (N, 3, h, w) or (N, h, w, 3) float32 -> (N, D)
    preprocess.json    the fields of `Preprocessing`, of which height and width are needed
    golden.npz         pictures (3, H, W, 3) uint8 and vectors (3, D): what the exported model's
                       own code makes of them

A wrong mean, another order of colours or a resizing that is not antialiased gives vectors that look
right. So the folder brings three pictures with their vectors, and is refused where ours differ.
"""

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.errors import VidsimError
from vidsim.extractors.extractor import ModelExtractor, extractor_digest
from vidsim.extractors.preprocessing import RESAMPLE, Preprocessing
from vidsim.files import file_digest
from vidsim.pretrained.json_files import read_json_object

MODEL, PREPROCESS, GOLDEN = "model.onnx", "preprocess.json", "golden.npz"
LEAST_COSINE = 0.999

_NO_WEIGHTS = (".json", ".npz", ".md", ".txt", ".py")
_LARGEST = 1 << 12


def load_onnx(named: str) -> ModelExtractor:
    """The extractor "onnx:FOLDER".

    Args:
        named: the folder.

    Raises:
        VidsimError: a file is missing or damaged, the model has other inputs or outputs, or its
            vectors of the golden pictures are not those in the folder.
    """
    folder = Path(named).expanduser()
    for name in (MODEL, PREPROCESS, GOLDEN):
        if not (folder / name).is_file():
            raise VidsimError(
                f"{folder / name}: no such file; accepted is a folder with {MODEL}, {PREPROCESS} "
                f"and {GOLDEN}"
            )
    preprocessing = read_preprocessing(folder / PREPROCESS)
    pictures, vectors = _golden(folder / GOLDEN)
    model = OnnxModel(folder / MODEL, preprocessing)
    digest = extractor_digest(_weights_digest(folder), preprocessing)
    width = vectors.shape[1]
    extractor = ModelExtractor(f"onnx:{folder.resolve().name}", width, digest, preprocessing, model)
    found = np.stack([preprocessing(picture) for picture in pictures])
    _compare(folder, model(found), vectors)
    return extractor


def read_preprocessing(path: Path) -> Preprocessing:
    """A Preprocessing of the JSON object with its fields.

    Raises:
        VidsimError: height or width is missing, a field is unknown or has a value that is not
            accepted.
    """
    stated = read_json_object(path)
    known = [field.name for field in fields(Preprocessing)]
    unknown = sorted(set(stated) - set(known))
    if unknown:
        raise VidsimError(f"{path}: unknown is {unknown[0]!r:.200}; known are {', '.join(known)}")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in stated.items()
    }
    for key, (accepts, words) in _ACCEPTED.items():
        if not accepts(values[key]) if key in values else key in _NEEDED:
            raise VidsimError(f"{path}: {key} is {stated.get(key)!r:.200}; accepted is {words}")
    return Preprocessing(**values)


class OnnxModel:
    """A session of ONNX Runtime as a function: (n, h, w, 3) float32 -> (n, D).

    Args:
        path: of the model; it has one input of pictures, and the first output is taken.
        preprocessing: which pictures it will be given.

    Raises:
        VidsimError: onnxruntime is not installed, the file is no model, or its input is another.
    """

    def __init__(self, path: Path, preprocessing: Preprocessing):
        self._path = path
        self._session = _session(path)
        inputs, size = self._session.get_inputs(), (preprocessing.height, preprocessing.width)
        shape = list(inputs[0].shape) if len(inputs) == 1 else []
        first = [3, *size]
        self._channels_first = len(shape) == 4 and _fits(shape[1:], first)
        if not self._channels_first and not (len(shape) == 4 and _fits(shape[1:], [*size, 3])):
            stated = {put.name: put.shape for put in inputs}
            raise VidsimError(
                f"{path}: its inputs are {stated}; by {PREPROCESS} accepted is one input, "
                f"(N, 3, {size[0]}, {size[1]}) or (N, {size[0]}, {size[1]}, 3)"
            )
        if inputs[0].type != "tensor(float)":
            raise VidsimError(f"{path}: its input is a {inputs[0].type}; accepted is float32")
        self._input = inputs[0].name
        self._batch = shape[0] if isinstance(shape[0], int) else None
        self._output = self._session.get_outputs()[0].name

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """The vectors of n pictures, as many at a time as the model takes."""
        size = self._batch or max(len(batch), 1)
        parts = [self._run(batch[i : i + size], size) for i in range(0, len(batch), size)]
        return np.concatenate(parts)

    def _run(self, batch: np.ndarray, size: int) -> np.ndarray:
        given = batch.transpose(0, 3, 1, 2) if self._channels_first else batch
        if self._batch and len(given) < size:  # a model of a fixed batch, and the last pictures
            given = np.concatenate([given, np.repeat(given[-1:], size - len(given), axis=0)])
        try:
            (made,) = self._session.run([self._output], {self._input: np.ascontiguousarray(given)})
        except Exception as error:  # onnxruntime's own kinds
            raise VidsimError(f"{self._path}: ONNX Runtime stopped: {error!s:.500}") from error
        if not isinstance(made, np.ndarray) or made.ndim != 2 or len(made) != len(given):
            raise VidsimError(
                f"{self._path}: its output {self._output} of {len(given)} pictures has shape "
                f"{getattr(made, 'shape', None)}; accepted is a vector a picture, ({len(given)}, D)"
            )
        return made[: len(batch)].astype("float32")


def _fits(shape: list[Any], wanted: list[int]) -> bool:
    """Whether a stated shape, in which names stand for any number, allows the wanted one."""
    return all(a == b or not isinstance(a, int) for a, b in zip(shape, wanted, strict=True))


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise VidsimError(
            "--extractor onnx: needs onnxruntime, which is not installed; run: sh setup.sh onnx, "
            "or pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: they are raised too
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=onnxruntime.get_available_providers()
        )
    except Exception as error:  # onnxruntime's own kinds
        raise VidsimError(f"{path}: ONNX Runtime cannot read it: {error!s:.500}") from error


def _golden(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    accepted = "accepted are pictures (3, H, W, 3) uint8 and vectors (3, D) of finite numbers"
    try:
        with np.load(path, allow_pickle=False) as stored:
            pictures, vectors = stored["pictures"], stored["vectors"]
    except Exception as error:  # zipfile's, numpy's and KeyError
        raise VidsimError(f"{path}: {error!s:.300}; {accepted}") from error
    number = vectors.dtype.kind == "f" and vectors.ndim == 2 and vectors.shape[1] > 0
    colours = pictures.dtype == np.uint8 and pictures.ndim == 4 and pictures.shape[3] == 3
    enough = number and colours and len(pictures) == len(vectors) >= 3
    if not enough or not np.isfinite(vectors).all() or not np.any(vectors, axis=1).all():
        raise VidsimError(
            f"{path}: pictures {pictures.dtype} {pictures.shape} and vectors {vectors.dtype} "
            f"{vectors.shape}; {accepted}"
        )
    return list(pictures), vectors.astype("float32")


def _compare(folder: Path, found: np.ndarray, expected: np.ndarray) -> None:
    if found.shape != expected.shape:
        raise VidsimError(
            f"{folder / GOLDEN}: vectors {expected.shape}; the model makes {found.shape}"
        )
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.sum(found * expected, axis=1) / lengths
    if not np.all(cosines >= LEAST_COSINE):
        raise VidsimError(
            f"{folder}: the cosines of its vectors in {GOLDEN} with those made here are "
            f"{', '.join(f'{cosine:.4f}' for cosine in cosines)}; accepted is {LEAST_COSINE} or "
            f"more. Mean, std, order of colours, size or resampling in {PREPROCESS} may be others "
            "than those of the model's own code"
        )


def _weights_digest(folder: Path) -> str:
    """Of model.onnx and of whatever it may have put into other files."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix not in _NO_WEIGHTS]
    digests = [f"{path.name} {file_digest(path)}" for path in paths if path.is_file()]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _whole(value: Any) -> bool:
    return type(value) is int and 0 < value <= _LARGEST


def _numbers(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != 3:
        return False
    return all(isinstance(v, int | float) and abs(v) < 1e6 for v in value)


def _resize(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) == 2 and all(map(_whole, value))
    return value is None or _whole(value)


_NEEDED = ("height", "width")
_PIXELS = f"a whole number of pixels, 1 to {_LARGEST}"
_ACCEPTED = {
    "height": (_whole, _PIXELS),
    "width": (_whole, _PIXELS),
    "resize": (_resize, "pixels of the shorter side, or [height, width], or null"),
    "resample": (lambda v: isinstance(v, str) and v in RESAMPLE, f"one of {', '.join(RESAMPLE)}"),
    "scale": (lambda v: isinstance(v, int | float) and 0 < v < 1e6, "a number above 0"),
    "mean": (_numbers, "three numbers"),
    "std": (lambda v: _numbers(v) and min(v) > 0, "three numbers above 0"),
    "bgr": (lambda v: isinstance(v, bool), "true or false"),
}
"""What a field may be: a test, and words for it."""
