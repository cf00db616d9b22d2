"""Flags of running commands as jobs, as data: read without Ray."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from vidsim.config_fields import Config, Range

_Jobs = Annotated[int, Range(1, 2**20)]


@dataclass(frozen=True)
class ExecutorConfig(Config):
    """Where jobs run, and how many side by side."""

    executor: Literal["local", "ray"] | None = None
    """What runs the work as jobs: processes of this machine (local) or a Ray cluster (ray). Without
    it the command does all of it in its own process."""
    jobs: _Jobs | None = None
    """Jobs side by side. Default: with local one for each GPU, or one; with ray as many as the
    cluster has room for."""
    address: str | None = None
    """Of the Ray cluster: auto (the one this machine belongs to, also the default), HOST:PORT of
    its head, or local (one that lives as long as this command)."""
    cpus_per_job: Annotated[float, Range(0, 4096, above=True)] | None = None
    """Processor cores that a job occupies. Default: with local the machine's, divided by --jobs;
    with ray 1. It limits how many run side by side, not how many threads they have."""
    gpus_per_job: Annotated[float, Range(0, 64)] | None = None
    """GPUs that a job of training or of a model's predictions occupies. Default: 1 where there are
    any."""
    memory_per_job: Annotated[float, Range(0, 1e6)] = 0.0
    """Main memory that a job occupies, in GB; 0: it is not counted."""
    retries: Annotated[int, Range(0, 100)] = 2
    """How often a job that failed is tried again. Jobs that were killed, or whose node is gone, are
    tried again in any case."""

    def contradictions(self) -> Iterator[str]:
        """Flags of an executor that is not named."""
        own = ("jobs", "address", "cpus_per_job", "gpus_per_job", "memory_per_job", "retries")
        for name in own:
            if self.executor is None and self.origin(name) == "flag":
                yield f"{self.said(name)} has no meaning without --executor local or ray"
        if self.executor == "local" and self.address is not None:
            yield f"{self.said('address')} has no meaning with --executor local"


@dataclass(frozen=True)
class SharedConfig(ExecutorConfig):
    """Flags of commands whose files or videos jobs share: embed, extract."""

    parts: _Jobs | None = None
    """Jobs that the work is divided into. Default: four for each that can run side by side."""

    def contradictions(self) -> Iterator[str]:
        """Also the number of parts."""
        yield from super().contradictions()
        if self.executor is None and self.parts is not None:
            yield f"{self.said('parts')} has no meaning without --executor local or ray"


@dataclass(frozen=True)
class AddressConfig(Config):
    """Flags of `vidsim cluster status`."""

    address: str | None = None
    """Of a Ray cluster whose nodes are to be shown as well: auto, or HOST:PORT."""
