"""Frames to features in batches across videos, and features to a file for each video."""

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidsim.errors import VidsimError
from vidsim.files import atomic_file
from vidsim.records.feature_origin import ORIGIN_FILE, FeatureOrigin
from vidsim.video_files.reasons import Reason, Unreadable

if TYPE_CHECKING:
    from vidsim.extractors.extractor import Extractor

FAILED = "failed.jsonl"
FEATURES, TIMES = "features", "times"
_WRITTEN = ("*.npz", "*.npy", FAILED)  # .npy of another program: a folder has features of one


def done_ids(out: Path, files: Mapping[str, Path]) -> set[str]:
    """The videos that have a file of features; such a file is there whole or not at all."""
    return {path.stem for path in out.glob("*.npz")} & files.keys()


def refuse_others(out: Path) -> None:
    """Keeps what vidsim writes apart from files of which nothing says that it wrote them.

    Raises:
        VidsimError: there are features or a list of failures, and nothing says what made them.
    """
    if FeatureOrigin.read(out) is None:
        found = next((path for name in _WRITTEN for path in out.glob(name)), None)
        if found is not None:
            raise VidsimError(
                f"{found}: a file of unknown origin ({out / ORIGIN_FILE} is not there); name "
                "another --features-out"
            )


@dataclass
class Finished:
    """A video all of whose frames went through the model.

    Attributes:
        video_id: its id.
        problem: why it has no file of features in spite of that.
    """

    video_id: str
    problem: Unreadable | None = None


@dataclass
class _Video:
    """A video whose frames are on their way.

    Attributes:
        video_id: its id.
        times: of the frames that came, seconds.
        vectors: of those that went through the model, in the same order.
        ended: whether all frames came.
    """

    video_id: str
    times: list[float] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    ended: bool = False


class FrameBatches:
    """Gives the model full batches of frames, of several videos, and writes each finished video.

    Every batch has the same number of rows, the last one too, where what is missing is zero: a
    frame's features then do not depend on those beside it. The model has threads of its own, as
    many as it is to compute batches at once, while the next one is filled. Use it as a context
    manager.

    Args:
        extractor: the model.
        out: folder for ID.npz.
        size: frames of a batch.

    Attributes:
        written: videos.
        frames: frames of them.
    """

    def __init__(self, extractor: "Extractor", out: Path, size: int):
        self._extractor, self._out, self._size = extractor, out, size
        self._model = ThreadPoolExecutor(extractor.calls, "model")
        self._computing: deque[tuple[list[_Video], Future[np.ndarray]]] = deque()
        self._batches: deque[np.ndarray] = deque()  # the first is filled; the model reads others
        self._owners: list[_Video] = []  # of the rows of the batch
        self._videos: deque[_Video] = deque()
        self.written = self.frames = 0

    def __enter__(self) -> "FrameBatches":
        return self

    def __exit__(self, *error: object) -> None:
        self._model.shutdown(cancel_futures=True)

    def begin(self, video_id: str) -> None:
        """The frames that follow are of this video."""
        self._videos.append(_Video(video_id))

    def add(self, seconds: float, frame: np.ndarray) -> list[Finished]:
        """Takes a resized frame of the current video; returns videos that are finished.

        Raises:
            Unreadable: it is of another shape than the frames before.
        """
        if not self._batches:
            shape = (self._size, *frame.shape)
            count = self._extractor.calls + 1
            self._batches.extend(np.zeros(shape, np.float32) for _ in range(count))
        batch = self._batches[0]
        if frame.shape != batch.shape[1:]:
            shapes = f"{frame.shape} after {batch.shape[1:]}"
            raise Unreadable(Reason.UNFIT, f"resized to the shape {shapes}")
        video = self._videos[-1]
        video.times.append(seconds)
        self._extractor.preprocessing.scaled(frame, batch[len(self._owners)])
        self._owners.append(video)
        if len(self._owners) < self._size:
            return []
        self._compute()
        return self._written()

    def drop(self) -> None:
        """The current video is given up."""
        self._videos.pop()

    def end(self) -> list[Finished]:
        """No more frames of the current video."""
        if self._videos:
            self._videos[-1].ended = True
        return self._written()

    def flush(self) -> list[Finished]:
        """Runs the model on the frames that wait; returns the videos that this finished."""
        finished = []
        if self._owners:
            self._batches[0][len(self._owners) :] = 0
            self._compute()
            finished = self._written()
        while self._computing:
            self._take_vectors()
        return finished + self._written()

    def _compute(self) -> None:
        """Gives the batch to the model; the next one to be filled is one that it is done with."""
        vectors = self._model.submit(self._extractor.extract, self._batches[0])
        self._computing.append((self._owners, vectors))
        self._owners = []
        self._batches.rotate(-1)
        if len(self._computing) == len(self._batches):
            self._take_vectors()

    def _take_vectors(self) -> None:
        """Waits for the batch that the model was given first."""
        owners, computed = self._computing.popleft()
        for video, vector in zip(owners, computed.result()[: len(owners)], strict=True):
            video.vectors.append(np.asarray(vector, np.float32))

    def _written(self) -> list[Finished]:
        """Writes the first videos, as far as they are finished."""
        finished = []
        while self._videos:
            video = self._videos[0]
            if not video.ended or len(video.vectors) < len(video.times):
                break
            self._videos.popleft()
            finished.append(Finished(video.video_id, self._write(video)))
        return finished

    def _write(self, video: _Video) -> Unreadable | None:
        order = np.argsort(video.times, kind="stable")
        with np.errstate(over="ignore"):
            features = np.stack(video.vectors)[order].astype(np.float16)
        odd = int((~np.isfinite(features)).sum())
        if odd:
            return Unreadable(Reason.NOT_FINITE, f"{odd:,} of {features.size:,} numbers")
        times = np.asarray(video.times, np.float64)[order]
        with atomic_file(self._out / f"{video.video_id}.npz") as file:
            np.savez(file, **{FEATURES: features, TIMES: times})
        self.written += 1
        self.frames += len(features)
        return None


class Failures:
    """The videos that gave no features, and why.

    Args:
        out: folder for the list.
        name: of the list.
    """

    def __init__(self, out: Path, name: str = FAILED):
        self._path, self._problems = out / name, dict[str, Unreadable]()

    def add(self, video_id: str, problem: Unreadable) -> None:
        """Notes one."""
        self._problems[video_id] = problem

    def noted(self, finished: Iterable[Finished]) -> Iterator[None]:
        """Yields once for each video; those with a problem are noted."""
        for video in finished:
            if video.problem is not None:
                self.add(video.video_id, video.problem)
            yield

    @property
    def counts(self) -> dict[str, int]:
        """How many videos failed, by reason, in the order of the list of reasons."""
        counted = Counter(problem.reason for problem in self._problems.values())
        return {reason.value: counted[reason] for reason in Reason if counted[reason]}

    def write(self, files: Mapping[str, Path]) -> None:
        """Writes the list in the order of the videos; without failures there is none.

        The list of all videos takes the place of those of parts.
        """
        if self._path.name == FAILED:
            for of_part in self._path.parent.glob(f"{FAILED}.part-*-of-*"):
                of_part.unlink(missing_ok=True)
        if not self._problems:
            self._path.unlink(missing_ok=True)
            return
        with atomic_file(self._path) as file:
            for video_id, path in files.items():
                problem = self._problems.get(video_id)
                if problem is not None:
                    line = {"id": video_id, "file": str(path), "reason": problem.reason.value}
                    line["detail"] = problem.detail
                    file.write(
                        (json.dumps(line, ensure_ascii=False) + "\n").encode(errors="replace")
                    )
