"""How the measured units grow: from a thousand characters to a million."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .pictures import PORTFOLIO

__all__ = ["grown", "units_table"]

CHARACTERS = (1_000, 10_000, 100_000, 1_000_000)
IMAGES = 100
"""Per character: a reference, a portfolio of 27, and 72 scenes."""
IMAGE_BYTES = 2_000_000
PORTFOLIO_MINUTES = 20
"""A real 360° job takes 15 to 30 minutes, whatever the machine that waits for it."""


def units_table(units: Mapping[str, float]) -> str:
    """Return the units as a table in Markdown."""
    lines = ["| unit, per image | measured |", "|---|---:|"]
    lines += [f"| {name} | {value:,g} |" for name, value in units.items()]
    return "\n".join(lines) + "\n"


def grown(units: Mapping[str, float], seconds_per_image: float) -> str:
    """Return what so many characters cost, as a table in Markdown.

    Args:
        units: As `measure_units` gives them; what is missing is left out.
        seconds_per_image: What the machine takes to bring one image in.
    """
    rows: list[tuple[str, Callable[[float], float], Callable[[float], str]]] = [
        ("images", lambda images: images, _count),
        ("image files of 2 MB", lambda images: images * IMAGE_BYTES, _bytes),
    ]

    def per_image(name: str, unit: str, shown: Callable[[float], str], share: float = 1) -> None:
        if unit in units:
            rows.append((name, lambda images: images * units[unit] * share, shown))

    per_image("thumbnails and sidecars", "thumbnail and sidecar, bytes", _bytes)
    per_image("files on disk", "files on disk", _count)
    per_image("requests to S3", "S3, requests", _count)
    per_image("SQLite, records", "SQLite, record and its indexes, bytes", _bytes)
    per_image("PostgreSQL, records", "PostgreSQL, record and its indexes, bytes", _bytes)
    per_image("journal", "SQLite, journal, bytes per portfolio", _bytes, 1 / PORTFOLIO)
    per_image("calls of the Library", "calls of the Library, per portfolio", _count, 1 / PORTFOLIO)
    rows.append(("bringing in, one machine", lambda images: images * seconds_per_image, _duration))
    rows.append(
        (
            "drawing the portfolios, one at a time",
            lambda images: images / IMAGES * PORTFOLIO_MINUTES * 60,
            _duration,
        )
    )
    lines = [f"| {' | '.join(['characters', *map(_count, CHARACTERS)])} |"]
    lines.append("|---|" + "---:|" * len(CHARACTERS))
    for name, cost, shown in rows:
        cells = [shown(cost(characters * IMAGES)) for characters in CHARACTERS]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines) + "\n"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def _duration(seconds: float) -> str:
    for unit, size in (("years", 365 * 86_400), ("days", 86_400), ("hours", 3_600)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 60:.3g} minutes"
