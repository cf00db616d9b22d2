"""What the challenge's fourth place published of its blend."""

WEIGHTS = {
    "mix": 0.17,
    "mix_asl": 0.20,
    "mix_roformer": 0.13,
    "uniter": 0.13,
    "uniter_asl": 0.20,
    "uniter_roformer": 0.17,
}
"""Weights of its recipes in the CIKM 2021 challenge's final; they add up to one."""
