"""Three ways to reach a simulator: a sync client, an async client, a real HTTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal

from charimg._http.defaults import usual_tls
from charimg.testing import Simulator, serve

WAYS = ["client", "async client", "server"]

Ask = Callable[..., httpx.Response]


@contextmanager
def asking(simulator: Simulator, way: str = "client") -> Iterator[Ask]:
    """Give a function that takes what `httpx.Client.request` takes, and a path as the URL."""
    if way == "client":
        with httpx.Client(
            transport=simulator.transport(), base_url=simulator.base_url, timeout=300
        ) as client:
            yield client.request
    elif way == "async client":
        with start_blocking_portal("asyncio") as portal:
            later = httpx.AsyncClient(
                transport=simulator.transport(), base_url=simulator.base_url, timeout=300
            )

            def ask(*args: Any, **kwargs: Any) -> httpx.Response:
                async def inside() -> httpx.Response:
                    return await later.request(*args, **kwargs)

                return portal.call(inside)

            yield ask
            portal.call(later.aclose)
    else:
        with (
            serve(simulator) as server,
            httpx.Client(
                base_url=server.url, timeout=300, trust_env=False, verify=usual_tls()
            ) as client,
        ):
            yield client.request
