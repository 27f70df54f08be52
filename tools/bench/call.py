"""One call to the Character Library, against bare httpx."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from charimg import AsyncCharacterLibrary, CharacterLibrary

from .measure import Contest, Job, Row, demand, twins
from .pictures import PORTFOLIO
from .server import serving

__all__ = ["CONTESTS"]

CALLS = 300
"""In one job, one after the other on one connection."""

_HEADERS = {"Accept": "application/json", "X-Request-Id": "0123456789abcdef0123456789abcdef"}


def _files(folder: Path) -> list[Path]:
    """Write files that nobody fetches here; the server wants a portfolio."""
    paths = [folder / f"{number:02}.jpg" for number in range(PORTFOLIO)]
    for path in paths:
        path.write_bytes(b"never fetched")
    return paths


@contextmanager
def _calls() -> Iterator[Mapping[str, Job]]:
    import httpx

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        server = stack.enter_context(serving(_files(folder)))
        url, db_id = f"{server.url}/api/v1/characters/{server.db_id}", server.db_id
        library = stack.enter_context(CharacterLibrary(server.url))
        client = stack.enter_context(httpx.Client())
        runner = stack.enter_context(asyncio.Runner())

        async def opened() -> tuple[AsyncCharacterLibrary, httpx.AsyncClient]:
            return AsyncCharacterLibrary(server.url), httpx.AsyncClient()

        twin, aclient = runner.run(opened())
        stack.callback(lambda: runner.run(twin.aclose()))
        stack.callback(lambda: runner.run(aclient.aclose()))

        def blocking() -> None:
            for _ in range(CALLS):
                _whole(library.get_character(db_id).id == db_id)

        def bare() -> None:
            for _ in range(CALLS):
                answer = client.get(url, headers=_HEADERS).raise_for_status().json()
                _whole(answer["id"] == db_id)

        async def calls() -> None:
            for _ in range(CALLS):
                _whole((await twin.get_character(db_id)).id == db_id)

        async def bare_calls() -> None:
            for _ in range(CALLS):
                answer = (await aclient.get(url, headers=_HEADERS)).raise_for_status().json()
                _whole(answer["id"] == db_id)

        yield {
            "sync": blocking,
            "httpx": bare,
            "async": lambda: runner.run(calls()),
            "httpx async": lambda: runner.run(bare_calls()),
        }


def _whole(holds: bool) -> None:
    demand(holds, "another character came")


_WORK = f"{CALLS} x GET a character"

CONTESTS = (
    Contest(
        name="call",
        rounds=9,
        prepare=_calls,
        rows=(
            Row(work=_WORK, ours="sync", other="httpx", against="httpx, JSON decoded", reach=1.25),
            Row(
                work=f"{_WORK}, async",
                ours="async",
                other="httpx async",
                against="httpx.AsyncClient, JSON decoded",
                reach=1.25,
            ),
            twins(_WORK, whole="client"),
        ),
    ),
)
