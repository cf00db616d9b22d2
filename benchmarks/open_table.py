"""What does it take to open a million videos by their index, for titles and frames only?

    python benchmarks/open_table.py [--videos 1000000] [--folder DIR]

The file of records is sparse: it has a size and no content, for opening reads the index alone. The
index is made by vidsim's own writer: titles of 6 to 30 Chinese characters, 32 frames, 5 tags and a
transcript of 300 characters a video. Memory is what the process holds of its own (RssAnon) beyond
what it held before, in MB, and its peak, sampled every 5 ms.
"""

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from sides import about, own_kib, print_table

from vidsim import schema
from vidsim.records.field_columns import InMemory
from vidsim.records.fields import FIELDS
from vidsim.records.index_file import write_index
from vidsim.records.number_fields import NumberColumn, NumbersColumn
from vidsim.records.places import Places
from vidsim.records.record_log import RecordLog
from vidsim.records.sidecar import INDEX_SUFFIX
from vidsim.records.stream_field import StreamColumn
from vidsim.records.text_field import TextColumn
from vidsim.records.video_columns import FileVideos
from vidsim.records.video_table import load_videos

FRAMES, WIDTH, TAGS, SPEECH = 32, 1536, 5, 300
RECORD = FRAMES * (2 * WIDTH + 3) + 2000  # bytes


def make_index(path: Path, videos: int) -> None:
    """A sparse file and its index."""
    rows = np.arange(videos, dtype=np.int64)
    with path.open("wb") as file:
        file.truncate(12 + videos * RECORD)
    rng = np.random.default_rng(0)
    places = Places(
        (path,),
        np.zeros(videos, np.int32),
        rows,
        12 + rows * RECORD,
        np.full(videos, RECORD - 16),
        rng.integers(0, 1 << 32, videos).astype(np.uint32),
    )
    columns = {
        schema.TITLE: _texts(rng, rng.integers(6, 31, videos)),
        schema.ASR_TEXT: _texts(rng, np.full(videos, SPEECH)),
        schema.FRAME_FEATURE: StreamColumn(
            np.full(videos, FRAMES, np.int32), places.record_offset + 1000, WIDTH
        ),
        schema.TAG_ID: NumbersColumn(
            rng.integers(0, 10000, TAGS * videos), np.arange(videos + 1) * TAGS
        ),
        schema.CATEGORY_ID: NumberColumn(np.ones(videos, np.int64), np.ones(videos, bool)),
    }
    ids = (10**18 + rows).astype(np.bytes_)
    stat = path.stat()
    made = FileVideos(ids, places, InMemory(columns, videos))
    place = path.with_name(f"{path.name}{INDEX_SUFFIX}")
    write_index(place, (stat.st_size, stat.st_mtime_ns), made, RecordLog())


def measure(path: Path) -> list[list[str]]:
    """Opens the table and reads of it what a recipe of titles and frames does."""
    before, peak, done = own_kib(os.getpid()), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], own_kib(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    table, found = None, []
    steps = {
        "open": lambda: load_videos(path),
        "digest": lambda: table.digest,
        "titles and frames": lambda: (table.text(schema.TITLE), table.n_frames),
        "every field": lambda: [table.columns[name] for name in FIELDS],
    }
    for name, step in steps.items():
        began = time.perf_counter()
        made = step()
        seconds = time.perf_counter() - began
        table = table or made
        held = own_kib(os.getpid()) - before
        found.append([name, f"{seconds:.2f}", f"{held / 1024:,.0f}"])
        found[-1].append(f"{(peak[0] - before) / 1024:,.0f}")
        peak[0] = 0
    done.set()
    watcher.join()
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="for 2 KB a video, removed (temporary)")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=flags.folder, prefix="vidsim_open_") as folder:
        path = Path(folder) / "videos.tfrecords"
        made = os.fork()  # what making takes is not counted
        if made == 0:
            make_index(path, flags.videos)
            os._exit(0)
        os.waitpid(made, 0)
        print(about("numpy"), flush=True)
        print_table([f"{flags.videos:,} videos", "seconds", "held MB", "peak MB"], measure(path))


def _texts(rng: np.random.Generator, lengths: np.ndarray) -> TextColumn:
    """Texts of so many Chinese characters, each three bytes."""
    codes = rng.integers(0x4E00, 0x4E00 + 3000, int(lengths.sum()), "uint16")
    parts = (0xE0 | codes >> 12, 0x80 | codes >> 6 & 0x3F, 0x80 | codes & 0x3F)
    data = np.stack(parts, axis=1).astype(np.uint8).reshape(-1)
    return TextColumn(data, np.concatenate(([0], np.cumsum(3 * lengths))))


if __name__ == "__main__":
    main()
