#!/bin/sh
# Pretrains every recipe, in one process.
# Flags go to `python pretrain`; paths count from this folder.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"
sh ./setup.sh
exec .venv/bin/python pretrain "$@"
