"""Cuts the small files here out of the published systems' reference numbers.

    python tests/goldens/cut.py FOLDER

FOLDER has the whole files (VIDSIM_GOLDENS). What is kept are inputs and values of losses, targets
and queues: some kilobytes, so that every run of the tests compares with the published code.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
KEPT = {
    "albef.npz": (
        "s1/alpha", "s1/sim_", "s1/neg_", "s1/itm_logits", "s1/mlm_l", "s1/loss_", "s1_alpha",
        "s1/image_feat_m", "s1/text_feat_m", "queue0/", "queue1/",
    ),
    "albef_retrieval.npz": ("in/idx", "queue0/idx_queue", "out/hard_targets"),
    "lxmert_wbdc2022.npz": ("ce/",),
    "actbert.npz": ("interp/", "loss_in/", "loss_given/in_scores_", "loss_given_era/"),
}  # fmt: skip


def main() -> None:
    """Writes all of them."""
    folder = Path(sys.argv[1])
    for name, wanted in KEPT.items():
        with np.load(folder / name) as arrays:
            kept = {key: arrays[key] for key in arrays.files if key.startswith(wanted)}
        if "s1/mlm_labels" in kept:  # scores of words that are not hidden count for nothing
            hidden = kept["s1/mlm_labels"][:, :, None] >= 0
            for key in ("s1/mlm_logits", "s1/mlm_logits_m"):
                kept[key] = np.where(hidden, kept[key], np.float32(0))
        np.savez_compressed(HERE / name, **kept)
        print(f"{name}: {len(kept)} arrays, {(HERE / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
