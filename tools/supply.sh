#!/usr/bin/env bash
# What a host gets with charimg[local]: the built wheel and the newest versions of what it needs, in
# an environment that holds nothing else, not even pip.
#   tools/supply.sh audit   asks the advisory service about every version; fails for a known
#                           vulnerability, and also when a version could not be looked up
#   tools/supply.sh sbom    writes the bill of materials to dist/sbom.json (CycloneDX, validated)
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/python" -m build --wheel --outdir "$work" . >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$bin/python" -m venv --without-pip "$work/env"
"$bin/python" -m pip --python "$work/env/bin/python" install --quiet --disable-pip-version-check \
  "$(echo "$work"/*.whl)[local]"

case ${1:-} in
audit)
  "$bin/python" -m pip --python "$work/env/bin/python" list --format freeze --exclude charimg \
    --disable-pip-version-check >"$work/versions.txt"
  echo "$(wc -l <"$work/versions.txt") packages"
  "$bin/pip-audit" --strict --no-deps --disable-pip --progress-spinner off \
    --vulnerability-service "${CHARIMG_AUDIT_SERVICE:-pypi}" --requirement "$work/versions.txt" || {
    echo "not clean: a version is vulnerable, or could not be looked up (see above)" >&2
    exit 1
  }
  ;;
sbom)
  mkdir -p dist
  "$bin/cyclonedx-py" environment --pyproject pyproject.toml --mc-type library --short-PURLs \
    --output-reproducible --output-format JSON --output-file "$work/sbom.json" --validate \
    "$work/env/bin/python"
  "$bin/python" tools/check_sbom.py "$work/sbom.json" "$work/env"
  mv "$work/sbom.json" dist/sbom.json
  echo "dist/sbom.json"
  ;;
*)
  echo "say audit or sbom" >&2
  exit 2
  ;;
esac
