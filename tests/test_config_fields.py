"""Every number that a flag takes: what is accepted, where it came from, and who is told."""

import dataclasses
import math
import re
from pathlib import Path

import pytest

from vidsim.cluster.configs import AddressConfig, SharedConfig
from vidsim.config import Common
from vidsim.config_fields import Config, kinds, leaves, origins, override
from vidsim.errors import VidsimError
from vidsim.models.albef_config import AlbefConfig
from vidsim.models.configs import BackboneConfig, JointConfig, UniterConfig
from vidsim.models.cross_config import CrossConfig
from vidsim.models.mix_nextvlad_config import MixNeXtVLADConfig
from vidsim.models.tangled_config import TangledConfig
from vidsim.objectives import configs as objectives
from vidsim.objectives.momentum_configs import (
    DistilledLMConfig,
    HardMatchConfig,
    MomentumContrastConfig,
    RetrievalMatchConfig,
)
from vidsim.preprocess.configs import AugmentationConfig
from vidsim.recipes import mix, uniter
from vidsim.recipes.albef import AlbefPretrainConfig
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig
from vidsim.stages.convert_config import ConvertConfig
from vidsim.stages.embed_config import EmbedConfig
from vidsim.stages.extract_config import ExtractConfig
from vidsim.tasks.classification.configs import (
    ClassEnsembleConfig,
    ClassFoldConfig,
    ClassificationConfig,
)
from vidsim.tasks.retrieval.configs import (
    CaptionFoldConfig,
    RetrievalConfig,
    RetrievalEnsembleConfig,
    RetrievalInferenceConfig,
)
from vidsim.tasks.similarity.configs import EnsembleConfig, WriteTfrecordConfig
from vidsim.training.configs import OptimizerConfig
from vidsim.training.tricks_config import TricksConfig

ALL = (
    Common,
    MixNeXtVLADConfig,
    UniterConfig,
    JointConfig,
    AlbefConfig,
    CrossConfig,
    TangledConfig,
    FinetuneConfig,
    OptimizerConfig,
    TricksConfig,
    AugmentationConfig,
    objectives.TagConfig,
    objectives.BranchKLConfig,
    objectives.ContrastiveConfig,
    objectives.MaskedFramesConfig,
    objectives.MaskedActionsConfig,
    objectives.SimilarityConfig,
    objectives.ClassConfig,
    objectives.RetrievalLossConfig,
    MomentumContrastConfig,
    DistilledLMConfig,
    HardMatchConfig,
    RetrievalMatchConfig,
    AlbefPretrainConfig,
    RetrievalInferenceConfig,
    ClassificationConfig,
    ClassFoldConfig,
    ClassEnsembleConfig,
    CaptionFoldConfig,
    RetrievalConfig,
    SharedConfig,
    AddressConfig,
    RetrievalEnsembleConfig,
    WriteTfrecordConfig,
    EnsembleConfig,
    EmbedConfig,
    ExtractConfig,
    ConvertConfig,
)
NEEDED = {
    EmbedConfig: {"checkpoint": Path("c"), "videos": "v", "out": Path("o.npz")},
    ExtractConfig: {"video_files": Path("v"), "features_out": Path("f")},
    ConvertConfig: {"videos": Path("v.csv")},
}
NO_NUMBERS = (True, "3", [1], math.nan, math.inf, -math.inf)
NONE_IN = {  # what no field accepts, whatever its range
    int: (*NO_NUMBERS, -1, 0.5, 2.0, 2**70),
    float: (*NO_NUMBERS, -1, -1e-9, 1e30, 10**400),
    bool: (0, 1, "yes", None),
    str: (3, b"a", ["a"]),
}


