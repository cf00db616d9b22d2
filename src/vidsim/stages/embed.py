"""Embeds any videos with any trained models: a checkpoint, a recipe's folds, or an ensemble."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.blending.progress import StepProgress
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.locks import sole_process
from vidsim.model_set import ModelSet, find_model_set
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.records.file_pattern import FilePattern
from vidsim.records.text_table import TABLES, TextTable
from vidsim.records.video_table import VideoTable
from vidsim.stages.batch_size import BatchSize
from vidsim.stages.embed_config import EmbedConfig
from vidsim.stages.embed_files import embed_each, output_files
from vidsim.stages.embed_videos import (
    FeaturedVideos,
    RecordedVideos,
    Videos,
    WrittenVideos,
    scratch_folder,
)
from vidsim.stages.embedding_output import EmbeddingOutput
from vidsim.stages.share import WorkShare
from vidsim.stages.video_features import extracted, extraction, find_features
from vidsim.tables.column_names import parse_columns
from vidsim.tables.row_log import RowLog
from vidsim.tables.video_list import VideoList, VideoNames
from vidsim.tasks.data_files import PAIRWISE, POINTWISE, TEST, open_table
from vidsim.tasks.loaded_model import embed_videos
from vidsim.video_models import VideoModel, VideoModels, common_origin, common_width


def run(common: Common, config: EmbedConfig) -> None:
    """Writes ids and embeddings of all videos to --out, shard by shard, or file by file.

    Memory holds ids and texts of all videos of TFRecords (of a table: the ids), and one shard.

    Raises:
        VidsimError: no such models or videos, frames of another width than the models', a table
            with a mistake, or something else at --out.
    """
    config.check_fields()
    chosen, models, out = _chosen(config), VideoModels(), config.out or Path()
    first = {name: models.load(folders[0]) for name, folders in chosen.recipes.items()}
    count = len(chosen.checkpoints)
    by = f"{count} models of {chosen.folder}" if count > 1 else str(chosen.checkpoints[0])
    embed = partial(_embed, chosen, models, BatchSize(config.batch_size))
    if config.by_file:
        _embed_files(common, config, chosen, first, by, embed)
        return
    with sole_process(out), scratch_folder(out) as scratch:
        videos = _opened(common, config, common_origin(first), scratch)
        _compare(first, videos)
        output = _output(out, chosen, videos, config)
        if output.is_done():
            output.clear()  # it may have been killed just before that
            print(f"embed: done already: {out}", flush=True)
            return
        print(f"embed: {videos} by {by}", flush=True)
        with StepProgress() as progress:
            progress.step("embed", len(videos), "videos")
            for done in _write_missing(output, videos, config.shard_size, embed):
                progress.advance(done)
        print(f"embed: {len(videos):,} videos -> {out}", flush=True)


Embed = Callable[[VideoTable], np.ndarray]


def _embed_files(
    common: Common,
    config: EmbedConfig,
    chosen: ModelSet,
    first: dict[str, VideoModel],
    by: str,
    embed: Embed,
) -> None:
    """A file of embeddings for each file of this command's part."""
    out, share = config.out or Path(), WorkShare.parse(config.part)
    targets = output_files(str(config.videos), out)
    files = share.of(list(targets))

    def open_file(file: Path) -> RecordedVideos:
        return RecordedVideos(open_table(common, file), None)

    def embed_file(file: Path, videos: RecordedVideos) -> None:
        _compare(first, videos)
        output = _output(targets[file], chosen, videos, config)
        if not output.is_done():
            sum(_write_missing(output, videos, config.shard_size, embed))
        output.clear()

    with sole_process(out.with_name(share.name(out.name))):
        print(f"embed: {len(files):,} files of {config.videos} by {by}", flush=True)
        embed_each(files, open_file, embed_file)
    print(f"embed: {len(files):,} files -> {out}", flush=True)


def _output(out: Path, chosen: ModelSet, videos: Videos, config: EmbedConfig) -> EmbeddingOutput:
    identity = {"models": chosen.identity(), "videos": videos.digest, "count": len(videos)}
    return EmbeddingOutput(out, identity, len(videos), config.shard_size)


