"""What `python ensemble` blends and judges, found on disk before anything is read at length."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.blending.fit import FIT, Fit
from vidsim.blending.members import find_members, test_name
from vidsim.blending.weights import resolve_weights
from vidsim.config import Common, parse_folds
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.recipes import registry
from vidsim.records.file_pattern import FilePattern
from vidsim.records.fold_manifest import VAL_FILE, FoldEntry, FoldManifest, read_folds
from vidsim.records.labels import read_labels
from vidsim.records.pairs import Pairs, pair_keys
from vidsim.records.video_table import VideoTable
from vidsim.tasks.data_files import TEST, complete, open_pairs, open_ratings, open_table
from vidsim.tasks.member_records import Member, check_members, read_members
from vidsim.tasks.similarity import published
from vidsim.tasks.similarity.configs import EnsembleConfig
from vidsim.tasks.similarity.submission import refuse_foreign


@dataclass(frozen=True)
class Plan:
    """One run of the ensemble: its inputs and where its results go."""

    weights: dict[str, float]
    """By recipe; where they are fitted, those of before."""
    origin: str
    """A sentence on where the weights are from."""
    folds: list[int]
    tested: bool
    """Whether there are test videos; without them there is no submission."""
    ids: list[str]
    """The videos of the submission."""
    fold_pairs: dict[int, Pairs]
    """The validation part of each fold."""
    rated: Pairs
    """Every rated pair."""
    trained_on: int | None
    """Validation pairs that are in their fold's training part too; None where not counted."""
    test_pairs: Pairs | None
    """Of the test videos, where their ratings are known."""
    test_rows: np.ndarray
    """(pairs, 2) their places in ``ids``."""
    test_name: str | None
    """Of test videos that are not the data folder's own."""
    files: dict[str, str]
    """What was read to its path, for the report."""
    paths: list[Path]
    """The files of embeddings."""
    members: list[Member]
    output_zip: Path
    folder: Path
    """Of the report."""
    notes: list[str]
    fit: Fit | None = None
    """What fitted weights are worth."""


def make_plan(common: Common, config: EnsembleConfig) -> Plan:
    """Finds and compares everything; writes nothing.

    Raises:
        VidsimError: embeddings are missing or are not of these runs and videos, weights do not fit,
            or the submission would replace a file that is none.
    """
    names = registry.names(common.recipes)
    weights, origin = _weights_before_fit(names, config.weights)
    manifest = read_folds(common.data_dir)
    written = manifest.folds
    folds = parse_folds(common.folds, len(written))
    entries = [written[fold] for fold in folds]
    name = test_name(config.test_b_file, common.data_dir / TEST, config.out)
    output_zip = submission_path(common, name)
    named, flags = test_files(common, config), _test_flags(config)
    tested = has_test_videos(common, config)
    if tested:
        refuse_foreign(output_zip)
    paths = find_members(common, names, folds, name, flags, tested)
    table = open_table(common, named) if tested else None
    members = read_members(common, names, folds, name)
    checked = check_members(common, members, table.digest if table else None, flags)
    annotated = config.annotation_file or common.data_dir / "pairwise" / "label.tsv"
    rated, (test_pairs, test_rows) = read_labels(annotated), rated_test_pairs(named, table)
    notes = [] if tested else [f"{named} is not there: marks out of fold, and no {output_zip}"]
    notes += [*_fold_notes(entries, len(written)), *_stale(common, manifest), *checked]
    return Plan(
        weights=weights,
        origin=origin,
        folds=folds,
        tested=tested,
        ids=[video.decode() for video in table.ids.tolist()] if table else [],
        fold_pairs={entry.fold: _validation(common, entry) for entry in entries},
        rated=rated,
        trained_on=_trained_on(entries, rated),
        test_pairs=test_pairs,
        test_rows=test_rows,
        test_name=name,
        files={"rated pairs": str(annotated), "test videos": str(named)},
        paths=paths,
        members=members,
        output_zip=output_zip,
        folder=common.task_dir / common.run("ensemble") / (name or ""),
        notes=notes,
    )


