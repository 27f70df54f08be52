"""Ctrl-C at every call of a port and every HTTP exchange, and in a real process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve

import charimg
from charimg import CharacterImageService
from charimg._sync import base
from charimg.testing import Simulator, serve

from ..crash import invariants
from ..crash.steps import Steps, stepping
from ..crash.works import LENA, TOGETHER, WORKS, link, open_service, reference
from ..figures import Figure
from .worlds import ACTS, EVERY, SOAK, Temporary, World, Worlds

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 100_000.0
PORTS = ("directory", "media", "metadata", "ledger")
CALLS = {
    *("acquire", "add", "add_many", "delete", "get", "list", "release", "renew", "save"),
    *("unfinished", "update", "write"),
}


def interrupt(what: str, when: str) -> None:
    raise KeyboardInterrupt


class SteppedPort:
    """A port whose every call may be interrupted, before and after."""

    def __init__(self, inner: Any, name: str, steps: Steps) -> None:
        self._inner = inner
        self._name = name
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name not in CALLS:
            return call
        what = f"{self._name}.{name}"
        return lambda *args, **options: self._steps.run(what, lambda: call(*args, **options))


class SteppedTransport(httpx.BaseTransport):
    """HTTP exchanges that may be interrupted, before and after."""

    def __init__(self, inner: httpx.BaseTransport, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer: httpx.Response = self._steps.run(
            f"http {request.method} {request.url.path}", lambda: self._inner.handle_request(request)
        )
        return answer


def by_ports(world: World, act: Callable[[CharacterImageService], object], steps: Steps) -> None:
    with world.open(SteppedTransport(world.simulator.transport(), steps)) as service:
        parts = service._parts
        ports = {name: SteppedPort(getattr(parts, name), name, steps) for name in PORTS}
        stepped = CharacterImageService(
            **ports,  # type: ignore[arg-type]
            library=parts.library,
            downloader=parts.downloader,
            job_policy=parts.job_policy,
            concurrency=1,
        )
        act(stepped)


def _by_steps(world: World, act: Callable[[CharacterImageService], object], steps: Steps) -> None:
    transport = SteppedTransport(world.simulator.transport(), steps)
    with pytest.MonkeyPatch.context() as patch:
        # A key says in which directory its file lies, and which must be made: no accident here.
        ids = (f"{'f' * 12}{number:020x}" for number in count())
        patch.setattr(base, "new_operation_id", ids.__next__)
        with stepping(steps, world.root), world.open(transport) as service:
            act(service)


def _interrupted(
    worlds: Worlds, temporary: Temporary, name: str, every: int, run: Callable[..., None]
) -> tuple[str, int]:
    """Interrupt an act at its steps; tell at which, and how often the lease stood."""
    work = ACTS[name].work if name in ACTS else name
    act = WORKS[work].act
    steps = Steps()
    run(worlds.fresh(work), act, steps)
    stood = 0
    chosen = list(enumerate(steps.trail, start=1))[list(WORKS).index(work) % every :: every]
    for at, moment in chosen:
        world = worlds.fresh(work)
        with pytest.raises(KeyboardInterrupt):
            run(world, act, Steps(at, interrupt))
        assert temporary.left() == [], moment
        if world.is_leased():
            stood += 1
            # It was interrupted while it was taken or given up; it ends on its own.
            assert run is _by_steps or moment == "after ledger.acquire"
        assert world.judge(work, later=LEASE_SECONDS) == [], f"{at}: {moment}"
        worlds.forget(world)
    assert len(steps.trail) > 10
    return f"{len(chosen)} of {len(steps.trail)} points, 0 lost", stood


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("name", [*ACTS, TOGETHER])
def test_interrupted_at_every_call(
    worlds: Worlds, temporary: Temporary, figure: Figure, name: str, every: int
) -> None:
    told, stood = _interrupted(worlds, temporary, name, every, by_ports)
    assert stood <= 1
    figure(f"KeyboardInterrupt at port and HTTP calls, {name}", told)


# Between the opening of a file and its result: the interpreter closes it, and says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("name", ACTS if SOAK else ["scene"])
def test_interrupted_at_every_step_outside(
    worlds: Worlds, temporary: Temporary, figure: Figure, name: str, every: int
) -> None:
    """Within the stores: at every statement of SQLite and every call on a file."""
    told, _ = _interrupted(worlds, temporary, name, every, _by_steps)
    figure(f"KeyboardInterrupt at file and SQL calls, {name}", told)


class Watched(Simulator):
    """Tells when a request that matters arrives, and leaves it without an answer."""

    def __init__(self, **options: Any) -> None:
        self.now = 0.0
        super().__init__(clock=lambda: self.now, **options)
        self.waiting_for = ""
        self.times = 1
        self.arrived = threading.Event()

    def handle(self, method: str, url: str, *args: Any) -> Any:
        answer = super().handle(method, url, *args)
        what = "a file" if answer.is_file else f"{method} {url}"
        if self.waiting_for and self.waiting_for in what:
            self.times -= 1
            if self.times == 0:
                self.arrived.set()
                # So that it is interrupted there, and nowhere else.
                return evolve(answer, seconds=3600)
        return answer


PROGRAM = """
import signal, sys, tempfile
from pathlib import Path
from tests.crash.works import WORKS, open_service
root, url, work, tempfile.tempdir = sys.argv[1:]
# A shell has what it starts in the background ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
with open_service(Path(root), url) as service:
    WORKS[work].act(service)
