"""What every test stands on: a quiet TensorFlow, and the real ratings where they are at hand."""

import os
from pathlib import Path

import pytest

# Before any test module imports keras or tensorflow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

CXC = "VIDSIM_CXC_DIR"


def pytest_report_header():
    """Says which data the tests that need real ratings will see."""
    return f"{CXC}: {os.environ.get(CXC) or 'not set, tests on real ratings are skipped'}"


@pytest.fixture(scope="session")
def cxc_dir() -> Path:
    """A data set of real human ratings in the challenge's layout."""
    named = os.environ.get(CXC)
    if not named:
        pytest.skip(f"set {CXC} to a folder with pairwise/ and test_b/ to test on real ratings")
    folder = Path(named).expanduser().resolve()
    if not (folder / "pairwise" / "pairwise.tfrecords").is_file():
        pytest.fail(f"{CXC}={named}: there is no pairwise/pairwise.tfrecords in it")
    return folder
