"""What the contracts share: making the implementation, expecting, running without pytest."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, ClassVar

from anyio.from_thread import start_blocking_portal

from .views import sync_view

__all__ = ["Contract", "expect", "expect_equal", "expect_raises", "run_contract"]


def expect(condition: object, rule: str) -> None:
    """Fail with the rule that was broken. An ``assert`` would vanish under ``python -O``."""
    if not condition:
        raise AssertionError(f"The contract says: {rule}")


def expect_equal(actual: object, expected: object, rule: str) -> None:
    """Fail with the rule that was broken, showing both values."""
    expect(actual == expected, f"{rule}\n  expected: {expected!r}\n  got:      {actual!r}")


@contextmanager
def expect_raises(error: type[Exception], rule: str) -> Iterator[None]:
    """Fail unless the block raises such an error."""
    try:
        yield
    except error:
        return
    except Exception as other:
        got = type(other).__name__
        raise AssertionError(
            f"The contract says: {rule}\n  expected: {error.__name__}\n  got:      {got}: {other}"
        ) from other
    raise AssertionError(
        f"The contract says: {rule}\n  expected: {error.__name__}\n  got:      no error"
    )


class Contract:
    """One suite. Subclass the one of your port, not this.

    Attributes:
        backend: ``None`` for a sync implementation; ``"asyncio"`` or ``"trio"`` for an async one.
    """

    backend: ClassVar[str | None] = None

    def make(self) -> Any:
        """Return the implementation under test. Called anew for every test.

        With a `backend` it runs inside the event loop and may be a coroutine function.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make().")

    def dispose(self, made: Any) -> Any:
        """Close what `make` returned, after the test. Runs where `make` ran. Default: nothing."""

    def reopen(self, made: Any) -> Any:
        """Return a second implementation over the same data, as a restarted process would.

        Runs where `make` ran; `dispose` gets this one too. Default: the same one, which fits only
        what lives in memory.
        """
        return made

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Give the implementation, as a sync one, for the length of a test."""
        with self.opened_twice() as (first, _):
            yield first

    @contextmanager
    def opened_twice(self) -> Iterator[tuple[Any, Callable[[], Any]]]:
        """Give the implementation, and a call that gives a reopened one."""
        with ExitStack() as stack:
            if self.backend is None:
                run, view = _directly, _as_it_is
            else:
                portal = stack.enter_context(start_blocking_portal(self.backend))
                run, view = partial(portal.call, _awaited), partial(sync_view, portal=portal)
            made = run(self.make)
            stack.callback(run, self.dispose, made)

            def reopen() -> Any:
                again = run(self.reopen, made)
                if again is not made:
                    stack.callback(run, self.dispose, again)
                return view(again)

            if self.backend is None and inspect.iscoroutinefunction(made.get):
                raise TypeError(
                    f"{type(made).__name__} is async: set backend = 'asyncio' (or 'trio') in "
                    f"{type(self).__name__}."
                )
            yield view(made), reopen

    @staticmethod
    def unique(what: str = "k") -> str:
        """Return a new name that no test has used."""
        return f"{what}-{secrets.token_hex(8)}"


def _directly(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


def _as_it_is(made: Any) -> Any:
    return made


async def _awaited(call: Callable[..., Any], *args: Any) -> Any:
    result = call(*args)
    return await result if inspect.isawaitable(result) else result


def run_contract(contract: Contract) -> dict[str, Exception]:
    """Run every test of a contract; return the failures by the test's name. Empty is good."""
    failures: dict[str, Exception] = {}
    for name in sorted(dir(contract)):
        if name.startswith("test_"):
            try:
                getattr(contract, name)()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
                failures[name] = error
    return failures
