"""The operations that are killed, faulted and sabotaged, and what the world is like before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from attrs import field, frozen

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    IngestionError,
    RetryPolicy,
)
from charimg._concurrency import run_bounded
from charimg._sync import ingest
from charimg.testing import Simulator

from ..patience import FAST, LIMITS, PATIENT
from .invariants import Bounds

__all__ = ["LENA", "SHOTS", "TOGETHER", "WORKS", "Work", "link", "open_service"]

LENA = "lena"
TOGETHER = "portfolio, recorded together"
SHOTS = 3
LEASE_SECONDS = 10_000

Act: TypeAlias = Callable[[CharacterImageService], object]
Begin: TypeAlias = Callable[[CharacterImageService, Simulator], None]


@contextmanager
def open_service(root: Path, url: str) -> Iterator[CharacterImageService]:
    """Open the embedded stores; one worker, so that every run takes the same steps."""
    with (
        CharacterLibrary(url, timeouts=PATIENT, retries=RetryPolicy.off()) as library,
        Downloader(limits=LIMITS, retries=RetryPolicy.off()) as downloader,
        CharacterImageService.local(
            root,
            library=library,
            downloader=downloader,
            job_policy=FAST,
            concurrency=1,
            lease_seconds=LEASE_SECONDS,
        ) as service,
    ):
        yield service


def link(service: CharacterImageService, db_id: str) -> None:
    """Put the character into the directory."""
    service.put_character(CharacterReference(id=LENA, name="Lena Marlow", library_db_id=db_id))


def nothing(service: CharacterImageService, simulator: Simulator) -> None:
    """Begin without an image."""


def drawn_elsewhere(service: CharacterImageService, simulator: Simulator) -> None:
    """Begin with a remote reference that nobody here asked for."""
    character = service.directory.get(LENA)
    assert character is not None
    simulator.set_reference(character.library_db_id or "")


def reference(service: CharacterImageService, simulator: Simulator) -> None:
    """Begin with a reference."""
    service.generate_reference(LENA, prompt="one")


def scene(service: CharacterImageService, simulator: Simulator) -> None:
    """Begin with a reference and a scene."""
    reference(service, simulator)
    service.generate_scene(LENA, "before")


def two_references(service: CharacterImageService, simulator: Simulator) -> None:
    """Begin with a kept reference and the current one."""
    reference(service, simulator)
    service.generate_reference(LENA, prompt="between", policy="keep-history")


def failed_reference(service: CharacterImageService, simulator: Simulator) -> None:
    """Begin with a reference, and one that should have replaced it and did not come in."""
    reference(service, simulator)
    simulator.switches.html_files = 1
    with pytest.raises(IngestionError):
        service.generate_reference(LENA, prompt="failed", policy="delete-after-success")


def _first(service: CharacterImageService, **filters: Any) -> str:
    return service.list_images(LENA, **filters).images[-1].id


NONE = Bounds()


@frozen(kw_only=True)
class Work:
    """One operation.

    Attributes:
        act: The operation.
        begin: Prepares the world, unharmed.
        left_by: Another work, and the last moment of it before its process was killed; the world
            is then what that left.
        bounds: What it may send, at most, with the recoveries after it.
        one_reference: See `violations`.
        switches: How the Library behaves while the operation and the recovery run.
    """

    act: Act
    begin: Begin = scene
    left_by: tuple[str, str] | None = None
    bounds: Bounds = NONE
    one_reference: bool = True
    switches: Mapping[str, Any] = field(factory=dict)


def _reference(policy: str) -> Act:
    return lambda service: service.generate_reference(LENA, prompt="two", policy=policy)


def _portfolio(service: CharacterImageService) -> object:
    return service.generate_portfolio(LENA)


def _together(service: CharacterImageService) -> object:
    """Record all images of a portfolio at once, as if each came in while another was recorded."""

    def all_at_once(*args: Any, settle: Callable[[], None], **options: Any) -> None:
        run_bounded(*args, **options)
        settle()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "run_bounded", all_at_once)
        return service.generate_portfolio(LENA)


def _scene(service: CharacterImageService) -> object:
    return service.generate_scene(LENA, "two")


def _recover(service: CharacterImageService) -> object:
    return service.recover()


_REPLACED = Bounds(reference_posts=1, reference_deletes=1)

WORKS: dict[str, Work] = {
    "reference, delete-all": Work(act=_reference("delete-all"), bounds=_REPLACED),
    "reference, delete-after-success": Work(
        act=_reference("delete-after-success"), bounds=_REPLACED, one_reference=False
    ),
    "reference, keep-history": Work(
        act=_reference("keep-history"), bounds=_REPLACED, one_reference=False
    ),
    "reference, refused at first": Work(
        begin=drawn_elsewhere,
        act=_reference("delete-all"),
        bounds=Bounds(reference_posts=2, reference_deletes=1),
    ),
    "reference, its file fails": Work(
        act=_reference("delete-all"), bounds=_REPLACED, switches={"html_files": 99}
    ),
    "reference, its file fails once": Work(
        act=_reference("delete-after-success"),
        bounds=_REPLACED,
        one_reference=False,
        switches={"html_files": 1},
    ),
    "portfolio, as a job": Work(begin=reference, act=_portfolio, bounds=Bounds(set_posts=1)),
    "portfolio of one shot": Work(
        begin=reference, act=_portfolio, bounds=Bounds(set_posts=1), switches={"shots": 1}
    ),
    "portfolio, at once": Work(
        begin=reference,
        act=_portfolio,
        bounds=Bounds(set_posts=1),
        switches={"set360_mode": "images", "shots": 2},
    ),
    TOGETHER: Work(begin=reference, act=_together, bounds=Bounds(set_posts=1)),
    "scene": Work(begin=reference, act=_scene, bounds=Bounds(scene_posts=1)),
    "delete a scene": Work(
        act=lambda service: service.delete_image(LENA, _first(service, kind="scene"))
    ),
    "delete the reference": Work(
        act=lambda service: service.delete_image(LENA, _first(service, kind="reference")),
        bounds=Bounds(reference_deletes=1),
    ),
    "delete all": Work(
        act=lambda service: service.delete_all_images(LENA), bounds=Bounds(reference_deletes=1)
    ),
    "restore": Work(
        begin=two_references,
        act=lambda service: service.restore_reference(LENA, _first(service)),
        one_reference=False,
    ),
    "retry": Work(
        begin=failed_reference,
        act=lambda service: service.retry_ingestion(LENA, _first(service, status="failed")),
        one_reference=False,
    ),
    "retry, its file fails again": Work(
        begin=failed_reference,
        act=lambda service: service.retry_ingestion(LENA, _first(service, status="failed")),
        one_reference=False,
        switches={"html_files": 1},
    ),
    "recover what was posted": Work(
        left_by=("reference, delete-after-success", "after http POST generate-initial-image"),
        act=_recover,
        one_reference=False,
    ),
    "recover a job": Work(
        left_by=("portfolio of one shot", "after http POST generate-360-set"), act=_recover
    ),
    "recover what was half stored": Work(left_by=("scene", "before rename"), act=_recover),
    "recover a removal": Work(
        left_by=("delete all", "after rename"), act=_recover, bounds=Bounds(reference_deletes=1)
    ),
    "recover a retry": Work(left_by=("retry", "after rename"), act=_recover, one_reference=False),
    "recover a restore": Work(
        left_by=("restore", "after http PUT reference-image"), act=_recover, one_reference=False
    ),
}
