"""What came out: as text for the terminal, and as files for the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import asdict

from .measure import Result
from .pictures import PORTFOLIO
from .scale import grown, units_table

__all__ = ["PACE", "markdown", "table", "write"]

PACE = "portfolio with thumbnails, decoded"
"""The work that says how long one image takes: what a service does by default."""

_HEAD = ("work", "against", "reach", "ratio", "middle half", "ours", "other", "")


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.work,
        result.against,
        f"{result.goal} {result.reach:g}",
        f"{result.ratio:.2f}",
        f"{result.low:.2f} to {result.high:.2f}",
        _amount(result.ours, result.unit),
        _amount(result.other, result.unit),
        "" if result.reached else "not reached",
    )


def _amount(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def table(results: Sequence[Result]) -> str:
    """Return the results as aligned text."""
    rows = [_HEAD, *(_cells(each) for each in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 or column == 7 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def markdown(results: Sequence[Result]) -> str:
    """Return the results as a table in Markdown."""
    head = (*_HEAD[:-1], "reached")
    lines = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---:|---:|---:|---|"]
    for each in results:
        cells = (*_cells(each)[:-1], "yes" if each.reached else "**no**")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(
    folder: Path,
    results: Sequence[Result],
    skipped: Mapping[str, str],
    machine: Mapping[str, str],
    units: Mapping[str, float],
) -> None:
    """Write ``results.json``, the tables and ``chart.svg``.

    Args:
        folder: Where; made if it is missing.
        results: The rows.
        skipped: Why a contest was left out, by its name.
        machine: What the figures depend on, by name.
        units: What one image costs, by name.
    """
    from .chart import draw

    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": dict(machine),
        "results": [asdict(each) for each in results],
        "skipped": dict(skipped),
        "units": dict(units),
    }
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    notes = [f"\nLeft out, {name}: {why}\n" for name, why in skipped.items()]
    named = ", ".join(f"{name} {value}" for name, value in machine.items())
    text = markdown(results) + "".join(notes) + f"\nMeasured on: {named}.\n"
    (folder / "table.md").write_text(text)
    draw(folder / "chart.svg", results)
    (folder / "units.md").write_text(units_table(units))
    portfolios = [each.ours for each in results if each.work == PACE]
    if portfolios:
        # The slower of the modes, to be on the safe side.
        pace = max(portfolios) / 1000 / PORTFOLIO
        (folder / "scale.md").write_text(grown(units, pace))
