"""Turns video files into features: decoders work ahead in processes, one model takes the frames."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidsim.blending.progress import StepProgress
from vidsim.config import Common
from vidsim.errors import Interrupted, VidsimError
from vidsim.locks import sole_process
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.stages.extract_config import ExtractConfig
from vidsim.stages.feature_files import FAILED, Failures, FrameBatches, done_ids, refuse_others
from vidsim.stages.share import WorkShare
from vidsim.video_files.decoder import Setup
from vidsim.video_files.decoder_pool import DecoderPool
from vidsim.video_files.libraries import decoder_version
from vidsim.video_files.limits import Limits
from vidsim.video_files.reasons import Unreadable
from vidsim.video_files.sampling import Sampling
from vidsim.video_files.sources import VideoSources, find_videos, named_videos
from vidsim.video_files.video_list import read_video_list

if TYPE_CHECKING:
    from vidsim.extractors.extractor import Extractor


@dataclass(frozen=True)
class Work:
    """How the work is done; nothing of it changes the features.

    Attributes:
        batch_size: frames that the model is given at a time.
        decoders: processes; None: one for each processor, at most 16.
        limits: of the decoders.
        share: which of the videos this command does.
    """

    batch_size: int = 16
    decoders: int | None = None
    limits: Limits = field(default_factory=Limits)
    share: WorkShare = field(default_factory=WorkShare)


@dataclass(frozen=True)
class Counts:
    """What became of some videos.

    Attributes:
        videos: that have features.
        before: those of them that had some already.
        frames: that were extracted now.
        failed: videos that gave none, by reason.
    """

    videos: int
    before: int
    frames: int
    failed: Mapping[str, int]

    def __str__(self) -> str:
        had = f" ({self.before:,} of them before)" if self.before else ""
        text = f"{self.videos:,} videos have features{had}, {self.frames:,} frames extracted"
        if not self.failed:
            return text
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.failed.items())
        return f"{text}; {sum(self.failed.values()):,} videos gave none: {reasons} ({FAILED})"


def run(common: Common, config: ExtractConfig) -> None:
    """Extracts the features of all videos of a folder, or of a table.

    Raises:
        VidsimError: no such videos or extractor, a package that is missing, features of another
            origin in the folder, or not one video that gave features.
    """
    common.check_fields()
    config.check_fields()
    # ---- 1 Videos ------------------------------------------------------------------------------
    decoder_version()  # before anything is read
    sources = _sources(config)
    for note in sources.notes:
        print(f"extract: {note}", flush=True)

    # ---- 2 Model -------------------------------------------------------------------------------
    from vidsim.extractors.registry import load_extractor

    extractor = load_extractor(config.extractor)

    # ---- 3 Extract and write -------------------------------------------------------------------
    sampling = Sampling(config.max_frames, config.fps)
    limits = Limits(config.decode_seconds, config.decode_megabytes)
    work = Work(config.batch_size, config.decoders, limits, WorkShare.parse(config.part))
    out = config.features_out or Path()
    part = f", part {config.part}" if config.part else ""
    count = f"{len(sources.files):,} videos{part}"
    print(f"extract: {count} by {extractor.name}, {sampling}", flush=True)
    counts = extract_features(sources.files, extractor, sampling, out, work)
    print(f"extract: {counts} -> {out}", flush=True)


def extract_features(
    files: Mapping[str, Path],
    extractor: "Extractor",
    sampling: Sampling,
    out: Path,
    work: Work | None = None,
) -> Counts:
    """Writes ID.npz with `features` (n, d) float16 and `times` (n,) float64 for each video.

    Videos that have their file already are left as they are; those that failed are tried again.
    The numbers do not depend on which videos are extracted together, as every batch has one size.

    Args:
        files: path of each video by its id.
        extractor: the model.
        sampling: which frames are taken.
        out: folder; it also gets features.json (FeatureOrigin) and failed.jsonl (id, file, reason,
            detail).
        work: how it is done.

    Raises:
        VidsimError: PyAV or Pillow is missing, `out` has features of another origin, or no video
            has features in the end.
        Interrupted: Ctrl-C; what was finished is kept, and the same call goes on.
    """
    work = work or Work()
    digest, version = extractor.digest, decoder_version()
    origin = FeatureOrigin(extractor.name, digest, extractor.width, version, str(sampling))
    files = {video: files[video] for video in work.share.of(list(files))}
    with sole_process(out.with_name(work.share.name(out.name))):
        refuse_others(out)
        origin.write(out)
        before = done_ids(out, files)
        waiting = [(video, path) for video, path in files.items() if video not in before]
        failures = Failures(out, work.share.name(FAILED))
        batches = FrameBatches(extractor, out, work.batch_size)
        setup = Setup(extractor.preprocessing.resized, sampling, work.limits)
        pool = DecoderPool(waiting, setup, work.decoders)
        try:
            with pool, batches, StepProgress() as progress:
                progress.step("extract", len(files), "videos")
                progress.advance(len(before))
                for _ in _extracted(pool, batches, failures):
                    progress.advance()
        except KeyboardInterrupt:
            done = len(before) + batches.written
            raise Interrupted(
                f"stopped; {done:,} of {len(files):,} videos have features, and the same command "
                "goes on from there"
            ) from None
        finally:
            failures.write(files)
    counts = Counts(len(before) + batches.written, len(before), batches.frames, failures.counts)
    if not counts.videos and work.share.count == 1:
        raise VidsimError(f"{out}: {counts}")
    return counts


def _extracted(pool: DecoderPool[str], batches: FrameBatches, failures: Failures) -> Iterator[None]:
    """Yields once for each video that is done."""
    for video_id, video in pool:
        batches.begin(video_id)
        try:
            for seconds, frame in video:
                yield from failures.noted(batches.add(seconds, frame))
        except Unreadable as error:
            batches.drop()
            failures.add(video_id, error)
            yield
        yield from failures.noted(batches.end())
    yield from failures.noted(batches.flush())


def _sources(config: ExtractConfig) -> VideoSources:
    folder = config.video_files or Path()
    if config.videos is None:
        return find_videos(folder)
    return named_videos(folder, read_video_list(config.videos), str(config.videos))
