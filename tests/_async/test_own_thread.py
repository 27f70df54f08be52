"""Every call of a port is made in the caller's own thread or task; only downloads run elsewhere."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import pytest
from attrs import evolve

from charimg import ItemState, Lease, LeaseLost, Operation, OperationState, StorageError, Timeouts
from charimg._async import ingest
from charimg._concurrency import Outcome
from charimg.models import Media, Upload

from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio

CALLS: ContextVar[int] = ContextVar("CALLS", default=0)
"""A worker has a copy of the context: what it sets here, its caller does not see."""


class AsyncCounted:
    """A port that counts its calls in the context it is called in, as a transaction would."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.threads: set[int] = set()
        self.total = 0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if not callable(attribute) or name == "locate":
            return attribute

        async def counted(*args: Any, **options: Any) -> Any:
            CALLS.set(CALLS.get() + 1)
            self.total += 1
            self.threads.add(threading.get_ident())
            return await attribute(*args, **options)

        return counted


async def ready(**options: Any) -> AsyncWorld:
    world = AsyncWorld(**options)
    await world.link()
    return world


async def test_images_that_are_in_together_are_written_down_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def all_at_once(worker: Any, items: Any, *, handle: Any, settle: Any, **_: Any) -> None:
        for item in items:
            await handle(item, Outcome(value=await worker(item)))
        await settle()

    monkeypatch.setattr(ingest, ingest.arun_bounded.__name__, all_at_once)
    world = await ready()
    world.simulator.set_reference(world.db_id)
    stored: list[int] = []
    write = world.ledger.write

    async def noted(op: Operation, /, *, lease: Lease) -> None:
        stored.append([item.state for item in op.items].count(ItemState.STORED))
        await write(op, lease=lease)

    world.ledger.write = noted  # type: ignore[method-assign]
    await world.service.generate_portfolio(LENA)
    assert set(stored) == {0, world.shots}
    await world.check()


async def test_all_ports_are_called_where_the_caller_is() -> None:
    world = await ready()
    world.simulator.switches.change({"file_errors": 1, "file_seconds": 0.001})
    world.media.concurrent_safe = False
    names = ("directory", "media", "metadata", "ledger")
    ports = {name: AsyncCounted(getattr(world, name)) for name in names}
    service = world.assemble(**ports)
    CALLS.set(0)
    world.simulator.set_reference(world.db_id)
    result = await service.generate_portfolio(LENA)
    await service.retry_ingestion(LENA, result.failures[0].id)
    await service.generate_reference(LENA, prompt="two")
    await service.generate_scene(LENA, "She waits.")
    await service.recover()
    await service.delete_all_images(LENA)
    assert CALLS.get() == sum(port.total for port in ports.values()) > 7 * world.shots
    assert all(port.threads == {threading.get_ident()} for port in ports.values())


async def test_a_store_that_says_so_may_be_asked_to_save_from_workers() -> None:
    world = await ready()
    media = AsyncCounted(world.media)
    world.simulator.set_reference(world.db_id)
    CALLS.set(0)
    await world.assemble(media=media).generate_portfolio(LENA)
    assert media.total == 1 + world.shots
    assert CALLS.get() == 1, "it looked whether the store answers, before anything was drawn"


@pytest.mark.parametrize("concurrent_safe", [False, True])
async def test_a_save_that_fails_is_raised_once_and_leaves_the_rest(
    concurrent_safe: bool,
) -> None:
    world = await ready()
    world.media.concurrent_safe = concurrent_safe
    world.simulator.set_reference(world.db_id)
    save = world.media.save

    async def full(upload: Upload, /) -> Media:
        if upload.key.endswith("-004"):
            raise StorageError("full")
        return await save(upload)

    world.media.save = full  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="full"):
        await world.service.generate_portfolio(LENA)
    world.media.save = save  # type: ignore[method-assign]
    report = await world.service.recover()
    assert [each.outcome for each in report.operations] == ["completed"]
    assert len(await world.images()) == world.shots
    assert world.counts == (0, 0, 1, 0)
    await world.check()


