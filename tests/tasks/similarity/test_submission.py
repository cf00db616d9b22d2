"""result.zip: what is written is what is read, and what is wrong is found."""

import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.tasks.similarity.submission import check_submission, write_submission

IDS = ["11", "22", "33"]
GOOD = {"11": [1.0, 0.5], "22": [0.25, -1e-05], "33": [0.0, 2]}


@pytest.fixture
def zipped(tmp_path):
    def zipped(text, name="result.json"):
        path = tmp_path / "made.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, text)
        return path

    return zipped


def read(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("result.json"))


def test_every_float16_reads_back(tmp_path):
    """All 63,488 finite values, as decimals that are no longer than they need be."""
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    values = values[np.isfinite(values)].reshape(-1, 256)
    ids = [str(number) for number in range(len(values))]
    write_submission(tmp_path / "result.zip", ids, values)
    back = read(tmp_path / "result.zip")
    assert list(back) == ids
    np.testing.assert_array_equal(np.array(list(back.values())).astype(np.float16), values)
    text = zipfile.ZipFile(tmp_path / "result.zip").read("result.json").decode()
    numbers = text.replace("[", ",").replace("]", ",").split(",")
    assert max(len(number) for number in numbers if '"' not in number) <= len("-6.1035e-05")


def test_values_are_rounded_to_float16(tmp_path):
    write_submission(tmp_path / "result.zip", ["1"], np.array([[0.1, 1 / 3, 1.0]], np.float32))
    assert read(tmp_path / "result.zip") == {"1": [0.1, 0.3333, 1.0]}


def test_the_same_blend_is_the_same_file(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3, 256))
    write_submission(tmp_path / "a.zip", IDS, vectors)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    write_submission(tmp_path / "new" / "b.zip", IDS, vectors)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "new" / "b.zip").read_bytes()
    assert check_submission(tmp_path / "a.zip", IDS) == []
    info = zipfile.ZipFile(tmp_path / "a.zip").infolist()
    assert [member.filename for member in info] == ["result.json"]
    assert info[0].compress_type == zipfile.ZIP_DEFLATED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "new"]  # nothing aside


def test_what_float16_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.zip"
    write_submission(path, IDS, np.ones((3, 2)))
    before = path.read_bytes()
    with pytest.raises(VidsimError, match="beyond float16 for 22, 33"):
        write_submission(path, IDS, np.array([[1, 1], [7e4, 1], [np.nan, 1]]))
    assert path.read_bytes() == before


def test_a_good_submission_has_no_problems(zipped):
    assert check_submission(zipped(json.dumps(GOOD)), IDS) == []
    assert check_submission(zipped(json.dumps(GOOD, indent=1)), IDS[::-1]) == []
    assert check_submission(zipped("{ }"), []) == []


def changed(**changes):
    return json.dumps(GOOD | {key.strip("_"): value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (changed(_44=[1, 2]), "1 x not a video of the test set: 44"),
        ('{"11": [1, 2], "22": [1, 2]}', "1 x missing: 33"),
        ("{}", "3 x missing: 11, 22, 33"),
        (changed()[:-1] + ', "11": [1, 2]}', "1 x more than once in the file: 11"),
        (changed(_22=[1] * 257), "1 x 257 numbers, accepted are 1 to 256: 22"),
        (changed(_22=[]), "1 x 0 numbers, accepted are 1 to 256: 22"),
        (changed(_22=[1, 2, 3]), "1 x 3 numbers where others have 2: 22"),
        (changed(_22=[1, "2"]), "1 x not a list of numbers: 22"),
        (changed(_22=[1, True]), "1 x not a list of numbers: 22"),
        (changed(_22=[1, None]), "1 x not a list of numbers: 22"),
        (changed(_22=[[1, 2]]), "1 x not a list of numbers: 22"),
        (changed(_22={"a": 1}), "1 x not a list of numbers: 22"),
        (changed(_22=1), "1 x not a list of numbers: 22"),
        (changed(_22=[1, float("nan")]), "1 x a number that is not finite: 22"),
        (changed(_22=[1, float("-inf")]), "1 x a number that is not finite: 22"),
        (changed(_22=[1, 10**400]), "1 x a number that is not finite: 22"),
        (
            changed(_22=[1, 2]).replace("[1, 2]", "[1, 1e999]"),
            "1 x a number that is not finite: 22",
        ),
        (changed(_22=[0, -0.0]), "1 x a zero vector, which has no cosine: 22"),
    ],
)
def test_problems_in_the_content(zipped, text, problem):
    assert check_submission(zipped(text), IDS) == [problem]


