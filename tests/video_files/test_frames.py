"""The right frames, whatever the container: times, colours, which side is up."""

from fractions import Fraction

import av
import numpy as np
import pytest

from made_files import (
    boxes,
    corners,
    film,
    greys,
    number_of,
    sound,
    turned,
    turned_first_frame,
)
from vidsim.video_files import packet_reader
from vidsim.video_files.frames import read_frames
from vidsim.video_files.packet_index import PacketIndex
from vidsim.video_files.reasons import Reason, Unreadable
from vidsim.video_files.sampling import Sampling

EIGHT = Sampling(8)
CENTRES = [2, 7, 12, 17, 22, 27, 32, 37]  # of 40 frames: 2.5, 7.5, ...
CODECS = {  # file, and what makes it hard
    "x264.mp4": {"qp": 4, "g": 12, "bf": 3, "x264-params": "b-adapt=0:scenecut=0"},  # B frames
    "open_gop.mkv": {"qp": 4, "x264-params": "keyint=8:open-gop=1:scenecut=0"},
    "intra_refresh.ts": {"qp": 4, "x264-params": "keyint=8:intra-refresh=1"},
    "x265.mp4": {"codec": "libx265", "crf": 4, "x265-params": "log-level=none:keyint=8:open-gop=1"},
    "vp8.webm": {"codec": "libvpx", "auto-alt-ref": 1, "lag-in-frames": 16, "b": "2M", "g": 12},
    "vp9.webm": {"codec": "libvpx-vp9", "lag-in-frames": 16, "crf": 4, "b": 0, "g": 12},
    "mpeg2.ts": {"codec": "mpeg2video", "bf": 2, "b": "2M", "g": 8},
    "mpeg2.mpg": {"codec": "mpeg2video", "bf": 2, "b": "2M", "g": 8},
    "mpeg4.avi": {"codec": "mpeg4", "bf": 2, "b": "2M", "g": 8},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "qmin": 2, "qmax": 2},
    "raw.h264": {"qp": 4, "bf": 2, "g": 8},  # no time stamps
}


def read(path, sampling=EIGHT):
    return list(read_frames(path, sampling))


def numbers(path, sampling=EIGHT):
    return sorted(number_of(picture) for _, picture in read(path, sampling))


def sequentially(path):
    """Every frame of a video as PyAV gives them one after the other: time and picture."""
    found = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for place, frame in enumerate(container.decode(stream)):
            seconds = Fraction(place, 25) if frame.pts is None else frame.pts * stream.time_base
            found.setdefault(float(seconds), frame.to_ndarray(format="rgb24"))
    return found


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("kept", [packet_reader._KEPT_BYTES, 2000])
def test_the_frames_of_sequential_decoding(films, name, kept, monkeypatch):
    """The right ones, and to the last bit, though only what they need is decoded.

    Also of files whose packets have no room in memory.
    """
    monkeypatch.setattr(packet_reader, "_KEPT_BYTES", kept)
    path, reference = films(name, **CODECS[name]), None
    assert numbers(path) == CENTRES
    reference = sequentially(path)
    assert len(reference) >= 38  # a guard: some containers lose the last
    for sampling in (EIGHT, Sampling(3), Sampling(fps=3), Sampling(1000)):
        found = read(path, sampling)
        assert len({seconds for seconds, _ in found}) == len(found) > 2
        for seconds, picture in found:
            np.testing.assert_array_equal(picture, reference[seconds])
    assert len(found) == len(reference)  # of 1000 bins


def test_where_decoding_begins():
    """Key 4 is shown at 400; packet 5 at 300, and is made of frames before the key."""
    stamps, packets = np.array([0, 100, 200, 300, 400, 500]), np.array([0, 2, 1, 5, 4, 6])
    index = PacketIndex(
        unit=Fraction(1, 1000),
        count=7,
        keys=np.array([0, 4]),
        key_stamps=np.array([0, 400]),
        stamps=stamps,
        packets=packets,
        end=600,
        by_stamp=True,
        one_each=True,
    )
    assert [index.start_of(frame) for frame in range(6)] == [0, 0, 0, 0, 4, 4]
    assert [index.start_of(frame, earlier=1) for frame in (0, 3, 5)] == [0, 0, 0]


