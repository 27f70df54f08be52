"""What ``import charimg`` loads, and what using its names does not load."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

EXTRAS = {"PIL", "baml_py", "obstore", "opentelemetry", "rich", "typer", "uvicorn"}


def run(code: str) -> Any:
    """Run code in a fresh interpreter; return what it printed as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded(code: str) -> set[str]:
    """Return the modules that code loads, beyond those that any interpreter has here."""
    shown = "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    return set(run(f"import sys; before = set(sys.modules)\n{code}\n{shown}"))


def packages(modules: set[str]) -> set[str]:
    """Return the packages of modules that are not of the standard library."""
    return {module.split(".")[0] for module in modules} - sys.stdlib_module_names


def test_the_import_alone_loads_one_module_of_ours_and_none_of_others() -> None:
    modules = loaded("import charimg")
    assert packages(modules) == {"charimg"}
    assert {name for name in modules if name.startswith("charimg")} == {"charimg"}
    assert not modules & {"asyncio", "sqlite3", "ssl", "http.client", "importlib.metadata"}


def test_values_and_errors_load_no_http_client() -> None:
    modules = loaded("from charimg import CharacterImage, CharimgError, RetryPolicy")
    assert packages(modules) <= {"charimg", "attr", "attrs"}


def test_a_sync_client_loads_no_async_half() -> None:
    modules = loaded("from charimg import CharacterImageService, CharacterLibrary, Downloader")
    assert not {name for name in modules if name.startswith("charimg._async")}
    assert "charimg.stores" not in modules


def test_one_store_does_not_pay_for_another() -> None:
    modules = loaded("from charimg.stores import DiskMediaStore")
    assert not {name for name in modules if name.startswith("charimg.stores.sqlite")}
    assert not {name for name in modules if name.startswith("charimg.stores.memory")}


def test_no_public_name_loads_an_extra() -> None:
    code = "\n".join(
        f"from {module} import *"
        for module in (
            "charimg",
            "charimg.bulk",
            "charimg.otel",
            "charimg.stores",
            "charimg.testing",
        )
    )
    # httpx itself looks for what its own command needs.
    theirs = packages(loaded("import httpx"))
    assert not (packages(loaded(code)) - theirs) & EXTRAS


def test_logging_stays_silent_until_the_host_configures_it() -> None:
    code = (
        "import json, logging, charimg\n"
        "logging.getLogger('charimg.library').error('unheard')\n"
        "handlers = logging.getLogger('charimg').handlers\n"
        "print(json.dumps([[type(each).__name__ for each in handlers], logging.root.handlers]))"
    )
    assert run(code) == [["NullHandler"], []]


def test_the_package_runs_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "charimg", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("charimg ")
