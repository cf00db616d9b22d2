"""What setup.sh installs is pinned to the byte."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
ENTRY = re.compile(r"[a-z0-9._-]+==[^ ]+( ;[^\\]+)?( \\\n +--hash=sha256:[0-9a-f]{64})+\n?")


@pytest.mark.parametrize("name", LOCKS)
def test_every_pinned_version_has_hashes_and_no_address(name):
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|index-url|find-links", text)
    entries = [part for part in re.split(r"\n(?=[^ #])", text) if not part.startswith("#")]
    assert entries
    for entry in entries:
        assert ENTRY.fullmatch(entry), entry[:80]


def test_every_extra_without_torch_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {"core", *project["optional-dependencies"]} - {"parity", "bench"}
    assert {name.removesuffix(".txt") for name in LOCKS} == extras
