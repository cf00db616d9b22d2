"""Runs inputs that may end their process: python fuzz_process.py TARGET FOLDER FIRST COUNT.

Input n is the same in every process. Each is numbered on standard output before it is run, so that
who started this knows which one was the last. One that computes for a third of a second ends it.
"""

import signal
import sys
from pathlib import Path
from random import Random

from fuzz_mutations import Mutator
from fuzz_targets import Runner, seeds


def main() -> None:
    """Says "<number>" before an input, and "read" or "refused" after it."""
    name, folder, first, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    runner = Runner(name, folder)
    mutator = Mutator(seeds(name), runner.target.format, runner.target.tokens, Random())
    for number in range(first, first + count):
        mutator.random.seed(number)
        content = mutator.next()
        print(number, flush=True)
        signal.setitimer(signal.ITIMER_PROF, 0.3)
        read = runner(content)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print("read" if read else "refused")


if __name__ == "__main__":
    main()