def test_every_field_of_every_configuration_refuses_what_it_cannot_use():
    """Its defaults are accepted, and so are the ends of its range; what is beyond them is not."""
    numbers = 0
    for cls in ALL:
        config = cls(**NEEDED.get(cls, {}))
        config.check_fields()
        for name, kind in kinds(cls).items():
            bad = list(NONE_IN.get(kind.type, ()))
            if kind.type in (int, float):
                numbers += 1
                assert kind.range is not None, f"{cls.__name__}.{name} says no range"
                ends = {kind.range.least: kind.range.above, kind.range.most: kind.range.below}
                bad += [kind.range.least - 1, kind.range.most + 1]
                bad += [end for end, excluded in ends.items() if excluded]
                good = [kind.type(end) for end, excluded in ends.items() if not excluded]
                assert all(kind.accepts(value) for value in good), name
            if not kind.optional:
                bad.append(None)
            for value in bad:
                with pytest.raises(VidsimError, match=f"--{name.replace('_', '-')} .*accepted are"):
                    override(config, {name: value}).check_fields()
    assert numbers > 40


def test_all_classes_of_flags_are_walked():
    """A new configuration belongs into ALL."""

    def below(cls):
        return {cls, *(c for sub in cls.__subclasses__() for c in below(sub))}

    ours = {c for c in below(Config) if c.__module__.startswith("vidsim.")}
    bases = {c for c in ours if any(sub in ours for sub in c.__subclasses__())}
    assert BackboneConfig in bases
    assert ours - bases == set(ALL)


@pytest.mark.parametrize(
    ("recipe", "part", "changes", "message"),
    [
        (mix, "model", {"encoder_heads": 3, "encoder_width": 64}, "--encoder-heads 3 .* divide"),
        (
            mix,
            "model",
            {"encoder_heads": 7},
            "--encoder-heads 7 .*--encoder-width 768 .its default",
        ),
        (uniter, "model", {"positions": "rotary", "encoder_width": 12}, "heads of 1; rotary"),
        (mix, "model", {"hidden_size": 512}, "--hidden-size 512: accepted are .*1 to 256"),
        (mix, "model", {"hidden_size": 100}, "--se-ratio 8 .* does not divide --hidden-size 100"),
        (mix, "finetune", {"warmup_steps": 4001}, "--warmup-steps 4001 .* beyond the run"),
        (mix, "pretrain", {"bert_warmup_steps": 10**6}, "--bert-warmup-steps 1000000 .* beyond"),
        (mix, "pretrain", {"minimum_lr": 1e-4}, "--minimum-lr 0.0001 .* above --bert-lr 3e-05"),
        (mix, "pretrain", {"devices": 3}, "--batch-size 256 .* divided among --devices 3"),
        (mix, "pretrain", {"mlm_probability": 1.5}, "--mlm-probability 1.5: .* from 0 to 1$"),
        (mix, "model", {"dropout": 1.0}, "--dropout 1.0: .* from 0 to 1, 1 itself excluded"),
    ],
)
def test_values_that_contradict_each_other(recipe, part, changes, message):
    stage = "pretrain" if part == "model" else part
    changed = recipe.recipe().but(**{part: changes})
    with pytest.raises(VidsimError, match=message) as error:
        changed.check(stage)
    assert re.match(r"recipe (mix|uniter)(, \w+)?: ", str(error.value))


def test_a_run_cut_short_keeps_the_warm_up_of_its_recipe():
    """Nobody asked for the warm-up that is longer now."""
    mix.recipe().but(finetune={"total_steps": 3}, origin="flag").check("finetune")


def test_where_values_came_from():
    made = PretrainConfig(batch_size=5, optimizer=OptimizerConfig(0.5))
    changed = override(made, {"bert_lr": 1.0, "mlm_weight": 2.0}, "flag")
    found = origins(changed)
    assert {name: by for name, by in found.items() if by != "default"} == {
        "batch_size": "recipe",
        "lr": "recipe",
        "bert_lr": "flag",
        "mlm_weight": "flag",
    }
    assert set(origins(FinetuneConfig()).values()) == {"default"}
    assert (made, dataclasses.asdict(made)) == (
        PretrainConfig(batch_size=5, optimizer=OptimizerConfig(0.5)),
        dataclasses.asdict(made),
    )
    assert len(found) == len(list(leaves(changed)))
