"""Which GPUs a machine has, without TensorFlow: that would take hold of them."""

import os
import subprocess

_SECONDS = 20


def visible_gpus() -> list[str]:
    """The names by which CUDA_VISIBLE_DEVICES knows them: those it names already, or all."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for word in named.split(",") if (name := word.strip()) and name != "-1"]
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()
