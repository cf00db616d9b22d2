"""The command line without what stands behind it."""

import sys
import types

import pytest

import vidsim.cluster
import vidsim.stages
from vidsim import cli


@pytest.fixture
def asked(monkeypatch):
    """Puts a stand-in before every stage and Keras; the list holds what each was called with."""
    calls = []
    for name in cli.STAGES:
        package = vidsim.cluster if name in ("run", "cluster") else vidsim.stages
        module = "show" if name == "cluster" else name
        stage = types.SimpleNamespace(run=lambda *config: calls.append(config))
        monkeypatch.setitem(sys.modules, f"{package.__name__}.{module}", stage)
        monkeypatch.setattr(package, module, stage, raising=False)
    monkeypatch.setattr(cli, "_start_keras", lambda op_threads=None: None)
    return calls


@pytest.fixture
def leave():
    """A function of the command line's words: the exit status, whether returned or raised."""

    def status(arguments):
        try:
            return cli.main(arguments)
        except SystemExit as exit_:
            return exit_.code

    return status
