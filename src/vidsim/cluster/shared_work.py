"""`vidsim embed` and `vidsim extract` as jobs that share their files or videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidsim.cluster.configs import SharedConfig
from vidsim.cluster.executor import Executor
from vidsim.cluster.job import Job, Resources
from vidsim.cluster.run import job_runner, model_resources
from vidsim.cluster.stage_jobs import given_words
from vidsim.config import Common
from vidsim.config_fields import override
from vidsim.errors import VidsimError
from vidsim.stages.embed_config import EmbedConfig
from vidsim.stages.embed_files import output_files
from vidsim.stages.extract_config import ExtractConfig
from vidsim.stages.feature_files import FAILED, done_ids
from vidsim.video_files.sources import find_videos, named_videos
from vidsim.video_files.video_list import read_video_list

PARTS_PER_SLOT = 4
"""A part that takes longer than the others delays the end by a quarter of the time at most."""


def embed(common: Common, config: EmbedConfig, executor: SharedConfig, command: str) -> None:
    """Embeds file by file, as jobs: one file of embeddings for each file of videos.

    Args:
        common: as of every command.
        config: of embed.
        executor: where it runs.
        command: as it was typed.

    Raises:
        VidsimError: no files, or files that could not be embedded.
    """
    config = override(config, {"by_file": True}, "flag")
    config.check_fields()  # before a job finds out
    out = config.out or Path()
    files = output_files(str(config.videos), out)
    count = len(files)
    seen = [config.checkpoint or config.blend or Path(), *{file.parent for file in files}]
    words = ("embed", *given_words(common), *given_words(config))
    print(f"embed: {count:,} files of {config.videos}", flush=True)
    _run(executor, Parts(out, tuple(words), count, seen), command)


def extract(common: Common, config: ExtractConfig, executor: SharedConfig, command: str) -> None:
    """Extracts features of videos, as jobs.

    Args:
        common: as of every command.
        config: of extract.
        executor: where it runs.
        command: as it was typed.

    Raises:
        VidsimError: no videos, or jobs that failed.
    """
    folder, out = config.video_files or Path(), config.features_out or Path()
    if config.videos is None:
        files = find_videos(folder).files
    else:
        files = named_videos(folder, read_video_list(config.videos), str(config.videos)).files
    words = ("extract", *given_words(common), *given_words(config))
    print(f"extract: {len(files):,} videos of {folder}", flush=True)
    seen = [folder, *([config.videos] if config.videos else [])]
    _run(executor, Parts(out, tuple(words), len(files), seen, rest=True), command)
    failed = len(files) - len(done_ids(out, files))
    gave_none = f"; {failed:,} videos gave none ({FAILED})" if failed else ""
    print(f"extract: {len(files) - failed:,} videos have features{gave_none} -> {out}", flush=True)


@dataclass(frozen=True)
class Parts:
    """Work that can be divided.

    Attributes:
        out: what it writes to.
        words: of the whole command.
        count: of files or videos.
        seen: files and folders that it reads.
        rest: whether the whole command is given in the end, for what the parts left.
    """

    out: Path
    words: tuple[str, ...]
    count: int
    seen: Sequence[Path]
    rest: bool = False


def _run(executor: SharedConfig, parts: Parts, command: str) -> None:
    """Runs the parts.

    Raises:
        VidsimError: --part beside --executor, or a job that failed.
    """
    words, out = parts.words, parts.out
    if any(word.startswith("--part=") for word in words):
        raise VidsimError("--part has no meaning with --executor, which divides the work itself")
    with job_runner(
        executor, out.with_name(f"{out.name}.jobs"), command, None, parts.seen
    ) as runner:
        needed = model_resources(executor, runner.executor)
        count = executor.parts or _usual_parts(parts.count, runner.executor)
        jobs = _parts(words, needed, count)
        if parts.rest:
            names = tuple(job.name for job in jobs)
            jobs = [*jobs, Job(f"{words[0]}/rest", words, names, needed)]
        runner.scheduler.run(jobs)
        runner.finish()


def _parts(words: Sequence[str], needed: Resources, count: int) -> list[Job]:
    name = f"{words[0]}/part"
    return [
        Job(f"{name}-{number}", (*words, f"--part={number}/{count}"), (), needed)
        for number in range(1, count + 1)
    ]


def _usual_parts(count: int, executor: Executor) -> int:
    return max(min(count, PARTS_PER_SLOT * executor.slots), 1)
