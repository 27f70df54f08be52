"""Mistakes put in on purpose are noticed by the very checks of the other tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..figures import Figure
from .laboratory import Laboratory
from .sabotage import BUGS
from .steps import kill_points
from .test_kills import forgotten

WORK = {
    "row before media": ("scene", "its media"),
    "media before row on delete": ("delete a scene", "before recovery: record"),
    "no tombstone": ("delete a scene", "orphan media"),
    "non-atomic write": ("scene", "holds other bytes than recorded"),
    "no received": ("scene", "lost"),
    "blind re-POST": ("scene", "recovery has posted"),
}
"""Which operation shows each mistake, and how."""


def noticed(lab: Laboratory, bug: str) -> Iterator[str]:
    name, _ = WORK[bug]
    if bug == "no received":
        yield from forgotten(lab, name, bug=bug)
        return
    for at in kill_points(lab.act(name, bug=bug).trail):
        assert lab.act(name, bug=bug, at=at, stop="kill").killed
        yield from lab.recover(name, bug=bug).violations


def test_every_mistake_is_noticed(lab: Laboratory, figure: Figure) -> None:
    assert WORK.keys() == BUGS.keys()
    caught = []
    for bug, (_, sign) in WORK.items():
        found: list[str] = []
        for wrong in noticed(lab, bug):
            found.append(wrong)
            if sign in wrong:
                caught.append(bug)
                break
        else:
            pytest.fail(f"{bug}: {found}")
    figure("seeded bugs caught", f"{len(caught)} of {len(BUGS)}")
