# Generated from src/charimg/_async/master.py by tools/unasync.py. Do not edit.
"""Which reference is the remote master, and making one the master."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import evolve

from ..errors import ImageMismatch, ImageNotFound
from ..models import PROVIDER, CharacterImage, CharacterReference, ImageKind, utcnow
from .operation import Run
from .parts import Parts
from .unrecorded import find_image, unrecorded_references

__all__ = [
    "became_master",
    "choose_master",
    "current_reference",
    "make_master",
    "next_mastery",
    "reference_of",
]

_PAGE = 500


def _master_since(image: CharacterImage) -> tuple[datetime, str]:
    return (image.metrics.master_since or image.created_at, image.id)


def current_reference(parts: Parts, character_id: str) -> CharacterImage | None:
    """Return the reference that is the remote master as far as charimg knows.

    It is the one that became master last, whether or not its download succeeded: the Character
    Library holds it either way.
    """
    best: CharacterImage | None = None
    cursor: str | None = None
    while True:
        page = parts.metadata.list(
            character_id, kind=ImageKind.REFERENCE, limit=_PAGE, cursor=cursor
        )
        for image in page.images:
            if image.provider != PROVIDER:
                continue
            if best is None or _master_since(image) > _master_since(best):
                best = image
        cursor = page.next_cursor
        if cursor is None:
            break
    unrecorded = unrecorded_references(parts, character_id)
    return max((*unrecorded, *(() if best is None else (best,))), key=_master_since, default=None)


def next_mastery(parts: Parts, character_id: str, now: datetime) -> datetime:
    """Return a time since when a reference is the master that is later than all others'."""
    latest = current_reference(parts, character_id)
    if latest is None:
        return now
    # Times are cut to milliseconds, and clocks go back.
    return max(now, _master_since(latest)[0] + timedelta(milliseconds=1))


def became_master(parts: Parts, reference: CharacterImage) -> CharacterImage:
    """Record that a reference is the remote master from now on, and no other one of its kind.

    One that failed and has no record is left as it is.
    """
    if reference.media is None and parts.metadata.requires_media:
        return reference
    since = next_mastery(parts, reference.character_id, utcnow())
    metrics = evolve(reference.metrics, master_since=since)
    return parts.metadata.update(evolve(reference, metrics=metrics, updated_at=utcnow()))


def choose_master(
    run: Run, character: CharacterReference, db_id: str, reference_id: str | None
) -> CharacterImage | None:
    """Choose the reference, and make it the remote master when it is not."""
    if reference_id is None:
        reference = current_reference(run.parts, character.id)
    else:
        reference = reference_of(run, character.id, reference_id)
    if reference is None or reference.external_id is None:
        return reference
    state = run.parts.library.get_reference_image(db_id)
    if state.media_id != reference.external_id:
        make_master(run, db_id, reference)
    return reference


def reference_of(run: Run, character_id: str, image_id: str) -> CharacterImage:
    """Return a reference of the character that the Library can be asked to use.

    Raises:
        ImageNotFound: No such image.
        ImageMismatch: It is another character's, no reference, or the Library has no id for it.
    """
    shown = f"{image_id!a:.80}"
    image = find_image(run.parts, image_id)
    if image is None:
        raise ImageNotFound(f"There is no image {shown}. List the images to see which exist.")
    if image.character_id != character_id:
        raise ImageMismatch(f"Image {shown} belongs to another character than {character_id}.")
    if image.kind != ImageKind.REFERENCE or image.provider != PROVIDER:
        raise ImageMismatch(
            f"Image {shown} is not a reference that the Character Library drew; choose one "
            f"with kind {ImageKind.REFERENCE.value!r} and provider {PROVIDER!r}."
        )
    if image.external_id is None:
        raise ImageMismatch(
            f"Reference {shown} has no media id of the Character Library, so it cannot be made "
            "the master again. Generate a new reference."
        )
    return image


def make_master(run: Run, db_id: str, reference: CharacterImage) -> CharacterImage:
    """Make a reference the remote master, and remember since when it is."""
    run.parts.library.set_reference_image(db_id, reference.external_id or "")
    return became_master(run.parts, reference)
