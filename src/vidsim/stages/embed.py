"""Embeds any videos with any trained models: a checkpoint, a recipe's folds, or an ensemble."""

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
from vidsim.stages.embed_config import EmbedConfig
from vidsim.stages.embed_videos import (
    FeaturedVideos,
    RecordedVideos,
    Videos,
    WrittenVideos,
    scratch_folder,
)
from vidsim.stages.embedding_output import EmbeddingOutput
from vidsim.stages.video_features import extracted, extraction, find_features
from vidsim.tables.column_names import parse_columns
from vidsim.tables.row_log import RowLog
from vidsim.tables.video_list import VideoList, VideoNames
from vidsim.tasks.data_files import PAIRWISE, POINTWISE, TEST, open_table
from vidsim.tasks.loaded_model import embed_videos
from vidsim.video_models import VideoModel, VideoModels, common_origin, common_width


def run(common: Common, config: EmbedConfig) -> None:
    """Writes ids and embeddings of all videos to --out, shard by shard.

    Memory holds ids and texts of all videos of TFRecords (of a table: the ids), and one shard.

    Raises:
        VidsimError: no such models or videos, frames of another width than the models', a table
            with a mistake, or something else at --out.
    """
    config.check_fields()
    # ---- 1 Models and videos -------------------------------------------------------------------
    chosen, models, out = _chosen(config), VideoModels(), config.out or Path()
    first = {name: models.load(folders[0]) for name, folders in chosen.recipes.items()}
    with sole_process(out), scratch_folder(out) as scratch:
        videos = _opened(common, config, common_origin(first), scratch)
        _compare(first, videos)
        _embed_all(config, videos, chosen, models)


def _embed_all(config: EmbedConfig, videos: Videos, chosen: ModelSet, models: VideoModels) -> None:
    # ---- 2 What is done already ----------------------------------------------------------------
    out = config.out or Path()
    identity = {"models": chosen.identity(), "videos": videos.digest, "count": len(videos)}
    output = EmbeddingOutput(out, identity, len(videos), config.shard_size)
    if output.is_done():
        output.clear()  # it may have been killed just before that
        print(f"embed: done already: {out}", flush=True)
        return
    output.begin()
    count = len(chosen.checkpoints)
    by = f"{count} models of {chosen.folder}" if count > 1 else str(chosen.checkpoints[0])
    print(f"embed: {videos} by {by}", flush=True)

    # ---- 3 Embed and write ---------------------------------------------------------------------
    missing = set(output.missing())
    with StepProgress() as progress:
        progress.step("embed", len(videos), "videos")
        progress.advance(output.rows_of(set(range(output.shards)) - missing))
        for number, table in videos.parts(config.shard_size, missing):
            output.write(number, table.ids, _embed(chosen, models, table, config))
            progress.advance(len(table))
    output.finish()
    print(f"embed: {len(videos):,} videos -> {out}", flush=True)


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
    chosen: ModelSet, models: VideoModels, table: VideoTable, config: EmbedConfig
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
        return embed_videos(model.model, ready[model], rows, config.batch_size)

    return chosen.combined(embed)
