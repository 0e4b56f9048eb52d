#!/bin/sh
# Makes a Python environment with real Tierkreis and uv, and prints its directory.
#   tierkreis-env.sh [DIRECTORY [VERSION [NAME==VERSION...]]]     default: /var/tmp/tkr-2.1.1 2.1.1, and no further packages
# Tierkreis needs CPython 3.12 or newer: DROVER_PYTHON312, `python3.12` and newer on PATH, pyenv's and uv's own are looked at, in this order.
# An environment that is there already is used as it is.
set -eu
version=${2:-2.1.1}
directory=${1:-/var/tmp/tkr-$version}
if [ $# -gt 2 ]; then shift 2; else set --; fi
set -- "tierkreis==$version" "$@"

# installed NAME==VERSION...: are they, and uv?
installed() {
  "$directory/bin/python" -c 'import importlib.metadata as m, sys
for package in sys.argv[1:]:
  name, _, version = package.partition("==")
  assert m.version(name) == version
m.version("uv")' "$@" 2> /dev/null
}
recent() {
  "$1" -c 'import sys, ensurepip; assert sys.version_info >= (3, 12) and sys.implementation.name == "cpython"' 2> /dev/null
}
# Prints the first interpreter that is recent enough.
find_python() {
  for name in "${DROVER_PYTHON312:-}" python3.12 python3.13 python3.14 python3; do
    path=$(command -v "$name" 2> /dev/null) || continue
    if recent "$path"; then
      echo "$path"
      return
    fi
  done
  for path in "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.1[2-9]*/bin/python3; do
    if recent "$path"; then
      echo "$path"
      return
    fi
  done
  path=$(UV_PYTHON_DOWNLOADS=never uv python find '>=3.12' 2> /dev/null) || return 1
  recent "$path" && echo "$path"
}

if installed "$@"; then
  echo "$directory"
  exit
fi
if ! python=$(find_python); then
  echo "tierkreis-env.sh: no CPython 3.12 or newer with ensurepip: not in DROVER_PYTHON312, on PATH, below ${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions, nor known to uv. Install one (pyenv install 3.12) or name it in DROVER_PYTHON312." >&2
  exit 1
fi
# Two tests that start together make it once.
mkdir -p "$(dirname "$directory")"
exec 9> "$directory.lock"
if command -v flock > /dev/null 2>&1; then
  flock 9
fi
if ! installed "$@"; then
  "$python" -m venv --clear "$directory" >&2
  "$directory/bin/pip" install --quiet --disable-pip-version-check "$@" uv >&2
fi
if ! installed "$@"; then
  echo "tierkreis-env.sh: $* is not usable in $directory: remove that directory and try again" >&2
  exit 1
fi
echo "$directory"
