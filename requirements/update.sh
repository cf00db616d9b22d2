#!/bin/sh
# Writes core.txt and the extras' files anew from pyproject.toml; flags go to `uv pip compile`.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"

lock() {
    output=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --custom-compile-command 'sh requirements/update.sh' \
        --output-file "$output" "$@"
}

lock core.txt "$@" ../pyproject.toml build.in
known=$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' core.txt)
for extra in cuda dev jieba onnx parquet ray soak text video; do # what they add to core.txt
    # shellcheck disable=SC2086 # two words for each package
    lock "$extra.txt" "$@" --extra "$extra" --constraints core.txt $known ../pyproject.toml build.in
done
# Folders of weights, of which one asks for PyTorch to be used with; nothing of it is needed here.
# shellcheck disable=SC2086
lock weights.txt "$@" --no-deps --extra weights --constraints core.txt $known ../pyproject.toml
