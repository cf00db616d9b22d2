"""Videos with a category into folds: each class in about the same share on every fold's sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.locks import sole_process
from vidsim.preprocess.tag_vocabulary import read_lines
from vidsim.records.shown import shown
from vidsim.tasks.classification.configs import ClassFoldConfig
from vidsim.tasks.classification.fold_manifest import (
    TASK,
    TRAIN_FILE,
    VAL_FILE,
    ClassFold,
    ClassManifest,
    manifest_path,
    read_manifest,
    write_ids,
)
from vidsim.tasks.classification.labelled import LabelledVideos, open_labelled
from vidsim.tasks.folds import fold_dir, folds_dir
from vidsim.training.run_identity import Identity
from vidsim.training.run_record import free_name

DEV_IDS = "classification/dev.txt"
NUM_FOLDS = 5
_ACCEPTED = "accepted is the id of a video that has a category, one a line"
_NAMED = 5  # small classes that a sentence names


@dataclass(frozen=True)
class Sources:
    """What folds are cut of.

    Attributes:
        videos: those with a category.
        val: (K,) rows that validate, of a split that is given; None where folds are cut.
        num_folds: how many there will be.
        seed: of the cut.
        digests: hashes of contents, by name.
    """

    videos: LabelledVideos
    val: np.ndarray | None
    num_folds: int
    seed: int
    digests: dict[str, str]

    @classmethod
    def open(cls, common: Common, config: ClassFoldConfig) -> "Sources":
        """Reads videos, categories and the split, if one is given.

        Raises:
            VidsimError: as `open_labelled`; or the split is damaged, or --num-folds goes with it.
        """
        path = common.data_dir / DEV_IDS
        given = path.exists()
        if given and config.num_folds is not None:
            raise VidsimError(
                f"--num-folds {config.num_folds}: {path} lists the videos that validate the one "
                "fold there is; leave the flag out, or take the file away"
            )
        videos = open_labelled(common)
        val = read_dev_ids(path, videos) if given else None
        digests = {"videos": videos.table.digest, "classes": videos.vocabulary.digest}
        if given:
            digests[path.name] = file_digest(path)
        count = 1 if given else config.num_folds or NUM_FOLDS
        return cls(videos, val, count, common.fold_seed, digests)

    @property
    def configuration(self) -> dict[str, object]:
        """What decides on the folds besides the contents; a split that is given needs no seed."""
        seed = {} if self.val is not None else {"fold_seed": self.seed}
        return {"num_folds": self.num_folds, **seed}

    def folds(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of the training and of the validation part of each fold, ordered by id.

        Raises:
            VidsimError: there are fewer videos than folds.
        """
        order = np.argsort(self.videos.table.ids, kind="stable")
        if self.val is not None:
            parts = [np.flatnonzero(np.isin(order, self.val))]
        else:
            parts = list(stratified(self.videos.classes[order], self.num_folds, self.seed))
        for part in parts:
            yield np.delete(order, part), order[part]


