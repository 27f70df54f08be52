"""What is refused before anything is written down, and what must not change an operation's end."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from attrs import evolve

from charimg import (
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImage,
    CharacterLibraryError,
    ConfigurationError,
    ErrorCode,
    IngestionError,
    InvalidArgument,
    JobError,
    OperationState,
    RetryPolicy,
    StorageError,
)

from .mishaps import (
    HASTY,
    INITIAL,
    STATUS,
    break_once,
    outcomes,
    prompts,
    ready,
    rigged,
    settled,
)
from .world import LENA, URL, AsyncWorld

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "options",
    [
        {"max_retries": -1},
        {"max_retries": 1.5},
        {"quality_threshold": float("nan")},
        {"quality_threshold": "high"},
        {"style": object()},
    ],
)
async def test_a_portfolio_that_cannot_be_sent_is_not_written_down(options: Any) -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    before = world.counts
    with pytest.raises(InvalidArgument):
        await world.service.generate_portfolio(LENA, **options)
    assert len(await world.operations()) == 1
    assert world.counts == before
    assert (await world.service.recover()).operations == ()


async def test_one_name_in_place_of_several_is_refused() -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    with pytest.raises(InvalidArgument, match="additional_characters must be Sequence"):
        await world.service.generate_scene(LENA, "two", additional_characters="Bob")
    assert len(await world.operations()) == 1
    assert world.counts == (1, 0, 0, 0)
    await world.service.generate_scene(LENA, "two", additional_characters=("Bob", "Eve"))
    (sent,) = world.simulator.posts("generate-scene-image")
    assert sent["additionalCharacters"] == ["Bob", "Eve"]


def break_thrice(port: object, name: str) -> None:
    """Have the next three calls of a port's method fail."""
    for nth in (1, 2, 3):
        break_once(port, name, nth, error=StorageError)


@pytest.mark.parametrize("status", ["unhealthy", "Down", "error"])
async def test_a_library_that_is_not_well_costs_no_image(status: str) -> None:
    world, simulator = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    simulator.answer("GET health", lambda health: {**health, "status": status})
    with pytest.raises(CharacterLibraryError, match=status) as caught:
        await world.service.generate_reference(LENA, prompt="two")
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.UNAVAILABLE, True)
    assert not caught.value.outcome_unknown
    assert await world.images() == [image]
    assert simulator.reference_of(world.db_id) == image.external_id
    assert world.counts == (1, 0, 0, 0)
    (operation, _) = await world.operations()
    assert operation.state == OperationState.FAILED
    simulator.answer("GET health", lambda health: {**health, "status": "healthy"})
    await world.service.generate_reference(LENA, prompt="two")


async def test_a_moments_trouble_does_not_keep_a_character_locked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, _ = await rigged()
    break_once(world.ledger, "release", error=StorageError)
    await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_scene(LENA, "two")
    assert "lease.unreleased" not in caplog.messages


async def test_a_lease_that_cannot_be_given_up_does_not_hide_the_result(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, _ = await rigged()
    break_thrice(world.ledger, "release")
    result = await world.service.generate_reference(LENA, prompt="one")
    assert await world.images() == [result.image]
    assert "lease.unreleased" in caplog.messages
    await world.stores.later(10_000)
    await world.service.generate_scene(LENA, "two")
    await settled(world)


async def test_a_lease_that_cannot_be_given_up_does_not_hide_the_error() -> None:
    world, _ = await rigged()
    world.simulator.switches.generation_errors = 1
    break_thrice(world.ledger, "release")
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_reference(LENA, prompt="one")
    assert caught.value.code == ErrorCode.UPSTREAM_MODEL


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("generate_initial_image", lambda service: service.generate_reference(LENA, prompt="two")),
        ("generate_360_set", lambda service: service.generate_portfolio(LENA)),
        ("generate_scene_image", lambda service: service.generate_scene(LENA, "two")),
    ],
)
async def test_what_was_not_sent_at_all_is_over(method: str, ask: Any) -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    # The client is closed by somebody else at that moment.
    break_once(world.service.library, method, error=ConfigurationError)
    with pytest.raises(ConfigurationError):
        await ask(world.service)
    (operation, _) = await world.operations()
    assert operation.state == OperationState.FAILED
    assert (await world.service.recover()).operations == ()


async def test_an_answer_that_cannot_be_read_is_recovered_from() -> None:
    world, simulator = await rigged()

    def odd(answer: Any) -> Any:
        return {**answer, "data": {**answer["data"], "validationNotes": ["a"]}}

    simulator.answer(INITIAL, odd)
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_reference(LENA, prompt="one")
    assert (caught.value.code, caught.value.outcome_unknown) == (ErrorCode.INVALID_RESPONSE, True)
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == ["one"]
    assert world.counts == (1, 0, 0, 0)
    await settled(world)


async def test_another_server_at_the_url_does_not_end_a_job_that_was_paid_for() -> None:
    world, simulator = await rigged(job_policy=HASTY)
    await world.service.generate_reference(LENA, prompt="one")

    def astray(_: Any) -> Any:
        return {"message": 'Route not found "/api/v1/jobs/x/status"'}

    simulator.answer(STATUS, astray, status=404)
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.INVALID_RESPONSE
    assert not isinstance(caught.value, JobError)
    assert outcomes(await world.service.recover()) == ["waiting"]
    (operation, _) = await world.operations()
    assert operation.state == OperationState.RECEIVED
    del simulator.odd[STATUS]
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(await world.images()) == 3
    assert world.counts == (1, 0, 1, 0)
    await settled(world)


