"""The chart: every ratio beside the one that is aimed at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .measure import Goal, Result

__all__ = ["draw"]

_REACHED, _MISSED, _AIM, _TEXT = "#2a78b5", "#c8503c", "#808080", "#808080"


def draw(path: Path, results: Sequence[Result]) -> None:
    """Write an SVG: a dot for the median, a line for the middle half, a mark for the aim."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Reproducible, and readable on a light and on a dark page.
    style: dict[Any, Any] = {"svg.hashsalt": "charimg", "svg.fonttype": "none", "font.size": 8}
    style |= {f"{name}.color": _TEXT for name in ("text", "xtick", "ytick")}
    style |= {"axes.labelcolor": _TEXT, "axes.edgecolor": _AIM}
    with mpl.rc_context(style):
        figure = Figure(figsize=(9, 0.9 + 0.2 * len(results)), layout="constrained")
        axes = figure.subplots()
        for place, each in enumerate(results):
            colour = _REACHED if each.reached else _MISSED
            axes.plot([each.low, each.high], [place, place], color=colour, linewidth=2)
            axes.plot([each.ratio], [place], "o", color=colour, markersize=4)
            aims = [each.reach, 1 / each.reach] if each.goal == Goal.WITHIN else [each.reach]
            axes.plot(aims, [place] * len(aims), "|", color=_AIM, markersize=9)
        axes.set_yticks(range(len(results)), [_label(each) for each in results])
        axes.invert_yaxis()
        axes.set_xscale("log")
        ticks = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("ratio of the medians' rounds; | is the aim, red is not reached")
        axes.grid(axis="x", color=_AIM, alpha=0.25)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        figure.savefig(path, transparent=True, metadata={"Date": None})


def _label(result: Result) -> str:
    times = "times faster than" if result.goal == Goal.AT_LEAST else "/"
    return f"{result.work} {times} {result.against}"
