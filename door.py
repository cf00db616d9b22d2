"""Runs the stage of a command's name by a Python that has vidsim.

`python finetune` is typed with whatever Python comes first on the path, and vidsim is installed in
the checkout's own .venv. So a command that cannot import vidsim hands over to .venv, and one that
finds none there says what to type. Only the standard library, and no syntax newer than Python 3.6:
it must run in order to tell.
"""

import os
import shlex
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")


def enter(stage):
    """Runs one stage with the command line's flags and ends the process with its exit status.

    Args:
        stage: name of a module of vidsim.stages.
    """
    try:
        from vidsim.cli import main
    except ModuleNotFoundError as missing:
        if missing.name != "vidsim":
            raise
        hand_over()
    else:
        sys.exit(main([stage, *sys.argv[1:]]))


def hand_over():
    """Starts the same command over with the Python of .venv, if it is another one than this."""
    python = os.path.join(VENV, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV) or not os.access(python, os.X_OK):
        setup = shlex.quote(os.path.join(ROOT, "setup.sh"))
        sys.exit(f"vidsim is not installed yet: run `sh {setup}`, then this again")
    os.execv(python, [python, *sys.argv])