def test_what_headers_say_of_frames_does_not_count(films):
    """None in Matroska; in AVI a number that is patched to be too large."""
    matroska = films("open_gop.mkv", **CODECS["open_gop.mkv"])
    avi = films("mjpeg.avi", **CODECS["mjpeg.avi"])
    content = bytearray(avi.read_bytes())
    at = content.index(b"strh") + 8 + 32
    content[at : at + 4] = (1_000_000).to_bytes(4, "little")
    lying = avi.with_name("lying.avi")
    lying.write_bytes(content)
    for path, said in ((matroska, 0), (lying, 1_000_000)):
        with av.open(str(path)) as container:
            assert container.streams.video[0].frames == said
        assert numbers(path) == CENTRES


def test_a_variable_rate_is_sampled_by_time(films):
    """Ten frames in a second, one that stays for nine: of ten bins nine are of the last."""
    stamps = [100 * i for i in range(10)] + [1000, 9960]
    path = films("variable.mp4", 12, stamps=stamps, qp=4, bf=0)
    found = read(path, Sampling(10))
    assert [number_of(picture) for _, picture in found] == [5, 10]
    assert [seconds for seconds, _ in found] == pytest.approx([0.5, 1.0])


def test_one_frame_and_none(films, tmp_path):
    one = film(tmp_path / "one.mp4", greys(1), qp=4)
    assert numbers(one, Sampling()) == numbers(one, Sampling(fps=1)) == [0]
    none = tmp_path / "none.mp4"
    with av.open(str(none), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        container.start_encoding()
    grey = films("x264.mp4", **CODECS["x264.mp4"])
    content = bytearray(grey.read_bytes())
    _, start, end = next(box for box in boxes(content) if box[0] == b"mdat")
    content[start + 8 : end] = bytes(end - start - 8)
    zeros = tmp_path / "zeros.mp4"
    zeros.write_bytes(content)
    for path, reason in ((none, Reason.NO_VIDEO_STREAM), (zeros, Reason.NO_FRAMES)):
        with pytest.raises(Unreadable) as error:
            read(path)
        assert error.value.reason is reason
    assert "of 40 packets" in error.value.detail


@pytest.mark.parametrize("cover", [None, "mp3", "mp4"])
def test_sound_alone_and_with_a_cover(tmp_path, cover):
    codec = "libmp3lame" if cover == "mp3" else "aac"
    path = sound(tmp_path / f"song.{cover or 'mp4'}", codec, bool(cover))
    with av.open(str(path)) as container:
        assert len(container.streams) == 1 + bool(cover)
    with pytest.raises(Unreadable) as error:
        read(path)
    assert error.value.reason is (Reason.COVER_ART_ONLY if cover else Reason.NO_VIDEO_STREAM)


# --- Pictures -------------------------------------------------------------------------------------


def assert_like(picture, expected):
    """In the middle of each quarter; codecs blur edges."""
    assert picture.shape == expected.shape and picture.dtype == np.uint8
    height, width = picture.shape[:2]
    for y in (height // 4, height - height // 4):
        for x in (width // 4, width - width // 4):
            difference = picture[y, x].astype(int) - expected[y, x]
            assert abs(difference).max() <= 6, f"{picture[y, x]} at {x}, {y}"


@pytest.mark.parametrize(
    ("name", "how", "size"),
    [
        ("rgb.mp4", {"qp": 4}, (64, 48)),
        ("full_range.mp4", {"qp": 4, "pix_fmt": "yuvj420p"}, (64, 48)),
        ("ten_bits.mp4", {"qp": 4, "pix_fmt": "yuv420p10le"}, (64, 48)),
        ("odd.webm", {"codec": "libvpx-vp9", "crf": 4, "b": 0}, (63, 47)),
        ("odd444.mp4", {"qp": 4, "pix_fmt": "yuv444p"}, (63, 47)),
        ("fields.mpg", {"codec": "mpeg2video", "b": "2M", "flags": "+ilme+ildct"}, (64, 48)),
        ("bgr.mov", {"codec": "png", "pix_fmt": "rgb24"}, (64, 48)),
    ],
)
def test_colours_and_sizes(tmp_path, name, how, size):
    expected = corners(*size)
    for _, picture in read(film(tmp_path / name, [expected] * 3, **how)):
        assert_like(picture, expected)


def test_interlaced_frames_stay_as_they_are(tmp_path):
    path = film(tmp_path / "i.mp4", greys(10), qp=4, **{"x264-params": "interlaced=1:tff=1"})
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    assert numbers(path, Sampling(5)) == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("named", ["bt709", "smpte170m"])
def test_the_matrix_that_the_file_names(tmp_path, named):
    """Red by BT.709 is Y 63, Cb 102, Cr 240; by BT.601 the same numbers are another red."""
    path = tmp_path / "red.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        stream.options = {"qp": "0", "colorspace": named}
        values = np.empty((3, 48, 64), np.uint8)
        values[:] = np.array([63, 102, 240], np.uint8)[:, None, None]
        container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="yuv444p")))
        container.mux(stream.encode(None))
    ((_, picture),) = read(path)
    y, cb, cr = 1.164 * (63 - 16), 102 - 128, 240 - 128
    by_601 = [y + 1.596 * cr, y - 0.392 * cb - 0.813 * cr, y + 2.017 * cb]
    expected = [255, 0, 0] if named == "bt709" else np.clip(by_601, 0, 255)
    assert abs(picture[20, 20].astype(int) - expected).max() <= 3


