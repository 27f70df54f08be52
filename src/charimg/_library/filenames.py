"""What the name of a file on the Character Library tells (contract page, second part).

The server names what it draws: ``<db id>_initial_<ms>.jpg``, ``<db id>_scene_<type>_<ms>.jpg``, and
a shot of a set ``<name as words>_<lens>_<angle>_<crop>_<expression>_v1_<ms>.png``, by the
character's name and not its id. The number is the moment of the upload, in Unix milliseconds by the
server's clock: the model had drawn the image by then.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from attrs import frozen

__all__ = ["FileName", "ShotFile", "file_name", "last_part", "shot_file", "words"]

_NAME = re.compile(
    r"(?P<db_id>[0-9a-f]{24})_(?P<kind>initial|scene)(?:_(?P<type>\w+?))?_(?P<ms>\d{12,14})"
    r"(?:\.\w+)?",
    re.ASCII | re.IGNORECASE,
)
_SHOT = re.compile(
    r"(?P<who>.*)_(?P<lens>\d{1,4})mm_(?P<look>\w+)_v(?P<attempt>\d{1,3})_(?P<ms>\d{12,14})(?:\.\w+)?",
    re.ASCII | re.IGNORECASE,
)


@frozen(kw_only=True)
class FileName:
    """A name, read.

    Attributes:
        db_id: The character's ObjectId.
        kind: ``initial`` or ``scene``.
        scene_type: The type of a scene.
        moment: When it was uploaded, by the server's clock.
    """

    db_id: str
    kind: str
    scene_type: str | None
    moment: datetime


@frozen(kw_only=True)
class ShotFile:
    """The name of a shot's file, read.

    Attributes:
        who: The character's name as words (see `words`).
        lens_mm: Focal length in millimetres.
        look: Angle, crop and expression, e.g. ``3q_left_mcu_neutral``.
        attempt: Which try at the shot it is, from 1.
        moment: When it was uploaded, by the server's clock.
    """

    who: str
    lens_mm: int
    look: str
    attempt: int
    moment: datetime


def words(name: str) -> str:
    """Return a character's name as the files of its shots have it: ``Lori Set`` is ``lori_set``."""
    return "_".join(re.findall(r"[0-9a-z]+", name.lower()))


def last_part(url: str | None) -> str:
    """Return the name of the file that a URL leads to; empty when there is none."""
    return (url or "").partition("?")[0].rpartition("/")[2]


def file_name(name: str | None) -> FileName | None:
    """Read a file's name, or the last part of its URL; ``None`` when it is of no known form."""
    found = _NAME.fullmatch(last_part(name))
    if found is None or (found["type"] is None) != (found["kind"].lower() == "initial"):
        return None
    return FileName(
        db_id=found["db_id"].lower(),
        kind=found["kind"].lower(),
        scene_type=found["type"],
        moment=_moment(found),
    )


def shot_file(name: str | None) -> ShotFile | None:
    """Read the name of a shot's file; ``None`` when it is none."""
    found = _SHOT.fullmatch(last_part(name))
    if found is None:
        return None
    return ShotFile(
        who=words(found["who"]),
        lens_mm=int(found["lens"]),
        look=found["look"].lower(),
        attempt=int(found["attempt"]),
        moment=_moment(found),
    )


def _moment(found: re.Match[str]) -> datetime:
    return datetime.fromtimestamp(int(found["ms"]) / 1000, UTC)
