"""Titles of the sample data set: words of eight themes set into everyday phrases.

Each word belongs to one theme only and stands in none of the phrases, so the share of each theme
in a title is known exactly; that share is what the sample's ratings depend on.
"""

import numpy as np

_WORDS = """
红烧肉 火锅 饺子 蛋糕 炒饭 烤鱼 豆腐 奶茶
足球 篮球 射门 灌篮 NBA 守门员 裁判 联赛
猫咪 小狗 柯基 橘猫 仓鼠 鹦鹉 铲屎官 泰迪
海岛 古镇 雪山 自驾 民宿 草原 露营 徒步
口红 眼影 粉底 护肤 面膜 腮红 香水 美甲
轿车 发动机 新能源 SUV 底盘 轮胎 油耗 试驾
吉他 钢琴 街舞 翻唱 民谣 说唱 架子鼓 演唱会
手机 游戏 电脑 显卡 iPhone 键盘 开黑 耳机
"""  # cooking, ball games, pets, travel, make-up, cars, music, gadgets
THEMES = tuple(tuple(line.split()) for line in _WORDS.split("\n")[1:-1])

_PHRASES: dict[int, tuple[str, ...]] = {
    3: (
        "{}、{}和{}，你喜欢哪个",
        "{}配{}，{}惊呆众人",
        "超详细的{}{}{}教程",
        "从{}到{}再到{}，真实分享",
        "新手必看：{}、{}与{}",
        "第{n}期：{}，{}，还有{}",
        "【合集】{}+{}+{}",
    ),
    4: (
        "{}{}{}{}大盘点",
        "{}配{}，{}配{}！",
        "{n}个细节看{}、{}、{}和{}",
        "周末安排：{}{}，再来点{}{}",
        "{}{}{}{} vlog{n}",
    ),
    5: (
        "{}、{}、{}、{}、{}都在这里了",
        "{}{}{}{}{}的日常",
        "为什么{}{}{}离不开{}{}？",
    ),
}


def make_title(rng: np.random.Generator, main: int, other: int) -> tuple[str, np.ndarray]:
    """Make a title that is mostly about one theme and a little about another.

    Args:
        rng: random state; integers only are drawn, so a title is the same on every machine.
        main: number of the theme of most words.
        other: number of the theme of the rest; may equal `main`.

    Returns:
        The title, and how many of its words belong to each theme, (themes,) int64.
    """
    length = int(rng.integers(3, 6))
    n_other = int(rng.integers(0, length // 2 + 1))
    themes = [other] * n_other + [main] * (length - n_other)
    words: list[str] = []
    for theme in rng.permutation(themes).tolist():
        fresh = [word for word in THEMES[theme] if word not in words]
        words.append(fresh[int(rng.integers(len(fresh)))])
    phrases = _PHRASES[length]
    phrase = phrases[int(rng.integers(len(phrases)))]
    title = phrase.format(*words, n=int(rng.integers(2, 100)))
    return title, np.bincount(themes, minlength=len(THEMES))
