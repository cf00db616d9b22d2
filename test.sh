#!/bin/sh
# All checks: style, types, tests.
#
#   sh test.sh                     everything, as continuous integration runs it
#   sh test.sh --quick             without the tests marked slow
#   sh test.sh tests/records -x    only these tests, flags as pytest takes them
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"
sh ./setup.sh dev
case ${1-} in
    '' | --quick)
        [ $# -le 1 ] || { echo "test.sh: --quick stands alone" >&2 && exit 2; }
        .venv/bin/python -m ruff check .
        .venv/bin/python -m ruff format --check .
        .venv/bin/python -m basedpyright --pythonpath .venv/bin/python
        # files share what they prepare (tests/conftest.py); the slowest ones are listed at the end
        set -- ${1:+-m "not slow"} --numprocesses 2 --dist loadfile --durations 25
        ;;
esac
exec .venv/bin/python -m pytest "$@"
