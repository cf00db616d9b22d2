"""features.json: what made the features, compared field by field."""

import dataclasses
import json

import pytest

from vidsim.errors import VidsimError
from vidsim.records.feature_origin import ORIGIN_FILE, FeatureOrigin, origin_info

ORIGIN = FeatureOrigin("net", "0" * 64, 4, "PyAV 18.0.0, FFmpeg 8.0", "32 frames at bin centres")


def test_a_folder_keeps_to_one_origin(tmp_path):
    assert FeatureOrigin.read(tmp_path) is None and origin_info(tmp_path) == {}
    ORIGIN.write(tmp_path)
    ORIGIN.write(tmp_path)
    assert FeatureOrigin.read(tmp_path) == ORIGIN
    assert json.loads((tmp_path / ORIGIN_FILE).read_text())["format"] == 1
    assert FeatureOrigin.of(origin_info(tmp_path)["features"]) == ORIGIN
    others = {"extractor": "x", "digest": "1", "width": 5, "decoder": "y", "sampling": "z"}
    for name, value in others.items():
        other = dataclasses.replace(ORIGIN, **{name: value})
        with pytest.raises(VidsimError, match=rf"{name}: {getattr(ORIGIN, name)} -> {value}"):
            other.write(tmp_path)
        if name in ("decoder", "sampling"):
            other.require_readable(ORIGIN, "a model")
        else:
            with pytest.raises(VidsimError, match=rf"a model: .*\n    {name}: "):
                other.require_readable(ORIGIN, "a model")
    assert FeatureOrigin.read(tmp_path) == ORIGIN


def test_a_file_that_states_none(tmp_path):
    whole = {"format": 1, **dataclasses.asdict(ORIGIN)}
    for text, message in (
        ("{", "this is not JSON"),
        ("[]", "damaged; accepted is an object"),
        (json.dumps(whole | {"width": "4"}), "damaged; accepted is an object"),
        (json.dumps(whole | {"format": 2}), "of format 2, written by a later version"),
    ):
        (tmp_path / ORIGIN_FILE).write_text(text)
        with pytest.raises(VidsimError, match=message):
            FeatureOrigin.read(tmp_path)
    assert FeatureOrigin.of(None) is None and FeatureOrigin.of({"width": True}) is None
