"""An async implementation seen as a sync one, so that one suite serves both modes."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from anyio.from_thread import BlockingPortal

__all__ = ["sync_view"]


def sync_view(implementation: object, portal: BlockingPortal) -> Any:
    """Return an object with the sync methods of an async implementation's port.

    Args:
        implementation: An async media store, repository, directory or ledger.
        portal: Where its calls run, from `anyio.from_thread.start_blocking_portal`.
    """
    return _View(implementation, portal)


class _View:
    def __init__(self, implementation: object, portal: BlockingPortal) -> None:
        self._implementation = implementation
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._implementation, name)
        if not callable(member):
            return member

        def call(*args: Any, **kwargs: Any) -> Any:
            async def inside() -> Any:
                result = member(*args, **kwargs)
                return await result if inspect.isawaitable(result) else result

            result = self._portal.call(inside)
            if hasattr(result, "__anext__"):
                return self._iterate(result)
            return self._entered(result) if hasattr(result, "__aenter__") else result

        return call

    def _entered(self, opened: Any) -> AbstractContextManager[Iterator[bytes]]:
        @contextmanager
        def manager() -> Iterator[Iterator[bytes]]:
            with self._portal.wrap_async_context_manager(opened) as chunks:
                yield self._iterate(chunks)

        return manager()

    def _iterate(self, chunks: AsyncIterator[Any]) -> Iterator[Any]:
        async def following() -> Any:
            # A StopAsyncIteration may not cross the portal.
            try:
                return await anext(chunks)
            except StopAsyncIteration:
                return None

        while (chunk := self._portal.call(following)) is not None:
            yield chunk
