"""Run by path: `python inference`. README.md beside this says what goes in and out."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from door import enter

if __name__ == "__main__":
    enter("inference")
