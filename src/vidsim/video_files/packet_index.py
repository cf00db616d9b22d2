"""When each frame of a video is shown, read off its packets; nothing is decoded for that.

What headers say of durations and numbers of frames is often wrong and never used.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.video_files.pictures import MOST_PIXELS, check_size
from vidsim.video_files.reasons import Reason, Unreadable

_FORMATS = (
    "aac,ac3,aiff,amr,apng,asf,av1,avi,caf,dv,flac,flv,gif,h261,h263,h264,hevc,ivf,m4v,matroska,"
    "webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,vc1,vvc,wav,wtv,"
    "yuv4mpegpipe"
)
"""Formats whose files hold all of a video. Not among them are lists of other files and addresses,
which a file of any name may turn out to be, and formats of single pictures."""
_KEY, _HIDDEN = 1, 2
_NONE = np.iinfo(np.int64).min  # no time stamp
_OTHERWISE = Fraction(1, 25)  # seconds of a frame where nothing tells


@dataclass(frozen=True)
class PacketIndex:
    """The packets of a video in the order in which they are decoded, and its frames by time.

    Attributes:
        unit: seconds of one count of a time stamp.
        count: packets.
        keys: (K,) int64, packets at which decoding can begin, increasing.
        key_stamps: (K,) int64, when they are shown.
        stamps: (N,) int64, increasing: when each frame is shown, first to last.
        packets: (N,) int64: with which packet the frame is decoded.
        end: time stamp at which the last frame is no longer shown.
        by_stamp: whether frames come with these time stamps; else they are known by their order.
        one_each: whether no two packets have one time stamp, as the two fields of a frame may.
    """

    unit: Fraction
    count: int
    keys: np.ndarray
    key_stamps: np.ndarray
    stamps: np.ndarray
    packets: np.ndarray
    end: int
    by_stamp: bool
    one_each: bool

    def start_of(self, frame: int, earlier: int = 0) -> int:
        """The packet from which a frame is decoded: the last key that is shown no later.

        Args:
            frame: its place in `stamps`.
            earlier: how many keys before that one.
        """
        stamp, packet = self.stamps[frame], self.packets[frame]
        key = int(np.searchsorted(self.keys, packet, side="right")) - 1
        while key >= 0 and self.key_stamps[key] > stamp:
            key -= 1
        return int(self.keys[key - earlier]) if key >= earlier else 0


def open_video(path: Path, threads: int) -> tuple[Any, Any]:
    """A container and its video stream, to be decoded by so many threads.

    Raises:
        Unreadable: no known format, no stream of video, or no decoder for it.
    """
    import av
    from av.error import FFmpegError

    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    options["max_pixels"] = str(MOST_PIXELS)  # of the decoders that look for sizes
    try:
        # with a protocol in front, a name that looks like an address is none
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except MemoryError:
        raise
    except (FFmpegError, ValueError, RuntimeError) as error:
        raise Unreadable(Reason.UNKNOWN_FORMAT, words_of(error)) from None
    try:
        return container, _video_stream(container, threads)
    except BaseException:
        container.close()
        raise


def _video_stream(container: Any, threads: int) -> Any:
    from av.stream import Disposition

    streams = [stream for stream in container.streams if stream.type == "video"]
    if not streams:
        kinds = sorted({str(stream.type) for stream in container.streams})
        raise Unreadable(Reason.NO_VIDEO_STREAM, f"streams: {', '.join(kinds) or 'none'}")
    covers = Disposition.attached_pic
    moving = [stream for stream in streams if not stream.disposition & covers]
    if not moving:
        raise Unreadable(Reason.COVER_ART_ONLY)
    best = container.streams.best("video")
    stream = best if best in moving else moving[0]
    if stream.codec_context is None:
        raise Unreadable(Reason.UNKNOWN_CODEC, "no decoder")
    decoder = stream.codec_context
    check_size(decoder.width, decoder.height)
    decoder.thread_count, decoder.thread_type = threads, "AUTO"
    decoder.options = {"max_pixels": str(MOST_PIXELS)}
    return stream


def words_of(error: Exception) -> str:
    """What a library says of an error, without the file's name."""
    return str(getattr(error, "strerror", None) or error)


def index_packets(packets: Iterable[Any], stream: Any) -> PacketIndex:
    """Reads all packets of a stream; none of them is empty.

    Raises:
        Unreadable: there are none, or none is shown.
    """
    stamps, decoded, lengths, flags = array("q"), array("q"), array("q"), array("b")
    for packet in packets:
        stamps.append(_NONE if packet.pts is None else packet.pts)
        decoded.append(_NONE if packet.dts is None else packet.dts)
        lengths.append(packet.duration or 0)
        flags.append(packet.is_keyframe | packet.is_discard << 1)
    if not flags:
        raise Unreadable(Reason.NO_FRAMES, "no packet in the stream")
    columns = [np.array(column, np.int64) for column in (stamps, decoded, lengths)]
    unit = Fraction(stream.time_base or 0)
    if unit <= 0 or (columns[0] == _NONE).any():
        shown, length, unit = _from_order(columns, stream, unit)
        return _index(shown, length, np.array(flags), unit, by_stamp=False)
    return _index(columns[0], columns[2], np.array(flags), unit, by_stamp=True)


def _from_order(
    columns: list[np.ndarray], stream: Any, unit: Fraction
) -> tuple[np.ndarray, np.ndarray, Fraction]:
    """Times where packets have none: those of decoding, or the stream's rate; their lengths."""
    _, decoded, lengths = columns
    if unit > 0 and (decoded != _NONE).all() and (np.diff(decoded) > 0).all():
        return decoded, lengths, unit
    rate = stream.average_rate or stream.guessed_rate
    count = len(decoded)
    return np.arange(count), np.ones(count, int), 1 / Fraction(rate) if rate else _OTHERWISE


def _index(
    shown: np.ndarray, lengths: np.ndarray, flags: np.ndarray, unit: Fraction, by_stamp: bool
) -> PacketIndex:
    """Frames by time; of packets with one time stamp, the fields of a frame, the last counts."""
    packets = np.flatnonzero(~flags & _HIDDEN)
    if not len(packets):
        raise Unreadable(Reason.NO_FRAMES, "no packet is to be shown")
    order = packets[np.argsort(shown[packets], kind="stable")]
    last = np.append(np.diff(shown[order]) > 0, True)
    order = order[last]
    stamps, length = shown[order], int(lengths[order[-1]])
    if length <= 0 and len(stamps) > 1:
        length = int(stamps[-1]) - int(stamps[-2])
    keys = np.flatnonzero(flags & _KEY)
    return PacketIndex(
        unit=unit,
        count=len(flags),
        keys=keys,
        key_stamps=shown[keys],
        stamps=stamps,
        packets=order,
        end=int(stamps[-1]) + max(length, 0),
        by_stamp=by_stamp,
        one_each=bool(last.all()),
    )
