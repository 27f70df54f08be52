"""Sphinx: MyST for the pages, autodoc for the reference. Nothing is fetched from anywhere."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import attrs

import charimg

project = "charimg"
author = "The charimg authors"
copyright = "2026, the charimg authors"  # noqa: A001 - Sphinx calls it so
version = release = charimg.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "benchmarks"]

html_theme = "furo"
html_title = f"charimg {version}"
html_show_sphinx = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings refer to names in single backticks.
default_role = "py:obj"
add_module_names = False
python_use_unqualified_type_names = True
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def _readable_defaults(
    _app: object, what: str, _name: str, obj: Any, _options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show the defaults of an attrs class; in its source they are references to attrs' own data."""
    if what != "class" or not signature or not attrs.has(obj):
        return None
    defaults = {each.name: each.default for each in attrs.fields(obj)}

    def shown(match: re.Match[str]) -> str:
        value = defaults[match[1]]
        if isinstance(value, Enum):
            return f"{type(value).__name__}.{value.name}"
        return f"{type(value).__name__}()" if attrs.has(type(value)) else repr(value)

    signature = re.sub(r"attr_dict\['(\w+)'\]\.default", shown, signature)
    return signature.replace("= NOTHING", "= ..."), returns


def _found_elsewhere(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Find a name that a docstring of another module or class means, as a reader would."""
    if node.get("refdomain") != "py":
        return None
    python, builder, target = env.get_domain("py"), app.builder, node["reftarget"]
    for prefix in ("charimg.", "charimg.CharacterImageService.", "charimg.testing."):
        found = python.resolve_xref(
            env, node["refdoc"], builder, "obj", prefix + target, node, contnode
        )
        if found is not None:
            return found
    return None


def setup(app: Any) -> None:
    """Hook into Sphinx."""
    app.connect("autodoc-process-signature", _readable_defaults)
    app.connect("missing-reference", _found_elsewhere)
