"""Shared by all tests: which async backend, and the switch that turns a skip into a failure."""

from __future__ import annotations

import gc
import importlib
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from .figures import add_up as add_up
from .figures import figure as figure
from .figures import print_figures
from .leftovers import Leftovers
from .signals import heed_ctrl_c

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE.parents[1] / "shared" / "contract" / "character-library"
"""Exchanges recorded with the real server, where they lie beside the checkout."""

pytest_plugins = ("tests.servers.fixtures",)

_leftovers = Leftovers()

SETTINGS = (
    *("ALLOWED_ORIGINS", "CHARACTERS", "DIR", "FOREIGN", "FORMATS", "LEDGER", "MAX_BYTES"),
    *("MAX_PIXELS", "MEDIA", "MEDIA_URL", "METADATA"),
)

# A clone alone has them not; it tests the contract by the cases in tests/testing/cases.
collect_ignore = (
    [] if RECORDINGS.is_dir() else ["library/test_recordings.py", "testing/test_replay.py"]
)

NOT_QUICK = (
    *("crash", "docs", "hostile", "machines", "race", "web/browser"),
    *("stores/payload", "stores/postgres", "stores/s3", "stores/test_combinations.py"),
    *("_async/test_combinations.py", "_sync/test_combinations.py", "test_baml.py"),
    *(f"bulk/test_dask{each}.py" for each in ("", "_killed", "_terminal")),
    *(f"bulk/test_{each}.py" for each in ("ends", "migrate", "processes")),
    *(f"cli/test_{each}.py" for each in ("app", "bench", "bulk", "bulk_dask", "demo", "doctor")),
    *(f"cli/test_{each}.py" for each in ("generate", "images", "migrate", "recover", "serve")),
    *(f"cli/test_{each}.py" for each in ("simulate", "stores_by_url", "wrong_inputs")),
    *(
        "bulk/test_run.py",
        "decoding/test_worker.py",
        "guard/test_rebinding.py",
        "ingest/test_wellformed.py",
    ),
    *(f"project/test_{each}.py" for each in ("bench", "bench_rows", "coverage_gate", "floors")),
    *(f"project/test_{each}.py" for each in ("fuzz_tool", "make", "unasync")),
    *("stores/test_conformance_runs.py", "testing/test_conformance_with_pytest.py"),
    *("test_leftovers.py", "web/test_access.py", "web/test_django.py", "web/test_events.py"),
    *(f"web/test_{each}.py" for each in ("failures", "flask", "openapi", "routes", "settling")),
    *(f"web/test_{each}.py" for each in ("conditional", "spin", "workers")),
)
"""What `make quick` does not even import: it needs more packages, a server or processes."""


UNMEASURED = (
    *("crash", "docs", "machines", "race"),
    *("_async/test_combinations.py", "_sync/test_combinations.py"),
)
"""What coverage would slow down by a third, and what runs no line that other tests do not run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="only what needs no server, browser or process"
    )


def pytest_configure(config: pytest.Config) -> None:
    heed_ctrl_c()
    quick = config.getoption("quick")
    # No test measures how long something takes.
    untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("charimg", untimed, max_examples=25 if quick else 100)
    settings.load_profile("charimg")
    if quick:
        collect_ignore.extend(NOT_QUICK)
        config.option.markexpr = "not (long or heavy)"


def pytest_report_header() -> str:
    return f"recordings of the real server: {'replayed' if RECORDINGS.is_dir() else 'not there'}"


def pytest_sessionstart() -> None:
    _leftovers.watch()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from .sharing import sharing

    return sharing(config, log) if config.option.dist == "load" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.pluginmanager.hasplugin("xdist"):
        from .sharing import takes_long

        items.sort(key=lambda item: not takes_long(item.nodeid))
    if not config.pluginmanager.hasplugin("_cov"):
        return
    # Else a test in which nothing is measured may be the first to load it.
    importlib.import_module("charimg._http.mock")
    unmeasured = [HERE / each for each in UNMEASURED]
    for item in items:
        if any(item.path.is_relative_to(each) for each in unmeasured):
            item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    # What was collected stays to the end: no collection of garbage need go through it again.
    gc.collect()
    gc.freeze()


def pytest_runtest_logstart(nodeid: str) -> None:
    _leftovers.test = nodeid


@pytest.fixture(autouse=True, scope="module")
def _leftovers_are_found() -> Iterator[None]:
    yield
    # After each test it would take too long.
    _leftovers.look()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.node.get_closest_marker("no_cover"):
        # Nor are the processes that the test starts measured.
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    monkeypatch.delenv("CHARACTER_LIBRARY_API_URL", raising=False)
    for name in ("SITE_URL", "PAYLOAD_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in SETTINGS:
        monkeypatch.delenv(f"CHARIMG_{name}", raising=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    lacks = re.search(r"ModuleNotFoundError: No module named '(\w+)", str(report.longrepr))
    if lacks and lacks[1] not in ("charimg", "tests") and collector.config.getoption("quick"):
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"not in `make quick`: it needs {lacks[1]}")
    return _required(report)


def _required(report: _Report) -> _Report:
    """Turn a skip, of a test or of a whole module, into a failure where everything is required."""
    if report.skipped and os.environ.get("CHARIMG_REQUIRE_ALL") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CHARIMG_REQUIRE_ALL is set, so nothing may be skipped: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    print_figures(terminalreporter)
