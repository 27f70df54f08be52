#!/usr/bin/env bash
# Proves that the built wheel works with the core dependencies alone, in an empty environment.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m build --wheel --outdir "$work" . >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$work"/*.whl
cp tools/core_smoke.py "$work/"
cd "$work"
venv/bin/python -W error core_smoke.py