"""


@pytest.mark.parametrize(
    ("work", "request_", "times", "switches"),
    [
        ("scene", "generate-scene-image", 1, {"generation_seconds": 3600}),
        ("reference, delete-all", "generate-initial-image", 1, {"generation_seconds": 3600}),
        ("scene", "a file", 1, {"file_seconds": 3600}),
        ("portfolio, as a job", "a file", 1, {"file_seconds": 3600}),
        ("portfolio, as a job", "/jobs/", 5, {"job_seconds": 3600}),
        ("delete all", "DELETE", 1, {"api_seconds": 3600}),
    ],
)
def test_a_real_process_is_interrupted(
    tmp_path: Path, figure: Figure, work: str, request_: str, times: int, switches: dict[str, Any]
) -> None:
    simulator = Watched()
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    source = Path(charimg.__file__).parents[1]
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    environment["PYTHONPATH"] = os.pathsep.join([str(source), str(ROOT)])
    with serve(simulator) as server, open_service(tmp_path / "data", server.url) as service:
        simulator.switches.shots = 2
        link(service, simulator.add_character(name="Lena Marlow"))
        WORKS[work].begin(service, simulator)
        before = set(simulator._state.media)
        simulator.switches.change(switches)
        simulator.waiting_for, simulator.times = request_, times
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), server.url, work, str(tmp)],
            env=environment,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert simulator.arrived.wait(600)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=600)
        finally:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()
        assert process.returncode == -signal.SIGINT
        assert told.rstrip().endswith("KeyboardInterrupt")
        assert list(tmp.iterdir()) == [], "no temporary file is left"
        with closing(sqlite3.connect(tmp_path / "data" / "charimg.sqlite")) as connection:
            (holder,) = connection.execute("SELECT owner FROM leases").fetchone()
        assert holder is None, "the lease was given up"
        simulator.waiting_for = ""
        simulator.switches.change(dict.fromkeys(switches, 0))
        simulator.now += 7200
        outcomes = {each.outcome for each in service.recover().operations}
        facts = invariants.read_facts(service, [LENA])
        service.recover()
        again = invariants.read_facts(service, [LENA])
        assert invariants.violations(facts, one_reference=WORKS[work].one_reference) == []
        assert invariants.changes(facts, again) == []
        began = 0 if WORKS[work].begin is reference else 1
        counts = invariants.counts_of(simulator)
        assert counts["scene POSTs"] <= began + WORKS[work].bounds.scene_posts
        assert counts["reference POSTs"] <= 1 + WORKS[work].bounds.reference_posts
        assert counts["set POSTs"] <= WORKS[work].bounds.set_posts
    have = {image.external_id for image in facts.images}
    assert set(simulator._state.media) - before <= have, "what was drawn is here"
    assert "error" not in outcomes
    figure(f"SIGINT in a real process, {work}, at {request_}", f"recovery: {sorted(outcomes)}")
