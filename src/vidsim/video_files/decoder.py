"""The process that decodes: python -m vidsim.video_files.decoder, started by `decoder_process`.

It reads files of unknown origin with libraries that may crash on them, so it does nothing else: it
is told of a file, answers with the resized frames or a reason, and waits for the next.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.video_files import messages
from vidsim.video_files.frames import read_frames
from vidsim.video_files.libraries import load_libraries
from vidsim.video_files.limits import Limits, limit_computing, limit_memory
from vidsim.video_files.reasons import Reason, Unreadable
from vidsim.video_files.sampling import Sampling

_NICE = 10
"""The model comes first where processors are few: threads that share one of its layers wait for
each other, so that a decoder in the place of one of them stops them all."""


@dataclass(frozen=True)
class Setup:
    """What a decoder is told before all files.

    Attributes:
        resized: (H, W, 3) uint8 RGB -> (h, w, 3) uint8, the first half of preprocessing; the
            second makes four times as many bytes of it, so it is done where the model is.
        sampling: which frames.
        limits: of time and memory.
        threads: of decoding.
    """

    resized: Callable[[np.ndarray], np.ndarray]
    sampling: Sampling
    limits: Limits
    threads: int = 1


def main() -> None:
    """Answers until nobody asks any more."""
    os.nice(_NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks
    load_libraries()  # before memory is limited, and as long as one can be told what is wrong
    source, target = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):  # libraries may print
        os.dup2(nothing, handle)
    reader = messages.Reader(source)
    setup: Setup = pickle.loads(reader.read()[1])
    limit_memory(setup.limits.megabytes)
    messages.write_json(target, messages.READY, {})
    while True:
        try:
            _, content = reader.read()
        except messages.Closed:
            return
        path = Path(os.fsdecode(bytes(content)))
        limit_computing(setup.limits.computing(path) * setup.threads)
        messages.write_json(target, messages.END, _answer(target, path, setup))


def _answer(target: int, path: Path, setup: Setup) -> dict[str, str | int]:
    """Sends the frames; returns what comes after them."""
    count = 0
    try:
        for seconds, picture in read_frames(path, setup.sampling, setup.threads):
            messages.write_frame(target, seconds, _resized(picture, setup))
            count += 1
    except Unreadable as error:
        return {"reason": error.reason.value, "detail": error.detail}
    except MemoryError:
        return {"reason": Reason.MEMORY_LIMIT.value, "detail": f"after {count} frames"}
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:  # whatever a damaged file brings a library to raise
        said = f"{type(error).__name__}: {error}"
        return {"reason": Reason.NO_FRAMES.value, "detail": said} if not count else {}
    return {}


def _resized(picture: np.ndarray, setup: Setup) -> np.ndarray:
    try:
        return setup.resized(picture)
    except MemoryError:
        raise
    except Exception as error:
        shape = " x ".join(map(str, picture.shape[1::-1]))
        raise Unreadable(Reason.UNFIT, f"{shape}, {type(error).__name__}: {error}") from error


if __name__ == "__main__":
    main()
