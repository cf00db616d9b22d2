"""vidsim embed --by-file: the vectors of one command, a file for each; parts share the work."""

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.errors import VidsimError
from vidsim.records.video import Video
from vidsim.records.writer import write_videos
from vidsim.stages.batch_size import BatchSize
from vidsim.stages.embed_files import output_files
from vidsim.stages.share import WorkShare
from vidsim.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def checkpoint(build_smallest, tokenizer, tags, tmp_path_factory):
    backbone = build_smallest("uniter", len(tags), len(tokenizer), modalities="title")
    folder = tmp_path_factory.mktemp("model") / "ckpt-1"
    Checkpoint(backbone, tokenizer, tags, {}).save(folder)
    return folder


@pytest.fixture
def files(tmp_path):
    """Five files of 1, 2, ... 5 videos; two in a folder below."""
    found = []
    for number in range(5):
        folder = tmp_path / "videos" / ("below" if number > 2 else "")
        path = folder / f"part-{number}.tfrecords"
        rows = [Video(f"{number}{n}", f"title {number} {n}") for n in range(number + 1)]
        write_videos(path, rows)
        found.append(path)
    return found


def embed(checkpoint, folder, out, *more):
    words = ["--checkpoint", str(checkpoint), "--videos", str(folder), "--out", str(out)]
    return main(["embed", *words, *more])


def arrays(path):
    with np.load(path) as found:
        return found["ids"].tolist(), found["embeddings"]


def test_a_file_for_each_and_the_vectors_of_one_command(checkpoint, files, tmp_path):
    folder, out = tmp_path / "videos", tmp_path / "out"
    pattern = str(folder / "**" / "*.tfrecords")
    assert embed(checkpoint, pattern, tmp_path / "all.npz") == 0
    ids, vectors = arrays(tmp_path / "all.npz")
    known = dict(zip(ids, vectors, strict=True))
    assert embed(checkpoint, folder, out, "--by-file") == 0
    for number, file in enumerate(files):
        target = out / file.relative_to(folder).with_suffix(".npz")
        found, made = arrays(target)
        assert found == [f"{number}{n}" for n in range(number + 1)]  # count and order
        expected = np.stack([known[name] for name in found])
        np.testing.assert_allclose(made, expected, atol=1e-6)
    assert not list(out.rglob("*.parts"))


def test_parts_make_what_the_whole_makes_and_nothing_twice(checkpoint, files, tmp_path):
    folder, whole, out = tmp_path / "videos", tmp_path / "whole", tmp_path / "out"
    assert embed(checkpoint, folder, whole, "--by-file") == 0
    made = set()
    for number in (1, 2):
        assert embed(checkpoint, folder, out, "--by-file", "--part", f"{number}/2") == 0
        new = set(out.rglob("*.npz")) - made
        assert len(new) == (3, 2)[number - 1]
        made |= new
    times = {path: path.stat().st_mtime_ns for path in made}
    assert embed(checkpoint, folder, out, "--by-file") == 0  # another division: all is there
    assert times == {path: path.stat().st_mtime_ns for path in made}
    for path in made:
        assert path.read_bytes() == (whole / path.relative_to(out)).read_bytes()


def test_a_bad_record_stops_its_file_alone(checkpoint, files, tmp_path, capsys):
    content = bytearray(files[1].read_bytes())
    content[-6] ^= 1
    files[1].write_bytes(content)
    folder, out = tmp_path / "videos", tmp_path / "out"
    assert embed(checkpoint, folder, out, "--by-file") == 1
    said = capsys.readouterr().err
    assert "1 of 5 files were not embedded" in said and str(files[1]) in said
    assert len(list(out.rglob("*.npz"))) == 4
    assert embed(checkpoint, folder, out, "--by-file", "--on-bad-record", "skip") == 0
    assert arrays(out / "part-1.npz")[0] == ["10"]
    assert "1 bad record" in capsys.readouterr().out


def test_names_are_those_of_the_files(tmp_path, files):
    found = output_files(str(tmp_path / "videos"), tmp_path / "out")
    assert list(found) == sorted(files, key=lambda path: ("below" not in str(path), path))
    assert found[files[4]] == tmp_path / "out" / "below" / "part-4.npz"
    for name in ("a.tfrecords", "a.tfrecord"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(VidsimError, match=r"both would be written to .*a\.npz"):
        output_files(str(tmp_path / "a.*"), tmp_path / "out")
    with pytest.raises(VidsimError, match="no file there"):
        output_files(str(tmp_path / "none*"), tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--part", "1/2"), "--part has no meaning without --by-file"),
        (("--by-file", "--part", "3/2"), "accepted is K/N"),
        (("--by-file", "--part", "0/2"), "accepted is K/N"),
        (("--by-file", "--features", "f"), "--by-file reads TFRecords"),
        (("--jobs", "2"), "no meaning without --executor"),
        (("--parts", "2"), "no meaning without --executor"),
        (("--retries", "1"), "no meaning without --executor"),
    ],
)
def test_flags_that_do_not_go_together(checkpoint, files, tmp_path, words, said, capsys):
    assert embed(checkpoint, tmp_path / "videos", tmp_path / "out", *words) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_share_is_every_nth():
    things = list(range(10))
    shares = [WorkShare.parse(f"{k}/3") for k in (1, 2, 3)]
    assert [share.of(things) for share in shares] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert WorkShare.parse(None).of(things) == things
    assert WorkShare().name("out") == "out" and shares[1].name("out") == "out.part-2-of-3"


def test_the_batch_halves_where_memory_does_not_suffice(capsys):
    class ResourceExhaustedError(Exception):
        pass

    sizes = []

    def compute(size):
        sizes.append(size)
        if size > 3:
            raise ResourceExhaustedError("OOM when allocating")
        return size

    batch = BatchSize(13)
    assert batch.run(compute) == 3 and sizes == [13, 6, 3]
    assert batch.run(compute) == 3 and sizes[3:] == [3]  # it stays so
    assert capsys.readouterr().out.count("out of memory") == 2
    with pytest.raises(ResourceExhaustedError):
        BatchSize(1).run(lambda _: compute(4))
    with pytest.raises(ValueError):
        batch.run(lambda _: int("x"))
