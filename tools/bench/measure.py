"""Contests: jobs that are timed in turns, and the rows of the table that compare two of them.

A slow moment of the machine meets every job of a round. The ratio is taken per round; a row says
the median of the rounds and the middle half of them. It says more than seconds do: it holds on
another machine, too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum

from attrs import frozen

__all__ = [
    "Contest",
    "Goal",
    "Job",
    "Result",
    "Row",
    "Missing",
    "demand",
    "measure",
    "results",
    "run",
    "twins",
]

Job = Callable[[], float | None]
"""Does the work once. It may return the seconds that count, where they are not all of its own, or a
figure in the unit of its rows."""


class Missing(Exception):
    """A contest needs something that is not installed; the message says how to get it."""


class Goal(StrEnum):
    """What a ratio should be.

    Attributes:
        AT_MOST: ``ours / other`` is to be no more than the reach.
        AT_LEAST: ``other / ours`` is to be no less: how many times faster we are.
        WITHIN: Neither is to be more than the reach.
    """

    AT_MOST = "<="
    AT_LEAST = ">="
    WITHIN = "within"


@frozen(kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        work: What is done.
        ours: The job that does it with charimg.
        other: The job that it is measured against.
        against: What that is, in words.
        reach: The ratio that is aimed at.
        goal: How it is meant.
        unit: ``ms`` where the jobs take seconds; what they count otherwise.
    """

    work: str
    ours: str
    other: str
    against: str
    reach: float
    goal: Goal = Goal.AT_MOST
    unit: str = "ms"


def twins(
    work: str, *, ours: str = "async", other: str = "sync", whole: str = "service", unit: str = "ms"
) -> Row:
    """Return the row that compares both modes of one work.

    Args:
        work: What is done.
        ours: The async job.
        other: The sync job.
        whole: What has the two modes.
        unit: That of both.
    """
    return Row(
        work=f"{work}, async",
        ours=ours,
        other=other,
        against=f"the sync {whole}",
        reach=1.25,
        goal=Goal.WITHIN,
        unit=unit,
    )


@frozen(kw_only=True)
class Contest:
    """Jobs that are measured together.

    Attributes:
        name: What it is called on the command line.
        rounds: How often each job is timed, at least five.
        prepare: Opens what the jobs need, and names them. May raise `Missing`.
        rows: What is compared.
    """

    name: str
    rounds: int
    prepare: Callable[[], AbstractContextManager[Mapping[str, Job]]]
    rows: tuple[Row, ...]


@frozen(kw_only=True)
class Result:
    """What came out for a row.

    Attributes:
        contest: Where it was measured.
        work: What was done.
        against: What it was measured against.
        goal: ``<=``, ``>=`` or ``within``.
        reach: The ratio that is aimed at.
        ratio: The median of the rounds.
        low: A quarter of the rounds lie below.
        high: A quarter of the rounds lie above.
        ours: The median of ours.
        other: The median of the other.
        unit: Of both.
        rounds: How often both were measured.
        reached: Whether the aim was.
    """

    contest: str
    work: str
    against: str
    goal: str
    reach: float
    ratio: float
    low: float
    high: float
    ours: float
    other: float
    unit: str
    rounds: int
    reached: bool


def measure(
    jobs: Mapping[str, Job], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[dict[str, float]]:
    """Return the seconds of every job per round; each round begins with another one."""
    names = list(jobs)
    # What happens only once is not measured.
    for name in names:
        _timed(jobs[name], clock)
    taken = []
    for turn in range(rounds):
        start = turn % len(names)
        seconds = {name: _timed(jobs[name], clock) for name in names[start:] + names[:start]}
        taken.append({name: seconds[name] for name in names})
    return taken


def _timed(job: Job, clock: Callable[[], float]) -> float:
    begun = clock()
    counted = job()
    passed = clock() - begun
    return passed if counted is None else counted


def results(contest: Contest, taken: Sequence[Mapping[str, float]]) -> Iterator[Result]:
    """Return what the rounds say about each row."""
    for row in contest.rows:
        ours = [each[row.ours] for each in taken]
        other = [each[row.other] for each in taken]
        pairs = zip(ours, other, strict=True)
        ratios = [b / a if row.goal == Goal.AT_LEAST else a / b for a, b in pairs]
        ratio = statistics.median(ratios)
        factor = 1000 if row.unit == "ms" else 1
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        yield Result(
            contest=contest.name,
            work=row.work,
            against=row.against,
            goal=str(row.goal),
            reach=row.reach,
            ratio=round(ratio, 3),
            low=round(low, 3),
            high=round(high, 3),
            ours=round(statistics.median(ours) * factor, 3),
            other=round(statistics.median(other) * factor, 3),
            unit=row.unit,
            rounds=len(taken),
            reached=_reached(round(ratio, 2), row),
        )


def _reached(ratio: float, row: Row) -> bool:
    if row.goal == Goal.AT_LEAST:
        return ratio >= row.reach
    if row.goal == Goal.WITHIN:
        return 1 / row.reach <= ratio <= row.reach
    return ratio <= row.reach


def run(contest: Contest, rounds: int | None = None) -> list[Result]:
    """Prepare a contest, measure it and return its rows."""
    with contest.prepare() as jobs:
        return list(results(contest, measure(jobs, rounds or contest.rounds)))


def demand(holds: bool, message: str) -> None:
    """End the run with a message unless something holds: a wrong answer has no speed."""
    if not holds:
        raise SystemExit(f"bench: {message}")
