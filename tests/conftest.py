"""What every test stands on: a quiet TensorFlow, and the real ratings where they are at hand."""

import gc
import os
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

# Before any test module imports keras or tensorflow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# A test's few steps take less time than XLA needs to optimize them; processes it starts inherit it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

CXC = "VIDSIM_CXC_DIR"
NO_OTHERS = types.MappingProxyType({})


def pytest_report_header():
    """Says which data the tests will see that need some."""
    needed = {
        CXC: "real ratings",
        "VIDSIM_GOLDENS": "the numbers of the published systems' code",
        "VIDSIM_STSB": "the STS benchmark",
    }
    return [
        f"{name}: {os.environ.get(name) or f'not set, tests on {what} are skipped'}"
        for name, what in needed.items()
    ]


_LONGEST = (  # begun first, so that no worker is left alone with one of them at the end
    "tests/test_story.py",
    "tests/test_processes.py",
    "tests/tasks/classification/test_story.py",
    "tests/tasks/retrieval/test_story.py",
    "tests/test_readme.py",
)
_TOGETHER = {f"tests/stages/test_{name}.py": "finetuning" for name in ("disk", "kill", "numbers")}


def pytest_collection_modifyitems(items):
    """Long files first, the others as they come."""
    order = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.split("::")[0], len(order)))


@pytest.fixture(scope="module", autouse=True)
def _few_objects_to_collect():
    """What a file leaves behind is not visited by the garbage collector again.

    Every stage collects after a model, which takes the longer the more tests a process has run.
    """
    yield
    gc.collect()
    gc.freeze()


class _Traced:
    """Whether models are traced. Tracing a step takes longer than a test's few steps do without."""

    now = False
    patched = False


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before a test and its fixtures, those of its module too: `traced` ones compile models."""
    _Traced.now = item.get_closest_marker("traced") is not None
    if not _Traced.patched and "keras" in sys.modules:
        _run_eagerly_unless_traced()
        _Traced.patched = True


def _run_eagerly_unless_traced():
    import keras

    from vidsim.stages import compiled, finetune, pretrain

    asked, by_xla = keras.Model.run_eagerly, compiled.compiled
    eager = property(lambda self: not _Traced.now or asked.fget(self), asked.fset)
    keras.Model.run_eagerly = eager
    for stage in (finetune, pretrain):
        stage.compiled = lambda update: by_xla(update) if _Traced.now else update


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One worker has a file, or the files that share what they prepare, in the order above."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            name = nodeid.split("::")[0]
            return _TOGETHER.get(name, name)

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def _same_luck_every_time():
    """Weights that a test does not choose are the same in every run of it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def cxc_dir() -> Path:
    """A data set of real human ratings in the challenge's layout."""
    named = os.environ.get(CXC)
    if not named:
        pytest.skip(f"set {CXC} to a folder with pairwise/ and test_b/ to test on real ratings")
    folder = Path(named).expanduser().resolve()
    if not (folder / "pairwise" / "pairwise.tfrecords").is_file():
        pytest.fail(f"{CXC}={named}: there is no pairwise/pairwise.tfrecords in it")
    return folder


@pytest.fixture(params=["small", "VIDSIM_GOLDENS"])
def goldens(request):
    """`goldens(file)`: arrays that the public code of a system gave, by name.

    Those in tests/goldens, and those of the folder that the variable names, which may be more.
    """
    folder = Path(__file__).with_name("goldens")
    if request.param != "small":
        if not os.environ.get(request.param):
            pytest.skip(f"set {request.param} to a folder of .npz files to test on those, too")
        folder = Path(os.environ[request.param])
    return lambda file: dict(np.load(folder / file))


# --- A few made videos, and the smallest models that read them ------------------------------------

N_FRAMES = (5, 0, 1, 33, 63, 8, 9, 2)  # of video i: N_FRAMES[i % 8]
WORDS = ("猫咪", "做饭", "唱歌", "football", "Playing", "2021", "小狗", "美食")


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """The VideoTable of 40 videos in two files. Every fifth has no title, every fourth no tags."""
    from vidsim.records.video import Video
    from vidsim.records.video_table import load_videos
    from vidsim.records.writer import write_videos

    rng = np.random.default_rng(3)
    made = []
    for i in range(40):
        frames = rng.integers(-64, 65, (N_FRAMES[i % 8], 1536)) / 32
        title = "" if i % 5 == 0 else "".join(rng.choice(WORDS, 1 + i % 3)) + f" {i}"
        tags = () if i % 4 == 0 else rng.choice([10, 20, 30, 40, 77], 2, False).tolist()
        made.append(Video(str(500 + i), title, frames.astype("float16"), tuple(tags), 10001))
    folder = tmp_path_factory.mktemp("videos")
    for number in (0, 1):
        write_videos(folder / f"part_{number}.tfrecords", made[20 * number : 20 * number + 20])
    return load_videos(str(folder / "part_*.tfrecords"))


