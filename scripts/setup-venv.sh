#!/usr/bin/env bash
# Makes .venv with the pinned development dependencies and this project in editable form.
# Picks the first Python >= 3.10 ($PYTHON, python3, python3.13 ... python3.10); must not touch any other environment.
set -euo pipefail
cd "$(dirname "$0")/.."

is_usable() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10; do
        if is_usable "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

apt_allowed() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

apt_install() {
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

if ! python=$(find_python); then
    if apt_allowed; then
        apt_install python3 python3-venv
    fi
    python=$(find_python) || {
        echo "Python 3.10 or later is needed. Install it (Debian: sudo apt-get install python3 python3-venv)," \
            "or name one: make PYTHON=/path/to/python3" >&2
        exit 1
    }
fi

# A .venv whose Python was removed or is too old cannot be repaired, only made again.
if ! is_usable .venv/bin/python; then
    rm -rf .venv
    # Debian's python3 comes without ensurepip until python3-venv is installed.
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        if apt_allowed; then
            apt_install python3-venv
        else
            echo "$python cannot make virtual environments. Run: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    "$python" -m venv .venv
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
echo ".venv: $(.venv/bin/python --version), $(.venv/bin/ignitetasks --version 2>/dev/null || echo 'ignitetasks installed')"
