"""Rated pairs into folds: what finetuning trains on and validates, one folder for each fold.

As published: `pairwise/<first>-<last>val/` in the data folder, and folds.json beside them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

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
    move_folds_aside,
    read_folds,
    write_folds,
)
from vidsim.records.folds import grouped_folds, published_folds, seen_pairs, seen_videos
from vidsim.records.labels import label_notes
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.records.writer import self_contained_records, thin_pair_records, write_records
from vidsim.tasks.data_files import complete, open_ratings, open_table
from vidsim.tasks.similarity.configs import WriteTfrecordConfig
from vidsim.tasks.similarity.fold_identity import fold_configuration, fold_identity, recorded_folds
from vidsim.training.run_identity import Identity


def write_pair_folds(common: Common, config: WriteTfrecordConfig) -> None:
    """Write the folds, unless they are there.

    Folds that are there are never overwritten: they were made with the same flags of the same
    data, or the command stops and says what differs. With `redo` they are moved aside first.

    Args:
        common: `data_dir`, `save_dir`, `fold_seed`, `redo` and `on_bad_record` are used.
        config: the stage's own options.

    Raises:
        VidsimError: the folds that are there were made otherwise; files are missing or damaged,
            ids are rated that no video has, or the pairs do not suffice for so many folds.
    """
    if config.group_by_video and config.fold_size is not None:
        raise VidsimError("--fold-size has no meaning with --group-by-video; leave one out")

    labels, videos = input_files(common.data_dir)
    with sole_process(common.data_dir / "pairwise"):
        _write(common, config, labels, videos)


def _write(common: Common, config: WriteTfrecordConfig, labels: Path, videos: Path) -> None:
    started, folder = time.monotonic(), common.data_dir / "pairwise"
    table = open_table(common, videos)
    pairs, rows = open_ratings(labels, table)
    digests = {labels.name: file_digest(labels), videos.name: table.digest}
    kept = _kept(common, fold_identity(config, common.fold_seed, digests))
    if kept is not None and len(kept) == 2 * config.num_folds:
        return
    print(f"write_tfrecord: {len(table)} videos, {len(pairs)} pairs", flush=True)
    for note in label_notes(pairs):
        print(f"write_tfrecord: {labels}: {note}; each line counts")

    # ---- 1 Folds -------------------------------------------------------------------------------
    known = complete(rows)
    folds = [_only(known, fold) for fold in _make_folds(pairs, config, common.fold_seed)]
    entries = tuple(_entry(fold, pairs) for fold in folds)

    # ---- 2 Write -------------------------------------------------------------------------------
    if kept is None and (folder / MANIFEST_NAME).exists():
        aside = move_folds_aside(common.data_dir)
        print(f"write_tfrecord: the folds that were there are in {aside} now", flush=True)
    encode = _self_contained(table, rows, pairs) if config.self_contained else _thin(pairs)
    size = 0
    for fold, entry in zip(folds, entries, strict=True):
        for name, part in ((VAL_FILE, fold.val), (TRAIN_FILE, fold.train)):
            path = folder / fold.name / name
            if path not in (kept or ()):
                size += write_records(path, encode(part))
        print(_describe(entry), flush=True)
    configuration = fold_configuration(config, common.fold_seed)
    write_folds(common.data_dir, FoldManifest(configuration, digests, entries))
    took = time.monotonic() - started
    print(f"write_tfrecord: {len(folds)} folds, {size / 1e6:.1f} MB in {took:.1f} s -> {folder}")
    _say_seen(entries)


def fold_differences(common: Common, config: WriteTfrecordConfig) -> list[str] | None:
    """How the folds that are there differ from those asked for; None where there are none.

    Raises:
        VidsimError: they differ and `redo` is not set; or files are missing or damaged.
    """
    if not (common.data_dir / "pairwise" / MANIFEST_NAME).exists():
        if not config.make_sample:
            input_files(common.data_dir)
        return None
    labels, videos = input_files(common.data_dir)
    digests = {labels.name: file_digest(labels), videos.name: open_table(common, videos).digest}
    identity = fold_identity(config, common.fold_seed, digests)
    return _differences(common, identity, read_folds(common.data_dir))


def _differences(common: Common, identity: Identity, manifest: FoldManifest) -> list[str]:
    record = common.data_dir / "pairwise" / MANIFEST_NAME
    changes = identity.differences(recorded_folds(manifest))
    if changes and not common.redo:
        raise VidsimError(
            f"{record}: the {len(manifest.folds)} folds that are there were made otherwise:\n"
            + "".join(f"    {line}\n" for line in changes)
            + "They are not overwritten. Give flags and files as before; or --redo, which moves "
            f"them to {record.parent}/folds.old-<number> and makes the folds anew; or make the "
            "others in another folder with --data-dir"
        )
    return changes


def _kept(common: Common, identity: Identity) -> set[Path] | None:
    """Which files of finished folds are there, to be left as they are; None: all are to be made.

    Raises:
        VidsimError: the folds were made otherwise, and are not to be redone.
    """
    if not (common.data_dir / "pairwise" / MANIFEST_NAME).exists():
        return None
    manifest = read_folds(common.data_dir)
    if _differences(common, identity, manifest):
        return None
    files = manifest.files(common.data_dir)
    if gone := [path for path in files if not path.exists()]:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        print(
            f"write_tfrecord: of {len(files)} files these are gone: {gone[0]}{more}; written again"
        )
    else:
        folder = common.data_dir / "pairwise"
        print(f"write_tfrecord: done already: {len(manifest.folds)} folds in {folder}")
    return {path for path in files if path not in gone}


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


def input_files(data_dir: Path) -> tuple[Path, Path]:
    """The ratings and the rated videos of a data folder.

    Raises:
        VidsimError: they are not there.
    """
    files = data_dir / "pairwise" / "label.tsv", data_dir / "pairwise" / "pairwise.tfrecords"
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise VidsimError(
            f"{' and '.join(missing)} not found; the data folder (--data-dir) must hold "
            "pairwise/label.tsv and pairwise/pairwise.tfrecords as the challenge gives them. To "
            "try vidsim without data: python write_tfrecord.py --data-dir data/sample --make-sample"
        )
    return files


def _entry(fold: Fold, pairs: Pairs) -> FoldEntry:
    train, val = pairs.take(fold.train), pairs.take(fold.val)
    videos, seen = seen_videos(train, val)
    return FoldEntry(
        fold=fold.index,
        name=fold.name,
        train_pairs=len(train),
        val_pairs=len(val),
        val_videos=videos,
        val_videos_seen=seen,
        dropped_pairs=fold.dropped,
        val_pairs_seen=seen_pairs(train, val),
    )


def _describe(entry: FoldEntry) -> str:
    dropped = f", {entry.dropped_pairs} pairs dropped" if entry.dropped_pairs else ""
    pairs = f", {entry.val_pairs_seen} val pairs in training too" if entry.val_pairs_seen else ""
    return (
        f"  fold {entry.fold} {entry.name}: {entry.train_pairs} train, {entry.val_pairs} val, "
        f"{entry.val_videos_seen} of {entry.val_videos} val videos seen in training{pairs}{dropped}"
    )


def _say_seen(entries: Sequence[FoldEntry]) -> None:
    """Pairs on both sides of a fold: the published cut has them where a pair is rated twice."""
    seen = sum(entry.val_pairs_seen or 0 for entry in entries)
    if seen:
        print(
            f"write_tfrecord: {seen} of {sum(entry.val_pairs for entry in entries)} validation "
            "pairs are in the training part of their own fold too, since label.tsv rates them "
            "more than once: scores on them are too good. Folds by --group-by-video have none"
        )
