"""Packets of a video that are read once, kept where there is room, and decoded where needed."""

import pytest

from made_files import number_of
from vidsim.video_files import packet_reader
from vidsim.video_files.frames import read_frames
from vidsim.video_files.sampling import Sampling

B_FRAMES = {"qp": 4, "g": 12, "bf": 3, "x264-params": "b-adapt=0:scenecut=0"}
CENTRES = [2, 7, 12, 17, 22, 27, 32, 37]  # of 40 frames: 2.5, 7.5, ...


def numbers(path, sampling):
    return sorted(number_of(picture) for _, picture in read_frames(path, sampling))


def test_only_what_is_needed_is_decoded(films, monkeypatch):
    """A chosen frame costs the packets from its key on, not the whole video."""
    path, decoded = films("b_frames.mp4", **B_FRAMES), []
    reader = packet_reader.PacketReader
    kept = reader._frames

    def counted(self, packet):
        decoded.append(packet is not None)
        return kept(self, packet)

    monkeypatch.setattr(reader, "_frames", counted)
    assert numbers(path, Sampling(1)) == [20]
    assert sum(decoded) <= 15  # key 12 to frame 20, and the first frame for how it is turned
    decoded.clear()
    assert numbers(path, Sampling(8)) == CENTRES
    assert sum(decoded) <= 40  # nothing had to be looked for twice


@pytest.mark.parametrize("kept", [packet_reader._KEPT_BYTES, 0])
def test_frames_of_which_no_other_is_made_are_there(films, kept, monkeypatch):
    """None is left out by mistake, so that it would have to be looked for."""
    monkeypatch.setattr(packet_reader, "_KEPT_BYTES", kept)
    monkeypatch.delattr("vidsim.video_files.frames._Video._last_before")
    for count in range(1, 20):
        found = numbers(films("b_frames.mp4", **B_FRAMES), Sampling(count))
        assert found == [40 * (2 * place + 1) // (2 * count) for place in range(count)]


def test_a_large_file_s_packets_are_not_kept(films, monkeypatch):
    """Of 40 packets only those that have room."""
    reader = packet_reader.PacketReader(films("b_frames.mp4", **B_FRAMES), 1)
    assert reader.index().count == len(reader._kept) == 40
    sizes = [packet.size + packet_reader._PACKET_BYTES for packet in reader._kept]
    reader.close()
    for room, kept in ((sum(sizes), 40), (sum(sizes) - 1, None)):
        monkeypatch.setattr(packet_reader, "_KEPT_BYTES", room)
        reader = packet_reader.PacketReader(films("b_frames.mp4", **B_FRAMES), 1)
        assert reader.index().count == 40
        assert (reader._kept and len(reader._kept)) == kept
        reader.close()
