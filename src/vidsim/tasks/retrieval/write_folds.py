"""Captions into folds by video: `folds/retrieval/fold<k>/{train,val}.tsv` in the data folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.locks import sole_process
from vidsim.records.folds import PUBLISHED_SEED
from vidsim.tasks.folds import fold_dir, folds_dir
from vidsim.tasks.retrieval.captions import (
    CAPTIONS,
    DEV_CAPTIONS,
    Captions,
    known_captions,
    read_captions,
    write_captions,
)
from vidsim.tasks.retrieval.configs import CaptionFoldConfig
from vidsim.tasks.retrieval.data import caption_videos
from vidsim.tasks.retrieval.fold_manifest import (
    TASK,
    TRAIN_FILE,
    VAL_FILE,
    CaptionFold,
    CaptionManifest,
    manifest_path,
    read_manifest,
)
from vidsim.training.run_identity import Identity
from vidsim.training.run_record import free_name

NUM_FOLDS = 5


@dataclass(frozen=True)
class Sources:
    """What folds are cut of.

    Attributes:
        train: the captions, or the training part of a split that is given.
        dev: the validation part of such a split; None where folds are cut.
        digests: hashes of contents by file.
        configuration: what else decides on the folds.
    """

    train: Captions
    dev: Captions | None
    digests: dict[str, str]
    configuration: dict[str, object]

    @classmethod
    def open(cls, common: Common, config: CaptionFoldConfig) -> "Sources":
        """Reads captions and videos.

        Raises:
            VidsimError: a file is missing or damaged, flags do not go with the given split, or that
                has a video on both sides.
        """
        given = (common.data_dir / DEV_CAPTIONS).exists()
        if given and config.num_folds is not None:
            raise VidsimError(
                f"--num-folds {config.num_folds}: {common.data_dir / DEV_CAPTIONS} gives the "
                "validation of the one fold there is; leave the flag out, or take the file away"
            )
        paths = [common.data_dir / name for name in (CAPTIONS, DEV_CAPTIONS)[: 1 + given]]
        read = [read_captions(path) for path in paths]
        table = caption_videos(common)
        digests = {path.name: file_digest(path) for path in paths} | {"videos": table.digest}
        parts = [known_captions(*pair, table) for pair in zip(paths, read, strict=True)]
        if given:
            _refuse_both_sides(paths, parts)
        count = 1 if given else config.num_folds or NUM_FOLDS
        configuration = {"num_folds": count, "fold_seed": common.fold_seed, "given": given}
        return cls(parts[0], parts[1] if given else None, digests, configuration)

    def identity(self) -> Identity:
        """What makes folds the same folds; the seed counts where they are cut by it."""
        return Identity(_named(self.configuration, self.digests))

    def folds(self) -> Iterator[tuple[Captions, Captions]]:
        """Training and validation part of each fold.

        Raises:
            VidsimError: there are fewer videos than folds.
        """
        if self.dev is not None:
            yield self.train, self.dev
            return
        videos = np.unique(self.train.videos)
        count, seed = (int(str(self.configuration[name])) for name in ("num_folds", "fold_seed"))
        if len(videos) < count:
            raise VidsimError(
                f"--num-folds {count}: {len(videos)} videos have captions; a fold validates one or "
                "more that no other fold does"
            )
        for validated in folds_of_videos(len(videos), count, seed):
            inside = np.isin(self.train.videos, videos[validated])
            train, val = np.flatnonzero(~inside), np.flatnonzero(inside)
            yield self.train.take(train), self.train.take(val)


def folds_of_videos(videos: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """Which videos each fold validates: every video in one fold.

    Fold k draws its share of those that no fold before it has, by [seed, k].
    """
    left = np.arange(videos)
    for fold in range(count):
        share = len(left) // (count - fold)
        drawn = np.random.default_rng([seed, fold]).permutation(len(left))[:share]
        yield np.sort(left[drawn])
        left = np.delete(left, drawn)


def write_caption_folds(common: Common, config: CaptionFoldConfig) -> None:
    """Writes the folds, unless they are there.

    Folds that are there are never overwritten: they were made with the same flags of the same
    captions and videos, or the command stops and says what differs. With `redo` they are moved
    aside first.

    Raises:
        VidsimError: the folds that are there were made otherwise, or as `Sources.open`.
    """
    if not (common.data_dir / CAPTIONS).exists():
        raise VidsimError(
            f"{common.data_dir / CAPTIONS} not found; retrieval learns from it: id of a video "
            "<tab> sentence, a line for each"
        )
    with sole_process(folds_dir(common, TASK)):
        sources = Sources.open(common, config)
        differing = _differences(common, sources)
        if differing:
            aside = _move_aside(common)
            print(f"write_tfrecord: the folds that were there are in {aside} now", flush=True)
        _write(common, sources, differing == [])


def fold_differences(common: Common, config: CaptionFoldConfig) -> list[str] | None:
    """How the folds that are there differ from those asked for; None where there are none."""
    if not manifest_path(common).exists():
        return None
    return _differences(common, Sources.open(common, config))


def _write(common: Common, sources: Sources, there: bool) -> None:
    """Writes every file that is not there yet, and last the manifest."""
    entries, written = [], 0
    for fold, parts in enumerate(sources.folds()):
        train, val = parts
        for name, part in ((VAL_FILE, val), (TRAIN_FILE, train)):
            path = fold_dir(common, TASK, fold) / name
            if not (there and path.exists()):
                write_captions(path, part)
                written += 1
        counts = [n for part in (train, val) for n in (len(part), len(part.different_videos()))]
        entries.append(CaptionFold(fold, *counts))
    folder = folds_dir(common, TASK)
    if not written:
        print(f"write_tfrecord: done already: {len(entries)} folds in {folder}")
        return
    CaptionManifest(sources.configuration, sources.digests, tuple(entries)).write(common)
    for entry in entries:
        print(
            f"  fold {entry.fold}: {entry.train_captions} captions of {entry.train_videos} videos "
            f"train, {entry.val_captions} of {entry.val_videos} validate, no video in both"
        )
    split = "one fold, as retrieval/dev_captions.tsv gives it" * (sources.dev is not None)
    print(f"write_tfrecord: {split or f'{len(entries)} folds by video'} -> {folder}")


def _differences(common: Common, sources: Sources) -> list[str] | None:
    """None where there are no folds.

    Raises:
        VidsimError: they differ, and `redo` is not set.
    """
    path = manifest_path(common)
    if not path.exists():
        return None
    manifest = read_manifest(common)
    recorded = _named({"fold_seed": PUBLISHED_SEED} | manifest.configuration, manifest.digests)
    changes = sources.identity().differences(recorded)
    if changes and not common.redo:
        raise VidsimError(
            f"{path}: the {len(manifest.folds)} folds that are there were made otherwise:\n"
            + "".join(f"    {line}\n" for line in changes)
            + "They are not overwritten. Give flags and files as before; or --redo, which moves "
            f"them to {free_name(path.parent)} and makes the folds anew; or make the others in "
            "another folder with --data-dir"
        )
    return changes


def _named(configuration: dict, digests: dict) -> dict[str, object]:
    """Fields by the names that a user knows; a split that is given does not depend on a seed."""
    shown = {f"--{name.replace('_', '-')}": value for name, value in configuration.items()}
    shown["split is given"] = shown.pop("--given", False)
    if shown["split is given"]:
        shown.pop("--fold-seed", None)
    return shown | {f"digest of {name}": digest for name, digest in digests.items()}


def _move_aside(common: Common) -> Path:
    """Moves the listed files of the folds, and last the manifest, to `folds/retrieval.old-<n>`."""
    folder = folds_dir(common, TASK)
    aside = free_name(folder)
    for path in [*read_manifest(common).files(common), manifest_path(common)]:
        if path.exists():
            target = aside / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    return aside


def _refuse_both_sides(paths: list[Path], parts: list[Captions]) -> None:
    shared = np.flatnonzero(np.isin(parts[1].videos, parts[0].videos))
    if len(shared):
        video = parts[1].videos.tolist()[shared[0]].decode()
        raise VidsimError(
            f"{paths[1]}: {len(shared)} captions are of videos that are in {paths[0]} too, the "
            f"first of {video!r} (line {shared[0] + 1}); a video that validates must not be "
            "trained on"
        )
