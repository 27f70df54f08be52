"""A record as the service writes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from charimg import (
    CharacterImage,
    ImageKind,
    ImageMetrics,
    ImageStatus,
    Media,
    MetadataRepository,
    Shot,
)
from charimg.stores._documents import dump, to_ms

__all__ = ["add_all", "record", "row_of"]

_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_KEY = "0198c7d2e5f04b6c9a1d3e5f7a9b1c3d-07"


def record(key: str = _KEY, character_id: str = "lena") -> CharacterImage:
    """Return the record of a portfolio image, every field filled in."""
    return CharacterImage(
        key=key,
        character_id=character_id,
        kind=ImageKind.PORTFOLIO_ITEM,
        status=ImageStatus.SUCCEEDED,
        media=Media(
            id=key,
            key=key,
            filename=f"portfolio-{key}.jpg",
            mime_type="image/jpeg",
            size=1_987_654,
            width=2048,
            height=2048,
            sha256="2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            alt="Lena, 50mm 25° RIGHT MCU",
        ),
        prompt="A photorealistic portrait of Lena, 34, auburn hair, in a navy wool coat.",
        source_url="https://library.example.org/api/media/file/50mm-25-right-mcu.jpg",
        external_id="665f1c2ab8e4d90012ab34cd",
        metrics=ImageMetrics(
            generation_ms=41250.5,
            download_ms=61.2,
            inspection_ms=3.4,
            storing_ms=8.9,
            bytes=1_987_654,
            sha256="2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            width=2048,
            height=2048,
            shot=Shot(
                name="50mm 25° RIGHT MCU (Enhanced)",
                slug="50mm-25-right-mcu",
                lens_mm=50.0,
                crop="mcu",
                expression="neutral",
                camera_azimuth_deg=25.0,
                camera_elevation_deg=0.0,
                camera_distance_m=1.5,
                sort_order=7,
            ),
        ),
        created_by="anna",
        created_at=_BEGUN,
    )


def row_of(image: CharacterImage) -> tuple[str, str, str, str, int, str]:
    """Return the row of a record, the same in every database."""
    moment = to_ms(image.created_at)
    text = dump(image, what="the record")
    return image.id, image.character_id, image.kind, image.status, moment, text


def add_all(repository: MetadataRepository, images: Sequence[CharacterImage]) -> None:
    """Add records together where the repository can."""
    together = getattr(repository, "add_many", None)
    if together is not None:
        together(images)
    else:
        for each in images:
            repository.add(each)
