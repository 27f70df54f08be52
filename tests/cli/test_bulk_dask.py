"""``charimg bulk`` on a Dask cluster: a real scheduler and worker, each a process of its own."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from charimg import CharacterReference, ImageKind
from charimg.cli.session import Settings

from ..holding import held
from ..patience import until
from .process import SECONDS, environment, finish, hear, start


class Cluster:
    """A scheduler and its workers, started as people start them."""

    def __init__(self, work: Path, processes: ExitStack) -> None:
        self._work = work
        self._processes = processes
        place = work / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(place),
        )  # fmt: skip
        until(lambda: place.is_file() and place.read_text().endswith("}"))
        self.address: str = json.loads(place.read_text())["address"]

    def add_worker(self, threads: int = 2) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", self.address, "--nthreads", str(threads), "--no-dashboard", "--no-nanny",
            "--local-directory", str(self._work), "--death-timeout", str(SECONDS),
        )  # fmt: skip

    def wait_for_worker(self) -> None:
        """Wait until the scheduler knows of one."""
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=SECONDS)

    def _start(self, *args: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        self._processes.callback(process.wait)
        self._processes.callback(process.kill)
        return process


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as processes:
        yield Cluster(tmp_path, processes)


@pytest.fixture
def command(world: Any, tmp_path: Path) -> list[str | Path]:
    """Draw a scene of each of six characters."""
    rows = ["character_id,scene_context"]
    with Settings.of(world.directory, world.server.url).service() as service:
        for name in "abcdef":
            made = service.library.create_character(name)
            service.put_character(CharacterReference(id=name, name=name, library_db_id=made.id))
            service.generate_reference(name, prompt=f"Face {name}.")
            rows.append(f"{name},Scene of {name}.")
    (tmp_path / "in.csv").write_text("\n".join(rows) + "\n")
    return [
        "bulk", "scene", "--characters", tmp_path / "in.csv", "--manifest", tmp_path / "run.jsonl",
        "--directory", world.directory, "--library-url", world.server.url, "--json",
    ]  # fmt: skip


def scenes(world: Any) -> list[str]:
    """Return the prompt of every scene that is there."""
    with Settings.of(world.directory).stores() as stores:
        images = [
            image
            for name in "abcdef"
            for image in stores.metadata.list(name, kind=ImageKind.SCENE).images
        ]
    return [str(image.prompt) for image in images]


ALL = [f"Scene of {name}." for name in "abcdef"]


def test_the_workers_of_a_cluster_do_it(
    world: Any, cluster: Cluster, command: list[str | Path], tmp_path: Path
) -> None:
    cluster.add_worker()
    cluster.wait_for_worker()
    out = tmp_path / "out.csv"
    world.switch(generation_seconds=0.5)
    with held(world.server.simulator) as release:
        process = start(*command, "--dask", cluster.address, "--out", out)
        until(lambda: world.server.simulator.most_generations_at_once == 2)
        release()
        ended = finish(process)
    assert ended.code == 0, ended.err
    assert ended.json["outcomes"]["done"] == 6
    assert ended.json["stopped"] is None
    assert scenes(world) == ALL
    # As many as the worker has threads.
    assert world.server.simulator.most_generations_at_once == 2
    with out.open(newline="", encoding="utf-8") as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["done"] * 6
    again = finish(start(*command, "--dask", cluster.address))
    assert (again.code, again.json["skipped"]) == (0, 6)
    assert world.counters["scenePosts"] == 6


@pytest.mark.long
def test_a_scheduler_that_is_lost(world: Any, cluster: Cluster, command: list[str | Path]) -> None:
    worker = cluster.add_worker()
    with held(world.server.simulator, but=1):
        process = start(*command, "--dask", cluster.address, "--limit", "2")
        # One is done, two are at work.
        until(lambda: world.counters["scenePosts"] == 3)
        cluster.scheduler.kill()
        ended = finish(process)
    assert ended.code == 7
    assert "Stopped: The Dask scheduler is out of reach" in ended.err
    assert "Run the same command again" in ended.err
    assert "Traceback" not in ended.err
    assert ended.json["codes"] == {"WORKER_LOST": 2}
    assert ended.json["stopped"].startswith("The Dask scheduler is out of reach")
    # It ends what it is at, and then itself.
    worker.wait(SECONDS)
    again = world.run_command(*command)
    assert again.code == 0, again.err
    assert again.json["outcomes"]["done"] == 6
    assert again.json["skipped"] >= 1
    assert scenes(world) == ALL
    assert world.counters["scenePosts"] == 6


@pytest.mark.long
def test_ctrl_c_ends_in_good_order(world: Any, cluster: Cluster, command: list[str | Path]) -> None:
    cluster.add_worker()
    with held(world.server.simulator, but=1) as release:
        process = start(*command, "--dask", cluster.address, "--limit", "2")
        until(lambda: world.counters["scenePosts"] == 3)
        process.send_signal(signal.SIGINT)
        hear(process, "Waiting for 2 in flight")
        release()
        ended = finish(process)
    assert ended.code == 130
    assert "Run the same command again" in ended.err
    assert "Traceback" not in ended.err
    drawn = world.counters["scenePosts"]
    assert len(scenes(world)) == drawn < 6
    again = finish(start(*command, "--dask", cluster.address))
    assert again.code == 0, again.err
    assert scenes(world) == ALL
    assert world.counters["scenePosts"] == 6


@pytest.mark.long
def test_a_cluster_without_workers_is_told_and_let_go(
    world: Any, cluster: Cluster, command: list[str | Path]
) -> None:
    process = start(*command, "--dask", cluster.address, "--limit", "2")
    hear(process, "has no workers yet")
    with Client(cluster.address, set_as_default=False) as client:
        until(lambda: client.run_on_scheduler(_tasks) == 2)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    assert "Stopped: Interrupted. 6 are left." in ended.err
    assert "Traceback" not in ended.err
    assert "AllExit" not in ended.err
    assert world.counters["scenePosts"] == 0


def _tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


def test_what_makes_no_sense_is_refused(
    world: Any, command: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charimg.bulk.dask._CONNECTING", 0.3)
    nobody = world.run_command(*command, "--dask", "tcp://127.0.0.1:9")
    assert nobody.code == 2
    assert "No Dask scheduler answers at 'tcp://127.0.0.1:9'" in nobody.err
    threads = world.run_command(*command, "--dask", "tcp://127.0.0.1:9", "--workers", "2")
    assert threads.code == 2
    assert "--workers are threads of this command" in threads.err
    monkeypatch.setitem(sys.modules, "distributed", None)
    missing = world.run_command(*command, "--dask", "tcp://127.0.0.1:9")
    assert missing.code == 2
    assert "pip install 'charimg[bulk]'" in missing.json["error"]["message"]
    assert world.counters["scenePosts"] == 0
