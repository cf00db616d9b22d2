#!/bin/sh
# All checks: style, types, tests. With arguments only the tests: sh test.sh tests/records -x
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"
sh ./setup.sh dev
if [ $# -eq 0 ]; then
    .venv/bin/python -m ruff check .
    .venv/bin/python -m ruff format --check .
    .venv/bin/python -m basedpyright --pythonpath .venv/bin/python
    set -- --numprocesses 2 --dist loadfile # a file's tests share what they prepare
fi
exec .venv/bin/python -m pytest "$@"
