"""Weights that are installed as Python packages."""

from pathlib import Path

import pytest

from vidsim.errors import VidsimError
from vidsim.pretrained import hub
from vidsim.pretrained.hub import local_folder


def test_minilm_is_an_installed_package(tmp_path, monkeypatch):
    """A folder of that name comes first; without the package the command is named."""
    package = tmp_path / "packages" / "made_minilm"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('weights need not be imported')")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setitem(hub.MODELS, "minilm", ("made_minilm", "model"))
    assert local_folder("minilm") == package / "model"
    monkeypatch.setitem(hub.MODELS, "minilm", ("made_minilm", "weights"))
    with pytest.raises(VidsimError, match="weights: not there; reinstall it"):
        local_folder("minilm")
    monkeypatch.setitem(hub.MODELS, "minilm", ("no_such_words", "model"))
    with pytest.raises(VidsimError, match=r"--bert-dir minilm: .*no-such-words.*setup.sh weights"):
        local_folder("minilm")
    (tmp_path / "minilm").mkdir()
    monkeypatch.chdir(tmp_path)
    assert local_folder("minilm") == Path("minilm")
