"""PyAV, its FFmpeg, and Pillow: whether they are there, and which versions."""

from vidsim.errors import VidsimError


def decoder_version() -> str:
    """What decodes, such as "PyAV 18.0.0, FFmpeg 8.0, Pillow 12.0.0".

    Raises:
        VidsimError: one is not installed.
    """
    try:
        import av
        import PIL
    except ImportError as error:
        raise VidsimError(
            f"reading video files needs PyAV and Pillow ({error}); sh setup.sh video installs them"
        ) from None
    return f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}, Pillow {PIL.__version__}"


def load_libraries() -> None:
    """Imports all that decoding needs, modules that are usually loaded later too."""
    import av  # noqa: F401
    from PIL import Image, ImageOps  # noqa: F401

    Image.preinit()
