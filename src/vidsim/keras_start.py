"""Keras's start: on a backend that vidsim runs on, in float32, whatever a user set for other work.

Keras reads KERAS_BACKEND and keras.json when it is imported, and fails there or much later with
words that name neither.
"""

import importlib.util
import json
import os
from pathlib import Path

from vidsim.errors import VidsimError
from vidsim.tensorflow_start import start_tensorflow

_BACKENDS = ("tensorflow", "jax")


def start_keras(op_threads: int | None = None) -> None:
    """Starts TensorFlow and Keras, once a process.

    A keras.json that asks for another backend, number format or epsilon is left as it is and has
    no effect here; KERAS_BACKEND is what the user says of this process, and is followed or refused.

    Args:
        op_threads: see `start_tensorflow`.

    Raises:
        VidsimError: a backend that vidsim does not run on or that is not installed, or a keras.json
            with which Keras cannot start.
    """
    os.environ["KERAS_BACKEND"] = _backend()
    try:
        start_tensorflow(op_threads)  # which imports Keras
        import keras
    except (AssertionError, AttributeError, TypeError, ValueError) as error:
        if not _keras_json().exists():
            raise
        raise VidsimError(
            f"{_keras_json()}: Keras cannot start with these settings ({type(error).__name__}: "
            f"{error}); mend the file or remove it"
        ) from error
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


def _backend() -> str:
    named = os.environ.get("KERAS_BACKEND")
    if not named:
        configured = _configured_backend()
        jax = configured == "jax" and importlib.util.find_spec("jax") is not None
        return "jax" if jax else "tensorflow"
    if named not in _BACKENDS:
        raise VidsimError(
            f"KERAS_BACKEND={named}: vidsim runs on {' or '.join(_BACKENDS)}; unset it, or set "
            "KERAS_BACKEND=tensorflow"
        )
    if importlib.util.find_spec(named) is None:
        raise VidsimError(
            f"KERAS_BACKEND={named}: {named} is not installed; install it, or unset KERAS_BACKEND"
        )
    return named


def _keras_json() -> Path:
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "keras.json"


def _configured_backend() -> str | None:
    """The backend in the user's settings of Keras, which may be damaged."""
    try:
        content = json.loads(_keras_json().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content.get("backend") if isinstance(content, dict) else None
