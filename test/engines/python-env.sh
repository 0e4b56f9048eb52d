#!/bin/sh
# Makes the Python environment of the launcher tests and prints its directory: torch 2.13.0 (CPU), optuna 5, psycopg 3.
# DROVER_PYTHON_ENV names the directory; an environment that is there already is used as it is.
set -eu
directory=${DROVER_PYTHON_ENV:-/var/tmp/drover-python-env}
if ! "$directory/bin/python" -c 'import sys, torch, optuna, optuna_dashboard, psycopg; assert not sys.base_prefix.startswith("/root"); assert torch.__version__.startswith("2.13.")' 2> /dev/null; then
  # Debian's own where there is one: a Python below /root is not for the account of the rig's machines.
  python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  "$python" -m venv --clear "$directory" >&2
  "$directory/bin/pip" install --quiet --disable-pip-version-check 'torch==2.13.0' 'optuna>=5,<6' optuna-dashboard 'psycopg[binary]' numpy >&2
fi
echo "$directory"
