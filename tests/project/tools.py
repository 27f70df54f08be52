"""Loads the scripts of ``tools/``, which is no package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def load_tool(name: str) -> ModuleType:
    """Return a script of ``tools/`` as a module."""
    known = f"charimg_tools_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, ROOT / "tools" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]


def load_package(name: str) -> ModuleType:
    """Return a package of ``tools/``, or a module of it, under its own name."""
    place = str(ROOT / "tools")
    if place not in sys.path:
        sys.path.append(place)
    return importlib.import_module(name)