async def test_a_long_operation_renews_its_lease() -> None:
    world = await ready()
    world.simulator.set_reference(world.db_id)
    world.simulator.switches.job_seconds = 0.1
    library = world.service.library
    library._timeouts = Timeouts(generation=0.01)
    ledger = AsyncCounted(world.ledger)
    renewals = []
    renew = world.ledger.renew

    async def counted(*args: Any, **options: Any) -> Any:
        renewals.append(options["ttl"])
        return await renew(*args, **options)

    world.ledger.renew = counted  # type: ignore[method-assign]
    await world.assemble(library=library, ledger=ledger, lease_seconds=0.02).generate_portfolio(
        LENA
    )
    assert len(renewals) > 2
    assert set(renewals) == {0.02}


async def test_a_lost_lease_stops_the_operation() -> None:
    world = await ready()
    world.simulator.set_reference(world.db_id)
    held = world.ledger.renew

    async def lost(*args: Any, **options: Any) -> Any:
        await world.stores.later(100_000)
        await world.ledger.acquire(LENA, owner="somebody else", ttl=1)
        return await held(*args, **options)

    world.ledger.renew = lost  # type: ignore[method-assign]
    with pytest.raises(LeaseLost):
        await world.service.generate_scene(LENA, "She waits.")
    assert world.counts == (0, 0, 0, 0), "nothing was paid for"


@pytest.mark.parametrize("before", ["save", "save in turn", "add", "settled"])
@pytest.mark.parametrize("then", ["delete", "recover", "nothing"])
async def test_what_comes_in_after_the_lease_was_lost_does_not_stand(
    before: str, then: str
) -> None:
    world = await ready()
    world.simulator.set_reference(world.db_id)
    if before == "save in turn":
        world.media.concurrent_safe = False
    port: Any = world.media if before.startswith("save") else world.metadata
    name = "save" if before.startswith("save") else "add"
    call = getattr(port, name)

    async def taken_over(value: Any, /) -> Any:
        setattr(port, name, call)
        if before == "settled":
            value = await call(value)
        await world.stores.later(100_000)
        if then == "nothing":
            lease = await world.ledger.acquire(LENA, owner="somebody else", ttl=1)
            await world.ledger.release(lease)
        elif then == "recover":
            await world.service.recover()
        else:
            await world.service.delete_all_images(LENA)
        return value if before == "settled" else await call(value)

    setattr(port, name, taken_over)
    with pytest.raises(LeaseLost):
        await world.service.generate_scene(LENA, "She waits.")
    await world.service.recover()
    await world.check()
    assert len(await world.images()) == (0 if then == "delete" else 1)


async def test_what_a_store_refuses_because_somebody_else_was_there_is_a_lost_lease() -> None:
    world = await ready()
    world.simulator.set_reference(world.db_id)

    async def refused(_: Any, /) -> Any:
        await world.stores.later(100_000)
        await world.ledger.acquire(LENA, owner="somebody else", ttl=1)
        raise StorageError("its media is gone")

    world.metadata.add = refused
    with pytest.raises(LeaseLost):
        await world.service.generate_scene(LENA, "She waits.")


async def test_what_is_withdrawn_is_no_other_image_that_got_its_id() -> None:
    world = await ready()
    other = (await world.service.generate_reference(LENA, prompt="another")).image
    add = world.metadata.add

    async def taken_over(image: Any, /) -> Any:
        (operation, _) = await world.operations()
        await world.stores.later(100_000)
        lease = await world.ledger.acquire(LENA, owner="somebody else", ttl=1)
        items = tuple(evolve(item, image_id=other.id) for item in operation.items)
        done = evolve(operation, items=items, state=OperationState.DONE)
        await world.ledger.write(done, lease=lease)
        await world.ledger.release(lease)
        return await add(image)

    world.metadata.add = taken_over
    with pytest.raises(LeaseLost):
        await world.service.generate_scene(LENA, "She waits.")
    assert await world.images() == [other]
    await world.check()
