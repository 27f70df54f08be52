"""What can go wrong at any step: the process dies, or a call fails, before or after its work."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from charimg import StorageError
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse

__all__ = ["Crash", "Gate", "Trouble", "TroubledSimulator"]

STEPS = {
    *("acquire", "add", "add_many", "delete", "get", "list", "release", "renew", "save"),
    *("unfinished", "update", "write"),
}


class Crash(BaseException):
    """The process is gone: nothing after it may have an effect."""


class Trouble:
    """What happens to one step of the next operation.

    Attributes:
        fired: Whether it has happened.
        dead: Whether the process is gone.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Let everything go well from here."""
        self._left = 0
        self._crash = self._after = self.fired = self.dead = False

    def arm(self, step: int, *, crash: bool, after: bool) -> None:
        """Choose the step, from 1, and what happens there."""
        self.clear()
        self._left, self._crash, self._after = step, crash, after

    @property
    def armed(self) -> bool:
        """Whether something is still to happen."""
        return self._left > 0

    def enter(self) -> bool:
        """Begin a step; tell whether it is to go wrong after its work."""
        if self.dead:
            raise Crash
        if not self._left:
            return False
        self._left -= 1
        if self._left:
            return False
        if not self._after:
            self.happen()
        return True

    def happen(self) -> None:
        """Die, or fail."""
        self.fired = True
        if self._crash:
            self.dead = True
            raise Crash
        raise StorageError("The disk has gone away.")


class Gate:
    """A port of which every call is a step; for both modes."""

    def __init__(self, inner: Any, trouble: Trouble) -> None:
        self._inner = inner
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        attribute, trouble = getattr(self._inner, name), self._trouble
        if name not in STEPS:
            return attribute
        if not inspect.iscoroutinefunction(attribute):

            def step(*args: Any, **options: Any) -> Any:
                hit = trouble.enter()
                result = attribute(*args, **options)
                if hit:
                    trouble.happen()
                return result

            return step

        async def astep(*args: Any, **options: Any) -> Any:
            hit = trouble.enter()
            result = await attribute(*args, **options)
            if hit:
                trouble.happen()
            return result

        return astep


class TroubledSimulator(Simulator):
    """A Character Library to which every request is a step.

    Attributes:
        trouble: What happens to steps. A request that fails is lost on its way, or its answer is.
        at_post: A switch to turn on for the next generation alone.
        at_file: A switch to turn on for the next file alone.
    """

    def __init__(self, trouble: Trouble, base_url: str) -> None:
        super().__init__(base_url=base_url)
        self.switches.shots = 2
        self.switches.width = 48
        self.trouble = trouble
        self.at_post: str | None = None
        self.at_file: str | None = None

    @property
    def troubled(self) -> bool:
        """Whether a switch waits for its request."""
        return bool(self.at_post or self.at_file)

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        path = urlsplit(url).path
        if method == "POST" and "/generate-" in path and self.at_post:
            setattr(self.switches, self.at_post, 1)
            self.at_post = None
        if path.startswith(("/media/", "/api/media/file/")) and self.at_file:
            setattr(self.switches, self.at_file, 1)
            self.at_file = None
        try:
            hit = self.trouble.enter()
        except StorageError:
            return SimulatedResponse(status=500, broken="lost")
        answer = super().handle(method, url, headers, body)
        if hit and not self.trouble.fired:
            try:
                self.trouble.happen()
            except StorageError:
                return SimulatedResponse(status=500, broken="lost")
        return answer
