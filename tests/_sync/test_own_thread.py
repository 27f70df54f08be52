# Generated from tests/_async/test_own_thread.py by tools/unasync.py. Do not edit.
"""Every call of a port is made in the caller's own thread or task; only downloads run elsewhere."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import pytest
from attrs import evolve

from charimg import ItemState, Lease, LeaseLost, Operation, OperationState, StorageError, Timeouts
from charimg._concurrency import Outcome
from charimg._sync import ingest
from charimg.models import Media, Upload

from .world import LENA, World

CALLS: ContextVar[int] = ContextVar("CALLS", default=0)
"""A worker has a copy of the context: what it sets here, its caller does not see."""


class Counted:
    """A port that counts its calls in the context it is called in, as a transaction would."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.threads: set[int] = set()
        self.total = 0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if not callable(attribute) or name == "locate":
            return attribute

        def counted(*args: Any, **options: Any) -> Any:
            CALLS.set(CALLS.get() + 1)
            self.total += 1
            self.threads.add(threading.get_ident())
            return attribute(*args, **options)

        return counted


def ready(**options: Any) -> World:
    world = World(**options)
    world.link()
    return world


def test_images_that_are_in_together_are_written_down_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def all_at_once(worker: Any, items: Any, *, handle: Any, settle: Any, **_: Any) -> None:
        for item in items:
            handle(item, Outcome(value=worker(item)))
        settle()

    monkeypatch.setattr(ingest, ingest.run_bounded.__name__, all_at_once)
    world = ready()
    world.simulator.set_reference(world.db_id)
    stored: list[int] = []
    write = world.ledger.write

    def noted(op: Operation, /, *, lease: Lease) -> None:
        stored.append([item.state for item in op.items].count(ItemState.STORED))
        write(op, lease=lease)

    world.ledger.write = noted  # type: ignore[method-assign]
    world.service.generate_portfolio(LENA)
    assert set(stored) == {0, world.shots}
    world.check()


def test_all_ports_are_called_where_the_caller_is() -> None:
    world = ready()
    world.simulator.switches.change({"file_errors": 1, "file_seconds": 0.001})
    world.media.concurrent_safe = False
    names = ("directory", "media", "metadata", "ledger")
    ports = {name: Counted(getattr(world, name)) for name in names}
    service = world.assemble(**ports)
    CALLS.set(0)
    world.simulator.set_reference(world.db_id)
    result = service.generate_portfolio(LENA)
    service.retry_ingestion(LENA, result.failures[0].id)
    service.generate_reference(LENA, prompt="two")
    service.generate_scene(LENA, "She waits.")
    service.recover()
    service.delete_all_images(LENA)
    assert CALLS.get() == sum(port.total for port in ports.values()) > 7 * world.shots
    assert all(port.threads == {threading.get_ident()} for port in ports.values())


def test_a_store_that_says_so_may_be_asked_to_save_from_workers() -> None:
    world = ready()
    media = Counted(world.media)
    world.simulator.set_reference(world.db_id)
    CALLS.set(0)
    world.assemble(media=media).generate_portfolio(LENA)
    assert media.total == 1 + world.shots
    assert CALLS.get() == 1, "it looked whether the store answers, before anything was drawn"


@pytest.mark.parametrize("concurrent_safe", [False, True])
def test_a_save_that_fails_is_raised_once_and_leaves_the_rest(
    concurrent_safe: bool,
) -> None:
    world = ready()
    world.media.concurrent_safe = concurrent_safe
    world.simulator.set_reference(world.db_id)
    save = world.media.save

    def full(upload: Upload, /) -> Media:
        if upload.key.endswith("-004"):
            raise StorageError("full")
        return save(upload)

    world.media.save = full  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="full"):
        world.service.generate_portfolio(LENA)
    world.media.save = save  # type: ignore[method-assign]
    report = world.service.recover()
    assert [each.outcome for each in report.operations] == ["completed"]
    assert len(world.images()) == world.shots
    assert world.counts == (0, 0, 1, 0)
    world.check()


def test_a_long_operation_renews_its_lease() -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)
    world.simulator.switches.job_seconds = 0.1
    library = world.service.library
    library._timeouts = Timeouts(generation=0.01)
    ledger = Counted(world.ledger)
    renewals = []
    renew = world.ledger.renew

    def counted(*args: Any, **options: Any) -> Any:
        renewals.append(options["ttl"])
        return renew(*args, **options)

    world.ledger.renew = counted  # type: ignore[method-assign]
    world.assemble(library=library, ledger=ledger, lease_seconds=0.02).generate_portfolio(LENA)
    assert len(renewals) > 2
    assert set(renewals) == {0.02}


def test_a_lost_lease_stops_the_operation() -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)
    held = world.ledger.renew

    def lost(*args: Any, **options: Any) -> Any:
        world.stores.later(100_000)
        world.ledger.acquire(LENA, owner="somebody else", ttl=1)
        return held(*args, **options)

    world.ledger.renew = lost  # type: ignore[method-assign]
    with pytest.raises(LeaseLost):
        world.service.generate_scene(LENA, "She waits.")
    assert world.counts == (0, 0, 0, 0), "nothing was paid for"


@pytest.mark.parametrize("before", ["save", "save in turn", "add", "settled"])
@pytest.mark.parametrize("then", ["delete", "recover", "nothing"])
def test_what_comes_in_after_the_lease_was_lost_does_not_stand(before: str, then: str) -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)
    if before == "save in turn":
        world.media.concurrent_safe = False
    port: Any = world.media if before.startswith("save") else world.metadata
    name = "save" if before.startswith("save") else "add"
    call = getattr(port, name)

    def taken_over(value: Any, /) -> Any:
        setattr(port, name, call)
        if before == "settled":
            value = call(value)
        world.stores.later(100_000)
        if then == "nothing":
            lease = world.ledger.acquire(LENA, owner="somebody else", ttl=1)
            world.ledger.release(lease)
        elif then == "recover":
            world.service.recover()
        else:
            world.service.delete_all_images(LENA)
        return value if before == "settled" else call(value)

    setattr(port, name, taken_over)
    with pytest.raises(LeaseLost):
        world.service.generate_scene(LENA, "She waits.")
    world.service.recover()
    world.check()
    assert len(world.images()) == (0 if then == "delete" else 1)


def test_what_a_store_refuses_because_somebody_else_was_there_is_a_lost_lease() -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)

    def refused(_: Any, /) -> Any:
        world.stores.later(100_000)
        world.ledger.acquire(LENA, owner="somebody else", ttl=1)
        raise StorageError("its media is gone")

    world.metadata.add = refused
    with pytest.raises(LeaseLost):
        world.service.generate_scene(LENA, "She waits.")


def test_what_is_withdrawn_is_no_other_image_that_got_its_id() -> None:
    world = ready()
    other = (world.service.generate_reference(LENA, prompt="another")).image
    add = world.metadata.add

    def taken_over(image: Any, /) -> Any:
        (operation, _) = world.operations()
        world.stores.later(100_000)
        lease = world.ledger.acquire(LENA, owner="somebody else", ttl=1)
        items = tuple(evolve(item, image_id=other.id) for item in operation.items)
        done = evolve(operation, items=items, state=OperationState.DONE)
        world.ledger.write(done, lease=lease)
        world.ledger.release(lease)
        return add(image)

    world.metadata.add = taken_over
    with pytest.raises(LeaseLost):
        world.service.generate_scene(LENA, "She waits.")
    assert world.images() == [other]
    world.check()
