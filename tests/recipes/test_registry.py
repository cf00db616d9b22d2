"""--recipes: names, lists and files of one's own."""

import pytest

from vidsim.config_fields import leaves
from vidsim.errors import VidsimError
from vidsim.recipes import registry, sizes
from vidsim.recipes.registry import CHALLENGE, RECIPES

OWN = """
from vidsim.recipes import uniter

def recipe():
    return uniter.recipe().but(model={"positions": "rotary"}, finetune={"total_steps": 7})
"""


@pytest.fixture
def own(tmp_path):
    def write(text=OWN, name="my_recipe.py"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_lists():
    for word in ("all", " all ", "challenge"):
        assert registry.names(word) == list(CHALLENGE)
    assert registry.names("every") == list(RECIPES)
    assert set(CHALLENGE) <= set(RECIPES)
    assert [recipe.name for recipe in registry.load("every", "base")] == list(RECIPES)


def test_a_list_in_its_own_order(own):
    path = own()
    asked = f"uniter, {path} ,mix"
    assert registry.names(asked) == ["uniter", "my_recipe", "mix"]
    assert [recipe.name for recipe in registry.load(asked, "base")] == [
        "uniter",
        "my_recipe",
        "mix",
    ]


def test_an_own_recipe_takes_its_files_name_and_the_size(own):
    (base,) = registry.load(own(), "base")
    assert (base.model.positions, base.finetune.total_steps) == ("rotary", 7)
    (tiny,) = registry.load(own(), "tiny")
    assert (tiny.name, tiny.model.positions) == ("my_recipe", "rotary")
    assert tiny.model.encoder_width < base.model.encoder_width


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        ("mix,towers", "'towers' is neither a recipe .mix, mix_asl, .* nor a .py file"),
        ("mix.py", "'mix.py' is no file; accepted are every, challenge"),
        ("no/such/recipe.py", "'no/such/recipe.py' is no file"),
        ("", "an empty name; accepted are"),
        ("mix,,uniter", "an empty name"),
        ("mix,uniter,mix", "mix stands there twice"),
    ],
)
def test_neither_name_nor_file(recipes, message):
    for read in (registry.names, registry.load_files, lambda word: registry.load(word, "base")):
        with pytest.raises(VidsimError, match=message):
            read(recipes)


def test_names_that_mean_something_else_are_refused(own):
    """A folder of runs, a row of the report, a weight and a word of the command line have names."""
    for name in (
        "mix",
        "Uniter_ASL",
        "ensemble",
        "all",
        "none",
        ".hidden",
        "a@b",
        "a=b",
        "a b",
        "-a",
    ):
        with pytest.raises(VidsimError, match=r"rename the file"):
            registry.names(own(name=f"{name}.py"))
    assert registry.names(own(name="混合-2.py")) == ["混合-2"]
    with pytest.raises(VidsimError, match="Own stands there twice"):
        registry.names(f"{own(name='own.py')},{own(name='Own.py')}")


