"""Messages between the decoders and the process that asks them."""

import fcntl
import os
import threading

import numpy as np
import pytest

from vidsim.video_files import messages


@pytest.fixture
def pipe():
    """A pipe that has room for one page, so that a message goes through in many parts."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    for handle in (reading, writing):
        os.close(handle)


@pytest.mark.parametrize("most", [1 << 30, 100, 1])
def test_messages_larger_than_the_pipe(pipe, most, monkeypatch):
    """Also where the system writes a part and returns, as it may when a signal comes."""
    reading, writing = pipe
    monkeypatch.setattr(os, "writev", lambda to, parts: os.write(to, b"".join(parts)[:most]))
    frame = np.random.default_rng(0).integers(0, 256, (41, 53, 3), dtype=np.uint8)

    def write():
        messages.write(writing, messages.SETUP)
        messages.write_frame(writing, 1.25, frame)
        messages.write(writing, messages.JOB, b"", b"ab", b"", memoryview(b"c"))
        messages.write_json(writing, messages.END, {"reason": "none"})

    thread = threading.Thread(target=write)
    thread.start()
    reader = messages.Reader(reading)
    read = [(kind, bytes(content)) for kind, content in (reader.read() for _ in range(4))]
    thread.join()
    assert [kind for kind, _ in read] == [b"S", b"F", b"J", b"E"]
    assert read[0][1] == b"" and read[2][1] == b"abc"
    assert messages.read_json(memoryview(read[3][1])) == {"reason": "none"}
    seconds, found = messages.read_frame(memoryview(read[1][1]))
    assert seconds == 1.25
    np.testing.assert_array_equal(found, frame)
