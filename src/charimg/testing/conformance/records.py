"""Records as the suites of metadata repositories write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from attrs import evolve

from ...models import CharacterImage, ImageMetrics, Media, SceneDetails, Shot
from .base import Contract

__all__ = ["BEGIN", "RecordHooks", "make_image", "make_media", "same"]

BEGIN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
# Byte for byte: what a careless column, encoding or form would change.
_PROMPT = '  A "portrait" — 50 % grey,\r\n\ttwo  spaces, ‘naïve’ 😀, NULL, {{x}}, \\n \n'


def make_media(key: str, **urls: str) -> Media:
    """Return the media of a record."""
    return Media(
        id=f"media-{key}",
        key=key,
        filename=f"reference-{key}.png",
        mime_type="image/png",
        size=1234,
        width=640,
        height=480,
        sha256="ab" * 32,
        alt="Reference image of “Мира”",
        **urls,
    )


def make_image(key: str, character_id: str, *, minute: int = 0, **changes: Any) -> CharacterImage:
    """Return a record with every field set, made so many minutes after the first."""
    fields: dict[str, Any] = {
        "key": key,
        "character_id": character_id,
        "kind": "reference",
        "status": "succeeded",
        "media": make_media(key),
        "prompt": _PROMPT,
        "source_url": "https://library.example/a%20b.png?x=1&y=ü",
        "external_id": "0123456789abcdef01234567",
        "metrics": ImageMetrics(
            generation_ms=1234.5,
            download_ms=0.25,
            inspection_ms=1.0,
            storing_ms=2.0,
            bytes=1234,
            sha256="ab" * 32,
            source_sha256="cd" * 32,
            cleaned=("XMP with markup or a script (1,234 bytes)", "trailer (1 byte)"),
            width=640,
            height=480,
            shot=Shot(name="50mm 25° RIGHT MCU", lens_mm=50.0, camera_azimuth_deg=-25.5),
            scene=SceneDetails(type="action", mood="tense", lighting="low key"),
            prompt_origin="reference",
            master_since=BEGIN,
        ),
        "created_by": "user-7",
        "created_at": BEGIN + timedelta(minutes=minute),
        **changes,
    }
    return CharacterImage(**fields)


def same(image: CharacterImage | None) -> CharacterImage | None:
    """Return what must come back: all but the id and the last change, which may be the host's."""
    return None if image is None else evolve(image, id=image.key, updated_at=image.created_at)


class RecordHooks(Contract):
    """What the suites ask of the host about its records.

    Attributes:
        closed_values: Whether kinds and statuses are fixed by the host's schema, so that it keeps
            no newer ones.
        reuses_ids: Whether a new record may get the id of a deleted one.
    """

    closed_values: ClassVar[bool] = False
    reuses_ids: ClassVar[bool] = False

    def character(self) -> str:
        """Return the id of a character without records. Override it where one must be there."""
        return self.unique()

    def media(self, key: str, **urls: str) -> Media:
        """Return the media of a record. Override it where the file itself must be there."""
        return make_media(key, **urls)

    def order(self, image_id: str) -> Any:
        """Return what records of one moment are ordered by. Override it where ids are numbers."""
        return image_id

    def rows(self, key: str) -> int | None:  # noqa: ARG002 - for overrides
        """Return how many rows the backend holds for the key, counted without the repository.

        Default: ``None``, not given; then no test looks underneath.
        """
        return None

    def _image(self, key: str, character_id: str, **changes: Any) -> CharacterImage:
        if "media" not in changes:
            changes["media"] = self.media(key)
        return make_image(key, character_id, **changes)
