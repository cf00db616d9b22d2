"""Several decoders that work ahead of the one who takes their frames, video by video in order."""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from vidsim.processors import at_once, processors
from vidsim.video_files.decoder import Setup
from vidsim.video_files.decoder_process import DecoderProcess

_FRAMES_AHEAD = 96  # of each process: 14 MB of 224 x 224 x 3

Key = TypeVar("Key")
_Item = tuple[float, np.ndarray] | Exception | None


class DecodedVideo:
    """The frames of one video, as they come.

    Args:
        room: for how many frames there is still room with its decoder.
    """

    def __init__(self, room: threading.Semaphore):
        self._room, self._items = room, queue.SimpleQueue[_Item]()

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """Seconds and resized frames (h, w, 3) uint8.

        Raises:
            Unreadable: why there are no more.
        """
        while (item := self._items.get()) is not None:
            if isinstance(item, Exception):
                raise item
            self._room.release()
            yield item

    def put(self, item: _Item) -> None:
        """A frame; an error, or None, is the last."""
        self._items.put(item)


class DecoderPool(Generic[Key]):
    """Decodes many files with several processes. Use it as a context manager.

    A process takes the next file when it is done with one, and works ahead as far as there is room:
    memory does not grow with the length of a video nor with their number.

    Args:
        files: key and path of each.
        setup: of every decoder; its threads are set here, so that all use every processor once.
        processes: how many; None: see `at_once`.

    Attributes:
        starts: how many processes were started; more than there are, if some died.
    """

    def __init__(
        self, files: Iterable[tuple[Key, Path]], setup: Setup, processes: int | None = None
    ):
        count = processes or at_once()
        setup = replace(setup, threads=max(processors() // count, 1))
        self._files, self._lock = iter(files), threading.Lock()
        self._videos: deque[tuple[Key, DecodedVideo]] = deque()
        self._more = threading.Condition(self._lock)
        self._working, self._stopped = count, False
        self._decoders = [DecoderProcess(setup) for _ in range(count)]
        self._rooms = [threading.Semaphore(_FRAMES_AHEAD) for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._work, args=pair, daemon=True)
            for pair in zip(self._decoders, self._rooms, strict=True)
        ]

    @property
    def starts(self) -> int:
        """How many processes were started."""
        return sum(decoder.starts for decoder in self._decoders)

    def __enter__(self) -> "DecoderPool[Key]":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._stopped = True
        for decoder, room in zip(self._decoders, self._rooms, strict=True):
            decoder.stop()  # its thread, which may be waiting for it, meets its end
            room.release(_FRAMES_AHEAD)
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[tuple[Key, DecodedVideo]]:
        """Every video, in the order of the files; each is to be read before the next."""
        while True:
            with self._lock:
                while not self._videos and self._working:
                    self._more.wait()
                if not self._videos:
                    return
                key, video = self._videos.popleft()
            yield key, video

    def _work(self, decoder: DecoderProcess, room: threading.Semaphore) -> None:
        """What the thread of one decoder does."""
        try:
            while (taken := self._take(room)) is not None:
                path, video = taken
                video.put(self._decoded(decoder, path, video, room))
        finally:
            decoder.close()
            with self._lock:
                self._working -= 1
                self._more.notify_all()

    def _take(self, room: threading.Semaphore) -> tuple[Path, DecodedVideo] | None:
        """The next file, in whose turn its frames will be read."""
        with self._lock:
            found = None if self._stopped else next(self._files, None)
            if found is None:
                return None
            key, path = found
            video = DecodedVideo(room)
            self._videos.append((key, video))
            self._more.notify_all()
            return path, video

    def _decoded(
        self, decoder: DecoderProcess, path: Path, video: DecodedVideo, room: threading.Semaphore
    ) -> Exception | None:
        """Passes the frames on; returns why there are no more, if not because it is the end."""
        try:
            for frame in decoder.decode(path):
                room.acquire()
                if self._stopped:
                    break
                video.put(frame)
        except Exception as error:  # also a defect: it is raised where the frames are read
            return error
        return None
