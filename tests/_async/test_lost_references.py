"""A reference that was paid for and lost by the server, which could not read it, comes in."""

from __future__ import annotations

import pytest

from charimg import CharacterLibraryError, ErrorCode
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse

from .mishaps import INITIAL, Crash, Rigged, break_once, outcomes, prompts, rigged, settled
from .world import LENA, URL, AsyncWorld

pytestmark = pytest.mark.anyio


async def unread(**options: object) -> tuple[AsyncWorld, Rigged]:
    """Return a world whose server cannot read the features of the next initial image."""
    world, simulator = await rigged(**options)
    simulator.switches.processing_errors = 1
    return world, simulator


async def test_it_is_brought_in_and_made_the_master_and_paid_for_once() -> None:
    world, simulator = await unread()
    result = await world.service.generate_reference(LENA, prompt="one")
    assert [each.code for each in result.warnings] == [ErrorCode.UPSTREAM_FEATURES]
    assert result.image.external_id == simulator.reference_of(world.db_id)
    assert await prompts(world) == ["one"]
    assert world.counts == (1, 0, 0, 0)
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.NO_REFERENCE
    await settled(world)


@pytest.mark.parametrize("away", ["closed", "out of reach"])
async def test_where_it_cannot_be_looked_for_recovery_does(away: str) -> None:
    world, simulator = await unread()
    if away == "closed":
        simulator.switches.media_closed = True
    else:
        simulator.unheard.append("GET media")
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_reference(LENA, prompt="one")
    assert caught.value.code == ErrorCode.UPSTREAM_FEATURES
    assert not caught.value.retryable
    assert "recover() looks for it" in str(caught.value)
    if away == "closed":
        assert "cannot be looked for now" in str(caught.value)
        (told,) = (await world.service.recover()).operations
        assert told.outcome == "unknown"
        assert told.message.startswith("What it has drawn, if anything, is paid for, but cannot")
    simulator.switches.media_closed = False
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == ["one"]
    assert simulator.reference_of(world.db_id) is not None
    assert world.counts == (1, 0, 0, 0)
    await settled(world)


async def test_a_lost_answer_that_said_so_is_no_matter() -> None:
    world, simulator = await unread()
    simulator.odd[INITIAL] = lambda answer: type(answer)(status=500, broken="lost")
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_reference(LENA, prompt="one")
    assert caught.value.outcome_unknown
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == ["one"]


async def test_a_crash_before_it_is_made_the_master_loses_nothing() -> None:
    world, simulator = await unread()
    break_once(world.service.library, "set_reference_image")
    with pytest.raises(Crash):
        await world.service.generate_reference(LENA, prompt="one")
    assert outcomes(await world.service.recover()) == ["completed"]
    (image,) = await world.images()
    # Before a portfolio it is made the master.
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    assert simulator.reference_of(world.db_id) == image.external_id


async def test_that_it_cannot_be_made_the_master_now_is_a_warning() -> None:
    world, simulator = await unread()
    simulator.unheard.append("PUT reference-image")
    result = await world.service.generate_reference(LENA, prompt="one")
    assert [each.code for each in result.warnings] == [
        ErrorCode.UPSTREAM_FEATURES,
        ErrorCode.UNAVAILABLE,
    ]
    assert await prompts(world) == ["one"]


async def test_what_others_drew_before_does_not_hide_it() -> None:
    world, simulator = await unread()
    simulator.switches.clock_offset = -60
    simulator.set_reference(world.db_id, "theirs")
    simulator.switches.clock_offset = 0
    result = await world.service.generate_reference(LENA, prompt="one", policy="keep-history")
    assert [each.code for each in result.warnings] == [ErrorCode.UPSTREAM_FEATURES]
    assert simulator._state.media[result.image.external_id or ""].prompt == "one"
    await settled(world)


async def test_one_that_somebody_else_lost_is_not_taken() -> None:
    world, simulator = await unread()
    path = f"/api/v1/characters/{world.db_id}/generate-initial-image"

    def draw_theirs(answer: SimulatedResponse) -> SimulatedResponse:
        # At the same time.
        simulator.switches.processing_errors = 1
        Simulator.handle(simulator, "POST", f"{URL}{path}", {}, b'{"prompt": "theirs"}')
        return answer

    simulator.odd[INITIAL] = draw_theirs
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="one")
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == []
