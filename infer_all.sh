#!/bin/sh
# Embeds the test videos with every finetuned model, in one process.
# Flags go to `python inference`; paths count from this folder.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"
sh ./setup.sh
exec .venv/bin/python inference "$@"
