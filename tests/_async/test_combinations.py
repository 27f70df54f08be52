"""The whole suite of the service again, over every combination of real stores.

The modules beside this one run in memory. Here each of their tests runs over disk and SQLite, over
S3 and PostgreSQL, and in Payload, and expects the same.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from ..stores.exclusions import left_out
from . import world
from .combinations import COMBINATIONS, AsyncPlace

pytestmark = pytest.mark.anyio


def suite() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give every test of the modules beside this one that stands on a world."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.name == Path(__file__).name:
            continue
        module = importlib.import_module(f"{__package__}.{path.stem}")
        uses = {getattr(each, "__module__", None) for each in vars(module).values()}
        if not uses & {f"{__package__}.world", f"{__package__}.mishaps"}:
            continue
        for name, function in vars(module).items():
            if name.startswith("test_") and function.__module__ == module.__name__:
                yield f"{path.stem}__{name.removeprefix('test_')}", function


SUITE = dict(suite())
_BOTH = "disk_and_sqlite"
# The stores do the same in both modes, in the same code but for the calls themselves.
_WAITS = inspect.iscoroutinefunction(world.AsyncWorld.link)
RUN = {_BOTH: 3 if _WAITS else 6, "s3_and_postgres" if _WAITS else "payload": 6}
"""What the suite runs, and every how many of the tests; the long series runs the others, and every
step of the crashes."""
STRIDES = "test_crashes__no_crash_loses_an_image_or_pays_twice"
globals().update(SUITE)


def cases(name: str) -> Iterator[Any]:
    """Give the combinations of a test, and which of them are for the long series."""
    for each in COMBINATIONS:
        if left_out(name, each):
            continue
        in_suite = each in RUN and crc32(name.encode()) % RUN[each] == 0
        if in_suite:
            yield each
        if not in_suite or name == STRIDES:
            yield pytest.param(each, id=f"{each}-long", marks=pytest.mark.long)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("combination", list(cases(metafunc.definition.originalname)))


@pytest.fixture(autouse=True)
async def _stands_on(
    combination: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[None]:
    async with AsyncExitStack() as opened:
        place = AsyncPlace(request, tmp_path, opened)
        monkeypatch.setattr(world, "chosen", lambda: COMBINATIONS[combination](place))
        monkeypatch.setattr(world, "thorough", request.node.get_closest_marker("long") is not None)
        yield
