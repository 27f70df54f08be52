"""Figures that the suite proves, printed at its end: vectors tried, kill points, rounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

Figure: TypeAlias = Callable[[str, str], None]
"""Notes one figure: what was measured, and the result in words."""


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Note a figure of this test; it is printed when the suite ends, under xdist, too."""

    def note(what: str, result: str) -> None:
        record_property("figure", f"{what}: {result}")

    return note


def print_figures(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every figure that the tests of this run noted."""
    found = {
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "figure"
    }
    if found:
        terminalreporter.section("figures")
        for line in sorted(found):
            terminalreporter.write_line(line)
