"""Many data files under a low limit on open files: all can be read, with few mapped at a time."""

import gc
import os
import resource
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.records.frame_reader import FrameReader
from vidsim.records.mapped_files import MAPS
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import frame_record, iter_records
from vidsim.records.video_file import read_videos
from vidsim.records.video_table import VideoTable, table_of
from vidsim.records.writer import write_videos

FILES = 300


@pytest.fixture
def table(tmp_path, make_video) -> VideoTable:
    """A file for each of 300 videos of one frame; frame 0 of video i is filled with i."""
    write_videos(tmp_path / "all", [make_video(number, 1) for number in range(FILES)])
    tables = []
    for record in iter_records(tmp_path / "all"):
        path = tmp_path / f"{record.number}.tfrecords"
        path.write_bytes(frame_record(record.payload))
        tables.append(table_of(read_videos(path, RecordLog())))
    return VideoTable.concat(tables)


@pytest.fixture
def limit():
    """Sets the limit on open files to so many more than there are."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # readers of other tests
    opened = len(os.listdir("/proc/self/fd"))
    yield lambda more: resource.setrlimit(resource.RLIMIT_NOFILE, (opened + more, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def read(reader: FrameReader, rows: np.ndarray) -> list[float]:
    index = np.zeros((len(rows), 1), int)
    return reader.read(rows, index, index == 0)[:, 0, 7].tolist()


def test_more_files_than_may_be_open(table, limit):
    """Two readers and four threads, in any order; and the maps go with their readers."""
    limit(150)
    readers = [FrameReader(table), FrameReader(table)]
    orders = [np.random.default_rng(seed).permutation(FILES) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda i: read(readers[i % 2], orders[i]), range(8))
        assert list(found) == [order.tolist() for order in orders]
    assert 20 < len(MAPS) < FILES / 2
    readers.clear()
    gc.collect()
    assert len(MAPS) == 0


def test_a_file_is_mapped_once_for_all_its_readers(table):
    readers = [FrameReader(table.take(np.arange(5))) for _ in range(2)]
    gc.collect()
    before = len(MAPS)
    for reader in readers:
        assert read(reader, np.array([3, 1])) == [3, 1]
    assert len(MAPS) == before + 2


def test_a_file_that_is_another_when_it_is_mapped(table, limit):
    """Never other frames in silence: changed in place, of another size, or gone."""
    reader = FrameReader(table)
    os.utime(table.paths[0], (1, 1))
    table.paths[1].write_bytes(table.paths[1].read_bytes() * 2)
    table.paths[2].unlink()
    for row, message in enumerate(
        [r"0\.tfrecords: the file was changed while", r"\d now\)", r"2\.tfrecords: there is no"]
    ):
        with pytest.raises(VidsimError, match=message):
            read(reader, np.array([row]))
    assert read(reader, np.array([3])) == [3]
