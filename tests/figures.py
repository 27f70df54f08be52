"""Figures that the suite proves, printed at its end: vectors tried, kill points, rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import pytest

Figure: TypeAlias = Callable[[str, str], None]
"""Notes one figure: what was measured, and the result in words."""

AddUp: TypeAlias = Callable[[str, int], None]
"""Adds to a sum over many tests, which is printed as one figure."""


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Note a figure of this test; it is printed when the suite ends, under xdist, too."""

    def note(what: str, result: str) -> None:
        record_property("figure", f"{what}: {result}")

    return note


@pytest.fixture
def add_up(record_property: Callable[[str, object], None]) -> AddUp:
    """Add to a sum over all tests of the run."""

    def add(what: str, number: int) -> None:
        record_property("summand", (what, number))

    return add


def print_figures(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every figure that the tests of this run noted."""
    noted = [
        (name, value)
        for reports in terminalreporter.stats.values()
        for report in reports
        # What a test noted is repeated by the report of its teardown.
        if getattr(report, "when", None) == "call"
        for name, value in getattr(report, "user_properties", ())
    ]
    found = {str(value) for name, value in noted if name == "figure"}
    sums: Counter[str] = Counter()
    for name, value in noted:
        if name == "summand":
            what, number = value
            sums[what] += number
    found |= {f"total, {what}: {number}" for what, number in sums.items()}
    if found:
        terminalreporter.section("figures")
        for line in sorted(found):
            terminalreporter.write_line(line)
