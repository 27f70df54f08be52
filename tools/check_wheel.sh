#!/usr/bin/env bash
# Proves that the built wheel works, in empty environments: with the newest versions of the core
# dependencies alone, with exactly the lower bounds that pyproject.toml states, and with the lower
# bounds of the extra `local` as well. Also that wheel and sdist hold what they should.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The wheel is built from the sdist, so the sdist is proved, too.
.venv/bin/python -m build --outdir "$work" . >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
.venv/bin/python tools/wheel_content.py "$work"
cp tools/core_smoke.py "$work/"
cd "$work"

environment() {
  local name=$1
  shift
  "$root/.venv/bin/python" -m venv "$name"
  "$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

smoke() {
  local name=$1
  shift
  environment "$name" ./*.whl "$@"
  echo "$name:"
  "$name/bin/python" -W error core_smoke.py
}

smoke newest
smoke lowest --requirement lowest.txt

environment lowest-local "$(echo ./*.whl)[local]" --requirement lowest-local.txt
echo "lowest-local:"
lowest-local/bin/charimg demo --json --directory demo >demo.json 2>demo.log || { cat demo.log; exit 1; }
lowest-local/bin/python - <<'PYTHON'
import json
from pathlib import Path

told = json.loads(Path("demo.json").read_text(encoding="utf-8"))
wanted = {"reference": 1, "portfolioItem": 27, "scene": 1}
if told["images"] != wanted or told["failed"] != 0 or told["mediaFiles"] != 29:
    raise SystemExit(f"the demo says {told}")
print("demo: fine with the lowest versions of the extra local")
PYTHON
