"""`python -m vidsim`: the command line."""

import sys

from vidsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
