"""What the name of a file on the Character Library tells (contract page, second part).

The server names what it draws: ``<db id>_initial_<ms>.jpg``, ``<db id>_scene_<type>_<ms>.jpg``. The
number is the moment of the upload, in Unix milliseconds by the server's clock: the model had drawn
the image by then.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from attrs import frozen

__all__ = ["FileName", "file_name", "last_part"]

_NAME = re.compile(
    r"(?P<db_id>[0-9a-f]{24})_(?P<kind>initial|scene)(?:_(?P<type>\w+?))?_(?P<ms>\d{12,14})"
    r"(?:\.\w+)?",
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
        moment=datetime.fromtimestamp(int(found["ms"]) / 1000, UTC),
    )
