"""Mistakes put in on purpose are noticed by the random histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from attrs import evolve

from charimg import CharacterImage, ImagePage
from charimg._sync import manage, recovery, removal
from charimg.stores import MemoryMediaStore, MemoryMetadataRepository

from ..crash.sabotage import BUGS
from ..figures import Figure
from ..histories import follow
from .machine import TALLY
from .test_machines import SyncMachine


@contextmanager
def page_passes_over() -> Iterator[None]:
    """Begin the second page one image too late."""
    real = MemoryMetadataRepository.list

    def late(self: Any, character_id: str, /, **options: Any) -> ImagePage:
        page = real(self, character_id, **options)
        return evolve(page, images=page.images[1:]) if options.get("cursor") else page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryMetadataRepository, "list", late)
        yield


@contextmanager
def restored_here_alone() -> Iterator[None]:
    """Restore a reference here, and not on the Character Library."""

    def make_master(run: Any, db_id: str, image: CharacterImage) -> CharacterImage:
        return image

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manage, "make_master", make_master)
        yield


@contextmanager
def tombstones_too_early() -> Iterator[None]:
    """Forget what is to be removed before it is removed."""

    def sweep(run: Any, *, images: Any = ()) -> None:
        doomed = run.op.doomed
        run.write(doomed=(), removed=run.op.removed + len(doomed))
        for each in doomed:
            run.parts.metadata.delete(each.image_id)
        for each in doomed:
            run.parts.media.delete(each.media_key)

    with pytest.MonkeyPatch.context() as patch:
        for module in (removal, manage, recovery):
            patch.setattr(module, "sweep", sweep)
        yield


@contextmanager
def saved_in_workers_no_more() -> Iterator[None]:
    """Save where `row_before_media` has its mistake."""
    with pytest.MonkeyPatch.context() as patch, BUGS["row before media"]():
        patch.setattr(MemoryMediaStore, "concurrent_safe", False)
        yield


MISTAKES: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "row before media": saved_in_workers_no_more,
    "media before row on delete": BUGS["media before row on delete"],
    "blind re-POST": BUGS["blind re-POST"],
    "tombstones too early": tombstones_too_early,
    "a page passes one over": page_passes_over,
    "restored here alone": restored_here_alone,
}
"""What the crash tests put in, as far as memory stores can have it, and what only a model sees.

The one without ``received`` is not among them: this Library forgets nothing, so all is found again.
"""


@pytest.mark.long
def test_every_mistake_is_noticed(figure: Figure) -> None:
    needed = {}
    for name, mistake in MISTAKES.items():
        TALLY.clear()
        with mistake(), pytest.raises(AssertionError):
            follow(SyncMachine, 1000, steps=20)
        needed[name] = TALLY["histories"]
    figure(
        "seeded bugs that random histories notice",
        f"{len(needed)} of {len(MISTAKES)}; "
        + ", ".join(f"{name} in {number}" for name, number in needed.items()),
    )