def _write_missing(
    output: EmbeddingOutput,
    videos: Videos,
    shard_size: int,
    embed: Embed,
) -> Iterator[int]:
    """Embeds and writes the shards that are not there, and yields how many videos more are done."""
    output.begin()
    missing = set(output.missing())
    yield output.rows_of(set(range(output.shards)) - missing)
    for number, table in videos.parts(shard_size, missing):
        output.write(number, table.ids, embed(table))
        yield len(table)
    output.finish()


def _chosen(config: EmbedConfig) -> ModelSet:
    """The models of --checkpoint or --blend."""
    folder = config.checkpoint or config.blend or Path()
    chosen = find_model_set(folder)
    if bool(chosen.weights) == (config.blend is None):
        flags = ("--blend", "--checkpoint") if config.blend is None else ("--checkpoint", "--blend")
        raise VidsimError(f"{flags[1]} {folder}: name this folder by {flags[0]}")
    return chosen


def _opened(
    common: Common, config: EmbedConfig, origin: FeatureOrigin | None, scratch: Path
) -> Videos:
    """The videos of --videos, with the features that are named; `origin` is that of the models'."""
    named = str(config.videos)
    path = Path(named)
    if config.features is not None or config.video_files is not None:
        return _featured(config, path, origin, scratch)
    if path.suffix.lower() in TABLES:
        return WrittenVideos(TextTable(path))
    if not path.is_dir():
        return RecordedVideos(open_table(common, named), None)
    patterns = [FilePattern(path, pattern) for pattern in (POINTWISE, PAIRWISE, TEST)]
    files = [file for pattern in patterns for file in pattern.files()]
    if not files:
        raise VidsimError(
            f"--videos {named}: a folder without {', '.join(map(str, patterns))}; name the files "
            f"themselves, as {path / '*.tfrecords'}"
        )
    print(f"embed: of {path}: {', '.join(str(p) for p in patterns if p.files())}", flush=True)
    return RecordedVideos(open_table(common, files), FeatureOrigin.read(path))


def _featured(
    config: EmbedConfig, table: Path, origin: FeatureOrigin | None, scratch: Path
) -> Videos:
    """A table's videos with features; raw videos are read as those that the models know."""
    log, out = RowLog(), config.out or Path()
    videos = VideoList(table, VideoNames(parse_columns(config.columns)), log)
    path = config.features
    if config.video_files is not None:
        extractor, sampling = extraction(config.extractor, config.max_frames, config.fps, origin)
        path = out.with_name(f"{out.stem}.features")
        extracted(videos, config.video_files, path, extractor, sampling)
    features, _ = find_features(videos, path or Path(), scratch, log)
    return FeaturedVideos(videos, features, scratch)


def _compare(models: dict[str, VideoModel], videos: Videos) -> None:
    """Compares what the models read with what the videos have."""
    width, found = common_width(models), videos.width(schema.FRAME_FEATURE)
    if width is not None and found is not None and width != found:
        raise VidsimError(
            f"the models read frames of {width} numbers, and those of {videos} have {found}"
        )
    if width is not None and found is None:
        print(f"embed: no frames in {videos}; they are embedded by their texts alone", flush=True)
    if width is None and found is not None:
        print("embed: the models read texts alone, and no frames", flush=True)
    origin = common_origin(models)
    if origin is not None and videos.origin is not None and width is not None:
        videos.origin.require_readable(origin, "the models")
    read = {field for model in models.values() for field in model.fields}
    for name in (schema.ASR_TEXT, schema.OCR_TEXT):
        if name not in read and not isinstance(videos, RecordedVideos) and videos.has(name):
            print(f"embed: the models do not read {name}", flush=True)


def _embed(
    chosen: ModelSet, models: VideoModels, batch: BatchSize, table: VideoTable
) -> np.ndarray:
    """(K, D) float32 of one shard."""
    ready: dict[VideoModel, Examples] = {}

    def embed(folder: Path) -> np.ndarray:
        model = models.load(folder)
        if model not in ready:  # the folds of a recipe read the same
            parts, spec = model.checkpoint, model.checkpoint.backbone.spec
            shown = (parts.backbone.config, InputTensors.of(spec.widths))
            ready[model] = Examples(table, parts.tokenizer, None, *shown)
        rows = np.arange(len(table))
        return batch.run(partial(embed_videos, model.model, ready[model], rows))

    return chosen.combined(embed)
