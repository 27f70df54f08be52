"""Imports between the rooms run downward only, in no circle, and reach for nothing they may not.

The tables are those of the architecture: which room lies on which floor, who may look sideways,
and which room may use which package.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from .import_graph import Import, circles, read_imports, read_tree

SOURCE = Path(__file__).resolve().parents[2] / "src"

FLOORS = {
    "_offers": 0,
    "_plain": 0,
    "errors": 1,
    "models": 1,
    "_owner": 1,
    "_masks": 1,
    "_quick": 1,
    "_surely": 1,
    "policies": 2,
    "_home": 2,
    "_arguments": 2,
    "events": 2,
    "journal": 2,
    "migration": 2,
    "protocols": 2,
    "capabilities": 2,
    "verification": 2,
    "prompts": 2,
    "_json": 2,
    "_library": 2,
    "_ingest": 2,
    "_spelling": 3,
    "_keyset": 3,
    "_spool": 3,
    "_stages": 3,
    "_http": 3,
    "_baml": 3,
    "_concurrency": 3,
    "_decoding": 3,
    "_signing": 3,
    "_async": 4,
    "_sync": 4,
    "_assembly": 4,
    "stores": 4,
    "testing": 5,
    "bulk": 5,
    "otel": 5,
    "cli": 5,
    "web": 5,
    "__main__": 6,
}
SIDEWAYS = {
    # The ports name the values of the journal and the events.
    ("protocols", "events"),
    ("protocols", "journal"),
    # What a store may be able to do besides its port.
    ("capabilities", "protocols"),
    # What is retried, and how jobs are watched, is decided by policy.
    ("_library", "policies"),
    # So is what is left out of a file, and what is written into it.
    ("_ingest", "policies"),
    # ``local()`` and ``from_env()`` put the embedded stores together.
    ("_async", "_assembly"),
    ("_sync", "_assembly"),
    ("_assembly", "stores"),
    # The demo runs against the simulator.
    ("cli", "testing"),
    ("cli", "web"),
    ("cli", "bulk"),
}
"""Rooms of one floor that may import each other, in this direction. The package itself, where the
public names are gathered, is no room: it imports by name only, and nothing takes more from it
than ``__version__``."""

PURE = {"errors", "models", "policies", "events", "journal", "protocols", "prompts", "_json"} | {
    "migration",
    "verification",
    "capabilities",
    "_spelling",
    "_library",
    "_ingest",
}
IO = {
    *("asyncio", "concurrent", "ftplib", "http", "multiprocessing", "queue", "select", "selectors"),
    *("shutil", "signal", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "tempfile"),
    *("threading", "urllib.request"),
}
"""What a pure room never imports."""

EVERYWHERE = {"attrs"}
CORE = {
    "anyio": {"web", "_home", "_http", "_baml", "_concurrency", "_decoding", "stores", "testing"}
    | {"_surely", "_signing"},
    "cattrs": {"_json", "_library"},
    "httpcore": {"_http"},
    "httpx": {"_http"},
    "stamina": {"_async", "_sync", "cli"},
    "typing_extensions": {"_offers"},
}
"""Core dependencies, and the rooms that may use them."""
NAMED_IN_TYPES = {"httpx": {"_async", "_sync", "stores"}}
"""A host hands in its own client, so these rooms name its type, and no more."""
EXTRAS = {
    "psycopg": {"stores"},
    "psycopg_pool": {"stores"},
    "PIL": {"_decoding", "testing", "cli"},
    "baml_py": {"_baml"},
    "c2pa": {"_signing"},
    "cryptography": {"_signing"},
    "distributed": {"bulk"},
    "hypothesis": {"testing"},
    "obstore": {"stores"},
    "opentelemetry": {"otel"},
    "rich": {"cli"},
    "typer": {"cli"},
    "uvicorn": {"testing", "cli"},
    "jinja2": {"web"},
    "asgiref": {"web"},
    "django": {"web"},
    "fastapi": {"web"},
    "flask": {"web"},
    "flask_login": {"web"},
    "flask_wtf": {"web"},
    "pydantic": {"web"},
    "starlette": {"web"},
    "werkzeug": {"web"},
}
"""Packages of extras. Outside ``cli`` they are imported when they are used, never at load, but for
the adapter of a web framework, which is loaded by who has it."""

ADAPTERS = {
    "charimg.web.django": {"asgiref", "django"},
    "charimg.web.fastapi": {"fastapi", "starlette", "pydantic"},
    "charimg.web.flask": {"flask", "werkzeug"},
    # They say for FastAPI alone what the routes take and answer.
    "charimg.web._models": {"pydantic"},
    "charimg.web._orders": {"pydantic"},
    "charimg.web._openapi": {"pydantic"},
}


def room_of(module: str) -> str:
    """Return the room of one of our modules; an empty text for the package itself."""
    return [*module.split("."), ""][1]


def violations(tree: Mapping[str, str]) -> list[str]:
    """Return every broken rule of a tree, as ``importer:line: what is wrong``."""
    imports = read_imports(tree)
    found = [
        f"{name}: lies in no room of the table"
        for name in tree
        if room_of(name) and room_of(name) not in FLOORS
    ]
    edges: dict[str, set[str]] = {}
    for each in imports:
        if each.target.split(".")[0] == "charimg":
            wrong = judge_own(each)
            if room_of(each.target):
                edges.setdefault(each.importer, set()).add(each.target)
        else:
            wrong = judge_foreign(each)
        if wrong:
            found.append(f"{each.importer}:{each.line}: {wrong}")
    found += [f"{', '.join(group)}: import each other in a circle" for group in circles(edges)]
    return found


def judge_own(each: Import) -> str | None:
    """Return what is wrong with an import of one of our modules."""
    here, there = room_of(each.importer), room_of(each.target)
    if not there:
        return None if each.name == "__version__" else "imports the package itself"
    if not here:
        return f"loads {there} with the package" if each.when == "load" else None
    if here == there or here not in FLOORS or there not in FLOORS:
        return None
    if FLOORS[there] > FLOORS[here]:
        return f"{here} imports {there}, which lies above it"
    if FLOORS[there] == FLOORS[here] and (here, there) not in SIDEWAYS:
        return f"{here} imports {there}, which lies beside it"
    return None


def judge_foreign(each: Import) -> str | None:
    """Return what is wrong with an import of a module that is not ours."""
    here, package = room_of(each.importer), each.target.split(".")[0]
    if package in sys.stdlib_module_names:
        if here in PURE and each.when != "types" and {package, each.target} & IO:
            return f"{here} does no I/O, but imports {each.target}"
        return None
    if package in EVERYWHERE:
        return None
    if package in CORE:
        named = each.when == "types" and here in NAMED_IN_TYPES.get(package, ())
        return None if named or here in CORE[package] else f"{here} may not import {package}"
    if package in EXTRAS:
        if here not in EXTRAS[package]:
            return f"{here} may not import {package}"
        if each.when == "load" and here != "cli" and package not in ADAPTERS.get(each.importer, ()):
            return f"{here} loads {package} before it is used"
        return None
    return f"{package} is no dependency"


def test_the_package_follows_the_rules() -> None:
    assert violations(read_tree(SOURCE)) == []


def test_the_table_names_the_rooms_that_there_are() -> None:
    assert {room_of(module) for module in read_tree(SOURCE)} - {""} == set(FLOORS)


def test_no_permission_is_left_over() -> None:
    imports = read_imports(read_tree(SOURCE))
    pairs = {(room_of(each.importer), room_of(each.target)) for each in imports}
    assert pairs >= SIDEWAYS
    used: dict[str, set[str]] = {}
    for each in imports:
        used.setdefault(each.target.split(".")[0], set()).add(room_of(each.importer))
    for package, rooms in {**CORE, **EXTRAS}.items():
        if package != "httpcore":
            assert used[package] >= rooms, package


def test_lazy_names_are_imports_too() -> None:
    """Or a name could run up through the ``__getattr__`` of a package."""
    imports = read_imports(read_tree(SOURCE))
    called = {(each.importer, each.target) for each in imports if each.when == "call"}
    assert ("charimg", "charimg._sync.service") in called
    assert ("charimg.stores", "charimg.stores.disk") in called
    assert ("charimg.testing", "charimg.testing.server") in called


def test_every_import_of_the_package_is_read() -> None:
    """Counted a second way, so that the reader cannot lose one quietly."""
    tree = read_tree(SOURCE)
    written = sum(
        len(node.names)
        for text in tree.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    lazy = [each for each in read_imports(tree) if each.name is None and each.when == "call"]
    assert len(read_imports(tree)) >= written > 500
    assert len(lazy) > 10


GOOD = {
    "charimg.": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .models import M\n",
    "charimg.models": "import attrs\n",
    "charimg.protocols": "from .models import M\n",
    "charimg._http.": "",
    "charimg._http.api": "import httpx\nfrom ..models import M\n",
    "charimg._async.": "",
    "charimg._async.calls": (
        "from typing import TYPE_CHECKING\n"
        "from .._http.api import send\n"
        "if TYPE_CHECKING:\n    import httpx\n"
    ),
    "charimg.stores.": "",
    "charimg.stores.disk": "",
    "charimg._decoding.": "",
    "charimg._decoding.child": "def thumbnail():\n    from PIL import Image\n",
    "charimg.cli.": "import rich\nfrom .. import __version__\n",
}

LAZY = "from importlib import import_module\n"
BAD = [
    ("charimg.models", "from .prompts import P", "models imports prompts, which lies above"),
    ("charimg.models", "def f():\n    from . import stores", "models imports stores, which lies"),
    (
        "charimg.models",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .cli import main",
        "models imports cli, which lies above",
    ),
    ("charimg.models", "class C:\n    import charimg.cli", "models imports cli, which lies above"),
    (
        "charimg.models",
        f"{LAZY}import_module('charimg.cli')",
        "models imports cli, which lies above",
    ),
    (
        "charimg.models",
        "import importlib\nasync def f():\n    return importlib.import_module('.stores.disk')",
        "models imports stores, which lies above",
    ),
    (
        "charimg.models",
        f"{LAZY}_HOME = {{'name': 'cli'}}\ndef f(name): return import_module('.' + _HOME[name])",
        "models imports cli, which lies above",
    ),
    (
        "charimg.models",
        f"{LAZY}_NAMES = {{'cli': ('name',)}}\ndef f(name): return import_module('.' + name)",
        "models imports cli, which lies above",
    ),
    ("charimg.stores.disk", "from .._async.calls import x", "stores imports _async, which lies be"),
    ("charimg.stores.disk", "from .. import Downloader", "imports the package itself"),
    ("charimg.stores.disk", "import charimg", "imports the package itself"),
    ("charimg.", "from .models import M", "loads models with the package"),
    ("charimg.attic", "", "charimg.attic: lies in no room"),
    ("charimg.models", "import httpx", "models may not import httpx"),
    ("charimg._async.calls", "import httpx", "_async may not import httpx"),
    ("charimg._async.calls", "def f():\n    import httpx", "_async may not import httpx"),
    ("charimg.stores.disk", "import httpcore", "stores may not import httpcore"),
    ("charimg._decoding.child", "from PIL import Image", "_decoding loads PIL before it is used"),
    ("charimg._http.api", "def f():\n    import PIL", "_http may not import PIL"),
    ("charimg._http.api", "import rich.table", "_http may not import rich"),
    ("charimg.cli.", "import requests", "requests is no dependency"),
    ("charimg.cli.", "import pytest", "pytest is no dependency"),
    ("charimg.models", "import socket", "models does no I/O, but imports socket"),
    ("charimg.models", "from urllib.request import urlopen", "but imports urllib.request"),
    ("charimg.models", "def f():\n    import sqlite3", "models does no I/O, but imports sqlite3"),
    ("charimg.stores.disk", "from . import disk", "charimg.stores.disk: import each other"),
]


def test_a_made_up_tree_that_keeps_the_rules_is_left_alone() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(("module", "text", "told"), BAD)
def test_every_breach_is_found(module: str, text: str, told: str) -> None:
    found = violations({**GOOD, module: text + "\n"})
    assert len(found) == 1
    assert told in found[0]


def test_circles_are_found_through_functions_and_types() -> None:
    tree = {
        **GOOD,
        "charimg.stores.a": "from . import b\n",
        "charimg.stores.b": "def f():\n    from .c import x\n",
        "charimg.stores.c": "import typing\nif typing.TYPE_CHECKING:\n    from . import a\n",
        "charimg.stores.d": "from . import a\n",
    }
    assert violations(tree) == [
        "charimg.stores.a, charimg.stores.b, charimg.stores.c: import each other in a circle"
    ]


def test_a_module_name_that_cannot_be_read_is_refused() -> None:
    text = f"{LAZY}import_module(input())\n"
    with pytest.raises(AssertionError, match=r"charimg\.models:2 imports a module whose name"):
        violations({**GOOD, "charimg.models": text})
