"""Every I/O call fails once (files, SQLite, HTTP): the error is ours, and recovery mends.

The long series lets every call of the works below fail; the kinds take turns over the calls to
files and SQLite. ``make test`` takes every seventh call, beginning elsewhere in each work. Under
``CHARIMG_SOAK`` every call of every work fails in every way that it can.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from ..figures import AddUp, Figure
from .faults import fault_points, kinds_of
from .invariants import Bounds
from .laboratory import Laboratory
from .works import TOGETHER, WORKS

SOAK = bool(os.environ.get("CHARIMG_SOAK"))
FAULTED = (
    "reference, delete-after-success",
    "portfolio of one shot",
    TOGETHER,
    "scene",
    "delete all",
    "delete the reference",
    "restore",
    "retry",
    "recover what was half stored",
)

EVERY = [1] if SOAK else [7, pytest.param(1, marks=pytest.mark.long)]
"""No multiple of the number of kinds."""

REFUSED = Bounds(reference_posts=2, reference_deletes=2)
"""If the remote DELETE fails, the server refuses the POST: one more of each is allowed then."""
COMMITTED = "after sql COMMIT"
WARNS = ("http DELETE reference-image", "http GET reference-image")
"""What is no error when it fails, but a warning: the remote DELETE, and the look before it."""
UNSEEN = ("listdir", "http GET status")
"""What may fail unseen: sweeping up after a save, and a look at a job, which is taken again."""
TELLS_TIME = "http GET health"
"""Before a reference it tells how the server is, else its time alone: then less may be adopted."""


def sweeps(trail: Sequence[str], at: int) -> bool:
    """Tell whether it is asked if the directory that is swept next, or was, is a link."""
    near = trail[max(0, at - 2) : at + 2]
    return trail[at - 1].endswith("before stat") and any("listdir" in each for each in near)


def journals_progress(trail: Sequence[str], at: int) -> bool:
    """Tell whether SQL comes next to a poll: how far the job has come may stay unwritten.

    Just before that it is asked if the database is still there.
    """
    asked = [each for each in trail[:at] if " http " in each]
    looks = trail[at - 1] == "before stat" and " sql " in trail[at + 1]
    writes = looks or " sql " in trail[at - 1]
    return writes and bool(asked) and asked[-1].endswith("http GET status")


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("name", WORKS if SOAK else FAULTED)
def test_every_call_may_fail(
    lab: Laboratory, name: str, every: int, figure: Figure, add_up: AddUp
) -> None:
    whole = lab.act(name)
    points = list(enumerate(fault_points(whole.trail)))
    chosen = points[list(WORKS).index(name) % every :: every]
    # The last transaction gives the lease up; it would end on its own, too.
    released = [at for at, each in enumerate(whole.trail, start=1) if each == COMMITTED][-2]
    tried = surfaced = 0
    for number, at in chosen:
        moment = whole.trail[at - 1]
        kinds = kinds_of(moment)
        for kind in kinds if SOAK else (kinds[number % len(kinds)],):
            where = f"{kind} {moment} ({at} of {len(whole.trail)})"
            ended = lab.act(name, at=at, stop=kind)
            assert not ended.killed, where
            assert ended.ours, f"{where}\n{ended.raised}"
            assert ended.trail[:at] == whole.trail[:at], where
            tried += 1
            refused = moment.endswith("http DELETE reference-image")
            recovery = lab.recover(name, bounds=REFUSED if refused else None)
            what = moment.partition(" ")[2]
            if ended.error is not None or not {"error", "waiting"}.isdisjoint(ended.told):
                surfaced += 1
            elif what in WARNS:
                assert ended.warned, where
            elif what == "http GET file":
                assert "failed" in {status for _, status, *_ in recovery.images}, where
            elif name == TOGETHER and recovery.outcomes == []:
                # Nothing was left to recovery: all were recorded one by one.
                assert {status for _, status, *_ in recovery.images} == {"succeeded"}, where
            elif not (journals_progress(whole.trail, at) or sweeps(whole.trail, at)):
                unseen = UNSEEN if name.startswith("reference") else (*UNSEEN, TELLS_TIME)
                assert what in unseen or at > released, where
            assert recovery.violations == [], f"{where}: {ended.error}"
            assert recovery.lost == [], where
    add_up("failing I/O calls", tried)
    figure(
        f"failing I/O, {name}",
        f"{tried} failures at {len(chosen)} of {len(points)} calls, {surfaced} raised or reported "
        "as ours, the others as a warning or failed record, 0 violations",
    )
