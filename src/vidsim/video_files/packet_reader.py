"""The packets of a file's video: their index, and the frames of those that are wanted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsim.video_files.packet_index import PacketIndex, index_packets, open_video, words_of

_KEPT_BYTES = 32 << 20
_PACKET_BYTES = 2000  # that a packet takes besides its content


@dataclass
class Run:
    """Packets that are decoded one after the other.

    Attributes:
        first: a key, or 0.
        last: the last packet.
        needed: packets whose frames are wanted; None: all.
    """

    first: int
    last: int
    needed: set[int] | None = None


class PacketReader:
    """Packets of a file's video by number.

    The packets of a small video are read once and kept in memory. A large one is read again from
    its beginning to be decoded, and whenever an earlier packet is needed.

    Args:
        path: of the file, which is opened.
        threads: of decoding.

    Attributes:
        problem: the first that was met in reading or decoding.

    Raises:
        Unreadable: see `open_video`.
    """

    def __init__(self, path: Path, threads: int):
        self._path, self._threads = path, threads
        self._container, self._stream = open_video(path, threads)
        self._kept: list[Any] | None = []
        self._packets: Iterator[Any] = iter(())
        self._next, self._used, self.problem = 0, False, ""

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def index(self) -> PacketIndex:
        """Reads all packets; to be called once, before anything is decoded.

        Raises:
            Unreadable: there are none, or none is shown.
        """
        packets = self._keeping(self._container.demux(self._stream))
        index = index_packets(packets, self._stream)
        if self._kept is None:
            self._reopen()
        return index

    def decode(self, run: Run) -> Iterator[Any]:
        """All frames of a run, but for some that are not needed."""
        if self._kept is None and run.first < self._next:
            self._reopen()
        decoder, seen = self._stream.codec_context, False
        if self._used:
            decoder.flush_buffers()
        self._used = True
        for number, packet in self._read(run):
            skip = run.needed is not None and seen and number not in run.needed
            decoder.skip_frame = "NONREF" if skip else "DEFAULT"
            for frame in self._frames(packet):
                seen = True
                yield frame
        yield from self._frames(None)

    def _reopen(self) -> None:
        self._container.close()
        self._container, self._stream = open_video(self._path, self._threads)
        self._packets = self._whole(self._container.demux(self._stream))
        self._next, self._used = 0, False

    def _keeping(self, packets: Iterable[Any]) -> Iterator[Any]:
        """The packets that are not empty, which are kept as long as there is room."""
        room = _KEPT_BYTES
        for packet in self._whole(packets):
            room -= packet.size + _PACKET_BYTES
            if room < 0:
                self._kept = None
            if self._kept is not None:
                self._kept.append(packet)
            yield packet

    def _whole(self, packets: Iterable[Any]) -> Iterator[Any]:
        """The packets that are not empty, up to where the file cannot be read."""
        from av.error import FFmpegError

        try:
            yield from (packet for packet in packets if packet.size)
        except MemoryError:
            raise
        except FFmpegError as error:
            self.problem = self.problem or words_of(error)

    def _read(self, run: Run) -> Iterator[tuple[int, Any]]:
        """The packets of a run with their numbers."""
        if self._kept is not None:
            yield from enumerate(self._kept[run.first : run.last + 1], run.first)
            return
        for packet in self._packets:
            self._next += 1
            if self._next > run.first:
                yield self._next - 1, packet
            if self._next > run.last:
                return

    def _frames(self, packet: Any) -> list[Any]:
        """The frames that come out; none where the decoder finds damage."""
        from av.error import FFmpegError

        try:
            return self._stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except FFmpegError as error:
            self.problem = self.problem or words_of(error)
            return []
