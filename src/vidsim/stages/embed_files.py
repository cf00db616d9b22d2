"""A file of embeddings for each file of videos: `vidsim embed --by-file`.

Memory holds the texts of three files and a shard of one, however many files there are. While the
model works on one file, the next are opened.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from vidsim.blending.progress import StepProgress
from vidsim.errors import VidsimError
from vidsim.records.file_pattern import FilePattern
from vidsim.stages.embed_videos import RecordedVideos

_AHEAD = 2
Open = Callable[[Path], RecordedVideos]


def output_files(named: str, out: Path) -> dict[Path, Path]:
    """The file of embeddings of each file of videos: the same name, .npz for its ending.

    Args:
        named: --videos, a path, a pattern or a folder of .tfrecords.
        out: the folder to write; folders below the files' common one are kept.

    Raises:
        VidsimError: no files, or two that would have one name.
    """
    folder = Path(named).is_dir()
    pattern = FilePattern(Path(named), "**/*.tfrecords") if folder else FilePattern.of(named)
    files = pattern.files()
    if not files:
        raise VidsimError(f"--videos {named}: no file there; accepted are a path, or a pattern")
    common = Path(os.path.commonpath([file.parent for file in files]))
    found: dict[Path, Path] = {}
    for file in files:
        target = out / file.relative_to(common).with_suffix(".npz")
        if target in found:
            raise VidsimError(f"{found[target]} and {file}: both would be written to {target}")
        found[target] = file
    return {file: target for target, file in found.items()}


def embed_each(
    files: Sequence[Path], open_: Open, embed: Callable[[Path, RecordedVideos], None]
) -> None:
    """Embeds file by file; one that cannot be embedded does not keep the others from it.

    Args:
        files: of videos.
        open_: reads one.
        embed: embeds and writes the videos of one.

    Raises:
        VidsimError: each file that could not be embedded, and why.
    """
    failed = []
    with StepProgress() as progress:
        progress.step("embed", len(files), "files")
        for file, opened in _opened_ahead(files, open_):
            try:
                embed(file, opened())
            except VidsimError as error:
                failed.append(f"{file}: {error}" if str(file) not in str(error) else str(error))
                print(f"embed: FAILED: {failed[-1]}", flush=True)
            progress.advance()
    if failed:
        lines = "".join(f"\n  {line}" for line in failed[:20])
        more = f"\n  and {len(failed) - 20} more" if len(failed) > 20 else ""
        raise VidsimError(f"{len(failed)} of {len(files)} files were not embedded:{lines}{more}")


def _opened_ahead(
    files: Sequence[Path], open_: Open
) -> Iterator[tuple[Path, Callable[[], RecordedVideos]]]:
    """Every file, and what gives its videos or raises why there are none."""
    waiting: deque[tuple[Path, Future[RecordedVideos]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        try:
            for file in files:
                waiting.append((file, pool.submit(open_, file)))
                if len(waiting) > _AHEAD:
                    name, future = waiting.popleft()
                    yield name, future.result
            while waiting:
                name, future = waiting.popleft()
                yield name, future.result
        finally:
            for _, future in waiting:
                future.cancel()