PROMPT = 'A "secret" prompt\nabout the SECRET woman from Zürich. ' + "It goes on and on. " * 120


@pytest.mark.parametrize("part", [len(PROMPT), 60])
async def test_a_prompt_that_the_model_quotes_is_shown_nowhere(part: int) -> None:
    world, simulator = await rigged()
    simulator.switches.generation_errors = 1
    simulator.switches.generation_error = f"Fal.ai API error: 422 - rejected: {PROMPT[:part]}"
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_reference(LENA, prompt=PROMPT)
    (operation,) = await world.operations()
    shown = f"{caught.value} {caught.value!r} {operation.error} {world.told!r}"
    assert "rejected" in shown
    assert "secret" not in shown.lower()
    assert operation.prompt == PROMPT


async def test_a_prompt_that_a_failed_job_or_shot_quotes_is_shown_nowhere() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt=PROMPT)

    def quoting(job: Any) -> Any:
        drawn = job["results"]["generatedImages"]
        failed = [{"angle": "front", "error": f"rejected: {PROMPT}"}]
        return {**job, "results": {"generatedImages": drawn[:1], "failedImages": failed}}

    simulator.answer(STATUS, quoting)
    result = await world.service.generate_portfolio(LENA)
    (failed,) = result.failures
    assert "rejected" in (failed.error or "")
    assert "secret" not in (failed.error or "").lower()


@pytest.mark.parametrize("broken", ["library", "downloader"])
async def test_a_client_whose_hook_raises_is_no_stranger_to_our_errors(broken: str) -> None:
    world, simulator = await rigged()

    async def strict(response: httpx.Response) -> None:
        response.raise_for_status()

    transport = simulator.transport()
    client = httpx.AsyncClient(transport=transport, event_hooks={"response": [strict]})
    service = world.assemble(
        library=AsyncCharacterLibrary(URL, client=client, retries=RetryPolicy.off()),
        downloader=AsyncDownloader(client=client, retries=RetryPolicy.off()),
    )
    if broken == "library":
        simulator.switches.generation_errors = 1
        with pytest.raises(CharacterLibraryError) as refused:
            await service.generate_reference(LENA, prompt="one")
        assert refused.value.status_code == 500
    else:
        simulator.switches.file_errors = 1
        with pytest.raises(IngestionError) as failed:
            await service.generate_reference(LENA, prompt="one")
        assert failed.value.code == ErrorCode.BAD_STATUS
        assert failed.value.image_id is not None
        await service.retry_ingestion(LENA, failed.value.image_id)
        assert await prompts(world) == ["one"]
    await client.aclose()


class Checking:
    """A repository that knows beforehand what it would refuse."""

    def __init__(self, repository: Any) -> None:
        self._repository = repository
        self.checked: list[CharacterImage] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)

    async def check(self, image: CharacterImage, /) -> None:
        self.checked.append(image)
        raise StorageError("It would be refused.")


async def test_what_a_repository_would_refuse_is_not_paid_for() -> None:
    world = await ready()
    await world.service.generate_reference(LENA)
    before = (await world.images(), world.counts)
    checking = Checking(world.metadata)
    service = world.assemble(metadata=checking)
    for call in (
        lambda: service.generate_reference(LENA, prompt="two", created_by="ann"),
        lambda: service.generate_portfolio(LENA, created_by="ann"),
        lambda: service.generate_scene(LENA, "three", created_by="ann"),
    ):
        with pytest.raises(StorageError, match="would be refused"):
            await call()
    assert (await world.images(), world.counts) == before
    assert [(each.kind, each.character_id, each.created_by) for each in checking.checked] == [
        ("reference", LENA, "ann"),
        ("portfolioItem", LENA, "ann"),
        ("scene", LENA, "ann"),
    ]
    assert await world.ledger.unfinished() == ()


async def test_a_created_by_that_is_left_out_is_told_once() -> None:
    # Two records that come at once would be written together.
    world = await ready(concurrency=1)
    add = world.metadata.add

    async def strict(image: CharacterImage, /) -> CharacterImage:
        return await add(evolve(image, created_by=None))

    world.metadata.add = strict
    await world.service.generate_reference(LENA, prompt="one")
    result = await world.service.generate_portfolio(LENA, created_by="ann")
    assert len(result.images) > 1
    (warning,) = result.warnings
    assert warning.code == ErrorCode.CREATED_BY_REFUSED
    await settled(world)


@pytest.mark.parametrize("port", ["media", "metadata"])
async def test_a_store_out_of_reach_costs_nothing(port: str) -> None:
    world = AsyncWorld()
    await world.link()
    await world.service.generate_reference(LENA)
    before = (await world.images(), world.counts)

    async def gone(key: str) -> None:
        raise StorageError("The store cannot be reached.")

    getattr(world, port).get = gone
    service = world.service
    for call in (
        lambda: service.generate_reference(LENA),
        lambda: service.generate_portfolio(LENA),
        lambda: service.generate_scene(LENA, "She waits."),
    ):
        with pytest.raises(StorageError, match="cannot be reached") as caught:
            await call()
        assert not caught.value.recoverable
    assert (await world.images(), world.counts) == before
    assert await world.ledger.unfinished() == ()
