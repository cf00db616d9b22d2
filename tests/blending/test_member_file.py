"""Rows of a member, by slice and by number, are those of the whole matrix."""

import tracemalloc
import zipfile

import numpy as np
import pytest

from vidsim.blending.fold_mean import FoldMean
from vidsim.blending.member_file import MemberFile
from vidsim.blending.row_source import CHUNK, chunks
from vidsim.errors import VidsimError

COUNT = 2 * CHUNK + 7
IDS = np.array([str(10**18 + n) for n in range(COUNT)])
VECTORS = np.random.default_rng(0).standard_normal((COUNT, 3)).astype(np.float32)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("ordered", [True, False])
def test_rows(tmp_path, save, dtype, layout, ordered):
    stored = np.asarray(VECTORS.astype(dtype), order=layout)
    place = np.arange(COUNT) if ordered else np.random.default_rng(1).permutation(COUNT)
    save(tmp_path / "m.npz", id=IDS[place], embedding=np.asarray(stored[place], order=layout))
    member = MemberFile(tmp_path / "m.npz", IDS)
    expected = VECTORS.astype(dtype).astype(np.float32)
    assert member.shape == (COUNT, 3)
    for rows in (*chunks(COUNT), slice(5, 5), slice(COUNT - 3, COUNT + 9), np.array([9, 0, 9])):
        found = member[rows]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected[rows])
    np.testing.assert_array_equal(member[:], expected)


def test_a_damaged_byte_is_found_when_it_is_opened(tmp_path):
    """The exponent of a number in the last chunk, which stays finite."""
    path = tmp_path / "m.npz"
    np.savez(path, id=IDS, embedding=VECTORS)
    content = bytearray(path.read_bytes())
    content[content.rindex(VECTORS[-2].tobytes()) + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(VidsimError, match=r"m\.npz: not an \.npz file.*Bad CRC-32"):
        MemberFile(path, IDS)


def test_all_rows_that_are_not_finite_are_named(tmp_path):
    vectors = VECTORS.copy()
    vectors[[1, COUNT - 1], 2] = np.nan, np.inf
    np.savez(tmp_path / "m.npz", id=IDS, embedding=vectors)
    with pytest.raises(VidsimError, match=f"not finite for {IDS[1]}, {IDS[-1]};"):
        MemberFile(tmp_path / "m.npz", IDS)


def test_numbers_too_few(tmp_path):
    """The header announces more rows than there are bytes."""
    np.savez(tmp_path / "whole.npz", id=IDS, embedding=VECTORS)
    with (
        zipfile.ZipFile(tmp_path / "whole.npz") as whole,
        zipfile.ZipFile(tmp_path / "m.npz", "w") as cut,
    ):
        cut.writestr("id.npy", whole.read("id.npy"))
        cut.writestr("embedding.npy", whole.read("embedding.npy")[:-50])
    with pytest.raises(VidsimError, match=r"m\.npz: not an \.npz file"):
        MemberFile(tmp_path / "m.npz", IDS)


def test_only_the_rows_asked_for_are_in_memory(tmp_path):
    """Of 6 MB in six chunks, no more than a chunk as it is read and as it is given."""
    ids = np.array([str(number) for number in range(6 * CHUNK)])
    np.savez(tmp_path / "m.npz", id=ids, embedding=np.zeros((len(ids), 250), np.float32))
    tracemalloc.start()
    member = MemberFile(tmp_path / "m.npz", ids)
    for rows in (*chunks(len(ids)), np.arange(9)):
        member[rows]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    chunk = CHUNK * 250 * 4
    assert chunk <= peak < 3 * chunk


def test_mean_of_folds_by_rows():
    folds = [VECTORS, VECTORS[::-1]]
    mean = FoldMean(folds, raw=True)
    assert mean.shape == VECTORS.shape
    np.testing.assert_allclose(mean[3:5], (VECTORS + VECTORS[::-1])[3:5] / 2, rtol=1e-6)
    with pytest.raises(VidsimError, match=r"\(\d+, 3\) and \(5, 3\)"):
        FoldMean([VECTORS, VECTORS[:5]])
