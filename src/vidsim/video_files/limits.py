"""How much time and memory the decoder of one video may take."""

import resource
from dataclasses import dataclass
from pathlib import Path

_SECONDS_PER_MEGABYTE = 5  # of a video: several times what the slowest codecs need
_PATIENCE = 4  # seconds by the clock for one of computing: disks and other programs take theirs


@dataclass(frozen=True)
class Limits:
    """Limits of a decoder.

    Attributes:
        seconds: of computing that a small file is given; large ones are given more.
        megabytes: address space of the process, 2^20 bytes each. Of it 1,000 are libraries.
    """

    seconds: float = 120.0
    megabytes: int = 4096

    def computing(self, path: Path) -> float:
        """Seconds of a processor for one file, if one thread decodes it."""
        try:
            size = path.stat().st_size if path.is_file() else 0
        except OSError:
            size = 0
        return self.seconds + _SECONDS_PER_MEGABYTE * size / 1e6

    def waiting(self, path: Path) -> float:
        """Seconds by the clock that one waits for the frames of a file."""
        return _PATIENCE * self.computing(path)


def limit_memory(megabytes: int) -> None:
    """Limits the address space of this process, and keeps it from writing its memory to a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_AS, megabytes << 20)


def limit_computing(seconds: float) -> None:
    """This process ends by a signal when it has computed for so many seconds more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, round(used.ru_utime + used.ru_stime + seconds) + 1)


def _lower(what: int, limit: int) -> None:
    """Sets the soft limit, which the hard one bounds."""
    _, most = resource.getrlimit(what)
    resource.setrlimit(what, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
