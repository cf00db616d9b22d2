#!/bin/sh
# Everything that is not done yet, from the challenge's files to result.zip and its report.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"

usage() {
    cat <<'END'
usage: sh run.sh [FLAG...]

Sets up .venv, then runs write_tfrecord.py, pretrain, finetune, inference and ensemble. It says
first what is done and what it will do. A step that is done is skipped; where flags or files have
changed since, it stops before it does anything. Without --data-dir and without data/pairwise, a
small sample data set is made in data/sample and everything runs on it at --size tiny.

Flags go to all five steps, so they are those that all accept; paths count from this folder:
  --data-dir DIR (data)   --save-dir DIR (save)   --output-zip FILE (result.zip)
  --recipes LIST (all)    --folds LIST (all)      --size tiny|small|base (base)
  --bert-dir DIR          --seed NUMBER (42)      --on-bad-record stop|skip (stop)
  --run-name NAME         make runs beside those that are there, as save/finetune/mix@NAME
  --redo                  make changed steps again; what was there is moved to <run>.old-1
  --fold-seed NUMBER (42) seed of the folds
  --task NAME             what the models are finetuned for (similarity)
  --executor local|ray    run all of it as jobs: --jobs N side by side on this machine, or on a
                          Ray cluster (--address auto); vidsim run --help has the others
What is wrong with a data folder: .venv/bin/vidsim check DIR
A step's own flags: .venv/bin/python finetune --help
END
}

data_given='' size_given='' executor='' before=''
for argument; do
    case $argument in
        -h | --help)
            usage
            exit
            ;;
        --data-dir | --data-dir=* | --data_dir | --data_dir=*) data_given=yes ;;
        --size | --size=*) size_given=yes ;;
        --executor=*) executor=${argument#*=} ;;
    esac
    [ "$before" != --executor ] || executor=$argument
    before=$argument
done

step() {
    printf '\n== %s\n' "$1"
    .venv/bin/python "$@" || {
        status=$?
        printf 'run.sh: %s stopped with status %s; nothing after it was run\n' "$1" "$status" >&2
        exit "$status"
    }
}

finish() {
    seconds=$(($(date +%s) - started))
    printf '\nrun.sh: done in %s min %s s\n' $((seconds / 60)) $((seconds % 60))
}

started=$(date +%s)
if [ "$executor" = ray ]; then sh ./setup.sh ray; else sh ./setup.sh; fi

make_sample=''
if [ -z "$data_given" ] && [ ! -d data/pairwise ]; then
    echo "run.sh: there is no data set (no data/pairwise), so this makes a SAMPLE in data/sample"
    echo "run.sh: and runs on it. It shows that everything works; its scores say nothing else."
    echo "run.sh: For your own data see data/README.md, then give --data-dir."
    [ -n "$size_given" ] || set -- --size tiny "$@"
    set -- --data-dir data/sample "$@"
    make_sample=--make-sample
fi

echo "run.sh: what is done, and what will be:"
if [ -n "$executor" ]; then
    .venv/bin/python -m vidsim run ${make_sample:+"$make_sample"} "$@"
    finish
    exit
fi
.venv/bin/python -m vidsim plan ${make_sample:+"$make_sample"} "$@" || {
    status=$?
    echo "run.sh: nothing was run" >&2
    exit "$status"
}

step write_tfrecord.py ${make_sample:+"$make_sample"} "$@"
step pretrain "$@"
step finetune "$@"
step inference "$@"
step ensemble "$@"

finish