def test_all_problems_at_once(zipped):
    assert check_submission(zipped('{"11": [0], "44": [1]}'), IDS) == [
        "1 x a zero vector, which has no cosine: 11",
        "1 x not a video of the test set: 44",
        "2 x missing: 22, 33",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"11": [1, 2]',
        '{"11": [1, 2],}',
        '{"11": [1, 2], "22"}',
        '{"11" [1, 2]}',
        "{11: [1, 2]}",
        '{"11": [1, 2] "22": [1, 2]}',
        '{"11": [1, 2]} {}',
        '{"11": [1 2]}',
        '{"11": ' + "[" * 100_000,
        b'{"11": "\xff"}',
    ],
)
def test_what_is_not_json(zipped, text):
    (problem,) = check_submission(zipped(text), IDS)
    assert "result.json: not a JSON object of number lists" in problem or "0xff" in problem


def test_another_member_name(zipped):
    """The published inference named the member as its own output path, which no one could read."""
    (problem,) = check_submission(zipped(changed(), "10fold_b_json/10fold_1_mix.json"), IDS)
    assert "accepted is result.json alone" in problem


def test_a_second_member(zipped):
    path = zipped(changed())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "x")
    assert "accepted is result.json alone" in check_submission(path, IDS)[0]


def test_broken_zips(zipped, tmp_path):
    whole = zipped(changed()).read_bytes()
    damaged = bytearray(whole)
    damaged[45] ^= 0xFF  # in the compressed text, behind the 41 bytes of its header
    contents = {"empty": b"", "text": b"{}", "cut": whole[:-10], "damaged": bytes(damaged)}
    for name, content in contents.items():
        path = tmp_path / f"{name}.zip"
        path.write_bytes(content)
        (problem,) = check_submission(path, IDS)
        assert f"{name}.zip: not a readable zip" in problem
    (problem,) = check_submission(tmp_path / "absent.zip", IDS)
    assert "absent.zip: no such file" in problem


def problem_and_peak(path):
    """What is wrong with it, and the bytes that Python held while that was found."""
    tracemalloc.start()
    (problem,) = check_submission(path, IDS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return problem, peak


def test_a_zip_that_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    """A hundred megabytes of spaces in a hundred kilobytes; and one that lies about its size."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", b" " * (100 << 20))
    problem, peak = problem_and_peak(path)
    assert "unpacks to more than the 1,073,152 bytes" in problem
    assert peak < 10 << 20
    size = (100 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    (problem,) = check_submission(path, IDS)
    assert "not a readable zip" in problem


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused_unread(tmp_path, method):
    """LZMA takes as much memory to begin with as the file says: up to 4 GiB."""
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("result.json", changed())
    (problem,) = check_submission(path, IDS)
    assert f"made.zip: compressed by method {method}; accepted is deflate" in problem


@pytest.mark.parametrize("start", ['{"11": [', '{"11": "', '{"', '{"11": [1], "22": [', '{"11": 1'])
def test_a_long_entry_is_refused_before_it_fills_the_memory(zipped, start):
    """A megabyte of empty lists is 28 MB of objects."""
    path = zipped(start + "[]," * 330_000)
    problem, peak = problem_and_peak(path)
    assert "not a JSON object of number lists" in problem
    assert peak < 8 << 20


def test_many_members_are_not_all_named(tmp_path):
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number}.json", "")
    (problem,) = check_submission(path, IDS)
    assert "its members are 3000: '0.json, 1.json, 2.json'; accepted is" in problem


@pytest.mark.slow
def test_memory_does_not_grow_with_the_videos(tmp_path):
    """Twice as many, 5 MB more of text and 2 MB more of numbers; only the ids are held."""

    class Rows:
        def __init__(self, count):
            self.shape = (count, 256)

        def __getitem__(self, rows):
            return np.full((rows.stop - rows.start, 256), 1 / 3, np.float32)

    peaks = []
    for count in (3000, 6000):
        ids = [str(10**18 + number) for number in range(count)]
        tracemalloc.start()
        write_submission(tmp_path / "result.zip", ids, Rows(count))
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert check_submission(tmp_path / "result.zip", ids) == []
        peaks.append((written, tracemalloc.get_traced_memory()[1]))
        tracemalloc.stop()
    (written, checked), (written_twice, checked_twice) = peaks
    assert written_twice - written < 1e6
    assert checked_twice - checked < 2e6


def test_an_entry_longer_than_any_valid_one(zipped):
    text = changed(_22=[1] * 30_000)
    (problem,) = check_submission(zipped(text), IDS)
    assert "not a JSON object of number lists: An entry of more than 65,536 characters" in problem
    assert "(char 19)" in problem
