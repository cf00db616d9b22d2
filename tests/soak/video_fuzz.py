"""Mutated video files and pictures by the thousand, through `extract_features` as users call it.

    python tests/soak/video_fuzz.py --files 10000

Small files of many kinds are damaged - bytes, lengths, parts cut out, repeated, exchanged or cut
off - and extracted, a folder at a time. Each must end as features or as a reason from the list, and
this process must neither die nor wait for ever. What took long, or killed its decoder, is kept.
"""

import argparse
import collections
import json
import random
import shutil
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "video_files"))
from fake_extractor import GridExtractor
from made_files import corners, film, greys, sound, turned
from vidsim.stages.extract import Work, extract_features
from vidsim.video_files.limits import Limits
from vidsim.video_files.reasons import Reason
from vidsim.video_files.sampling import Sampling

FOLDER = 500  # files that are extracted together
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
LIMITS = Limits(seconds=4, megabytes=1500)


def seeds(folder: Path) -> list[Path]:
    """A file of each kind."""
    films = {
        "x264.mp4": {"qp": 30, "g": 6},
        "faststart.mp4": {"qp": 30, "movflags": "faststart"},
        "fragments.mp4": {"qp": 30, "movflags": "frag_keyframe+empty_moov", "g": 4},
        "x264.mkv": {"qp": 30, "bf": 2},
        "x264.ts": {"qp": 30},
        "x265.mp4": {"codec": "libx265", "x265-params": "log-level=none"},
        "av1.mp4": {"codec": "libsvtav1", "preset": 12},
        "vp8.webm": {"codec": "libvpx"},
        "vp9.webm": {"codec": "libvpx-vp9"},
        "mpeg2.mpg": {"codec": "mpeg2video"},
        "mpeg4.avi": {"codec": "mpeg4"},
        "mjpeg.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
        "png.mov": {"codec": "png", "pix_fmt": "rgb24"},
        "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
        "ffv1.mkv": {"codec": "ffv1"},
        "flv1.flv": {"codec": "flv"},
        "wmv2.wmv": {"codec": "wmv2"},
        "theora.ogv": {"codec": "libtheora"},
        "gif.gif": {"codec": "gif", "pix_fmt": "rgb8"},
        "raw.h264": {"qp": 30},
    }
    made = []
    for name, how in films.items():
        try:
            made.append(film(folder / name, greys(12), **how))
        except (ValueError, OSError) as error:  # an encoder that this build has not
            print(f"no {name}: {error}", flush=True)
            (folder / name).unlink(missing_ok=True)
    made.append(turned(film(folder / "turned.mp4", [corners()] * 4), 90))
    made.append(sound(folder / "cover.mp4", cover=True))
    for name in ("a.png", "a.jpg", "a.webp"):
        Image.fromarray(corners()).save(folder / name)
        made.append(folder / name)
    return made


def mutated(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The content with one to twenty changes."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 20))):
        if not changed:
            break
        kind, at = chance.randrange(8), chance.randrange(len(changed))
        if chance.random() < 0.4:  # headers matter more than what they describe
            at = chance.randrange(min(len(changed), 1024))
        length = chance.choice((1, 2, 4, 8, 64, 512))
        if kind == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[at] = chance.randrange(256)
        elif kind == 2:
            order, value = chance.choice("<>"), chance.choice(EDGES)
            changed[at : at + 4] = struct.pack(f"{order}I", value)
        elif kind == 3:
            del changed[at : at + length]
        elif kind == 4:
            changed[at:at] = changed[at : at + length] * chance.choice((1, 1, 100))
        elif kind == 5:
            del changed[at:]
        elif kind == 6:
            other = chance.choice(others)
            start = chance.randrange(len(other))
            changed[at : at + length] = other[start : start + length]
        else:
            changed[at : at + length] = chance.randbytes(length)
    return bytes(changed)


class Fuzz:
    """One folder of mutated files after the other.

    Args:
        folder: to work in.
        findings: where files that killed or stopped a decoder are kept.
        chance: of the changes.
    """

    def __init__(self, folder: Path, findings: Path, chance: random.Random):
        self._folder, self._findings, self._chance = folder, findings, chance
        place = folder / "seeds"
        place.mkdir(parents=True)
        self._seeds = [(path.suffix, path.read_bytes()) for path in seeds(place)]
        self.outcomes: collections.Counter[str] = collections.Counter()

    def round(self, first: int, count: int) -> None:
        """Extracts so many files and counts their outcomes."""
        videos, out = self._folder / "videos", self._folder / "features"
        files = self._write(videos, first, count)
        work = Work(8, 2, LIMITS)
        began = time.monotonic()
        extract_features(files, GridExtractor(), Sampling(4), out, work)
        seconds = time.monotonic() - began
        failed = {}
        for line in (out / "failed.jsonl").read_text(encoding="utf-8").splitlines():
            failed[json.loads(line)["id"]] = json.loads(line)
        for video, path in files.items():
            self._count(video, path, out / f"{video}.npz", failed.get(video))
        shutil.rmtree(videos)
        shutil.rmtree(out)
        total = sum(self.outcomes.values())
        print(f"{total} files, {seconds:.0f} s, {dict(self.outcomes)}", flush=True)

    def _write(self, videos: Path, first: int, count: int) -> dict[str, Path]:
        videos.mkdir()
        files, contents = {}, [content for _, content in self._seeds]
        for number in range(first, first + count):
            ending, content = self._chance.choice(self._seeds)
            path = videos / f"{number}{ending}"
            path.write_bytes(mutated(content, contents, self._chance))
            files[str(number)] = path
        return files

    def _count(self, video: str, path: Path, features: Path, failure: dict | None) -> None:
        """Features or a reason, and not both."""
        assert features.exists() != (failure is not None), path
        if failure is None:
            with np.load(features) as arrays:
                assert np.isfinite(arrays["features"]).all() and len(arrays["times"])
                assert len(arrays["times"]) == len(arrays["features"])
            self.outcomes["features"] += 1
            return
        reason = Reason(failure["reason"])
        self.outcomes[reason.value] += 1
        if reason in (Reason.CRASHED, Reason.TIME_LIMIT, Reason.MEMORY_LIMIT):
            self._findings.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, self._findings / f"{reason.value}-{path.name}")
            print(f"{reason.value}: {path.name}: {failure['detail']}", flush=True)


def main() -> None:
    """Rounds until there are enough files or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--minutes", type=float, default=120, help="no new folder after (120)")
    parser.add_argument("--seed", type=int, default=0, help="of the changes (0)")
    parser.add_argument("--findings", type=Path, help="where they are kept (a new folder)")
    flags = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vidsim_video_fuzz_"))
    findings = flags.findings or folder / "findings"
    fuzz, began = Fuzz(folder, findings, random.Random(flags.seed)), time.monotonic()
    for first in range(0, flags.files, FOLDER):
        if time.monotonic() - began > 60 * flags.minutes:
            break
        fuzz.round(first, min(FOLDER, flags.files - first))
    total = sum(fuzz.outcomes.values())
    print(
        f"PASSED: {total} files in {time.monotonic() - began:.0f} s, every one with features or "
        f"a reason: {dict(fuzz.outcomes)}"
    )


if __name__ == "__main__":
    main()
