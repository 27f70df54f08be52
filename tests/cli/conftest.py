"""The command against the simulator over HTTP, and a character in a directory of its own."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from typer.main import get_command
from typer.testing import CliRunner

from charimg.cli.app import app
from charimg.testing import Simulator, serve

from .process import end_all, fetch

SHOTS = 3


@frozen
class Answer:
    """How one run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; anything more or less is an error."""
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture(autouse=True, scope="session")
def _built_once() -> Iterator[None]:
    """Build the tree of commands once: else most runs of the command would build it again."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.testing._get_command", functools.cache(get_command))
        yield


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHARIMG_HEADERS", "CHARIMG_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture
def run() -> Run:
    """Run the command with the given arguments."""

    def run(*args: str | Path, stdin: str | bytes | None = None) -> Answer:
        result = CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def server() -> Iterator[Any]:
    """A simulator over HTTP whose 360° set has few shots."""
    with serve(Simulator()) as served:
        served.simulator.switches.change({"shots": SHOTS, "width": 48})
        yield served


@frozen
class World:
    """A directory with one linked character, and the simulator that it is linked to."""

    run_command: Run
    server: Any
    directory: Path
    db_id: str

    def run(self, *args: str | Path, stdin: str | bytes | None = None) -> Answer:
        """Run a command that needs the directory and the Library."""
        where = ("--directory", self.directory, "--library-url", self.server.url)
        return self.run_command(*args, *where, stdin=stdin)

    def read(self, *args: str | Path) -> Answer:
        """Run a command that needs the directory alone."""
        return self.run_command(*args, "--directory", self.directory)

    @property
    def counters(self) -> dict[str, int]:
        """What arrived at the simulator, by its own account."""
        return dict(fetch(f"{self.server.url}/_simulator/counters"))

    def switch(self, **changes: Any) -> None:
        self.server.simulator.switches.change(changes)

    def reference(self) -> dict[str, Any]:
        """Draw a reference and return its record."""
        answer = self.run("generate", "reference", "mara", "--prompt", "A face.", "--json")
        assert answer.code == 0, answer.err
        return dict(answer.json["image"])

    def images(self, *args: str) -> list[dict[str, Any]]:
        return list(self.read("list", "mara", "--json", *args).json["images"])


@pytest.fixture
def world(run: Run, server: Any, tmp_path: Path) -> World:
    directory = tmp_path / "data"
    added = run(
        "characters", "add", "Mara Voss", "--id", "mara", "--trait", "hair=auburn",
        "--directory", directory,
    )  # fmt: skip
    assert added.code == 0, added.err
    linked = run(
        "characters", "link", "mara", "--create", "--json",
        "--directory", directory, "--library-url", server.url,
    )  # fmt: skip
    assert linked.code == 0, linked.err
    db_id = linked.json["character"]["libraryDbId"]
    return World(run, server, directory, db_id)
