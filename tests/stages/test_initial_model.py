"""The width of frames is found in the data: models are built for it, and no other is accepted."""

from dataclasses import replace

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.config_fields import override
from vidsim.errors import VidsimError
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.recipes.registry import load
from vidsim.records.video import Video
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos
from vidsim.stages import pretrain
from vidsim.stages.initial_model import FoundData, check_fits, first_checkpoint, fresh_model
from vidsim.tasks.data_files import stream_widths

WORDS = ["a cat cooks", "a dog sings"] * 20


@pytest.fixture(params=[512, 768, 1280])
def table(request, tmp_path):
    """Two videos with frames of that width."""
    frames = np.ones((3, request.param), "float16")
    path = tmp_path / "v.tfrecords"
    write_videos(path, [Video("1", "a cat", frames), Video("2", "a dog", -frames)])
    return load_videos(path)


def test_a_model_for_the_frames_there_are_and_for_no_others(table, tags, tmp_path):
    recipe, widths = load("uniter", "tiny")[0], stream_widths([table])
    (width,) = widths.values()
    found = FoundData(WORDS, tags, widths)
    checkpoint = fresh_model(recipe, None, found)
    assert checkpoint.backbone.spec.frame_size == width
    tensors = InputTensors.of(checkpoint.backbone.spec.widths)
    examples = Examples(table, checkpoint.tokenizer, tags, recipe.model, tensors)
    embedded = checkpoint.backbone(examples.batch(np.arange(2)))["embedding"]
    assert np.isfinite(np.asarray(embedded)).all()
    checkpoint.save(tmp_path / "start")
    assert first_checkpoint(recipe, tmp_path / "start", None, found).backbone.spec.widths == widths
    other = replace(found, widths={"frames": 1536})
    said = f"reads frames of {width} numbers, and those of the data have 1536"
    with pytest.raises(VidsimError, match=said):
        first_checkpoint(recipe, tmp_path / "start", None, other)


def test_two_widths_or_none(table, tags, tmp_path):
    path = tmp_path / "other.tfrecords"
    write_videos(path, [Video("3", frames=np.ones((1, 7), "float16"))])
    with pytest.raises(VidsimError, match=r"frames of the 2 videos of .* numbers .* have 7;"):
        stream_widths([table, load_videos(path)])
    write_videos(path, [Video("3", "a cat")])
    assert stream_widths([load_videos(path)]) == {}
    with pytest.raises(VidsimError, match=r"not one frame in the data.*--modalities title"):
        fresh_model(load("uniter", "tiny")[0], None, FoundData(WORDS, tags, {}))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"vlad_groups": 5}, "--vlad-groups 5 .* does not divide the 12 .* widens a frame of 6"),
        ({"vlad_expansion": 1e-9}, "does not divide the 0 numbers"),
    ],
)
def test_what_does_not_go_with_the_width_is_said_before_any_run(flags, message, tmp_path):
    """The first recipe could be trained, and is not."""
    write_videos(
        tmp_path / "pointwise" / "a.tfrecords",
        [Video(str(n), "a cat", np.ones((2, 6), "float16")) for n in range(9)],
    )
    common = Common(data_dir=tmp_path, save_dir=tmp_path / "save")
    mix = load("mix", "tiny")[0].but(model={"vlad_expansion": 2.0, "vlad_groups": 4} | flags)
    recipes = [load("uniter", "tiny")[0], mix]
    batches = [recipe.but(pretrain={"batch_size": 2, "val_batch_size": 2}) for recipe in recipes]
    with pytest.raises(VidsimError, match="recipe mix: .*" + message):
        pretrain.run(common, batches)
    assert not (tmp_path / "save").exists()
    check_fits(mix.but(model={"vlad_expansion": 2.0, "vlad_groups": 4}), None, {"frames": 6})


def test_a_size_widens_frames_of_any_width_to_as_many_numbers():
    """1536 x 0.5 = 512 x 1.5 at small; what a flag says is a factor and stays one."""
    (recipe,) = load("mix", "small")
    assert recipe.model.fitted({"frames": 1536}).vlad_expansion == 0.5
    assert recipe.model.fitted({"frames": 512}).vlad_expansion == 1.5
    assert recipe.model.fitted({}) == recipe.model
    flagged = override(recipe.model, {"vlad_expansion": 0.5}, "flag")
    assert flagged.fitted({"frames": 512}).vlad_expansion == 0.5
    (base,) = load("mix", "base")
    assert base.model.fitted({"frames": 512}).vlad_expansion == 2