def stratified(classes: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """Which videos each fold validates: every video in one fold, every class in like shares.

    Fold k shuffles those that no fold before it has by [seed, k], sorts them by class and takes
    one of every count - k: of a class at most one more or one fewer than its share.

    Args:
        classes: (N,) class numbers.
        count: folds.
        seed: of the cut.

    Raises:
        VidsimError: fewer videos than folds.
    """
    if len(classes) < count:
        raise VidsimError(
            f"--num-folds {count}: {len(classes)} videos have a category; a fold validates one or "
            "more that no other fold does"
        )
    left = np.arange(len(classes))
    for fold in range(count):
        shuffled = np.random.default_rng([seed, fold]).permutation(left)
        by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
        taken = by_class[:: count - fold]
        yield np.sort(taken)
        left = np.setdiff1d(left, taken)


def read_dev_ids(path: Path, videos: LabelledVideos) -> np.ndarray:
    """(K,) rows of the videos in a list of ids that validate.

    Raises:
        VidsimError: an id that is repeated or that no video with a category has; or no video is
            left on one of the sides.
    """
    seen: dict[str, int] = {}
    for number, line in read_lines(path, _ACCEPTED):
        video = line.strip()
        if video in seen:
            raise VidsimError(
                f"{path}:{number}: {shown(video)} stands in line {seen[video]} already"
            )
        seen[video] = number
    rows = videos.table.find(np.array([video.encode() for video in seen] or [b""], np.bytes_))
    for video, row in zip(seen, rows.tolist(), strict=False):
        if row < 0:
            raise VidsimError(
                f"{path}:{seen[video]}: no video {shown(video)} with a category among "
                f"{videos.table}; {_ACCEPTED}"
            )
    if not 0 < len(seen) < len(videos.table):
        raise VidsimError(
            f"{path}: lists {len(seen)} of the {len(videos.table)} videos with a category; some "
            "must be listed, and some must be left to train on"
        )
    return rows


def write_class_folds(common: Common, config: ClassFoldConfig) -> None:
    """Writes the folds, unless they are there.

    Folds that are there are never overwritten: they were made with the same flags of the same
    videos and classes, or the command stops and says what differs. With `redo` they are moved aside
    first.

    Raises:
        VidsimError: the folds that are there were made otherwise, or as `Sources.open`.
    """
    with sole_process(folds_dir(common, TASK)):
        sources = Sources.open(common, config)
        differing = _differences(common, sources)
        if differing:
            aside = _move_aside(common)
            print(f"write_tfrecord: the folds that were there are in {aside} now", flush=True)
        there = differing == []
        if there and all(path.exists() for path in read_manifest(common).files(common)):
            count, folder = sources.num_folds, folds_dir(common, TASK)
            print(f"write_tfrecord: done already: {count} folds in {folder}")
            return
        _write(common, sources)


def fold_differences(common: Common, config: ClassFoldConfig) -> list[str] | None:
    """How the folds that are there differ from those asked for; None where there are none."""
    sources = Sources.open(common, config) if not config.make_sample else None
    if sources is None or not manifest_path(common).exists():
        return None
    return _differences(common, sources)


def _write(common: Common, sources: Sources) -> None:
    videos, entries = sources.videos, []
    _say_videos(sources)
    for fold, (train, val) in enumerate(sources.folds()):
        folder, ids = fold_dir(common, TASK, fold), videos.table.ids
        val_digest = write_ids(folder / VAL_FILE, ids[val])
        train_digest = write_ids(folder / TRAIN_FILE, ids[train])
        entries.append(ClassFold(fold, len(train), len(val), train_digest, val_digest))
        classes = [len(np.unique(videos.classes[part])) for part in (train, val)]
        print(
            f"  fold {fold}: {len(train)} videos of {classes[0]} classes train, {len(val)} of "
            f"{classes[1]} validate"
        )
    ClassManifest(sources.configuration, sources.digests, tuple(entries)).write(common)
    given = sources.val is not None
    split = f"one fold, as {DEV_IDS} gives it" if given else f"{len(entries)} folds by class"
    print(f"write_tfrecord: {split} -> {folds_dir(common, TASK)}")


def _say_videos(sources: Sources) -> None:
    videos, vocabulary = sources.videos, sources.videos.vocabulary
    if videos.left_out:
        print(f"write_tfrecord: LEFT OUT {videos.left_out} videos that have no category_id")
    source = "of category_list.txt" if videos.listed else "that the videos have"
    print(f"write_tfrecord: {len(videos.table)} videos, {len(vocabulary)} classes {source}")
    counts = videos.counts
    if unused := int((counts == 0).sum()):
        print(f"write_tfrecord: {unused} classes have no video; nothing is learned of them")
    small = np.flatnonzero((counts > 0) & (counts < max(sources.num_folds, 2)))
    if len(small):
        named = ", ".join(f"{vocabulary.ids[k]} ({counts[k]})" for k in small[:_NAMED].tolist())
        more = f" and {len(small) - _NAMED} more" if len(small) > _NAMED else ""
        print(
            f"write_tfrecord: {len(small)} classes have fewer videos than there are folds, so that "
            f"not every fold trains or validates by them: {named}{more}"
        )


def _differences(common: Common, sources: Sources) -> list[str] | None:
    """None where there are no folds.

    Raises:
        VidsimError: they differ, and `redo` is not set.
    """
    path = manifest_path(common)
    if not path.exists():
        return None
    manifest = read_manifest(common)
    wanted = _named(sources.configuration, sources.digests)
    before = _named(dict(manifest.configuration), dict(manifest.digests))
    both = dict.fromkeys([*wanted, *before], "none")
    changes = Identity(both | wanted).differences(both | before)
    if changes and not common.redo:
        raise VidsimError(
            f"{path}: the {len(manifest.folds)} folds that are there were made otherwise:\n"
            + "".join(f"    {line}\n" for line in changes)
            + "They are not overwritten. Give flags and files as before; or --redo, which moves "
            f"them to {free_name(path.parent)} and makes the folds anew; or make the others in "
            "another folder with --data-dir"
        )
    return changes


def _named(configuration: dict[str, object], digests: dict[str, str]) -> dict[str, object]:
    """Fields by the names that a user knows."""
    shown_ = {f"--{name.replace('_', '-')}": value for name, value in configuration.items()}
    return shown_ | {f"digest of {name}": digest for name, digest in digests.items()}


def _move_aside(common: Common) -> Path:
    """Moves the listed files of the folds, and last the manifest, to a folder beside theirs."""
    folder = folds_dir(common, TASK)
    aside = free_name(folder)
    for path in [*read_manifest(common).files(common), manifest_path(common)]:
        if path.exists():
            target = aside / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    return aside