BROKEN = {
    "x = 1": "there is no recipe in it; a recipe file defines recipe",
    "recipe = 3": "its recipe is 3; a recipe file",
    "def recipe():\n    return 7": r"its recipe\(\) returned 7; a recipe file",
    "def recipe(size):\n    pass": r"TypeError: recipe\(\) missing 1 required",
    "import nosuchmodule": "line 1: ModuleNotFoundError: No module named 'nosuchmodule'",
    "x = 1\ndef recipe()\n    pass": "line 2: SyntaxError: ",
    "def recipe():\n    return f()\n\ndef f():\n    1 / 0": "line 5: ZeroDivisionError: division",
    "raise SystemExit(3)": "line 1: SystemExit: 3",
    "from vidsim.recipes import mix\ndef recipe():\n    return mix.recipe().but(model={'w': 1})": (
        "line 3: MixNeXtVLADConfig has no field w; it has "
    ),
    "from vidsim.recipes.recipe import Recipe\ndef recipe():\n    return Recipe('a', 1, 2, 3)": (
        "its model is 1; expected is a BackboneConfig"
    ),
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_told_by_its_line(text, own):
    path = own(text)
    for _ in range(2):  # it is not taken for loaded the second time
        with pytest.raises(VidsimError, match="my_recipe.py.*" + BROKEN[text]):
            registry.load(path, "base")


def test_a_file_may_have_classes_and_neighbours(own, tmp_path):
    """Python looks up a dataclass's module by name; a second load gives the same classes."""
    (tmp_path / "my_numbers.py").write_text("BRANCHES = 2")
    text = """
from dataclasses import dataclass, field
from vidsim.recipes import mix
from vidsim.recipes.recipe import PretrainConfig

@dataclass(frozen=True)
class Mine(PretrainConfig):
    mine: int | None = None

def recipe():
    import dataclasses
    from my_numbers import BRANCHES
    changed = mix.recipe().but(model={"branches": BRANCHES})
    return dataclasses.replace(changed, pretrain=Mine(mine=3))
"""
    path = own(text)
    (first,), (second,) = registry.load(path, "base"), registry.load(path, "base")
    assert first == second
    assert (first.pretrain.mine, first.model.branches) == (3, 2)
    assert (first.word, registry.words(f"mix,{path}")) == (path, {"mix": "mix", "my_recipe": path})
    own(text.replace("mine=3", "mine=4"))
    assert registry.load(path, "base")[0].pretrain.mine == 4


def test_what_a_file_says_wins_over_the_size(own):
    """Fields that it does not name are those of the size, whether it starts from mix or not."""
    start = "from vidsim.recipes import mix, uniter\nfrom vidsim.recipes.recipe import *\n"
    ways = (
        "mix.recipe().but(model={'encoder_layers': 2}, "
        "finetune={'total_steps': 40000, 'lr': 5e-4})",
        "Recipe('x', mix.recipe().model.__class__(encoder_layers=2), PretrainConfig(), "
        "FinetuneConfig(total_steps=40000, optimizer=override(mix.recipe().finetune.optimizer, "
        "{'lr': 5e-4})))",
        "dataclasses.replace(mix.recipe().but(model={'encoder_layers': 2}), finetune="
        "dataclasses.replace(mix.recipe().but(finetune={'lr': 5e-4}).finetune, total_steps=40000))",
    )
    (tiny,) = registry.load("mix", "tiny")
    for way in ways:
        (recipe,) = registry.load(own(f"{start}\ndef recipe():\n    return {way}\n"), "tiny")
        assert (recipe.model.encoder_layers, recipe.model.encoder_width) == (2, 64)
        assert recipe.finetune.total_steps == 40000
        assert recipe.finetune.optimizer.lr == 5e-4  # named, though it is the default too
        assert recipe.finetune.optimizer.bert_lr == tiny.finetune.optimizer.bert_lr
        assert recipe.pretrain.total_steps == tiny.pretrain.total_steps
        origin = recipe.origin
        assert origin["model.encoder_layers"] == origin["finetune.lr"] == "recipe"
        assert origin["model.encoder_width"] == origin["pretrain.lr"] == "size"
        assert origin["model.hidden_size"] == origin["pretrain.dtype_policy"] == "default"


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
@pytest.mark.parametrize("pretrained", [False, True])
def test_the_published_recipes_have_the_sizes_numbers(size, pretrained):
    """All of them, whatever their files say, and otherwise what they have at base."""
    changed = 0
    for base, sized in zip(
        registry.load("all", "base"), registry.load("all", size, pretrained), strict=True
    ):
        for part, table in (
            ("model", dict(sizes._MODEL.get(size, {}))),
            ("pretrain", dict(sizes._PRETRAIN.get(size, {}))),
            ("finetune", dict(sizes._FINETUNE.get(size, {}))),
        ):
            if pretrained and size != "base":
                table |= {"frame_skip": True} if part == "model" else {"bert_lr": 1e-4}
                table |= {"mlm_weight": 0.0} if part == "pretrain" else {}
            before = {name: value for _, name, _, value in leaves(getattr(base, part))}
            after = {name: value for _, name, _, value in leaves(getattr(sized, part))}
            own = {name: value for name, value in table.items() if name in before}
            assert after == before | own
            assert all(sized.origin[f"{part}.{name}"] == "size" for name in own)
            changed += len(own)
        sized.check("pretrain")
        sized.check("finetune")
    assert (changed > 100) == (size != "base")


def test_an_unknown_size():
    with pytest.raises(VidsimError, match="--size huge: accepted are tiny, small, base"):
        registry.load("mix", "huge")
