"""Whose a drawing on the Character Library is: pure, and sure or silent.

Some operations do not know what became of their request: the server may have drawn their image,
may still draw it, or never will. What lies there and nobody has yet is theirs, unless somebody else
draws for the character, too. An image is given to an operation only if every way of explaining all
that lies there gives it to that one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from attrs import frozen

__all__ = ["OFF", "Claim", "Drawing", "could_be", "given", "is_late"]

_TICK = timedelta(seconds=3)
"""By how much what is known of the server's clock may be behind: an answer's way, whole seconds."""
OFF = timedelta(hours=1)
"""By how much the clock that names the files may be off from the ``Date`` that a proxy tells."""
_NO_MOOD = "neutral"
"""What the server writes down where none was asked for."""


@frozen(kw_only=True)
class Drawing:
    """Something that was drawn, or is: an image or a job.

    Attributes:
        id: Its id on the Library.
        moment: When it was there, by the server's clock.
        scene_type: Of a scene.
        mood: Of a scene, where the server kept it.
    """

    id: str
    moment: datetime | None = None
    scene_type: str | None = None
    mood: str | None = None


@frozen(kw_only=True)
class Claim:
    """What is known of an operation that may have drawn something.

    Attributes:
        operation_id: The operation.
        begun: When its request was sent, by the server's clock.
        ended: By when it has drawn, if ever, by the server's clock; ``None`` where nobody knows.
        scene_type: The type that was asked for.
        mood: The mood that was asked for.
        known: What was there before.
        denied: Whether the server, or a person, has said that it drew nothing.
    """

    operation_id: str
    begun: datetime | None = None
    ended: datetime | None = None
    scene_type: str | None = None
    mood: str | None = None
    known: frozenset[str] = frozenset()
    denied: bool = False


def could_be(claim: Claim, drawing: Drawing, *, off: timedelta = timedelta(0)) -> bool:
    """Tell whether the operation may have drawn it. What is not known excludes nothing.

    Args:
        claim: What is known of the operation.
        drawing: What was drawn.
        off: By how much its moment may be wrong.
    """
    if drawing.id in claim.known:
        return False
    if None not in (claim.scene_type, drawing.scene_type) and (
        claim.scene_type != drawing.scene_type
    ):
        return False
    if drawing.mood is not None and (drawing.mood or _NO_MOOD) != (claim.mood or _NO_MOOD):
        return False
    if drawing.moment is None:
        return True
    early = claim.begun is not None and drawing.moment < claim.begun - off
    return not early and not is_late(drawing, claim.ended, off=off)


def is_late(drawing: Drawing, ended: datetime | None, *, off: timedelta = timedelta(0)) -> bool:
    """Tell whether it was not there yet when a request was answered, by the server's clock."""
    if ended is None or drawing.moment is None:
        return False
    return drawing.moment > ended + _TICK + off


def given(claims: Collection[Claim], drawings: Iterable[Drawing]) -> dict[str, str]:
    """Return which operation has surely drawn what: ids of drawings by ids of operations.

    Every drawing must be somebody's, each of another operation, and an operation has drawn one or
    nothing. A pair is sure if no such assignment does without it. When there is none at all,
    somebody else has drawn something, so that nothing is sure. So it is where there is none without
    an operation that is said to have drawn nothing: it may have, but is no proof of anything.
    """
    drawings = list(drawings)
    whole = _assigned(_options([each for each in claims if not each.denied], drawings))
    if whole is None:
        return {}
    options = _options(claims, drawings)
    sure = {}
    for drawing, owner in whole.items():
        without = {
            each: [one for one in owners if (each, one) != (drawing, owner)]
            for each, owners in options.items()
        }
        if _assigned(without) is None:
            sure[owner] = drawing
    return sure


def _options(claims: Collection[Claim], drawings: Iterable[Drawing]) -> dict[str, list[str]]:
    """Return who may have drawn each of the drawings."""
    return {
        each.id: [claim.operation_id for claim in claims if could_be(claim, each)]
        for each in drawings
    }


def _assigned(options: Mapping[str, list[str]]) -> dict[str, str] | None:
    """Give every drawing an owner of its own, by augmenting paths; ``None`` if that cannot be."""
    owner_of: dict[str, str] = {}
    drawing_of: dict[str, str] = {}

    def place(drawing: str, tried: set[str]) -> bool:
        for owner in options[drawing]:
            if owner in tried:
                continue
            tried.add(owner)
            if owner not in drawing_of or place(drawing_of[owner], tried):
                owner_of[drawing], drawing_of[owner] = owner, drawing
                return True
        return False

    if all(place(drawing, set()) for drawing in options):
        return owner_of
    return None
