"""Histories of images that the server drew and lost: each comes in, once, and nothing else does.

Sets fail at their end or stand still, references cannot be read, processes die and connections
break; other people draw sets of the character, or of another one of the same name; and a person
gives up what is still being drawn.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from charimg import CharimgError, JobPolicy, Operation
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse

from .._async.world import AsyncWorld
from .._sync.world import LENA, URL, World
from ..figures import Figure
from ..histories import follow

EXAMPLES = 600 if os.environ.get("CHARIMG_SOAK") else 6
SHOTS = 6
HASTY = JobPolicy(interval=0.001, interval_max=0.001, deadline=0.004, stall=5)
TALLY: Counter[str] = Counter()


class Server(Simulator):
    """A Character Library with a clock that is moved; single requests find it away."""

    def __init__(self) -> None:
        super().__init__(base_url=URL, clock=lambda: self.now)
        self.switches.width = 48
        self.now = 0.0
        self.switches.shots = SHOTS
        self.unheard = False

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.switches.clock_offset = self.now

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        if self.unheard and method == "POST":
            return SimulatedResponse(status=500, broken="lost")
        return super().handle(method, url, headers, body)

    def order(self, db_id: str) -> None:
        """Have somebody else order a set."""
        path = f"/api/v1/characters/{db_id}/generate-360-set"
        self.handle("POST", f"{URL}{path}", {}, b"{}")


class Crash(BaseException):
    """The process is gone."""


class Rescues(RuleBasedStateMachine):
    """Calls the service; see the module."""

    is_async = False

    @initialize(shared=st.booleans(), crowded=st.booleans())
    def begin(self, shared: bool, crowded: bool) -> None:
        TALLY["histories"] += 1
        self.server = Server()
        self.runner = asyncio.Runner() if self.is_async else None
        self.world: Any = (AsyncWorld if self.is_async else World)(self.server, job_policy=HASTY)
        self.server.switches.shots = SHOTS
        self.given_up: set[str] = set()
        self.others: set[str] = set()
        self.do(self.world.link())
        self.server.set_reference(self.world.db_id, "ours")
        self.namesake = self.server.add_character(name="Lena Marlow") if shared else None
        if self.namesake is not None:
            self.server.set_reference(self.namesake, "theirs")
        self.crowded = crowded
        if crowded:
            # Nothing tells of the first one that it is not ours.
            self.somebody_draws_a_set()
        self.server.wait(60)

    def do(self, result: Any) -> Any:
        return result if self.runner is None else self.runner.run(result)

    def attempt(self, call: Any) -> None:
        try:
            self.do(call())
        except (CharimgError, Crash):
            TALLY["failed calls"] += 1

    @rule(
        lost=st.integers(0, 2),
        failing=st.integers(0, 1),
        seconds=st.sampled_from([0, 0, 40, 200]),
        dies=st.booleans(),
    )
    def order_set(self, lost: int, failing: int, seconds: float, dies: bool) -> None:
        switches = self.server.switches
        switches.lost_shots, switches.failing_shots, switches.job_seconds = lost, failing, seconds
        ledger = self.world.ledger
        real = ledger.write
        if dies:
            ledger.write = self.dying(real)
        self.attempt(lambda: self.world.service.generate_portfolio(LENA))
        ledger.write = real
        switches.lost_shots = switches.failing_shots = 0

    def dying(self, real: Any) -> Any:
        """Return a ``write`` with which the process dies as it begins to watch the job."""

        def check(operation: Operation) -> None:
            if operation.job_seen is not None:
                raise Crash

        async def later(operation: Operation, **options: Any) -> None:
            check(operation)
            await real(operation, **options)

        def now(operation: Operation, **options: Any) -> None:
            check(operation)
            real(operation, **options)

        return later if self.is_async else now

    @rule()
    def order_a_set_that_is_never_heard_of(self) -> None:
        self.server.unheard = True
        self.attempt(lambda: self.world.service.generate_portfolio(LENA))
        self.server.unheard = False

    @rule(which=st.integers(0, 9))
    def give_up(self, which: int) -> None:
        """Say that nothing is, or more, is to come of a set."""
        open_sets = [
            each
            for each in self.do(self.world.ledger.unfinished())
            if each.kind == "portfolio" and (not each.items or each.options.get("unfinished"))
        ]
        if open_sets:
            op = open_sets[which % len(open_sets)]
            self.given_up.add(op.id)
            self.do(self.world.service.settle(op.id))

    @precondition(lambda self: self.crowded)
    @rule()
    def somebody_draws_a_set(self) -> None:
        before = set(self.server._state.jobs)
        self.server.order(self.world.db_id)
        self.others |= set(self.server._state.jobs) - before

    @rule()
    def lose_a_reference(self) -> None:
        self.server.switches.processing_errors = 1
        service = self.world.service
        self.attempt(lambda: service.generate_reference(LENA, prompt="lost", policy="keep-history"))
        self.server.switches.processing_errors = 0
        # The server reads it at last, and the next set can be drawn from it.
        state = self.server._state
        master = state.media[state.characters[self.world.db_id].reference or ""]
        state.keep(evolve(master, reading="validation_success"))

    @rule(seconds=st.sampled_from([5, 30, 300]))
    def wait(self, seconds: float) -> None:
        self.server.wait(seconds)

    @rule()
    def restart_the_server(self) -> None:
        self.server.switches.strand_jobs = not self.server.switches.strand_jobs

    @precondition(lambda self: self.namesake is not None)
    @rule(lost=st.integers(0, 2))
    def somebody_draws_a_namesake(self, lost: int) -> None:
        self.server.switches.lost_shots = lost
        self.server.order(self.namesake or "")
        self.server.switches.lost_shots = 0

    @rule(errors=st.integers(0, 2))
    def recover(self, errors: int) -> None:
        self.server.switches.broken_connections = errors
        self.attempt(lambda: self.world.service.recover())
        self.server.switches.broken_connections = 0

    @invariant()
    def no_record_has_anything_else(self) -> None:
        if not hasattr(self, "world"):
            return
        ours = self.drawn()
        recorded = [
            image.external_id
            for image in self.do(self.world.images())
            if image.external_id is not None
        ]
        assert len(recorded) == len(set(recorded)), "an image is there twice"
        assert set(recorded) <= ours, "an image is somebody else's"
        assert self.server.counters.set360_posts - self.theirs() == len(self.sets())
        for op in self.do(self.world.service.list_operations(LENA, limit=200)).operations:
            if op.kind == "portfolio":
                job = self.server._state.jobs.get(op.job_id or "")
                own = set() if job is None else {*job.images}
                has = {item.external_id for item in op.items if item.external_id is not None}
                assert has <= own, "a set has the images of another one"

    def theirs(self) -> int:
        jobs = self.server._state.jobs
        return sum(
            job.character_id == self.namesake or job_id in self.others
            for job_id, job in jobs.items()
        )

    def sets(self) -> list[Operation]:
        operations = self.do(self.world.service.list_operations(LENA, limit=200)).operations
        return [each for each in operations if each.job_id is not None]

    def drawn(self) -> set[str]:
        """Return the media ids of all that was drawn for us."""
        state = self.server._state
        found = {
            media_id
            for job_id, job in state.jobs.items()
            if job.character_id == self.world.db_id and job_id not in self.others
            for media_id in job.images
        }
        return found | {each.id for each in state.media.values() if each.prompt == "lost"}

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.server.switches.strand_jobs = False
            self.server.wait(1000)
            self.do(self.world.service.library.health())
            self.do(self.world.service.recover())
            self.judge()
        finally:
            if self.runner is not None:
                self.runner.close()

    def judge(self) -> None:
        recorded = {image.external_id for image in self.do(self.world.images())}
        lost = self.drawn()
        TALLY["lost"] += len(lost)
        TALLY["rescued"] += len(lost & recorded)
        for op in self.sets():
            missing = set(self.server._state.jobs[op.job_id or ""].images) - recorded
            if missing and op.id not in self.given_up:
                assert not op.finished, f"{len(missing)} images are lost: {op}"
                shown = {each.media_id for each in self.do(self.world.service.candidates(op.id))}
                assert missing <= shown, "a person cannot see it"
                TALLY["shown"] += len(missing)
        gone = (
            lost
            - recorded
            - {media_id for job in self.server._state.jobs.values() for media_id in job.images}
        )
        assert not gone, "a reference is lost"
        self.no_record_has_anything_else()


class AsyncRescues(Rescues):
    is_async = True


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(60, marks=pytest.mark.long)], ids=["few", "many"]
)
@pytest.mark.parametrize("machine", [Rescues, AsyncRescues], ids=["sync", "async"])
def test_what_the_server_lost_comes_in_once(
    machine: type[Rescues], examples: int, figure: Figure
) -> None:
    TALLY.clear()
    follow(machine, examples, steps=20)
    assert TALLY["rescued"] > 0
    figure(
        f"histories of images that the server lost, {'async' if machine.is_async else 'sync'}",
        f"{TALLY['histories']}, {TALLY['rescued']} rescued of {TALLY['lost']} drawn, "
        f"{TALLY['shown']} more shown to a person, 0 wrong, 0 twice",
    )
