#!/usr/bin/env bash
# Proves that the built wheel works with the core dependencies alone, in two empty environments: one
# with the newest versions of them, one with exactly the lower bounds that pyproject.toml states.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m build --wheel --outdir "$work" . >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
.venv/bin/python - >"$work/lowest.txt" <<'PYTHON'
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
print("\n".join(bound.replace(">=", "==") for bound in project["dependencies"]))
PYTHON
cp tools/core_smoke.py "$work/"
cd "$work"

smoke() {
  local name=$1
  shift
  "$OLDPWD/.venv/bin/python" -m venv "$name"
  "$name/bin/python" -m pip install --quiet --disable-pip-version-check ./*.whl "$@"
  echo "$name:"
  "$name/bin/python" -W error core_smoke.py
}

smoke newest
smoke lowest --requirement lowest.txt
