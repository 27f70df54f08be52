"""Prepares worlds, has children killed in them, and judges what recovery makes of the rest."""

from __future__ import annotations

import copy
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

import charimg
from charimg.testing import Simulator, SimulatorServer, serve
from charimg.testing.simulator import Counters, Switches

from .invariants import Bounds, counts_of
from .works import SHOTS, WORKS, Work, link, open_service

__all__ = ["Ended", "Laboratory", "Recovery", "laboratory"]

_ROOT = Path(__file__).resolve().parents[2]


@frozen(kw_only=True)
class Ended:
    """How a child ended.

    Attributes:
        killed: Whether by SIGKILL.
        trail: The moments that it passed.
        error: What the operation raised, in words.
        ours: Whether that was an error of charimg, or none.
        raised: The traceback.
        told: The outcomes, if it was a recovery.
        warned: What its result says that was not done.
    """

    killed: bool
    trail: list[str]
    error: str | None = None
    ours: bool = True
    raised: str | None = None
    told: list[str] = field(factory=list)
    warned: list[str] = field(factory=list)


@frozen(kw_only=True)
class Recovery:
    """What two recoveries made of it.

    Attributes:
        violations: Every broken rule.
        outcomes: Outcome, kind and prompt of each operation that the first one looked at.
        images: Media id, status, source and prompt of each record in the end.
        drawn: Media ids of what the Library drew for the operation.
        counts: What the Library counted.
    """

    violations: list[str]
    outcomes: list[list[str]]
    images: list[list[str | None]]
    drawn: list[str]
    counts: dict[str, int]

    @property
    def lost(self) -> list[str]:
        """What the Library drew for the operation, and no record tells of."""
        recorded = {
            media_id
            for media_id, status, source, prompt in self.images
            if status == "succeeded" or (source and prompt)
        }
        return [media_id for media_id in self.drawn if media_id not in recorded]


@frozen(kw_only=True)
class _World:
    root: Path
    state: Any = field(repr=False)
    known: frozenset[str]


class Laboratory:
    """One served Library, one zygote, and as many worlds as are asked for."""

    def __init__(self, where: Path, server: SimulatorServer, zygote: subprocess.Popen[str]) -> None:
        self._where = where
        self._server = server
        self._simulator: Simulator = server.simulator
        self._zygote = zygote
        self._tmp = where / "tmp"
        self._tmp.mkdir()
        self.root: Path = where / "data"
        self._known: frozenset[str] = frozenset()
        self._prepared = functools.cache(self._prepare)

    @property
    def url(self) -> str:
        """Where the Library is served."""
        return self._server.url

    def begin(self, name: str) -> Path:
        """Make a fresh world for a work, and return its data directory."""
        self._restore(self._prepared(name), WORKS[name])
        return self.root

    def act(
        self, name: str, *, bug: str | None = None, at: int | None = None, stop: str | None = None
    ) -> Ended:
        """Run a work in a fresh world, in a child that may be stopped at a moment."""
        self.begin(name)
        said = self._ask(do="act", work=name, bug=bug, at=at, stop=stop)
        assert "crashed" not in said, said["crashed"]
        return Ended(
            killed=os.WIFSIGNALED(said["status"]) and os.WTERMSIG(said["status"]) == signal.SIGKILL,
            trail=said["trail"],
            error=said.get("error"),
            ours=said.get("ours", True),
            raised=said.get("raised"),
            told=said.get("told", []),
            warned=said.get("warned", []),
        )

    def recover(
        self, name: str, *, bug: str | None = None, bounds: Bounds | None = None
    ) -> Recovery:
        """Recover twice in another child, and judge everything.

        Args:
            name: The work that was done before.
            bug: What is sabotaged now, too.
            bounds: Others than the work's own.
        """
        work = WORKS[name]
        before = _posts(self._simulator)
        said = self._ask(do="recover", bug=bug, one_reference=work.one_reference)
        if "crashed" in said:
            said |= {"violations": ["recovery raised: " + said["crashed"]], "outcomes": []}
        counts = counts_of(self._simulator)
        state = self._simulator._state
        return Recovery(
            violations=[
                *said["violations"],
                *(bounds or work.bounds).violations(counts),
                *(["recovery has posted"] if _posts(self._simulator) != before else []),
                *(f"temporary file {name}" for name in said.get("left", ())),
            ],
            outcomes=said["outcomes"],
            images=said.get("images", []),
            drawn=[each for each in state.media if each not in self._known],
            counts=counts,
        )

    def forget(self) -> None:
        """Let the Library show nothing of what it has drawn, as after a reset by somebody else."""
        for character in self._simulator._state.characters.values():
            character.reference = None
            character.gallery.clear()
        self._simulator._state.jobs.clear()
        self._simulator.switches.media_closed = True

    def _prepare(self, name: str) -> _World:
        work = WORKS[name]
        if work.left_by is not None:
            return self._left_by(name, *work.left_by)
        root = self._where / "prepared" / str(len(list(self._where.glob("prepared/*"))))
        self._simulator.reset()
        self._simulator.switches = Switches(shots=SHOTS, width=48)
        db_id = self._simulator.add_character(name="Lena Marlow")
        with open_service(root, self._server.url) as service:
            link(service, db_id)
            work.begin(service, self._simulator)
        state = self._simulator._state
        return _World(root=root, state=state, known=frozenset(state.media))

    def _left_by(self, name: str, other: str, last: str) -> _World:
        trail = self.act(other).trail
        self.act(other, at=trail.index(last) + 1, stop="kill")
        root = self._where / "prepared" / f"left-by-{other}".replace(" ", "-")
        shutil.copytree(self.root, root)
        return _World(root=root, state=self._simulator._state, known=self._known)

    def _restore(self, world: _World, work: Work) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(world.root, self.root)
        self._simulator._state = copy.deepcopy(world.state)
        self._simulator.switches = Switches(**{"shots": SHOTS, "width": 48, **work.switches})
        self._simulator.counters = Counters()
        self._simulator.requests.clear()
        self._known = world.known

    def _ask(self, **task: Any) -> dict[str, Any]:
        task |= {"root": str(self.root), "url": self._server.url, "tmp": str(self._tmp)}
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(task) + "\n")
        self._zygote.stdin.flush()
        said: dict[str, Any] = json.loads(self._zygote.stdout.readline())
        return said


def _posts(simulator: Simulator) -> int:
    return sum(n for name, n in counts_of(simulator).items() if name.endswith("POSTs"))


@contextmanager
def laboratory(where: Path) -> Iterator[Laboratory]:
    """Open a laboratory below a directory."""
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    source = Path(charimg.__file__).parents[1]
    environment["PYTHONPATH"] = os.pathsep.join([str(source), str(_ROOT)])
    simulator = Simulator()
    simulator.switches.shots = 1
    simulator.switches.width = 48
    db_id = simulator.add_character(name="Lena Marlow")
    with (
        serve(simulator) as server,
        subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote", server.url, db_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=_ROOT,
        ) as zygote,
    ):
        assert zygote.stdout is not None
        try:
            assert zygote.stdout.readline() == "ready\n"
            yield Laboratory(where, server, zygote)
        finally:
            zygote.kill()
