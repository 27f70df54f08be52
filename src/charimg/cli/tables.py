"""How images are shown to people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.table import Table

from .._ingest.urls import redact
from ..models import CharacterImage, Media, Provenance
from .report import plain, table

__all__ = ["brief", "details", "image_brief", "image_line", "image_table", "short_ids"]

_SHORTEST = 10
_BRIEF = 80


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Return the end of each id, as long as it takes to tell them apart."""
    length = _SHORTEST
    longest = max(map(len, ids), default=0)
    while length < longest and len({each[-length:] for each in ids}) < len(set(ids)):
        length += 1
    return {each: each[-length:] for each in ids}


def brief(prompt: str) -> str:
    """Return the beginning of a prompt, enough to know it by."""
    return textwrap.shorten(plain(prompt), _BRIEF, placeholder=" …")


def _bytes(image: CharacterImage) -> str:
    return "" if image.media is None else f"{image.media.size / 1024:.0f} KiB"


def _size(image: CharacterImage) -> str:
    media = image.media
    if media is None:
        return ""
    pixels = "" if media.width is None else f"{media.width}x{media.height} "
    return f"{pixels}{_bytes(image)}"


def _shot(image: CharacterImage) -> str:
    return "" if image.metrics.shot is None else image.metrics.shot.name


def image_table(images: Sequence[CharacterImage]) -> Table:
    """Return the table of images: ids cut to their ends, which every command takes; times in UTC.

    One line per image, also on 80 columns: there the shot's name is cut.
    """
    short = short_ids([image.id for image in images])
    return table(
        ("id", "kind", "status", "size", "shot", "created (UTC)"),
        [
            (
                short[image.id],
                image.kind,
                image.status,
                _bytes(image),
                _shot(image),
                f"{image.created_at:%Y-%m-%d %H:%M}",
            )
            for image in images
        ],
        gives_way="shot",
    )


def image_brief(image: CharacterImage) -> str:
    """Return a few words about an image, for a line of progress."""
    short = short_ids([image.id])[image.id]
    return plain(f"{short}  {image.kind}  {image.status}  {_size(image)}")


def image_line(image: CharacterImage) -> str:
    """Return one line about an image."""
    where = "" if image.media is None else f"  {_place(image.media)}"
    return plain(f"{image.id}  {image.kind}  {image.status}  {_size(image)}{where}")


def _place(media: Media) -> str:
    # A signed URL opens the file to whoever reads the terminal's log; `details` and JSON have it.
    return media.filename if media.url is None else media.url.partition("?")[0]


def details(image: CharacterImage) -> Table:
    """Return everything about one image; the source URL without its query string."""
    media, metrics = image.media, image.metrics
    rows: list[tuple[str, object]] = [
        ("id", image.id),
        ("character", image.character_id),
        ("kind", image.kind),
        ("status", image.status),
        ("error", image.error),
        ("shot", _shot(image)),
        ("scene", _scene(image)),
        ("size", _size(image)),
        ("type", None if media is None else media.mime_type),
        ("sha256", None if media is None else media.sha256),
        ("left out", ", ".join(metrics.cleaned)),
        ("sha256 as sent", metrics.cleaned and metrics.source_sha256),
        ("provenance", _provenance(metrics.provenance)),
        ("file", None if media is None else media.url or media.filename),
        ("provider", image.provider),
        ("external id", image.external_id),
        ("source", None if image.source_url is None else redact(image.source_url)),
        ("created by", image.created_by),
        ("created", f"{image.created_at:%Y-%m-%d %H:%M:%S}Z"),
        ("updated", f"{image.updated_at:%Y-%m-%d %H:%M:%S}Z"),
        ("generation", _milliseconds(metrics.generation_ms)),
        ("download", _milliseconds(metrics.download_ms)),
        ("prompt", image.prompt),
        ("prompt of", image.prompt and metrics.prompt_origin),
    ]
    return table(("field", "value"), [row for row in rows if row[1]])


def _provenance(found: Provenance | None) -> str | None:
    """Return what a file says of itself; nobody has proved it."""
    if found is None:
        return None
    said = (
        (found.digital_source_type, (found.digital_source_type or "").rpartition("/")[2]),
        (found.tool, f"made with {found.tool}"),
        (found.credentials, "content credentials"),
        (found.generator, f"parameters of {found.generator}"),
        (found.marked, f"{found.marked} by charimg"),
    )
    return ", ".join(text for value, text in said if value)


def _scene(image: CharacterImage) -> str | None:
    scene = image.metrics.scene
    if scene is None:
        return None
    return ", ".join(filter(None, (scene.type, scene.mood, scene.lighting)))


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f} ms"
