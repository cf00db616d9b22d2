#!/bin/sh
# Finetunes every recipe on every fold, in one process.
# Flags go to `python finetune`; paths count from this folder.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"
sh ./setup.sh
exec .venv/bin/python finetune "$@"
