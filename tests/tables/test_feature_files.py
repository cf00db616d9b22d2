"""Features on disk: a folder of files, one archive; what each says of one that is no good."""

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.tables.feature_files import open_features
from vidsim.tables.id_index import IdIndex, packed

FRAMES = {"b": np.arange(6.0).reshape(2, 3), "a": np.zeros((0, 3)), "c": np.ones((1, 3))}
IDS = np.array(list(FRAMES))
SPLITS = np.array([0, 2, 2, 3])
STACKED = np.concatenate(list(FRAMES.values())).astype("float32")


def read(path, tmp_path):
    features = open_features(path, tmp_path / "scratch")
    assert features.ids.find(packed([b"nobody"])).tolist() == [-1]
    places = features.ids.find(packed([b"b", b"a", b"c"])).tolist()
    return [features.read(place).frames for place in places]


def as_given(found):
    assert found[1] is None and all(f.dtype == np.float16 for f in (found[0], found[2]))
    np.testing.assert_array_equal(found[0], FRAMES["b"])
    np.testing.assert_array_equal(found[2], FRAMES["c"])


def test_a_folder(tmp_path):
    """As numpy writes them: any type, either order, .npz beside .npy."""
    folder = tmp_path / "f"
    folder.mkdir()
    np.save(folder / "b.npy", np.asfortranarray(FRAMES["b"]))
    np.save(folder / "a.npy", FRAMES["a"].astype(np.uint8))
    np.savez_compressed(folder / "c.npz", features=FRAMES["c"], times=[1.5])
    (folder / "notes.txt").write_text("x")
    as_given(read(folder, tmp_path))
    features = open_features(folder, tmp_path)
    assert features.read(2).times == [1.5] and features.file(2) == folder / "c.npz"
    stamp = features.stamp(0)
    np.save(folder / "a.npy", FRAMES["a"])
    assert features.stamp(0) != stamp
    np.save(folder / "c.npy", FRAMES["c"])
    with pytest.raises(VidsimError, match=r"c.npy and c.npz; one of them must go"):
        open_features(folder, tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive(tmp_path, save):
    """Whatever the order of its ids; a compressed one is unpacked to the scratch folder."""
    save(tmp_path / "a.npz", ids=IDS, splits=SPLITS, features=STACKED)
    as_given(read(tmp_path / "a.npz", tmp_path))
    assert (tmp_path / "scratch" / "features.npy").exists() == (save is np.savez_compressed)
    save(tmp_path / "b.npz", ids=np.array([7, 8]), features=np.ones((2, 4, 3)))
    features = open_features(tmp_path / "b.npz", tmp_path / "scratch")
    assert features.ids.ids.tolist() == [b"7", b"8"]
    assert features.read(1).frames.shape == (4, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"features": None}, "no features; there are ids, splits"),
        ({"ids": np.array([1.5, 2, 3])}, r"ids is float64 \(3,\)"),
        ({"ids": np.array(["a", "b", "a"])}, "id 'a' twice"),
        ({"splits": np.array([0, 2, 3])}, r"splits int64 \(3,\) do not go with 3 ids"),
        ({"splits": np.array([0, 2, 1, 3])}, "do not go with"),
        ({"splits": np.array([0, 2, 2, 4])}, "do not go with"),
        ({"splits": None}, r"and there is no splits; without it \(N, n, d\)"),
        ({"features": np.array(["x", {}], object)}, "cannot be read"),
    ],
)
def test_an_archive_that_does_not_fit(tmp_path, changed, message):
    arrays = {"ids": IDS, "splits": SPLITS, "features": STACKED} | changed
    np.savez(tmp_path / "a.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(VidsimError, match=message):
        open_features(tmp_path / "a.npz", tmp_path)


def test_files_that_are_damaged(tmp_path):
    """Cut at every byte of the header and here and there behind it: a reason, never an array."""
    np.save(tmp_path / "a.npy", STACKED)
    whole, tried = (tmp_path / "a.npy").read_bytes(), 0
    features = open_features(tmp_path, tmp_path)
    for length in [*range(0, 130), 140, len(whole) - 1]:
        (tmp_path / "a.npy").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cannot be read"):
            features.read(0)
        tried += 1
    (tmp_path / "a.npy").write_bytes(whole)
    assert tried == 132 and features.read(0).frames.shape == (3, 3)
    np.save(tmp_path / "a.npy", np.array(["x", {}], object))
    with pytest.raises(ValueError, match="cannot be read"):
        features.read(0)
    np.savez(tmp_path / "whole.npz", ids=IDS, splits=SPLITS, features=STACKED)
    archive = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(archive[:-9])
    with pytest.raises(VidsimError, match=r"cut.npz: cannot be read"):
        open_features(tmp_path / "cut.npz", tmp_path)


def test_times_that_do_not_fit(tmp_path):
    np.savez(tmp_path / "a.npz", features=STACKED, times=[1.0])
    with pytest.raises(ValueError, match=r"times is float64 \(1,\); \(3,\) finite seconds"):
        open_features(tmp_path, tmp_path).read(0)
    np.savez(tmp_path / "a.npz", STACKED)
    with pytest.raises(ValueError, match="there is arr_0; features is expected"):
        open_features(tmp_path, tmp_path).read(0)


def test_what_is_no_place_of_features(tmp_path):
    for path, message in (
        (tmp_path, "no ID.npy and no ID.npz"),
        (tmp_path / "none.npz", "accepted is a folder of ID.npy"),
    ):
        with pytest.raises(VidsimError, match=message):
            open_features(path, tmp_path)
    (tmp_path / "a.npy").write_bytes(b"")
    (tmp_path / "failed.jsonl").write_text('{"id": "x", "reason": "empty"}\n[]\n')
    with pytest.raises(VidsimError, match=r"failed.jsonl:2: '\[\]'; an object with id"):
        open_features(tmp_path, tmp_path)


def test_ids_are_found_without_an_object_for_each():
    """first() is the place at which an id stands first, as a plain loop finds it."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 30, 200).astype("S3")
    index, seen = IdIndex(ids), {}
    expected = [seen.setdefault(video, place) for place, video in enumerate(ids.tolist())]
    assert index.first().tolist() == expected
    assert index.find(ids).tolist() == expected
    assert IdIndex(packed([])).find(ids).tolist() == [-1] * 200
    assert index.find(packed([])).tolist() == []
