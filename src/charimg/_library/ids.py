"""Ids and arguments, checked before any request is sent."""

from __future__ import annotations

import re
import secrets
import unicodedata

from ..errors import InvalidArgument, InvalidPrompt
from ..models import SceneType

__all__ = [
    "check_character_id",
    "check_object_id",
    "check_job_id",
    "check_media_id",
    "check_scene_type",
    "check_text",
    "is_job_id",
    "unique_character_id",
]

_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def _shown(value: object) -> str:
    """Return a short, safe form of a bad value for a message."""
    return ascii(value)[:80]


def check_character_id(value: str) -> str:
    """Return the host's id of a character, or raise `InvalidArgument`.

    It stands in the paths of URLs, in lines of files and in logs: 1 to 200 characters, without a
    slash, control characters or line breaks, and neither ``.`` nor ``..``.
    """
    unfit = any(
        each == "/" or unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in value
    )
    if 0 < len(value) <= 200 and value not in (".", "..") and not unfit:
        return value
    raise InvalidArgument(
        f"{_shown(value)} cannot be the id of a character: that has 1 to 200 characters, without a "
        "slash, a line break or another control character, and is neither . nor .. itself."
    )


def check_object_id(value: object) -> str:
    """Return the character's ObjectId, or raise `InvalidArgument`."""
    if isinstance(value, str) and _OBJECT_ID.fullmatch(value):
        return value
    raise InvalidArgument(
        f"{_shown(value)} is not a character's library_db_id: that is the 24-hex ObjectId (field "
        '"id" of the Character Library\'s document). The readable slug, library_character_id '
        '(field "characterId"), cannot be used here; find_characters(character_id=…) gives the '
        "ObjectId for it."
    )


def check_media_id(value: object) -> str:
    """Return the media's ObjectId, or raise `InvalidArgument`."""
    if isinstance(value, str) and _OBJECT_ID.fullmatch(value):
        return value
    raise InvalidArgument(
        f"{_shown(value)} is not a media id of the Character Library: that is a 24-hex ObjectId, "
        "as InitialImage.media_id or GalleryImage.image_id."
    )


def is_job_id(value: str) -> bool:
    """Return whether a text may stand in a path as a job id."""
    return _JOB_ID.fullmatch(value) is not None


def check_job_id(value: object) -> str:
    """Return the job id, or raise `InvalidArgument`."""
    if isinstance(value, str) and is_job_id(value):
        return value
    raise InvalidArgument(
        f"{_shown(value)} is not a job id: 1 to 64 letters, digits, hyphens or underscores, as "
        "generate_360_set gives it."
    )


def check_scene_type(value: object) -> str:
    """Return the scene type, or raise `InvalidArgument` for one that is not listed."""
    try:
        return SceneType(str(value)).value
    except ValueError as error:
        listed = ", ".join(SceneType)
        raise InvalidArgument(
            f"{_shown(value)} is not a scene type. Use one of {listed}: with any other the image "
            "is drawn and paid for, and then refused."
        ) from error


def check_text(value: object, what: str) -> str:
    """Return the prompt or scene context unchanged, or raise `InvalidPrompt` for a blank one."""
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidPrompt(f"The {what} is empty or blank. Nothing was sent.")


def unique_character_id(name: str) -> str:
    """Return a readable ``characterId`` for a name, with a random end that makes it unique.

    The server's own derivation collides for equal names and for any two non-Latin ones.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = _NOT_SLUG.sub("-", plain)[:40].strip("-") or "character"
    return f"{slug}-{secrets.token_hex(4)}"
