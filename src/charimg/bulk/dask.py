"""A Dask cluster as an executor that cannot hang: every call ends, whatever becomes of workers."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import uuid4

from .._arguments import checked
from ..errors import CharimgError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

__all__ = ["DaskExecutor"]

_T = TypeVar("_T")
_CONNECTING = 30.0
"""Seconds that a scheduler has to answer at first, as Dask itself gives it."""
_ANSWERING = 5.0
"""Seconds that it has to answer later, and between two questions at most."""
_GONE = "The Dask scheduler is out of reach, or was restarted."


class ClusterLost(CharimgError, BrokenExecutor):
    """The cluster does no work any more."""


class _Call(Future[_T]):
    """A call of which the scheduler knows who has it."""

    def __init__(self, working: Callable[[], dict[str, Any] | None]) -> None:
        super().__init__()
        self._working = working
        self._worker: str | None = None
        # A key of its own: a call never gets the result of an equal one.
        self.key: str = f"charimg-{uuid4().hex}"

    def cancel(self) -> bool:
        working = None if self.done() else self._working()
        if working is None:
            return self.cancelled()
        at_work = next((worker for worker, keys in working.items() if self.key in keys), None)
        self._worker = at_work or self._worker
        # A worker that has done it is no longer told to have it, but it is still there. One that
        # was lost has lost the call, too.
        if self._worker in working:
            return False
        return super().cancel()


@checked
class DaskExecutor(Executor):
    """Runs calls on the workers of a Dask cluster.

    A call whose worker is lost, or whose result is lost with it, is run again by another one. One
    that has lost more workers than the scheduler's ``allowed-failures`` ends with ``KilledWorker``.
    When the scheduler is lost, or no worker works on anything for a while, all calls end with
    `concurrent.futures.BrokenExecutor`. A call can be cancelled until a worker has it, and when
    that one is lost; when the scheduler does not say who has it, it is not, and can be asked to
    again.

    Args:
        client: A client that is connected, and that is not asynchronous. The caller closes it.
        patience: Seconds that calls may wait while no worker of the cluster works on anything:
            because there is none, for example. More than a new worker takes to start.
    """

    def __init__(self, client: Client, *, patience: float = 300.0) -> None:
        # Its methods have no types.
        self._client: Any = client
        self._patience = patience
        self._calls: dict[_Call[Any], asyncio.Task[Any] | None] = {}
        self._watching = False
        self._lost: str | None = None
        self._closed = False
        self._owns_client = False

    @classmethod
    def connect(cls, address: str, *, patience: float = 300.0) -> Self:
        """Connect to a scheduler; `shutdown` closes the connection.

        Args:
            address: Where it is, ``tcp://scheduler:8786`` for example. For ``tls`` Dask's own
                settings say with which certificates.
            patience: See above.

        Raises:
            ConfigurationError: No scheduler answers there, or Dask is missing
                (``pip install 'charimg[bulk]'``).
        """
        try:
            import distributed
        except ImportError as error:
            raise ConfigurationError(
                "A Dask cluster needs the package distributed: pip install 'charimg[bulk]'."
            ) from error
        # It brings no types.
        dask: Any = distributed
        try:
            _check(dask, address)
            client = _connected(dask, address)
        except (OSError, ValueError, TypeError, ImportError, RuntimeError) as error:
            raise ConfigurationError(
                f"No Dask scheduler answers at {address!r} ({type(error).__name__}). It must be "
                "like tcp://scheduler:8786, and run a version that goes with the one here."
            ) from error
        executor = cls(client, patience=patience)
        executor._owns_client = True
        return executor

    @property
    def threads(self) -> int:
        """How many calls the workers that are there now can do at once."""
        return sum(self._client.nthreads().values())

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Hand a call out.

        Raises:
            BrokenExecutor: The cluster was lost.
            RuntimeError: The executor is shut down.
        """
        if self._closed:
            raise RuntimeError("The executor is shut down.")
        if self._client.status not in ("running", "connecting"):
            self._lost = self._lost or _GONE
        if self._lost is not None:
            raise ClusterLost(self._lost)
        future = _Call[_T](self._at_work)
        self._calls[future] = None
        self._client.loop.add_callback(self._follow, future, partial(fn, *args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End. What was handed out comes to its end first.

        Args:
            wait: If false, it is left behind and ends with `concurrent.futures.BrokenExecutor`.
            cancel_futures: If true, the same.
        """
        self._closed = True
        try:
            if wait and not cancel_futures:
                wait_for(list(self._calls))
        finally:
            self._client.loop.add_callback(self._lose, "The executor was shut down.")
            if self._owns_client:
                # There may be nobody any more to say goodbye to.
                with suppress(OSError):
                    self._client.close()

    def _at_work(self) -> dict[str, Any] | None:
        """Return which worker has which calls; nothing if the scheduler does not say."""
        asked = self._client.loop.asyncio_loop
        try:
            return asyncio.run_coroutine_threadsafe(self._working(), asked).result(2 * _ANSWERING)
        except (OSError, RuntimeError, CancelledError):
            # The client's loop has ended, or ends.
            return None

    async def _follow(self, future: _Call[Any], call: Callable[[], Any]) -> None:
        """Hand a call to the scheduler and wait for its end, in the client's loop."""
        loop = asyncio.get_running_loop()
        task: Any = asyncio.current_task()
        self._calls[future] = task
        future.add_done_callback(
            lambda ended: ended.cancelled() and loop.call_soon_threadsafe(task.cancel)
        )
        if not self._watching:
            self._watching = True
            self._client.loop.add_callback(self._watch)
        try:
            result = await self._result(future.key, call)
        except asyncio.CancelledError:
            # By `_lose` or `cancel`, or because the client's loop ends.
            end = partial(future.set_exception, ClusterLost(self._lost or _GONE))
        except BaseException as error:  # noqa: BLE001 - it belongs to the call
            end = partial(future.set_exception, error)
        else:
            end = partial(future.set_result, result)
        if future.set_running_or_notify_cancel():
            end()
        del self._calls[future]

    async def _result(self, key: str, call: Callable[[], Any]) -> Any:
        if self._lost is not None:
            raise ClusterLost(self._lost)
        task = self._client.submit(call, key=key, pure=False)
        # This waits on when the result was lost and has to be computed again. When it is not
        # waited for any more it ends by itself, by the release; cancelled, it leaves tasks behind.
        gathered = asyncio.ensure_future(self._client.gather(task, asynchronous=True))
        gathered.add_done_callback(_seen)
        try:
            return await asyncio.shield(gathered)
        except Exception as error:
            if task.status == "error":
                raise
            # The client cancels what it has no scheduler for any more.
            self._lose(_GONE)
            raise ClusterLost(_GONE) from error
        finally:
            task.release()

    def _lose(self, reason: str) -> None:
        """End every call."""
        if self._lost is None:
            self._lost = reason
            for task in list(self._calls.values()):
                if task is not None and task is not asyncio.current_task():
                    task.cancel()

    async def _working(self) -> dict[str, Any] | None:
        """Ask which worker has which calls; nothing if the scheduler does not answer."""
        working: dict[str, Any] | None = None
        # A client that is being closed has no scheduler to ask.
        with suppress(OSError, AttributeError):
            working = await asyncio.wait_for(self._client.processing(), _ANSWERING)
        return working

    async def _watch(self) -> None:
        """Give up when no worker is seen at work for too long."""
        busy = time.monotonic()
        while self._calls and self._lost is None:
            await asyncio.sleep(min(self._patience / 10, _ANSWERING))
            # A scheduler that does not answer shows nobody at work.
            working = await self._working() or {}
            if any(working.values()):
                busy = time.monotonic()
            elif time.monotonic() - busy > self._patience:
                self._lose(
                    f"No worker of the Dask cluster was seen at work for {self._patience:g} "
                    f"seconds, though there is work; it has {len(working)} workers."
                )
        self._watching = False


def _check(dask: Any, address: str) -> None:
    """Refuse what a client would fail with half made, and then not let go of for a long time."""
    if address.startswith("inproc://"):
        return
    dask.comm.get_address_host_port(address)
    arguments = dask.Security().get_connection_args("client")
    if address.startswith(("tls://", "wss://")) and arguments.get("ssl_context") is None:
        raise ConfigurationError(
            f"{address!r} needs certificates, and Dask's settings (distributed.comm.tls) name none."
        )


def _connected(dask: Any, address: str) -> Any:
    client: Any = dask.Client.__new__(dask.Client)
    try:
        client.__init__(address, set_as_default=False, timeout=_CONNECTING)
    except BaseException:
        # Where nobody answers it ends, and leaves its thread and its loop running for ever.
        client.close()
        client._loop_runner.stop()  # noqa: SLF001
        raise
    return client


def _seen(gathered: asyncio.Future[Any]) -> None:
    """Look at how it ended, so that nothing is told of it where nobody waits any more."""
    with suppress(asyncio.CancelledError):
        gathered.exception()
