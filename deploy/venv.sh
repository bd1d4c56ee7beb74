#!/bin/sh
# Makes .venv exactly as uv.lock says: `sh deploy/venv.sh local` to run Rondo, `sh deploy/venv.sh dev` to work on it.
# Uses uv if it is there, else installs it into .venv with pip. Never removes packages, so `make run` after `make test` is quick.
set -eu

group=$1
uv_version=0.13.9
oldest_uv=0.6.0
export UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv PIP_DISABLE_PIP_VERSION_CHECK=1
unset VIRTUAL_ENV

say() { printf 'rondo: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; }

find_python() {
    for name in "${PYTHON:-python3}" python3.11 python3.12 python3.13 python3.14; do
        if suits "$name"; then command -v "$name"; return; fi
    done
    fail "Python 3.11, 3.12, 3.13 or 3.14 is needed, but $(python3 --version 2>/dev/null || echo none) was found; PYTHON=/path/to/python make … names one."
}

new_enough() { [ "$(printf '%s\n' "$oldest_uv" "$1" | sort -V | head -n 1)" = "$oldest_uv" ]; }

has_pip() { .venv/bin/python -m pip --version >/dev/null 2>&1; }

find_uv() {
    if new_enough "$(uv --version 2>/dev/null | cut -d ' ' -f 2)"; then echo uv; return; fi
    if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d ' ' -f 2)" != "$uv_version" ]; then
        say "Making .venv and installing uv $uv_version into it …"
        has_pip || .venv/bin/python -m ensurepip >/dev/null 2>&1 || "$python" -m venv --clear .venv >&2 ||
            fail "Python's venv module does not work: install it (on Debian: apt install python3-venv), or install uv."
        .venv/bin/python -m pip install --quiet "uv==$uv_version" ||
            fail "pip could not install uv $uv_version; see above."
    fi
    echo .venv/bin/uv
}

python=$(find_python)
suits .venv/bin/python || rm -rf .venv
[ -w "${HOME:-/nonexistent}" ] || export UV_NO_CACHE=1
uv=$(find_uv)
[ ! -d .venv ] || python=.venv/bin/python # by another path to the same Python, uv would make .venv anew
say "Installing the packages of uv.lock ($group) …"
"$uv" sync --frozen --inexact --python "$python" --no-default-groups --group "$group" ||
    fail "The packages could not be installed; see above."
touch .venv/.local.stamp
[ "$group" != dev ] || touch .venv/.dev.stamp
