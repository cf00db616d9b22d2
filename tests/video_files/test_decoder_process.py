"""The process that decodes may die, hang or fill the memory: the next file is read all the same."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from fake_extractor import GridPreprocessing, Misbehaving
from made_files import boxes, slow_film
from test_pictures import bomb
from vidsim.video_files.decoder import Setup
from vidsim.video_files.decoder_pool import DecoderPool
from vidsim.video_files.decoder_process import DecoderProcess
from vidsim.video_files.limits import Limits
from vidsim.video_files.reasons import Reason, Unreadable
from vidsim.video_files.sampling import Sampling

QUICK = Limits(seconds=1, megabytes=1500)


def process_for(preprocessing=None, limits=QUICK, sampling=None):
    return DecoderProcess(
        Setup((preprocessing or GridPreprocessing()).resized, sampling or Sampling(4), limits)
    )


@pytest.fixture(scope="module")
def decoder():
    made = process_for()
    yield made
    made.close()


def outcome(decoder, path):
    """How many frames, or why there are none."""
    try:
        return len(list(decoder.decode(path)))
    except Unreadable as error:
        return error.reason


def test_frames_come_resized(decoder, films):
    frames = list(decoder.decode(films.corners("upright.mp4", qp=4)))
    assert [seconds for seconds, _ in frames] == pytest.approx([0, 0.04, 0.08])
    for _, frame in frames:
        assert frame.shape == (8, 8, 3) and frame.dtype == np.uint8
        red, green = frame[1, 1].astype(int), frame[1, 6].astype(int)
        assert abs(red - [255, 0, 0]).max() < 13 > abs(green - [0, 255, 0]).max()


def test_what_is_no_video(decoder, tmp_path):
    text, empty, pipe = (tmp_path / f"{name}.mp4" for name in ("text", "empty", "pipe"))
    text.write_text("not a video\n" * 100)
    empty.touch()
    os.mkfifo(pipe)
    found = [outcome(decoder, path) for path in (text, empty, pipe, tmp_path / "none.mp4")]
    assert found == [Reason.UNKNOWN_FORMAT, Reason.EMPTY, Reason.MISSING, Reason.MISSING]


def test_an_mp4_cut_at_every_box(decoder, films, tmp_path):
    """Its index behind the frames or before them: frames or a reason, and the next is read."""
    path, found = tmp_path / "cut.mp4", []
    late = films("late_index.mp4", qp=20)
    early = films("early_index.mp4", qp=20, movflags="faststart")
    for content in (late.read_bytes(), early.read_bytes()):
        cuts = {at for _, start, end in boxes(content) for at in (start, start + 4, start + 8, end)}
        middle = next(box for box in boxes(content) if box[0] == b"mdat")
        cuts |= {(middle[1] + middle[2]) // 2, len(content) - 1}
        for cut in sorted(cuts):
            path.write_bytes(content[:cut])
            found.append(outcome(decoder, path))
    assert len(found) > 100
    assert {type(one) for one in found} == {int, Reason}
    assert set(found) <= {4, 3, 2, 1, *Reason}
    assert outcome(decoder, late) == outcome(decoder, early) == 4


def test_what_eats_time_or_memory(tmp_path, films):
    """A real file each: 28 kilobytes that take minutes, 12 kilobytes that take 300 MB."""
    small = process_for(limits=Limits(seconds=1, megabytes=700), sampling=Sampling(1000))
    slow = slow_film(tmp_path / "slow.webm", 400, 3000)
    wide = bomb(tmp_path / "wide.png", 9_900, 9_900)
    assert max(slow.stat().st_size, wide.stat().st_size) < 60_000
    try:
        began = time.monotonic()
        assert outcome(small, slow) is Reason.TIME_LIMIT
        assert time.monotonic() - began < 30
        assert outcome(small, wide) is Reason.MEMORY_LIMIT
        assert outcome(small, films.corners("upright.mp4", qp=4)) == 3
        assert small.starts == 2
    finally:
        small.close()


@pytest.mark.parametrize(
    ("how", "reason", "detail"),
    [
        ("SIGSEGV", Reason.CRASHED, "SIGSEGV ended the decoder"),
        ("SIGABRT", Reason.CRASHED, "SIGABRT ended the decoder"),
        ("exits", Reason.CRASHED, "status 3"),
        ("computes", Reason.TIME_LIMIT, "1 s of computing"),
        ("sleeps", Reason.TIME_LIMIT, "1 s by the clock"),
        ("eats", Reason.MEMORY_LIMIT, "after 0 frames"),
        ("raises", Reason.UNFIT, "64 x 48, ZeroDivisionError: no such picture"),
        ("nonsense", Reason.CRASHED, "it said what makes no sense"),
    ],
)
def test_a_decoder_that_misbehaves(films, monkeypatch, how, reason, detail):
    """It is told apart what ended it, and the same handle reads the next file."""
    if how == "sleeps":
        monkeypatch.setattr("vidsim.video_files.limits._PATIENCE", 1)
    path = films.corners("upright.mp4", qp=4)
    decoder = process_for(Misbehaving(how=how))
    try:
        for _ in range(1 if how in ("sleeps", "computes") else 2):
            with pytest.raises(Unreadable) as error:
                list(decoder.decode(path))
            assert (error.value.reason, error.value.detail) == (reason, detail)
        decoder._setup = Setup(GridPreprocessing().resized, Sampling(4), QUICK)
        decoder.close()
        assert outcome(decoder, path) == 3
    finally:
        decoder.close()


def test_videos_come_in_order_and_none_is_lost(films, tmp_path):
    """From two processes, one of which dies now and then."""
    good = films.corners("upright.mp4", qp=4)
    text = tmp_path / "text.mp4"
    text.write_text("none")
    files = [(i, text if i % 3 == 1 else good) for i in range(200)]
    found = []
    with DecoderPool(files, Setup(GridPreprocessing().resized, Sampling(2), QUICK), 2) as pool:
        for key, video in pool:
            try:
                found.append((key, len(list(video))))
            except Unreadable as error:
                found.append((key, error.reason))
            if key == 9:
                os.kill(pool._decoders[0]._running.process.pid, signal.SIGKILL)
    expected = [(i, Reason.UNKNOWN_FORMAT if i % 3 == 1 else 2) for i in range(200)]
    others = [(one, two) for one, two in zip(found, expected, strict=True) if one != two]
    assert len(others) <= 1 and all(one[1] is Reason.CRASHED for one, _ in others)
    assert all(thread.is_alive() is False for thread in pool._threads)


def test_nobody_waits_for_a_pool_that_is_left(films):
    """While its decoders are full of frames that nobody takes."""
    files = [(i, films("x264.mp4", qp=4, g=12, bf=3)) for i in range(1000)]
    began = time.monotonic()
    with DecoderPool(files, Setup(GridPreprocessing().resized, Sampling(40), QUICK), 2) as pool:
        key, video = next(iter(pool))
        next(iter(video))
        time.sleep(1)
        ahead = len(pool._videos)
        frames = sum(waiting._items.qsize() for _, waiting in pool._videos) + video._items.qsize()
        processes = [decoder._running.process.pid for decoder in pool._decoders]
    assert key == 0 and 40 < frames < 250 and ahead < 10  # of 40,000: memory does not grow
    assert time.monotonic() - began < 30
    assert not any(alive(pid) for pid in processes)


def test_decoders_end_with_the_process_that_asks(films, tmp_path):
    """Killed, it cannot tell them."""
    program = f"""
        import sys, time
        from pathlib import Path
        from fake_extractor import GridPreprocessing
        from test_decoder_process import process_for
        decoder = process_for()
        frames = decoder.decode(Path({str(films.corners("upright.mp4", qp=4))!r}))
        next(frames)
        print(decoder._running.process.pid, flush=True)
        time.sleep(1000)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        child = int(parent.stdout.readline())
        assert alive(child)
    finally:
        parent.kill()
        parent.communicate()
    for _ in range(100):
        if not alive(child):
            return
        time.sleep(0.1)
    pytest.fail("the decoder is still there")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
