# Generated from tests/_async/mishaps.py by tools/unasync.py. Do not edit.
"""What goes wrong around a service: requests that never arrive, odd answers, crashes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import evolve

from charimg import JobPolicy, Operation, RecoveryReport, StorageError
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse

from .world import LENA, URL, Clock, World

HASTY = JobPolicy(interval=0.001, interval_max=0.002, deadline=0.02, stall=5, cancel_grace=0)
PATIENT = JobPolicy(interval=0.001, interval_max=0.002, cancel_grace=0)
SCENE = "POST generate-scene-image"
INITIAL = "POST generate-initial-image"
SET = "POST generate-360-set"
REFERENCE = "GET reference-image"
STATUS = "GET status"


class Rigged(Simulator):
    """A Character Library of which single requests go wrong.

    Attributes:
        unheard: Requests (method and end of the path) of which the next never arrives.
        odd: What becomes of the answers to such requests.
    """

    def __init__(self) -> None:
        super().__init__(base_url=URL)
        self.switches.shots = 2
        self.unheard: list[str] = []
        self.odd: dict[str, Callable[[SimulatedResponse], SimulatedResponse]] = {}

    def stop_clock(self) -> Clock:
        """Have the simulator's time stand still but where the test moves it."""
        clock = Clock()
        clock.now = self._clock()
        self._clock = clock
        return clock

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        name = f"{method} {urlsplit(url).path.rpartition('/')[2]}"
        if name in self.unheard:
            self.unheard.remove(name)
            return SimulatedResponse(status=500, broken="lost")
        answer = super().handle(method, url, headers, body)
        return self.odd[name](answer) if name in self.odd else answer

    def answer(self, name: str, change: Callable[[Any], Any], status: int = 200) -> None:
        """Change the JSON of the answers to a request."""

        def changed(answer: SimulatedResponse) -> SimulatedResponse:
            document = change(json.loads(answer.body))
            return evolve(answer, status=status, body=json.dumps(document).encode())

        self.odd[name] = changed


def without_time(health: dict[str, Any]) -> dict[str, Any]:
    """The health of a server that does not tell its time."""
    return {name: value for name, value in health.items() if name != "timestamp"}


def rigged(**options: Any) -> tuple[World, Rigged]:
    """Return a world with a linked character, and its simulator."""
    simulator = Rigged()
    world = World(simulator, **options)
    world.link()
    return world, simulator


class Crash(BaseException):
    """The process is gone."""


def break_once(
    port: object,
    name: str,
    nth: int = 1,
    *,
    after: bool = False,
    error: type[BaseException] = Crash,
) -> None:
    """Have the nth call of a port's method raise, before or after its work; the rest go on."""
    real = getattr(port, name)
    # Several threads may call it at once: each call has a number of its own.
    calls = count(1)

    def fragile(*args: Any, **options: Any) -> Any:
        number = next(calls)
        if number == nth and not after:
            raise error("it broke")
        result = real(*args, **options)
        if number == nth and after:
            raise error("it broke")
        return result

    setattr(port, name, fragile)


class Stubborn:
    """Calls of a port that are refused, for ever or until it relents.

    Args:
        port: The port.
        names: Its methods that refuse, those of them that it has.
        refuses: Whether a call with this argument is refused, or with one of these; by default any.
        error: What is raised; a host's own store raises what it likes.
    """

    def __init__(
        self,
        port: object,
        *names: str,
        refuses: Callable[[Any], bool] = lambda _: True,
        error: type[BaseException] = StorageError,
    ) -> None:
        self.over = False
        self.asked = 0
        for name in filter(partial(hasattr, port), names):
            real = getattr(port, name)

            def refuse(given: Any, /, *, real: Any = real) -> Any:
                some = given if isinstance(given, list) else [given]
                if any(map(refuses, some)) and not self.over:
                    self.asked += 1
                    raise error("It is refused.")
                return real(given)

            setattr(port, name, refuse)

    def relent(self) -> None:
        self.over = True


def ready(**options: Any) -> World:
    """Return a world with a linked character."""
    world = World(**options)
    world.link()
    return world


def abandoned(world: World) -> Operation:
    """Have the process die as it begins to watch a job that has drawn nothing yet.

    The job goes on when its ``job_seconds`` are over. Returns the operation.
    """
    world.simulator.switches.job_seconds = 1_000_000
    real = world.ledger.write

    def dies(operation: Operation, **options: Any) -> None:
        if operation.job_seen is not None:
            raise Crash
        real(operation, **options)

    world.ledger.write = dies
    with pytest.raises(Crash):
        world.service.generate_portfolio(LENA)
    world.ledger.write = real
    return (world.operations())[0]


def left_behind(world: World, **fields: Any) -> Operation:
    """Write an operation down as a crash would have left it."""
    given: dict[str, Any] = {
        "id": "0" * 31 + "1",
        "kind": "reference",
        "character_id": LENA,
        "library_db_id": world.db_id,
        "prompt": "lost",
        **fields,
    }
    op = Operation(**given)
    lease = world.ledger.acquire(op.character_id, owner="gone", ttl=1000)
    world.ledger.write(op, lease=lease)
    world.ledger.release(lease)
    return op


def outcomes(report: RecoveryReport) -> list[str]:
    return [each.outcome for each in report.operations]


def prompts(world: World) -> list[str]:
    """Return the prompts of the character's images, newest first."""
    return [image.prompt for image in world.images()]


def settled(world: World) -> None:
    """Check that a further recovery changes nothing."""
    images, operations, counts = world.images(), world.operations(), world.counts
    world.service.recover()
    assert world.images() == images
    assert world.operations() == operations
    assert world.counts == counts
    world.check()
