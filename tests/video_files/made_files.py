"""Small video files for the tests, made by PyAV, and what can be wrong with such files.

Frame i of a film is grey of level(i), so that a decoded picture says which frame it is.
"""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
STEP = 5  # between the levels of two frames: more than a codec loses


def level(number: int) -> int:
    return 10 + STEP * number


def number_of(picture: np.ndarray) -> int:
    """The frame that a picture is."""
    return round((float(np.median(picture)) - 10) / STEP)


def grey(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture of one level, with a little noise: some codecs make nothing of a flat one."""
    noise = np.random.default_rng(number).integers(-1, 2, (height, width, 1))
    return np.repeat(level(number) + noise, 3, axis=2).astype(np.uint8)


def corners(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Red, green / blue, white."""
    picture = np.zeros((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    picture[:h, :w], picture[:h, w:] = (255, 0, 0), (0, 255, 0)
    picture[h:, :w], picture[h:, w:] = (0, 0, 255), (255, 255, 255)
    return picture


def film(path: Path, pictures, codec="libx264", pix_fmt="yuv420p", rate=25, stamps=None, **options):
    """Writes the pictures; `stamps` are presentation times in units of 1/1000 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.options = {name: str(value) for name, value in options.items()}
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(pictures):
            form = "rgba" if picture.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(picture, format=form)
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def greys(count: int) -> list[np.ndarray]:
    return [grey(number) for number in range(count)]


def sound(path: Path, codec="aac", cover: bool = False) -> Path:
    """A moment of silence, and a cover picture if wanted."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=16000)
        if cover:
            art = container.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
            packets = art.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24"))
            container.start_encoding()
            container.mux([*packets, *art.encode(None)])
        container.start_encoding()
        samples = stream.codec_context.frame_size
        frame = av.AudioFrame(format=stream.format.name, layout="mono", samples=samples)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.rate, frame.pts = 16000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


# --- Bytes of mp4 and avi files -------------------------------------------------------------------


def boxes(content: bytes, start: int = 0, end: int | None = None) -> list[tuple[bytes, int, int]]:
    """Name, first byte and end of every box of an mp4, those within others too."""
    found, end = [], len(content) if end is None else end
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", content, start)
        if size < 8:
            break
        found.append((name, start, start + size))
        if name in (
            b"moov",
            b"trak",
            b"mdia",
            b"minf",
            b"stbl",
            b"edts",
            b"dinf",
            b"moof",
            b"traf",
        ):
            found += boxes(content, start + 8, start + size)
        start += size
    return found


def turned(path: Path, angle: int) -> Path:
    """The mp4 with a matrix in its track header: to be turned clockwise before it is shown."""
    content = bytearray(path.read_bytes())
    start = next(start for name, start, _ in boxes(content) if name == b"tkhd")
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[angle]
    one = 1 << 16
    matrix = (cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", content, start + 8 + 40, *matrix)
    path.write_bytes(content)
    return path


def turned_first_frame(source: Path, path: Path, quarters: int) -> Path:
    """The same with the angle in the first frame alone: an SEI message of display orientation."""
    angle = quarters * 0x4000  # counter-clockwise, 2^16 is all around
    bits = "0" + "0" + "0" + f"{angle:016b}" + "1" + "0"  # not cancelled, no flips, not repeated
    bits += "1"  # end of the message's bits
    bits += "0" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big")
    unit = bytes([6, 47, len(body)]) + _escaped(body) + b"\x80"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(given.streams.video[0])):
            if packet.dts is None:
                continue
            content = bytes(packet)
            if number == 0:
                content = struct.pack(">I", len(unit)) + unit + content
            new = av.Packet(content)
            new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
            new.time_base, new.stream = packet.time_base, stream
            new.is_keyframe = packet.is_keyframe
            made.mux(new)
    return path


def _escaped(body: bytes) -> bytes:
    return body.replace(b"\0\0\0", b"\0\0\3\0").replace(b"\0\0\1", b"\0\0\3\1")


def slow_film(path: Path, frames: int, side: int = 4000) -> Path:
    """A few kilobytes that take long: a large picture, and a packet many times that repeats it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        stream.options |= {"error-resilient": "1"}
        picture, packets = av.VideoFrame(side, side, "yuv420p"), []
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(2):
            picture.pts = number
            packets += stream.encode(picture)
        packets += stream.encode(None)
        container.mux(packets[0])
        for number in range(1, frames):
            packet = av.Packet(bytes(packets[1]))
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            container.mux(packet)
    return path
