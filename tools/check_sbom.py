"""Demand that a bill of materials names what an environment holds, and nothing of this machine.

Arguments: the CycloneDX file (JSON), and the environment that it was made from.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def installed(environment: Path) -> dict[str, str]:
    """Return name and version of every package in an environment."""
    found = {}
    for metadata in environment.glob("lib/python*/site-packages/*.dist-info/METADATA"):
        head = metadata.read_text(encoding="utf-8").partition("\n\n")[0]
        fields = dict(re.findall(r"^(Name|Version): (.+)$", head, re.MULTILINE))
        found[normal(fields["Name"])] = fields["Version"]
    return found


def normal(name: str) -> str:
    """Return the name of a package in the one spelling that counts."""
    return re.sub(r"[-_.]+", "-", name).lower()


def problems(document: dict[str, Any], packages: dict[str, str], environment: str) -> list[str]:
    """Return what is wrong with a bill of materials, in words."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = []
    if document.get("bomFormat") != "CycloneDX":
        found.append("it is no CycloneDX document")
    root = document.get("metadata", {}).get("component", {})
    if (root.get("name"), root.get("version")) != (project["name"], project["version"]):
        found.append(f"it is about {root.get('name')} {root.get('version')}")
    named = {normal(each["name"]): each.get("version") for each in document.get("components", ())}
    named.pop("charimg", None)
    packages = {name: version for name, version in packages.items() if name != "charimg"}
    if named != packages:
        found.append(f"it differs in {sorted(dict(named.items() ^ packages.items()))}")
    if not packages:
        found.append("the environment is empty")
    if environment in json.dumps(document):
        found.append("it names a folder of this machine")
    return found


def main() -> int:
    """Judge, and say what was found."""
    path, environment = Path(sys.argv[1]), Path(sys.argv[2])
    document = json.loads(path.read_text(encoding="utf-8"))
    packages = installed(environment)
    found = problems(document, packages, str(environment.parent))
    for each in found:
        print(f"the bill of materials is wrong: {each}", file=sys.stderr)
    if not found:
        print(f"{document['bomFormat']} {document['specVersion']}: {len(packages)} packages")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
