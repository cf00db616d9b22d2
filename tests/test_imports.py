"""The rules that can be read off the source: who imports what, and how long things are.

Everything is read as an AST, nothing is imported. Each rule is also shown to bite on a made source,
so that a rule which has gone blind fails here and not in review.
"""

import ast
import dataclasses
import functools
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"

DEVICE_PACKAGES = ("layers", "models", "objectives", "losses", "metrics", "recipes")
TENSORFLOW_PACKAGES = ("records", "preprocess", "stages")
LOWER = "records video_files tables preprocess layers losses objectives models pretrained"
ORDER = [*LOWER.split(), "extractors", "recipes", "tasks", "stages", "cluster"]
PRIVATE = ("keras.src", "tensorflow.python", "tf.python")

FILE_LINES = 300
FUNCTION_LINES = 40
CONSTRUCTOR_LINES = 120  # of a functional model
COMMAND_LINES = 25


@dataclasses.dataclass(frozen=True)
class Source:
    """One parsed Python file."""

    name: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)


def read(*folders: Path) -> dict[str, Source]:
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    sources = [Source(str(p.relative_to(ROOT)), p.read_text(encoding="utf-8")) for p in paths]
    return {source.name: source for source in sources}


def module_name(path: str) -> str:
    """src/vidsim/records/wire.py -> vidsim.records.wire; a package's __init__ -> the package."""
    parts = Path(path).relative_to("src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def imported(tree: ast.AST) -> set[str]:
    """Dotted names of every import statement, wherever it stands; `from a import b` gives a.b."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def imported_at_once(tree: ast.Module) -> set[str]:
    """Those of them that stand in no function: they are needed to import the module."""
    statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return imported(ast.Module(statements, []))


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def imports_tensorflow(tree: ast.AST) -> bool:
    return any(within(name, "tensorflow") for name in imported(tree))


def private_uses(tree: ast.AST) -> set[str]:
    """Imports of, and attributes of, modules that their projects call private."""
    chains = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {n for n in imported(tree) | chains if any(within(n, private) for private in PRIVATE)}


def reachable(start: str, trees: dict[str, ast.Module]) -> set[str]:
    """vidsim modules that importing ``start`` can bring in, itself and its packages included."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        if name in trees:
            seen.add(name)
            waiting.extend(imported(trees[name]))
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return seen


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, less the docstring: nobody should save on that."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def long_functions(source: Source) -> list[str]:
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            builds = source.name.startswith("src/vidsim/models/") and (
                node.name == "__init__" or node.name.lstrip("_").startswith("build")
            )
            limit = CONSTRUCTOR_LINES if builds else FUNCTION_LINES
            if code_lines(node) > limit:
                found.append(f"{source.name}:{node.lineno} {node.name}: {code_lines(node)} lines")
    return found


def outside(sources: dict[str, Source]) -> set[str]:
    """Top-level names imported from neither the standard library nor this repository."""
    places = ("extractors", "fuzz", "models", "video_files")  # pytest's pythonpath
    shared = {path.stem for name in places for path in (ROOT / "tests" / name).glob("*.py")}
    roots = {name.partition(".")[0] for s in sources.values() for name in imported(s.tree)}
    neighbours = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    return roots - sys.stdlib_module_names - {"vidsim", "door"} - neighbours - shared


def declared(requirements: list[str]) -> set[str]:
    """Import names of requirements: called as their package, - for _, but for some."""
    names = {re.match(r"[\w-]+", r).group().replace("-", "_") for r in requirements}
    called = {"scikit_learn": "sklearn", "pillow": "PIL", "pytest_xdist": "xdist"}
    return {called.get(name, name) for name in names}


PACKAGE = read(SOURCE)
MODULES = {module_name(name): source.tree for name, source in PACKAGE.items()}
COMMANDS = [*sorted(ROOT.glob("*/__main__.py")), ROOT / "write_tfrecord.py"]
BESIDE = read(ROOT / "tests", ROOT / "benchmarks", *(path.parent for path in COMMANDS[:4]))
EVERYTHING = PACKAGE | BESIDE


def modules_of(names: Iterable[str]) -> list[str]:
    return [m for m in MODULES if any(within(m, f"vidsim.{name}") for name in names)]


def test_the_files_were_seen():
    assert len(PACKAGE) >= 50
    assert {"vidsim", "vidsim.cli", "vidsim.schema", "vidsim.models.joint"} <= set(MODULES)
    assert "tests/test_imports.py" in EVERYTHING
    folders = ["ensemble", "finetune", "inference", "pretrain"]
    assert [path.parent.name for path in COMMANDS[:4]] == folders
    for name in DEVICE_PACKAGES + TENSORFLOW_PACKAGES:
        assert len(modules_of((name,))) > 1, f"{name} is gone: change this test with it"


def test_device_code_runs_on_any_backend():
    """No import of tensorflow in it, nor in any module of vidsim that it can bring in."""
    guilty = {module for module, tree in MODULES.items() if imports_tensorflow(tree)}
    for module in modules_of(DEVICE_PACKAGES):
        assert not reachable(module, MODULES) & guilty, f"{module} brings in tensorflow"


def test_tensorflow_stays_in_its_packages():
    users = {module for module, tree in MODULES.items() if imports_tensorflow(tree)}
    assert users, "no module imports tensorflow: the rule looks at nothing"
    assert users <= {*modules_of(TENSORFLOW_PACKAGES), "vidsim.tensorflow_start"}


def test_stages_know_no_task_and_tasks_no_stage():
    """Only the registry names a task; what a task needs lies below it."""
    own = [m for m in MODULES if within(m, "vidsim.tasks.similarity")]
    assert len(own) > 5
    for module in modules_of(("stages",)):
        assert not {n for n in imported(MODULES[module]) if within(n, "vidsim.tasks.similarity")}
    for module in modules_of(("tasks", "training", "blending")):
        assert not {n for n in imported(MODULES[module]) if within(n, "vidsim.stages")}


def imports_above(module: str, tree: ast.AST) -> list[str]:
    """What a module imports of the packages that come after its own in the order."""
    own = next(place for place, name in enumerate(ORDER) if within(module, f"vidsim.{name}"))
    later = [f"vidsim.{name}" for name in ORDER[own + 1 :]]
    return [name for name in sorted(imported(tree)) if any(within(name, high) for high in later)]


def test_a_package_imports_none_above_it():
    """preprocess knows no model, records no preprocessing, and so on."""
    above = {module: imports_above(module, MODULES[module]) for module in modules_of(ORDER)}
    assert {module: names for module, names in above.items() if names} == {}


def test_dependencies_are_declared_and_used():
    """The shipped code needs each declared package and no other; tests may have the extras' too.

    What only some extras bring is imported where it is used, in a function.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = declared(project["dependencies"])
    extras = project["optional-dependencies"]
    late = declared([r for n in ("text", "parquet", "video", "onnx", "ray") for r in extras[n]])
    assert outside(PACKAGE) | {"tensorboard"} == needed | late  # tf.summary imports tensorboard
    at_once = {n.partition(".")[0] for tree in MODULES.values() for n in imported_at_once(tree)}
    assert "numpy" in at_once and not at_once & late
    every = [name for extra in extras.values() for name in extra]
    assert outside(EVERYTHING) <= needed | declared(every)


def test_no_private_modules():
    found = {name: private_uses(source.tree) for name, source in EVERYTHING.items()}
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_every_module_says_why_it_exists():
    mute = [n for n, s in EVERYTHING.items() if s.text.strip() and not ast.get_docstring(s.tree)]
    assert mute == []


def test_files_and_functions_are_short():
    long_files = [n for n, s in EVERYTHING.items() if len(s.text.splitlines()) > FILE_LINES]
    assert long_files == []
    assert [line for source in EVERYTHING.values() for line in long_functions(source)] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command.relative_to(ROOT)))
def test_a_command_is_a_folder_not_a_package(command):
    assert len(command.read_text(encoding="utf-8").splitlines()) <= COMMAND_LINES
    if command.parent != ROOT:
        assert (command.parent / "README.md").is_file(), "a command has a README"
        assert not (command.parent / "__init__.py").exists()


# --- the rules bite -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "import tensorflow as tf",
        "from tensorflow import data",
        "import tensorflow.io",
        "def late():\n    from tensorflow.data import Dataset",
    ],
)
def test_tensorflow_is_found_wherever_it_is_imported(text):
    assert imports_tensorflow(ast.parse(text))
    assert not imports_tensorflow(ast.parse(text.replace("tensorflow", "tensorflow_text")))


def test_an_import_from_above_is_found():
    tree = ast.parse("def late():\n    from vidsim.models.configs import BackboneConfig")
    assert imports_above("vidsim.preprocess.x", tree) == ["vidsim.models.configs.BackboneConfig"]
    assert imports_above("vidsim.recipes.x", tree) == []


@pytest.mark.parametrize(
    "text",
    [
        "from keras.src import backend",
        "import keras.src.saving",
        "from keras import src",
        "import keras\nkeras.src.backend.standardize_dtype",
        "from tensorflow.python.ops import array_ops",
        "import tensorflow as tf\ntf.python.ops",
    ],
)
def test_private_modules_are_found(text):
    assert private_uses(ast.parse(text))
    assert not private_uses(
        ast.parse("import keras\nkeras.ops.sum\nimport tensorflow as tf\ntf.io")
    )


def test_the_closure_follows_names_packages_and_chains():
    """a imports the function b.f, b imports c inside a function, c is in a package with a body."""
    texts = {"v": "", "v.a": "from v.b import f", "v.b": "def f():\n    import v.p.c"}
    texts |= {"v.p": "import v.d", "v.p.c": "", "v.e": ""}
    texts["v.d"] = "import v.a"  # a circle ends
    trees = {name: ast.parse(text) for name, text in texts.items()}
    assert reachable("v.a", trees) == {"v", "v.a", "v.b", "v.p", "v.p.c", "v.d"}


def test_a_long_function_is_found_and_its_docstring_is_free():
    def source(name: str, lines: int, path: str = "src/vidsim/stages/x.py") -> Source:
        body = ["    '''Says", "    much.'''", *["    pass"] * (lines - 1)]
        return Source(path, "\n".join([f"def {name}():", *body]))

    model = "src/vidsim/models/x.py"
    assert long_functions(source("f", FUNCTION_LINES)) == []
    assert len(long_functions(source("f", FUNCTION_LINES + 1))) == 1
    assert long_functions(source("_build_branches", CONSTRUCTOR_LINES, model)) == []
    assert len(long_functions(source("build", CONSTRUCTOR_LINES + 1, model))) == 1
    assert len(long_functions(source("build", CONSTRUCTOR_LINES))) == 1