def _weights_before_fit(names: Sequence[str], given: str | None) -> tuple[dict[str, float], str]:
    """As given, or as published, as they also are until they are fitted."""
    return resolve_weights(names, None if given == FIT else given, published.WEIGHTS)


def test_files(common: Common, config: EnsembleConfig) -> FilePattern:
    """The test videos that are meant."""
    if config.test_b_file is None:
        return FilePattern(common.data_dir, TEST)
    return FilePattern.of(config.test_b_file)


def has_test_videos(common: Common, config: EnsembleConfig) -> bool:
    """Whether there are test videos to blend.

    A data folder may have none; one with an empty test_b, and videos that were named, count as lost
    and are looked for.
    """
    given = config.test_b_file is not None or config.out is not None
    return given or (common.data_dir / TEST).parent.exists()


def rated_test_pairs(
    files: FilePattern, table: VideoTable | None
) -> tuple[Pairs | None, np.ndarray]:
    """The rated pairs of test videos and the rows of theirs; nothing without label.tsv beside."""
    labels = Path(str(files)).with_name("label.tsv")
    if table is None or not labels.is_file():
        return None, np.zeros((0, 2), np.int64)
    pairs, rows = open_ratings(labels, table)
    known = complete(rows)
    return pairs.take(known), rows[known]


def ids_to_check(common: Common, config: EnsembleConfig) -> list[str]:
    """The ids that a submission must have.

    Raises:
        VidsimError: there are no test videos; it tells how to name them.
    """
    files = test_files(common, config)
    if config.test_b_file is None and not files.files():
        raise VidsimError(
            f"--check {config.check}: {files} is not there, so nothing tells which videos must be "
            "in it; name the TFRecord file of the test videos by --ids FILE, or the data folder by "
            "--data-dir"
        )
    return [video.decode() for video in open_table(common, files).ids.tolist()]


def submission_path(common: Common, name: str | None = None) -> Path:
    """Where the submission goes: other runs and other test videos replace nobody else's."""
    if common.output_zip is not None:
        return common.output_zip
    return Path(f"result{common.run('')}{'' if name is None else f'-{name}'}.zip")


def _test_flags(config: EnsembleConfig) -> list[str]:
    """Of inference, for the same test videos."""
    named = [] if config.test_b_file is None else ["--test-b-file", str(config.test_b_file)]
    return named + ([] if config.out is None else ["--out", config.out])


def _fold_notes(entries: Sequence[FoldEntry], written: int) -> list[str]:
    notes = []
    if len(entries) < written:
        named = ", ".join(str(entry.fold) for entry in entries)
        notes.append(f"folds: {named}, as named by --folds; there are {written}")
    videos = sum(entry.val_videos for entry in entries)
    seen = sum(entry.val_videos_seen for entry in entries)
    notes.append(
        f"{seen:,} of {videos:,} validation videos are in other pairs of the training part"
    )
    return notes


def _stale(common: Common, manifest: FoldManifest) -> list[str]:
    """A note where the folds are not of the ratings that there are now."""
    labels = common.data_dir / "pairwise" / "label.tsv"
    if not labels.is_file() or manifest.digests.get(labels.name) in (None, file_digest(labels)):
        return []
    return [f"the folds were cut from another {labels} than the one that is there now"]


def _validation(common: Common, entry: FoldEntry) -> Pairs:
    path = common.data_dir / "pairwise" / entry.name / VAL_FILE
    return open_pairs(common, path, entry.val_pairs)[0]


def _trained_on(entries: Sequence[FoldEntry], rated: Pairs) -> int | None:
    """How many validation pairs their fold's models were trained on.

    A folds.json of before they were counted leaves it open only where pairs are rated twice.
    """
    once = len(set(pair_keys(rated))) == len(rated)
    counts = []
    for entry in entries:
        count = entry.val_pairs_seen
        counts.append(0 if count is None and (once or not entry.val_videos_seen) else count)
    return None if None in counts else sum(counts)
