"""An extractor without a model - mean colours of a grid - and preprocessings that misbehave."""

import itertools
import os
import signal
import time
from dataclasses import dataclass

import numpy as np

GRID = 4


@dataclass(frozen=True)
class GridPreprocessing:
    """(H, W, 3) uint8 -> (8, 8, 3) float32 in [0, 1], each the mean of its part of the picture."""

    side: int = 8

    def resized(self, picture: np.ndarray) -> np.ndarray:
        rows = np.linspace(0, picture.shape[0], self.side + 1).astype(int)
        columns = np.linspace(0, picture.shape[1], self.side + 1).astype(int)
        values = picture.astype(np.float32)
        parts = [
            [values[a : max(b, a + 1), c : max(d, c + 1)].mean((0, 1)) for c, d in pairs(columns)]
            for a, b in pairs(rows)
        ]
        return np.array(parts).round().astype(np.uint8)

    def scaled(self, resized: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        return np.divide(resized, np.float32(255), out=out)


def pairs(edges):
    return list(itertools.pairwise(edges))


class GridExtractor:
    """48 numbers: the mean colours of 4 x 4 cells."""

    name, width, digest, calls = "grid", GRID * GRID * 3, "0" * 64, 1

    def __init__(self, preprocessing=None):
        self.preprocessing = preprocessing or GridPreprocessing()
        self.batches = []

    def preprocess(self, picture):
        return self.preprocessing.scaled(self.preprocessing.resized(picture))

    def extract(self, batch):
        self.batches.append(len(batch))
        self.last = batch.copy()
        cells = batch.reshape(len(batch), GRID, 2, GRID, 2, 3)
        return cells.mean((2, 4)).reshape(len(batch), self.width)


@dataclass(frozen=True)
class Misbehaving(GridPreprocessing):
    """Does something else with a picture than it should."""

    how: str = ""

    def resized(self, picture: np.ndarray) -> np.ndarray:
        if self.how == "sleeps":
            time.sleep(1000)
        while self.how == "computes":
            pass
        if self.how == "eats":
            return np.ones((1 << 34,), np.uint8)
        if self.how == "raises":
            raise ZeroDivisionError("no such picture")
        if self.how == "nonsense":
            os.write(4, b"nonsense" * 10)
        if self.how == "exits":
            os._exit(3)
        if self.how == "infinite":
            return super().resized(picture)
        os.kill(os.getpid(), signal.Signals[self.how])
        raise AssertionError

    def scaled(self, resized: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        return np.add(resized, np.float32(np.inf), out=out)
