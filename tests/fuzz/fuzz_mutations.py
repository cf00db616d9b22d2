"""Changes of an input, from a seeded random number generator: the same every time.

Half of them are made inside the input's format, so that checksums and lengths fit again; the others
are made to the file as it lies on disk, checksums and all.
"""

import contextlib
import re
import struct
from collections.abc import Iterator
from random import Random

from fuzz_formats import Format

MOST_BYTES = 1 << 17
_EDGES = [0, 1, -1, 2, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32]
_EDGES += [-(2**31), -(2**63), 2**62, 2**63 - 1, 2**63, 2**64 - 1]
_TEXTS = [str(edge).encode() for edge in _EDGES]
_TEXTS += [b"1e999", b"-0.0", b"0.5", b"NaN", b"9" * 30, b"9" * 5000, b"1e-400"]
_DIGITS = re.compile(rb"\d+")


class Mutator:
    """Makes inputs like those it was given.

    Args:
        seeds: at least one.
        form: how they are taken apart.
        tokens: byte strings that mean something there.
        random: of all choices.
    """

    def __init__(self, seeds: list[bytes], form: Format, tokens: tuple[bytes, ...], random: Random):
        self._seeds, self._format, self.random = seeds, form, random
        self._tokens = tokens or (b"\0",)

    def next(self) -> bytes:
        """One of the seeds, changed."""
        return self.changed(self.random.choice(self._seeds))

    def changed(self, data: bytes) -> bytes:
        """The input with one to four changes."""
        random = self.random
        try:
            parts = self._format.split(data) if random.random() < 0.5 else []
        except ValueError:
            parts = []
        inside = bool(parts)
        parts = parts or [data]
        for _ in range(1 + min(random.getrandbits(2), random.getrandbits(2))):
            if inside and parts and random.random() < 0.08:
                self._rearrange(parts)
            if parts:
                at = random.randrange(len(parts))
                parts[at] = self._change(parts[at])[:MOST_BYTES]
        return (self._format.join(parts) if inside else b"".join(parts))[:MOST_BYTES]

    def _rearrange(self, parts: list[bytes]) -> None:
        """A part doubled, left out, or put elsewhere."""
        part = self.random.choice(parts)
        if self.random.getrandbits(1):
            parts.remove(part)
        if self.random.getrandbits(1):
            parts.insert(self.random.randint(0, len(parts)), part)

    def _change(self, data: bytes) -> bytes:
        random = self.random
        at = self._place(len(data))
        few = random.choice((1, 1, 1, 2, 4, 8, 16, 64))
        match random.randrange(11):
            case 0 if at < len(data):
                return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]
            case 1:
                return data[:at] + random.randbytes(few) + data[at + few :]
            case 2:
                return data[:at] + data[at + few :]
            case 3:
                return data[:at] if random.getrandbits(1) else data[at:]
            case 4:
                number = self._number()
                return data[:at] + number + data[at + len(number) :]
            case 5:
                return data[:at] + random.choice(self._tokens) + data[at:]
            case 6:
                token = random.choice(self._tokens)
                return data[:at] + token + data[at + len(token) :]
            case 7:
                return self._spliced(data, at)
            case 8:
                return (
                    data[:at] + data[at : at + few] * random.choice((2, 3, 50)) + data[at + few :]
                )
            case 9:
                return self._other_digits(data)
        return data[:at] + random.randbytes(few) + data[at:]

    def _place(self, length: int) -> int:
        """Anywhere; half of the time near an end, where most headers are."""
        random = self.random
        if random.getrandbits(1):
            return random.randint(0, length)
        near = min(length, random.randrange(64))
        return near if random.getrandbits(1) else length - near

    def _number(self) -> bytes:
        edge = self.random.choice(_EDGES)
        form = self.random.choice(("<Q", "<I", "<H", "<B", ">Q", ">I", ">H"))
        size = struct.calcsize(form)
        return struct.pack(form, edge & (1 << 8 * size) - 1)

    def _spliced(self, data: bytes, at: int) -> bytes:
        """The beginning of this and the end of another, of this one's form."""
        other = self.random.choice(self._seeds)
        with contextlib.suppress(ValueError):
            other = self.random.choice(self._format.split(other) or [other])
        return data[:at] + other[self._place(len(other)) :]

    def _other_digits(self, data: bytes) -> bytes:
        found = list(_DIGITS.finditer(data))
        if not found:
            return data + self.random.choice(_TEXTS)
        start, stop = self.random.choice(found).span()
        return data[:start] + self.random.choice(_TEXTS) + data[stop:]


def blown_up(
    seeds: list[bytes], form: Format, tokens: tuple[bytes, ...], size: int, most: int
) -> Iterator[bytes]:
    """A token again and again, somewhere in the smallest seed: nesting, long numbers, long words.

    At nine places of every part of it, or a choice of `most` of all these.
    """
    parts = form.split(min(seeds, key=len))
    ways = [
        (token, number, len(part) * step // 8)
        for token in (*tokens, b"9", b"a", b" ", b"\0", b"\xff")
        for number, part in enumerate(parts)
        for step in range(9)
    ]
    for token, number, at in Random(0).sample(ways, min(most, len(ways))):
        part = parts[number]
        long = part[:at] + token * (size // len(token)) + part[at:]
        yield form.join([*parts[:number], long, *parts[number + 1 :]])