def test_transparency_is_dropped(tmp_path):
    half = np.dstack([corners(), np.full((48, 64), 128, np.uint8)])
    path = film(tmp_path / "alpha.mov", [half] * 2, codec="qtrle", pix_fmt="argb")
    for _, picture in read(path):
        assert_like(picture, corners())


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_rotation_in_the_header(films, tmp_path, angle):
    """By the matrix of an mp4's track, clockwise as phones write it."""
    path = tmp_path / "turned.mp4"
    path.write_bytes(films.corners("upright.mp4", qp=4).read_bytes())
    for _, picture in read(turned(path, angle)):
        assert_like(picture, np.rot90(corners(), -angle // 90))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_rotation_on_the_first_frame_alone(films, tmp_path, quarters):
    """By a message in the stream, counter-clockwise: it holds for the frames after it too."""
    upright = films.corners("upright.mp4", qp=4)
    path = turned_first_frame(upright, tmp_path / "turned.mp4", quarters)
    with av.open(str(path)) as container:
        angles = [frame.rotation % 360 for frame in container.decode(video=0)]
    assert angles == [90 * quarters, 0, 0]
    found = read(path)
    assert len(found) == 3
    for _, picture in found:
        assert_like(picture, np.rot90(corners(), quarters))


def test_rotation_on_a_first_frame_that_is_not_chosen(films, tmp_path):
    upright = films("x264.mp4", **CODECS["x264.mp4"])
    path = turned_first_frame(upright, tmp_path / "turned.mp4", 1)
    ((_, picture),) = read(path, Sampling(1))
    assert picture.shape == (64, 48, 3) and number_of(picture) == 20


def test_names_that_look_like_addresses(films, tmp_path, monkeypatch):
    """A colon in a name starts no protocol, and a list of other files is no video."""
    content = films.corners("upright.mp4", qp=4).read_bytes()
    (tmp_path / "concat:a.mp4").write_bytes(content)
    (tmp_path / "x.mp4").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert len(read((tmp_path / "concat:a.mp4").relative_to(tmp_path))) == 3
    playlist = tmp_path / "list.mp4"
    for text in ("ffconcat version 1.0\nfile x.mp4\n", "#EXTM3U\n#EXTINF:1,\nx.mp4\n"):
        playlist.write_text(text)
        with pytest.raises(Unreadable) as error:
            read(playlist)
        assert error.value.reason is Reason.UNKNOWN_FORMAT
