"""A member's rows must be the videos asked for; everything else is an error that says so."""

import numpy as np
import pytest

from vidsim.blending import members
from vidsim.blending.member_file import name_ids
from vidsim.blending.members import load_member, member_path, validation_path
from vidsim.errors import VidsimError

IDS = np.array(["7", "12", "9000000000000000001"])
VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture
def write(tmp_path):
    def write(ids, embedding, **names):
        path = tmp_path / "fold0.npz"
        np.savez(path, **(names or {"id": ids, "embedding": embedding}))
        return path

    return write


def test_paths(tmp_path):
    assert member_path(tmp_path, "mix", 3) == tmp_path / "inference" / "mix" / "fold3.npz"
    assert validation_path(tmp_path, "mix", 3).name == "fold3_val.npz"


def test_other_test_videos_get_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    default = tmp_path / "data" / "test_b" / "test_b.tfrecords"
    for same in (None, default, str(default), "data/test_b/../test_b/test_b.tfrecords"):
        assert members.test_name(same, default) is None
    for given, name in (
        ("more/clips 2.tfrecords", "clips-2"),
        ("more/test_b.tfrecords", "test_b"),
        ("more/part_*.tfrecords", "part_"),
        ("more/*.tfrecords", "test"),
        ("更多/猫咪.v2.tfrecords", "猫咪-v2"),
        ("fold0.tfrecords", "test-fold0"),
        ("x" * 99, "x" * 64),
    ):
        assert members.test_name(given, default) == name
    assert members.test_name(None, default, "mine") == "mine"
    for bad in ("", "..", "a/b", "fold3", "fold3_val", "x" * 65, "report.json", "-a"):
        with pytest.raises(VidsimError, match=r"--out .*: accepted are 1 to 64 letters"):
            members.test_name(None, default, bad)
    path = member_path(tmp_path, "mix@half", 3, "clips")
    assert path == tmp_path / "inference" / "mix@half" / "clips" / "fold3.npz"


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_rows_come_in_the_order_asked_for(write, order):
    loaded = load_member(write(IDS[order], VECTORS[order].astype(np.float16)), IDS)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, VECTORS)


def test_other_videos_are_named(write):
    path = write(np.array(["7", "13", "14"]), VECTORS)
    with pytest.raises(VidsimError) as error:
        load_member(path, IDS)
    assert str(path) in str(error.value)
    assert "no row for 12, 9000000000000000001;" in str(error.value)
    assert "rows for 13, 14" in str(error.value)


def test_a_video_too_few_and_one_too_many(write):
    with pytest.raises(VidsimError, match="no row for 12"):
        load_member(write(IDS[[0, 2]], VECTORS[[0, 2]]), IDS)
    with pytest.raises(VidsimError, match="rows for 12"):
        load_member(write(IDS, VECTORS), IDS[[0, 2]])


def test_a_video_twice(write):
    with pytest.raises(VidsimError, match="more than one row for 7"):
        load_member(write(np.array(["7", "12", "7"]), VECTORS), IDS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(write, value):
    vectors = VECTORS.copy()
    vectors[1, 1] = value
    with pytest.raises(VidsimError, match="not finite for 12;"):
        load_member(write(IDS, vectors), IDS)


@pytest.mark.parametrize(
    ("ids", "embedding", "message"),
    [
        (IDS, VECTORS[:2], r"shape \(3,\)"),
        (IDS, VECTORS[:, 0], r"accepted are \(N,\) and \(N, D\)"),
        (IDS, VECTORS[:, :0], r"\(3, 0\)"),
        (IDS, VECTORS.astype(int), "int64"),
        (np.array([7, 12, 9]), VECTORS, "int64"),
        (IDS.astype(object), VECTORS, "not an .npz file"),  # objects are code: never loaded
    ],
)
def test_arrays_of_another_kind(write, ids, embedding, message):
    with pytest.raises(VidsimError, match=message):
        load_member(write(ids, embedding), IDS)


def test_files_of_another_kind(write, tmp_path):
    with pytest.raises(VidsimError, match=r"not an \.npz file with 'id' and 'embedding'"):
        load_member(write(None, None, id=IDS, vectors=VECTORS), IDS)
    with pytest.raises(VidsimError, match=r"fold5\.npz: not an \.npz file"):
        load_member(tmp_path / "fold5.npz", IDS)
    whole = write(IDS, VECTORS).read_bytes()
    for number, content in enumerate([b"", b"text", whole[:-30], whole[: len(whole) // 2]]):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(content)
        with pytest.raises(VidsimError, match=f"{number}.npz: not an .npz file"):
            load_member(path, IDS)
    np.save(tmp_path / "array.npy", VECTORS)
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    with pytest.raises(VidsimError, match=r"array\.npz: not an \.npz file"):
        load_member(tmp_path / "array.npz", IDS)


def test_name_ids_names_a_few():
    assert name_ids(["1", "2", "3"]) == "1, 2, 3"
    assert name_ids(["1", "2", "3", "4", "5"]) == "1, 2, 3 and 2 more"
