"""Histories of lost answers and late drawings: no record ever has another operation's image.

The Character Library draws what it was asked for at once, later, or never, in any order; its answer
is lost. Some servers are other people's, too; two characters of the host are one on the Library;
and a person says that there is nothing, too early. What the record of an operation has must be what
it asked for; and whoever can be told from what lies there must have been found.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from charimg import CharacterImage, CharimgError, Operation
from charimg._async import adoption as async_adoption
from charimg._library.claims import Claim, Drawing, could_be
from charimg._library.filenames import file_name
from charimg._sync import adoption
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse, json_response

from .._async.world import AsyncWorld
from .._sync.world import LENA, URL, ZED, World
from ..figures import Figure
from ..histories import follow

EXAMPLES = 2000 if os.environ.get("CHARIMG_SOAK") else 25
TYPES = ("action", "dialogue", "emotional", "establishing")
WHO = (LENA, LENA, LENA, ZED)
FATES = (
    *("answered", "answered", "lost", "lost", "late", "late", "unheard", "refused"),
    *("drawn and failed", "failed"),
)
FAILED = json_response(500, {"error": "The following field is invalid: Scene Contexts"})
TALLY: Counter[str] = Counter()


class Server(Simulator):
    """A Character Library with a clock that is moved, and a fate for the next generation.

    Args:
        skew: How many seconds its clock is ahead.
        proxy: How many seconds the clock of a proxy before it is ahead of that.
        tells: Whether its health tells the time.
    """

    def __init__(self, skew: int, proxy: int, *, tells: bool) -> None:
        super().__init__(base_url=URL, clock=lambda: self.now)
        self.switches.width = 48
        self.now = 0.0
        self.skew = skew
        self.tells = tells
        self.switches.date_offset = proxy
        self.fate = "answered"
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.switches.clock_offset = self.skew + self.now

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        if not self.tells and url.endswith("/health"):
            answer = super().handle(method, url, headers, body)
            return evolve(answer, body=answer.body.replace(b"timestamp", b"at"))
        if method != "POST" or self.fate == "answered":
            return super().handle(method, url, headers, body)
        fate, self.fate = self.fate, "answered"
        if fate == "unheard":
            return SimulatedResponse(status=500, broken="lost")
        if fate == "failed":
            return FAILED
        if fate == "drawn and failed":
            super().handle(method, url, headers, body)
            return FAILED
        if fate == "refused":
            self.switches.generation_errors = 1
            return super().handle(method, url, headers, body)
        return evolve(super().handle(method, url, headers, body), broken="lost", seconds=0)

    def drawn(self, db_id: str) -> dict[str, tuple[str, str]]:
        """Return name and prompt of all that was drawn of the character, by media id."""
        return {
            each.id: (each.name, each.prompt)
            for each in self._state.media.values()
            if each.name.startswith(db_id)
        }


class Histories(RuleBasedStateMachine):
    """Calls the service; see the module."""

    is_async = False

    @initialize(
        skew=st.integers(-7200, 7200),
        proxy=st.sampled_from([0, 0, -600, -4, -1, 1, 4, 600]),
        tells=st.sampled_from([True, True, True, False]),
        shared=st.booleans(),
    )
    def begin(self, skew: int, proxy: int, tells: bool, shared: bool) -> None:
        TALLY["histories"] += 1
        self.server = Server(skew, proxy, tells=tells)
        self.runner = asyncio.Runner() if self.is_async else None
        self.world: Any = (AsyncWorld if self.is_async else World)(self.server)
        self.do(self.world.link())
        self.do(self.world.link(ZED, library_db_id=self.world.db_id))
        self.number = 0
        self.lost: set[str] = set()
        self.shared = shared
        if shared:
            # Other people draw for the character, and did so before.
            self.server.set_reference(self.world.db_id, "theirs")
            self.server.draw_scene(self.world.db_id, "theirs", "action")
        else:
            self.do(self.world.service.generate_reference(LENA, prompt="master"))
        self.server.wait(60)

    def do(self, result: Any) -> Any:
        return result if self.runner is None else self.runner.run(result)

    def generate(self, fate: str, seconds: float, who: str, name: str, **options: Any) -> None:
        self.number += 1
        # The client's own time has not passed with the server's.
        self.do(self.world.service.library.health())
        self.server.fate = fate
        self.server.switches.generation_seconds = seconds if fate == "late" else 0
        text = f"number {self.number}"
        asked = {"prompt": text} if name == "generate_reference" else {"scene_context": text}
        call: Callable[..., Any] = getattr(self.world.service, name)
        try:
            self.do(call(who, **asked, **options))
        except CharimgError:
            self.lost.add(text)
        self.server.fate = "answered"
        self.server.switches.generation_seconds = 0

    @rule(
        fate=st.sampled_from(FATES),
        seconds=st.sampled_from([10, 40, 100]),
        who=st.sampled_from(WHO),
        scene_type=st.sampled_from(TYPES),
        mood=st.sampled_from([None, "tense"]),
    )
    def scene(self, fate: str, seconds: float, who: str, scene_type: str, mood: str | None) -> None:
        self.generate(fate, seconds, who, "generate_scene", scene_type=scene_type, mood=mood)

    @rule(
        fate=st.sampled_from(FATES),
        seconds=st.sampled_from([10, 40, 100]),
        who=st.sampled_from(WHO),
    )
    def reference(self, fate: str, seconds: float, who: str) -> None:
        self.generate(fate, seconds, who, "generate_reference", policy="keep-history")

    @rule(which=st.integers(0, 9))
    def settle_with_nothing(self, which: int) -> None:
        """Say that nothing came of an operation, as long as nothing has."""
        drawn = {prompt for _, prompt in self.server.drawn(self.world.db_id).values()}
        undrawn = [
            each
            for each in self.do(self.world.ledger.unfinished())
            if each.prompt not in drawn and not each.items
        ]
        if undrawn:
            self.do(self.world.service.settle(undrawn[which % len(undrawn)].id))
            TALLY["settled"] += 1

    @rule(seconds=st.sampled_from([3, 20, 60]))
    def wait(self, seconds: float) -> None:
        self.server.wait(seconds)

    @precondition(lambda self: self.shared)
    @rule(scene_type=st.sampled_from(TYPES))
    def somebody_else_draws(self, scene_type: str) -> None:
        if self.server.reference_of(self.world.db_id) is None:
            self.server.set_reference(self.world.db_id, "theirs")
        self.server.draw_scene(self.world.db_id, "theirs", scene_type)

    @rule(seconds=st.sampled_from([0, 30, 200]), again=st.booleans())
    def recover_after(self, seconds: float, again: bool) -> None:
        for _ in range(1 + again):
            self.server.wait(seconds)
            self.recover()

    def recover(self) -> None:
        # What is due happens when the server is next asked.
        self.do(self.world.service.library.health())
        findable = {**self.findable("scene"), **self.findable("reference")}
        self.do(self.world.service.recover())
        self.judge()
        found = {each.id: [item.external_id for item in each.items] for each in self.operations()}
        for operation_id, media_id in findable.items():
            assert found[operation_id] == [media_id], "what could be found was not"
            TALLY["found"] += 1

    def operations(self) -> list[Operation]:
        return [
            each
            for who in (LENA, ZED)
            for each in self.do(self.world.service.list_operations(who, limit=200)).operations
        ]

    def images(self) -> list[CharacterImage]:
        return [each for who in (LENA, ZED) for each in self.do(self.world.images(who))]

    def judge(self) -> None:
        """Every record has what it asked for."""
        drawn = self.server.drawn(self.world.db_id)
        for image in self.images():
            if image.external_id is not None:
                own = drawn[image.external_id][1] == image.prompt
                assert own, f"{image.prompt} has the image of another operation"
                TALLY["records"] += 1

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.server.wait(1000)
            self.recover()
            TALLY["adopted"] += sum(image.prompt in self.lost for image in self.images())
        finally:
            if self.runner is not None:
                self.runner.close()

    def findable(self, kind: str) -> dict[str, str]:
        """Return what every explanation has in common, by trying them all."""
        operations = self.operations()
        known = {item.external_id for each in operations for item in each.items}
        part = {"scene": "scene", "reference": "initial"}[kind]
        drawings = []
        for media_id, (name, _) in self.server.drawn(self.world.db_id).items():
            read = file_name(name)
            if media_id not in known and read is not None and read.kind == part:
                drawings.append(
                    Drawing(id=media_id, moment=read.moment, scene_type=read.scene_type)
                )
        claims = [
            Claim(
                operation_id=each.id,
                begun=each.posted_on_server,
                ended=ended(each),
                scene_type=each.options.get("scene_type"),
                known=frozenset(each.baseline).union(
                    *(
                        other.baseline
                        for other in operations
                        if other.kind == kind and (other.posted_at or other.created_at) < posted
                    )
                ),
                denied=each.state == "failed",
            )
            for each in operations
            if each.kind == kind and (posted := each.posted_at)
            if not each.items and not is_refused(each)
        ]
        if not self.server.tells:
            # A proxy's clock leaves more to doubt; that nothing is wrong is asked all the same.
            return {}
        if len(drawings) > 4 or len(claims) > 8:
            TALLY["too many to try"] += 1
            return {}
        found = [
            owners
            for owners in permutations(claims, len(drawings))
            if all(map(could_be, owners, drawings))
        ]
        explanations = [
            {(owner.operation_id, each.id) for owner, each in zip(owners, drawings, strict=True)}
            for owners in found
        ]
        proven = any(not any(owner.denied for owner in owners) for owners in found)
        sure = set.intersection(*explanations) if proven else set()
        if kind == "reference":
            master = self.server.reference_of(self.world.db_id)
            sure = {pair for pair in sure if pair[1] == master}
        known_by_id = {each.id: each for each in operations}
        moments = {each.id: each.moment for each in drawings}
        return {
            owner: media_id
            for owner, media_id in sure
            if known_by_id[owner].state != "failed"
            and not is_late(known_by_id[owner], moments[media_id])
        }


def is_late(op: Operation, moment: datetime | None) -> bool:
    until = op.options.get("drawn_by")
    if until is None or moment is None:
        return False
    return moment > datetime.fromisoformat(str(until)) + timedelta(seconds=3)


def ended(op: Operation) -> datetime | None:
    if "perhaps" in op.options and op.posted_on_server is not None:
        return op.posted_on_server + timedelta(days=1)
    return None


def is_refused(op: Operation) -> bool:
    """Tell whether the server said for certain that it drew nothing, and nobody else did."""
    return op.state == "failed" and {"perhaps", "settled", "superseded"}.isdisjoint(op.options)


class AsyncHistories(Histories):
    is_async = True


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(150, marks=pytest.mark.long)], ids=["few", "many"]
)
@pytest.mark.parametrize("machine", [Histories, AsyncHistories], ids=["sync", "async"])
def test_no_record_has_another_operations_image(
    machine: type[Histories], examples: int, figure: Figure
) -> None:
    TALLY.clear()
    follow(machine, examples, steps=30)
    assert TALLY["found"] > 0
    figure(
        f"histories of lost answers, {'async' if machine.is_async else 'sync'}",
        f"{TALLY['histories']}, 0 wrong in {TALLY['records']} looks at records, "
        f"{TALLY['adopted']} adopted, {TALLY['found']} found of {TALLY['found']} findable",
    )


@contextmanager
def newest_first() -> Iterator[None]:
    """The rule that was wrong: the newest operation takes the only thing that it did not know."""

    def given(claims: Any, drawings: Any) -> dict[str, str]:
        taken: dict[str, str] = {}
        for claim in sorted(claims, key=lambda each: each.operation_id, reverse=True):
            new = [each.id for each in drawings if each.id not in claim.known]
            if len(new) == 1 and claim.ended is None:
                return {claim.operation_id: new[0]}
        return taken

    with pytest.MonkeyPatch.context() as patch:
        for module in (adoption, async_adoption):
            patch.setattr(module, "given", given)
        yield


@pytest.mark.parametrize("machine", [Histories, AsyncHistories], ids=["sync", "async"])
def test_the_rule_that_was_wrong_is_noticed(
    machine: type[Histories], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Histories, "findable", lambda *_: {})
    with newest_first(), pytest.raises(AssertionError, match="has the image of another operation"):
        follow(machine, 200, steps=30)
