"""Rated pairs into folds: what finetuning trains on and validates, one folder for each fold."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.locks import sole_process
from vidsim.records.fold import Fold
from vidsim.records.fold_manifest import (
    MANIFEST_NAME,
    TRAIN_FILE,
    VAL_FILE,
    FoldEntry,
    FoldManifest,
    read_folds,
    write_folds,
)
from vidsim.records.folds import grouped_folds, published_folds, seen_videos
from vidsim.records.labels import label_notes
from vidsim.records.pairs import Pairs
from vidsim.records.sample import write_sample
from vidsim.records.video_table import VideoTable
from vidsim.records.writer import self_contained_records, thin_pair_records, write_records
from vidsim.stages.configs import WriteTfrecordConfig
from vidsim.stages.data_files import complete, open_ratings, open_table


def run(common: Common, config: WriteTfrecordConfig) -> None:
    """Write the folds, unless they are there with the same configuration and the same data.

    Args:
        common: `data_dir`, `save_dir` and `seed` are used.
        config: the stage's own options.

    Raises:
        VidsimError: files are missing or damaged, ids are rated that no video has, or the pairs
            do not suffice for so many folds.
    """
    # ---- 1 Config ------------------------------------------------------------------------------
    common.check_fields()
    config.check_fields()
    if config.group_by_video and config.fold_size is not None:
        raise VidsimError("--fold-size has no meaning with --group-by-video; leave one out")
    configuration = {**asdict(config), "seed": common.seed}
    del configuration["make_sample"]

    # ---- 2 Data --------------------------------------------------------------------------------
    folder = common.data_dir / "pairwise"
    if config.make_sample:
        _make_sample(common.data_dir)
    labels, videos = _input_files(common.data_dir)
    with sole_process(folder):
        _write(common, config, configuration, labels, videos)


def _write(
    common: Common,
    config: WriteTfrecordConfig,
    configuration: dict[str, Any],
    labels: Path,
    videos: Path,
) -> None:
    started, folder = time.monotonic(), common.data_dir / "pairwise"
    table = open_table(common, videos)
    pairs, rows = open_ratings(labels, table)
    digests = {labels.name: file_digest(labels), videos.name: table.digest}
    if _is_done(common.data_dir, configuration, digests):
        return
    print(f"write_tfrecord: {len(table)} videos, {len(pairs)} pairs", flush=True)
    for note in label_notes(pairs):
        print(f"write_tfrecord: {labels}: {note}; each line counts")

    # ---- 3 Folds -------------------------------------------------------------------------------
    known = complete(rows)
    folds = [_only(known, fold) for fold in _make_folds(pairs, config, common.seed)]
    entries = tuple(_entry(fold, pairs) for fold in folds)

    # ---- 4 Write -------------------------------------------------------------------------------
    _remove_folds(common.data_dir, keep={fold.name for fold in folds})
    encode = _self_contained(table, rows, pairs) if config.self_contained else _thin(pairs)
    size = 0
    for fold, entry in zip(folds, entries, strict=True):
        for name, part in ((VAL_FILE, fold.val), (TRAIN_FILE, fold.train)):
            size += write_records(folder / fold.name / name, encode(part))
        print(_describe(entry), flush=True)
    write_folds(common.data_dir, FoldManifest(configuration, digests, entries))
    took = time.monotonic() - started
    print(f"write_tfrecord: {len(folds)} folds, {size / 1e6:.1f} MB in {took:.1f} s -> {folder}")


def _make_sample(data_dir: Path) -> None:
    """Into a data folder that is not there yet."""
    with sole_process(data_dir):
        if not (data_dir / "pairwise").exists():
            write_sample(data_dir)
            print(f"write_tfrecord: made a SAMPLE data set in {data_dir}: made-up videos")


def _thin(pairs: Pairs) -> Callable[[np.ndarray], Iterator[bytes]]:
    """From rows of pairs to records; each pair is serialized once, however many folds hold it."""
    records = thin_pair_records(pairs)
    return lambda part: (records[row] for row in part)


def _self_contained(
    table: VideoTable, rows: np.ndarray, pairs: Pairs
) -> Callable[[np.ndarray], Iterator[bytes]]:
    """From rows of pairs to records that hold both videos; `rows` (pairs, 2) are the videos'."""
    return lambda part: self_contained_records(table, rows[part], pairs.sim[part])


def _make_folds(pairs: Pairs, config: WriteTfrecordConfig, seed: int) -> list[Fold]:
    if config.group_by_video:
        return grouped_folds(pairs, config.num_folds, seed)
    return published_folds(len(pairs), config.num_folds, config.fold_size, seed)


def _only(known: np.ndarray, fold: Fold) -> Fold:
    """The fold without pairs that lack a video; all others stay where they would have been."""
    train, val = (part[np.isin(part, known)] for part in (fold.train, fold.val))
    if not len(train) or not len(val):
        raise VidsimError(
            f"fold {fold.index} would have {len(train)} training and {len(val)} validation pairs, "
            "since the others lack a video that was skipped; mend the records, or ask for fewer "
            "folds with --num-folds"
        )
    return replace(fold, train=train, val=val)


def _input_files(data_dir: Path) -> tuple[Path, Path]:
    files = data_dir / "pairwise" / "label.tsv", data_dir / "pairwise" / "pairwise.tfrecords"
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise VidsimError(
            f"{' and '.join(missing)} not found; the data folder (--data-dir) must hold "
            "pairwise/label.tsv and pairwise/pairwise.tfrecords as the challenge gives them. To "
            "try vidsim without data: python write_tfrecord.py --data-dir data/sample --make-sample"
        )
    return files


def _is_done(data_dir: Path, configuration: dict, digests: dict[str, str]) -> bool:
    """Whether these very folds are there; says so, or says why they are made again."""
    record = data_dir / "pairwise" / MANIFEST_NAME
    if not record.exists():
        return False
    manifest = read_folds(data_dir)
    before = {**manifest.configuration, **manifest.digests}
    now = {**configuration, **digests}
    changes = [
        f"{name} {str(before.get(name))[:12]} -> {str(value)[:12]}"
        for name, value in now.items()
        if before.get(name) != value
    ]
    changes += [f"{path} is gone" for path in manifest.files(data_dir) if not path.exists()][:1]
    if changes:
        print(f"write_tfrecord: redone, because of a change: {'; '.join(changes)}")
        return False
    print(
        f"write_tfrecord: {len(manifest.folds)} folds are there already; to redo, remove {record}"
    )
    return True


def _remove_folds(data_dir: Path, keep: set[str]) -> None:
    """Take back what an earlier run wrote: folders of another layout, then the manifest."""
    record = data_dir / "pairwise" / MANIFEST_NAME
    if not record.exists():
        return
    for path in read_folds(data_dir).files(data_dir):
        if path.parent.name in keep:
            continue
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()
    record.unlink()


def _entry(fold: Fold, pairs: Pairs) -> FoldEntry:
    videos, seen = seen_videos(pairs.take(fold.train), pairs.take(fold.val))
    return FoldEntry(
        fold.index, fold.name, len(fold.train), len(fold.val), videos, seen, fold.dropped
    )


def _describe(entry: FoldEntry) -> str:
    dropped = f", {entry.dropped_pairs} pairs dropped" if entry.dropped_pairs else ""
    return (
        f"  fold {entry.fold} {entry.name}: {entry.train_pairs} train, {entry.val_pairs} val, "
        f"{entry.val_videos_seen} of {entry.val_videos} val videos seen in training{dropped}"
    )
