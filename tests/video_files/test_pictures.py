"""Picture files as videos of one frame, and folders of them."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from made_files import corners
from vidsim.video_files.frames import read_frames
from vidsim.video_files.pictures import MOST_PIXELS
from vidsim.video_files.reasons import Reason, Unreadable
from vidsim.video_files.sampling import Sampling
from vidsim.video_files.sources import find_videos


def read(path, **how):
    return list(read_frames(path, Sampling(**how)))


def reason_of(path):
    with pytest.raises(Unreadable) as error:
        read(path)
    return error.value.reason


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPEG", "a.webp"])
def test_a_picture_is_a_video_of_one_frame(tmp_path, name):
    Image.fromarray(corners()).save(tmp_path / name, quality=95)
    ((seconds, picture),) = read(tmp_path / name)
    assert seconds == 0 and picture.shape == (48, 64, 3) and picture.dtype == np.uint8
    inner = (slice(8, None, 31), slice(8, None, 47))
    assert abs(picture[inner].astype(int) - corners()[inner]).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_exif(tmp_path, orientation):
    """Of the eight ways to hold a camera; 3 and 6 by hand, all against their definition."""
    path, kept = tmp_path / "a.png", corners()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(kept).save(path, exif=exif)
    row, column = {  # of the stored picture's first row and column, in the shown one
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    expected = kept.swapaxes(0, 1) if row in ("left", "right") else kept
    if "bottom" in (row, column):
        expected = expected[::-1]
    if "right" in (row, column):
        expected = expected[:, ::-1]
    np.testing.assert_array_equal(read(path)[0][1], expected)


def test_other_kinds_of_colour(tmp_path):
    grey = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21
    Image.fromarray(grey).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read(tmp_path / "deep.png")[0][1][..., 1], grey >> 8)
    image = Image.fromarray(corners())
    image.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    transparent = image.copy()
    transparent.putalpha(Image.new("L", image.size, 7))
    transparent.save(tmp_path / "alpha.png")
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    for name in ("palette.png", "alpha.png", "cmyk.jpg"):
        found = read(tmp_path / name)[0][1][8::31, 8::47]
        assert abs(found.astype(int) - corners()[8::31, 8::47]).max() <= 8, name


def test_a_folder_in_the_order_of_names(tmp_path):
    """Numbers by their value, a second each; what is no picture is not read."""
    folder = tmp_path / "show"
    folder.mkdir()
    for number in (1, 2, 10, 9):
        Image.new("RGB", (5, 4), (number, 0, 0)).save(folder / f"slide{number}.png")
    (folder / "notes.txt").write_text("none")
    (folder / ".hidden.png").write_text("none")
    found = [(seconds, int(picture[0, 0, 0])) for seconds, picture in read(folder)]
    assert found == [(0, 1), (1, 2), (2, 9), (3, 10)]
    assert [int(p[0, 0, 0]) for _, p in read(folder, max_frames=2)] == [2, 10]
    assert [int(p[0, 0, 0]) for _, p in read(folder, fps=0.5)] == [2, 10]
    (folder / "slide2.png").write_bytes(b"\x89PNG and so on")
    assert [int(p[0, 0, 0]) for _, p in read(folder)] == [1, 9, 10]
    for path in folder.glob("slide*"):
        path.write_text("no picture")
    assert reason_of(folder) is Reason.UNKNOWN_FORMAT


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    Image.fromarray(corners()).save(tmp_path / "cut.jpg")
    content = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[:-60])
    expected = {
        "text.jpg": Reason.UNKNOWN_FORMAT,
        "empty.png": Reason.EMPTY,
        "folder": Reason.EMPTY,
        "pipe.png": Reason.MISSING,
        "none.png": Reason.MISSING,
        "cut.jpg": Reason.NO_FRAMES,
    }
    assert {name: reason_of(tmp_path / name) for name in expected} == expected


def bomb(path, width, height):
    """A black PNG of one bit a pixel, a few kilobytes small."""

    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + -(-width // 8)) * height), 1)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows)
    path.write_bytes(content + chunk(b"IEND", b""))
    return path


def test_a_picture_of_too_many_pixels(tmp_path):
    """Refused by its header, before memory is taken."""
    path = bomb(tmp_path / "bomb.png", 8 * 12_500, MOST_PIXELS // 100_000 + 1)
    assert reason_of(path) is Reason.TOO_LARGE


def test_which_file_is_which_video(tmp_path):
    for name in ("b.mp4", "a.MKV", "b.jpg", "clip 10.png", "clip 2.png", "notes.txt", ".x.mp4"):
        (tmp_path / name).touch()
    for name in ("show.1", "nothing"):
        (tmp_path / name).mkdir()
    (tmp_path / "show.1" / "1.webp").touch()
    found = find_videos(tmp_path)
    assert [(name, path.name) for name, path in found.files.items()] == [
        ("a", "a.MKV"),
        ("b", "b.mp4"),
        ("clip 2", "clip 2.png"),
        ("clip 10", "clip 10.png"),
        ("show.1", "show.1"),
    ]
    assert found.notes == [
        "left out, as videos have their names: 1 picture",
        "what is no video is left out: 1 .txt, 1 folder",
    ]
