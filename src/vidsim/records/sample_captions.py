"""Sentences for the sample data set, which say what is seen in a video's frames."""

from collections.abc import Sequence

import numpy as np

_WORDS = """
海边 沙滩 浪花
厨房 灶台 锅里
雪地 滑雪场 冰面
街头 路口 人行道
舞台 灯光下 幕布前
森林 树下 林间小路
教室 黑板前 课桌旁
夜空 星空下 月光里
"""
SCENES = tuple(tuple(line.split()) for line in _WORDS.split("\n")[1:-1])
"""Words for each of the eight scenes, first to last; no two scenes share one."""

_ONE = ("全程都在{}", "镜头一直对着{}", "有人在{}拍的视频")
_TWO = ("先在{}，后来到了{}", "从{}切换到{}", "开头是{}，结尾是{}")


def make_captions(rng: np.random.Generator, scenes: Sequence[int], count: int) -> list[str]:
    """Different sentences about a video.

    Args:
        rng: random state; integers only are drawn, so a sentence is the same on every machine.
        scenes: number of the scene of its first frames, and of its last ones where it is another.
        count: of sentences, at most 9.
    """
    phrases = _ONE if len(scenes) == 1 else _TWO
    made: list[str] = []
    while len(made) < count:
        words = [SCENES[scene][int(rng.integers(len(SCENES[scene])))] for scene in scenes]
        sentence = phrases[int(rng.integers(len(phrases)))].format(*words)
        made += [sentence] * (sentence not in made)
    return made