@pytest.fixture(scope="session")
def tokenizer(videos):
    """A WordPiece tokenizer trained on the videos' titles."""
    from vidsim.preprocess.title_tokenizer import TitleTokenizer

    return TitleTokenizer.train(videos.titles, 200)


@pytest.fixture(scope="session")
def tags():
    """Four tags; 77, which some videos have, is not among them."""
    from vidsim.preprocess.tag_vocabulary import TagVocabulary

    return TagVocabulary(np.array([10, 20, 30, 40]))


@pytest.fixture(scope="session")
def examples(videos, tokenizer, tags):
    """The videos as a model's inputs: titles of at most 6 tokens, at most 8 frames."""
    from vidsim.models.configs import BackboneConfig
    from vidsim.preprocess.examples import Examples

    return Examples(videos, tokenizer, tags, BackboneConfig(bert_seq_length=6, max_frames=8))


@pytest.fixture(scope="session")
def build_smallest():
    """`build_smallest(family, num_labels=4, vocab_size=200, **fields)`: a backbone that is cheap.

    ``inputs`` are fields of its InputSpec, fields those of its configuration.
    Its weights, biases and moving statistics included, are random: nothing that a zero would hide.
    """
    from vidsim.models.configs import build_backbone
    from vidsim.models.families import FAMILIES
    from vidsim.models.input_spec import InputSpec

    shape = {"encoder_layers": 2, "encoder_width": 16, "encoder_heads": 2, "encoder_dropout": 0.1}
    shape |= {"encoder_intermediate": 32, "bert_seq_length": 16, "hidden_size": 8}
    vlad = {"branches": 2, "vlad_cluster_size": 4, "vlad_groups": 2, "vlad_expansion": 0.03125}
    vlad |= {"vlad_hidden_size": 12, "se_ratio": 2}
    fusion = {"fusion_layers": 1, "frame_layers": 1, "projection_hidden": 12}
    own = {"uniter": shape, "joint": shape, "mix_nextvlad": shape | vlad}
    own["cross"] = shape | {"cross_layers": 2}
    tangled = {"region_width": 12, "region_heads": 2, "region_intermediate": 12}
    tangled |= {"action_layers": 3, "action_heads": 2, "action_intermediate": 16}
    own["tangled"] = shape | tangled | {"tangled_width": 12, "tangled_heads": 2}
    own["albef"] = shape | fusion

    def build(family, num_labels=4, vocab_size=200, inputs=NO_OTHERS, **fields):
        config = FAMILIES[family](**(own[family] | fields))
        spec = InputSpec(config.encoder(vocab_size), num_labels, {"frames": 1536}, separator=3)
        backbone = build_backbone(config, replace(spec, **inputs))
        rng = np.random.default_rng(5)
        for weight in sorted(backbone.weights, key=lambda weight: weight.path):
            into = weight.shape[0] if len(weight.shape) == 2 else 16
            noise = rng.normal(0, 1 / into**0.5, weight.shape)  # keeps the scale of what goes in
            if weight.name in ("gamma", "moving_variance"):
                noise = np.exp(noise)
            if "seed" not in weight.path:
                weight.assign(noise.astype("float32"))
        return backbone

    return build


@pytest.fixture(scope="session")
def make_inputs():
    """`make_inputs(title_lengths, frame_counts, length, frames)`: a backbone's inputs.

    Real words and frames depend on the row alone; what the masks hide is noise, another each time.
    """

    def make(title_lengths, frame_counts, length=None, frames=None):
        length = length or max(title_lengths)
        frames = frames or max(*frame_counts, 1)
        noise = np.random.default_rng([length, frames])
        size = len(title_lengths)
        token_ids = noise.integers(5, 90, (size, length), "int32")
        features = noise.normal(0, 3, (size, frames, 1536)).astype("float16")
        for row, (words, count) in enumerate(zip(title_lengths, frame_counts, strict=True)):
            real = np.random.default_rng(row)
            token_ids[row, :words] = [2, *real.integers(5, 90, words - 2), 3]
            features[row, :count] = real.normal(0, 1, (count, 1536))
        return {
            "token_ids": token_ids,
            "token_mask": np.arange(length) < np.array(title_lengths)[:, None],
            "frames": features,
            "frame_mask": np.arange(frames) < np.array(frame_counts)[:, None],
        }

    return make
