"""A real process is killed with SIGKILL at every step, and two recoveries follow.

The long series kills at every point of every work. ``make test`` takes every seventh one, beginning
elsewhere in each work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from ..figures import AddUp, Figure
from .laboratory import Laboratory
from .steps import kill_points
from .works import WORKS

ADOPTED = {
    "reference, delete-all": "generate-initial-image",
    "reference, keep-history": "generate-initial-image",
    "portfolio, as a job": "generate-360-set",
    "portfolio, at once": "generate-360-set",
    "scene": "generate-scene-image",
}
"""Works, and what they post."""
SHARED = "reference, refused at first"
"""Somebody else has drawn a reference there, too: what is unknown is a person's to settle."""


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", WORKS)
def test_nothing_is_lost_wherever_the_process_is_killed(
    lab: Laboratory, name: str, every: int, figure: Figure, add_up: AddUp
) -> None:
    whole = lab.act(name)
    assert whole.ours, whole.raised
    recovery = lab.recover(name)
    assert (recovery.violations, recovery.outcomes, recovery.lost) == ([], [], [])
    points = kill_points(whole.trail)
    assert len(points) >= 8
    chosen = points[list(WORKS).index(name) % every :: every]
    told: Counter[str] = Counter()
    for at in chosen:
        where = f"killed {whole.trail[at - 1]} ({at} of {len(whole.trail)})"
        ended = lab.act(name, at=at, stop="kill")
        assert ended.killed, where
        assert ended.trail == whole.trail[:at], where
        recovery = lab.recover(name)
        assert recovery.violations == [], where
        outcomes = {outcome for outcome, *_ in recovery.outcomes}
        assert recovery.lost == [] or (name == SHARED and outcomes == {"unknown"}), where
        for outcome, kind, prompt in recovery.outcomes:
            assert outcome != "unknown" or prompt, f"{where}: a {kind} without its prompt"
            told[outcome] += 1
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(told.items()))
    add_up("kill points", len(chosen))
    figure(
        f"SIGKILL, {name}",
        f"{len(chosen)} of {len(points)} kill points, 0 violations, second recovery "
        f"changed 0; {outcomes}",
    )


def test_what_was_drawn_and_never_answered_is_adopted_or_unknown(
    lab: Laboratory, figure: Figure
) -> None:
    for name, endpoint in ADOPTED.items():
        moment = f"after http POST {endpoint}"
        at = lab.act(name).trail.index(moment) + 1

        assert lab.act(name, at=at, stop="kill").trail[-1] == moment
        recovery = lab.recover(name)
        assert [outcome for outcome, _, _ in recovery.outcomes] == ["adopted"], name
        assert (recovery.violations, recovery.lost) == ([], []), name
        assert recovery.drawn, name

        lab.act(name, at=at, stop="kill")
        lab.forget()
        recovery = lab.recover(name)
        prompt = "one" if name.startswith("portfolio") else "two"
        assert [(outcome, told) for outcome, _, told in recovery.outcomes] == [("unknown", prompt)]
        assert recovery.violations == [], name
    total = len(ADOPTED)
    figure("killed between POST and answer, shown by the Library", f"{total} of {total} adopted")
    figure(
        "killed between POST and answer, shown no more",
        f"{total} of {total} unknown with prompt, 0 posted again",
    )


def forgotten(lab: Laboratory, name: str, *, bug: str | None = None) -> Iterator[str]:
    """Kill at every step after the answer, have the Library forget it, and tell what is lost.

    The first thing that happens after the answer is that it is written down.
    """
    trail = lab.act(name, bug=bug).trail
    answered = trail.index(f"after http POST {ADOPTED[name]}") + 1
    points = [at for at in kill_points(trail) if at > answered]
    assert len(points) >= 10
    for at in points:
        lab.act(name, bug=bug, at=at, stop="kill")
        lab.forget()
        recovery = lab.recover(name, bug=bug)
        yield from recovery.violations
        yield from (f"lost {media_id}" for media_id in recovery.lost)


def test_what_was_answered_is_kept_though_the_library_forgets_it(lab: Laboratory) -> None:
    assert list(forgotten(lab, "scene")) == []
    assert list(forgotten(lab, "reference, keep-history")) == []
