"""Every I/O call fails once (files, SQLite, HTTP): the error is ours, and recovery mends."""

from __future__ import annotations

import pytest

from ..figures import Figure
from .faults import KINDS, fault_points
from .invariants import Bounds
from .laboratory import Laboratory

FAULTED = (
    "reference, delete-after-success",
    "portfolio of one shot",
    "scene",
    "delete all",
    "retry",
    "recover what was half stored",
)

REFUSED = Bounds(reference_posts=2, reference_deletes=2)
"""If the remote DELETE fails, the server refuses the POST: one more of each is allowed then."""
COMMITTED = "after sql COMMIT"
QUIET = ("listdir", "http DELETE reference-image", "http GET file")
"""What may fail without an error: sweeping up after a save, the remote DELETE (it is a warning), a
file that recovery or a portfolio asks for (its record is ``failed``)."""


@pytest.mark.parametrize("name", FAULTED)
def test_every_call_may_fail(lab: Laboratory, name: str, figure: Figure) -> None:
    whole = lab.act(name)
    points = fault_points(whole.trail)
    kinds = list(KINDS)
    # The last transaction gives the lease up; it would end on its own, too.
    released = [at for at, each in enumerate(whole.trail, start=1) if each == COMMITTED][-2]
    surfaced = 0
    for number, at in enumerate(points):
        moment, kind = whole.trail[at - 1], kinds[number % len(kinds)]
        where = f"{kind} {moment} ({at} of {len(whole.trail)})"
        ended = lab.act(name, at=at, stop=kind)
        assert not ended.killed, where
        assert ended.ours, f"{where}\n{ended.raised}"
        assert ended.trail[:at] == whole.trail[:at], where
        if ended.error is not None or not {"error", "waiting"}.isdisjoint(ended.told):
            surfaced += 1
        else:
            assert moment.partition(" ")[2] in QUIET or at > released, where
        refused = moment.endswith("http DELETE reference-image")
        recovery = lab.recover(name, bounds=REFUSED if refused else None)
        assert recovery.violations == [], f"{where}: {ended.error}"
        assert recovery.lost == [], where
    figure(
        f"failing I/O, {name}",
        f"{len(points)} calls failed, {surfaced} raised or reported as ours, the others as a "
        "warning or failed record, 0 violations",
    )
