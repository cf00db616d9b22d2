"""`Embedder` with raw input: CLIP's two towers, and checkpoints that know their extractor."""

from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from made_models import SENTENCES, photograph
from vidsim import Embedder
from vidsim.errors import VidsimError
from vidsim.extractors.registry import load_extractor
from vidsim.raw_videos import matching_extractor
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def clip(folder):
    return Embedder.from_pretrained(folder("clip"))


@pytest.fixture(scope="module")
def albums(tmp_path_factory):
    """Two folders of pictures, as videos, and their pictures."""
    place, known = tmp_path_factory.mktemp("albums"), {}
    for name, sizes in {"a": [(40, 50), (64, 48)], "b": [(33, 90)]}.items():
        (place / name).mkdir()
        known[place / name] = [photograph(*size) for size in sizes]
        for number, picture in enumerate(known[place / name]):
            Image.fromarray(picture).save(place / name / f"{number}.png")
    return known


@pytest.fixture(scope="module")
def checkpoint_of(build_smallest, tokenizer, tags, tmp_path_factory):
    """`checkpoint_of(width, info)`: the folder of a checkpoint for frames of that width."""

    def save(width, info):
        backbone = build_smallest(
            "uniter", len(tags), len(tokenizer), inputs={"widths": {"frames": width}}
        )
        path = tmp_path_factory.mktemp("run") / "ckpt-1"
        Checkpoint(backbone, tokenizer, tags, info).save(path)
        return path

    return save


def test_both_towers_of_clip(clip, goldens, folder, albums):
    """Files and pictures in memory give the same: the mean of the pictures' unit vectors."""
    np.testing.assert_allclose(clip.encode(SENTENCES), goldens["clip_texts"], atol=1e-5)
    extractor = load_extractor(f"vit:{folder('clip')}")
    expected = []
    for pictures in albums.values():
        vectors = extractor.extract(np.stack([extractor.preprocess(p) for p in pictures]))
        expected.append((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0))
    np.testing.assert_allclose(clip.encode(videos=list(albums)), expected, atol=1e-5)
    found = clip.encode(frames=albums.values(), normalize_embeddings=True)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "one of them"),
        ({"texts": ["a"], "videos": ["b"]}, "one of them"),
        ({"videos": "a.mp4"}, "videos is one path"),
        ({"videos": [1]}, r"videos\[0\] is 1"),
        ({"videos": ["nowhere.mp4"]}, r"videos\[0\], nowhere.mp4: no such file"),
        ({"frames": [[np.zeros((4, 4, 3))]]}, r"frames\[0\]\[0\] is float64"),
        ({"frames": [[]]}, r"frames\[0\] has no picture"),
        ({"texts": [None]}, r"texts\[0\] is None"),
    ],
)
def test_what_clip_does_not_take(clip, given, words):
    with pytest.raises(VidsimError, match=words):
        clip.encode(**given)


def test_videos_by_the_extractor_of_the_checkpoint(checkpoint_of, folder, albums):
    """As if their features had been given."""
    extractor = load_extractor(f"vit:{folder('clip')}")
    origin = FeatureOrigin(
        extractor.name, extractor.digest, extractor.width, "any", "3 frames at bin centres"
    )
    saved = checkpoint_of(extractor.width, {"features": asdict(origin)})
    embedder = Embedder.from_checkpoint(saved, extractor=f"vit:{folder('clip')}")
    frames = [
        extractor.extract(np.stack([extractor.preprocess(p) for p in pictures]))
        for pictures in albums.values()
    ]
    titles = ["a cat", ""]
    expected = embedder.encode(titles, frames)
    found = embedder.encode(titles, videos=list(albums))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert abs(found - embedder.encode(titles)).max() > 1e-3
    with pytest.raises(VidsimError, match="not both"):
        embedder.encode(titles, frames, videos=list(albums))
    with pytest.raises(VidsimError, match=r"trained on features of vit:clip; say where that is"):
        Embedder.from_checkpoint(saved).encode(videos=list(albums))
    with pytest.raises(VidsimError, match="features of another origin"):
        Embedder.from_checkpoint(saved, extractor=f"vit:{folder('vit')}").encode(
            videos=list(albums)
        )


def test_a_checkpoint_that_knows_no_extractor(folder):
    with pytest.raises(VidsimError, match="does not say what its frames were extracted by"):
        matching_extractor(None, None, 16)
    with pytest.raises(VidsimError, match="makes frames of 16 numbers; this model reads 1536"):
        matching_extractor(f"vit:{folder('vit')}", None, 1536)
    assert matching_extractor(f"vit:{folder('vit')}", None, 16).width == 16
