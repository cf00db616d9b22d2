"""`vidsim embed` and `vidsim extract` as jobs that share their files or videos."""

from collections.abc import Sequence
from pathlib import Path

from vidsim.cluster.configs import SharedConfig
from vidsim.cluster.executor import Executor
from vidsim.cluster.job import Job, Resources
from vidsim.cluster.run import job_runner, model_resources
from vidsim.cluster.stage_jobs import given_words
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.stages.embed_config import EmbedConfig
from vidsim.stages.embed_files import output_files
from vidsim.stages.extract_config import ExtractConfig
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
    out = config.out or Path()
    count = len(output_files(str(config.videos), out))
    words = ("embed", *given_words(common), *given_words(config, "by_file"), "--by-file")
    print(f"embed: {count:,} files of {config.videos}", flush=True)
    _run(executor, out, words, count, command, last=False)


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
        count = len(find_videos(folder).files)
    else:
        count = len(named_videos(folder, read_video_list(config.videos), str(config.videos)).files)
    words = ("extract", *given_words(common), *given_words(config))
    print(f"extract: {count:,} videos of {folder}", flush=True)
    _run(executor, out, words, count, command, last=True)


def _run(
    executor: SharedConfig,
    out: Path,
    words: Sequence[str],
    count: int,
    command: str,
    last: bool,
) -> None:
    """Runs the parts; `last`: then the command itself, for what they left.

    Raises:
        VidsimError: --part beside --executor, or a job that failed.
    """
    if any(word.startswith("--part=") for word in words):
        raise VidsimError("--part has no meaning with --executor, which divides the work itself")
    jobs_folder = out.with_name(f"{out.name}.jobs")
    with job_runner(executor, jobs_folder, command, []) as runner:
        needed = model_resources(executor, runner.executor)
        jobs = _parts(words, needed, executor.parts or _usual_parts(count, runner.executor))
        if last:
            names = tuple(job.name for job in jobs)
            jobs = [*jobs, Job(f"{words[0]}/rest", tuple(words), names, needed)]
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
