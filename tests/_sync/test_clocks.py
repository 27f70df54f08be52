# Generated from tests/_async/test_clocks.py by tools/unasync.py. Do not edit.
"""Whose an image is goes by the server's own clock; a proxy's ``Date`` proves nothing."""

from __future__ import annotations

import pytest

from charimg import CharacterLibraryError
from charimg.testing.simulator.exchange import SimulatedResponse, json_response

from .mishaps import (
    INITIAL,
    PATIENT,
    SCENE,
    Rigged,
    outcomes,
    prompts,
    rigged,
    settled,
    without_time,
)
from .world import LENA, World

KINDS = ("reference", "scene")
OFF = [-3000, -1, 4, 3000]
REQUESTS = {"reference": INITIAL, "scene": SCENE}
HEALTH = "GET health"


def ready(kind: str, off: float, *, own: bool = True) -> tuple[World, Rigged]:
    """Return a world whose Library has a proxy with a clock of its own in front of it."""
    world, simulator = rigged(job_policy=PATIENT)
    simulator.switches.date_offset = off
    if not own:
        simulator.answer(HEALTH, without_time)
    if kind == "scene":
        simulator.set_reference(world.db_id, "master")
    return world, simulator


def draw(world: World, kind: str, prompt: str) -> None:
    if kind == "scene":
        world.service.generate_scene(LENA, prompt, scene_type="action")
    else:
        world.service.generate_reference(LENA, prompt=prompt)


def lose(world: World, simulator: Rigged, kind: str, prompt: str, how: str) -> None:
    """Draw, or not, and lose the answer."""
    if how == "never sent":
        simulator.unheard.append(REQUESTS[kind])
    elif how == "drawn":
        simulator.switches.lost_answers = 1
    else:
        fail_after_drawing(simulator, kind)
    with pytest.raises(CharacterLibraryError):
        draw(world, kind, prompt)


def fail_after_drawing(simulator: Rigged, kind: str) -> None:
    def failed(_: SimulatedResponse) -> SimulatedResponse:
        del simulator.odd[REQUESTS[kind]]
        return json_response(500, {"error": "The following field is invalid: Scene Contexts"})

    simulator.odd[REQUESTS[kind]] = failed


@pytest.mark.parametrize("off", OFF)
@pytest.mark.parametrize("kind", KINDS)
def test_the_servers_own_clock_finds_what_it_drew(kind: str, off: float) -> None:
    world, simulator = ready(kind, off)
    fail_after_drawing(simulator, kind)
    draw(world, kind, "one")
    assert prompts(world) == ["one"]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("how", ["drawn", "failed"])
@pytest.mark.parametrize("off", OFF)
@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_never_arrived_does_not_get_the_next_ones_image(
    kind: str, off: float, how: str, own: bool
) -> None:
    world, simulator = ready(kind, off, own=own)
    lose(world, simulator, kind, "one", "never sent")
    if kind == "scene" or how == "drawn":
        lose(world, simulator, kind, "two", how)
    world.service.recover()
    # The first may still be drawn, as far as anybody knows.
    assert "one" not in prompts(world)
    settled(world)


@pytest.mark.parametrize("off", OFF)
def test_an_answered_request_gets_its_own_whatever_the_proxy_says(off: float) -> None:
    world, simulator = ready("scene", off)
    lose(world, simulator, "scene", "one", "drawn")
    assert outcomes(world.service.recover()) == ["adopted"]
    draw(world, "scene", "two")
    lose(world, simulator, "scene", "three", "drawn")
    assert outcomes(world.service.recover()) == ["adopted"]
    assert prompts(world) == ["three", "two", "one"]
    settled(world)


@pytest.mark.parametrize("off", OFF)
@pytest.mark.parametrize("kind", KINDS)
def test_where_the_server_tells_no_time_only_what_is_nobody_elses_is_found(
    kind: str, off: float
) -> None:
    world, simulator = ready(kind, off, own=False)
    fail_after_drawing(simulator, kind)
    draw(world, kind, "one")
    assert prompts(world) == ["one"]
    settled(world)


def test_a_health_that_cannot_be_asked_stops_no_drawing() -> None:
    world, simulator = ready("scene", 0)
    simulator.odd[HEALTH] = lambda _: json_response(404, {"message": "Route not found"})
    draw(world, "scene", "one")
    assert prompts(world) == ["one"]


@pytest.mark.parametrize("own", [True, False])
def test_the_time_is_not_asked_for_again_at_once(own: bool) -> None:
    world, simulator = ready("scene", 0, own=own)
    for prompt in ("one", "two", "three"):
        draw(world, "scene", prompt)
    asked = [each for each in simulator.requests if each.path.endswith("/health")]
    assert len(asked) == 1


def test_what_an_earlier_request_has_seen_was_not_drawn_for_a_later_one() -> None:
    world, simulator = ready("reference", 10, own=False)
    simulator.set_reference(world.db_id, "theirs")
    lose(world, simulator, "reference", "one", "never sent")
    world.service.library.delete_reference_image(world.db_id)
    lose(world, simulator, "reference", "two", "drawn")
    assert outcomes(world.service.recover()) == ["unknown", "unknown"]
    assert prompts(world) == []
