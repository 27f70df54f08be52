from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from charimg import CharacterLibraryError, ErrorCode, StorageError
from charimg._sync.library import CharacterLibrary
from charimg.cli import bench
from charimg.cli.probes import CHARACTER, png
from charimg.cli.session import Settings
from charimg.stores.disk.store import DiskMediaStore
from charimg.stores.sqlite.ledger import SqliteGenerationLedger
from charimg.stores.sqlite.metadata import SqliteMetadataRepository

LIBRARY = "Library: GET health"
MACHINE = ("this machine: check an image of 2 MB", "this machine: draw a thumbnail of it")
MEDIA = ("media: save a file of 2 MB", "media: read a file of 2 MB", "media: delete it")
METADATA = ("metadata: add a record", "metadata: read a page of 50")
LEDGER = "ledger: write a step"
PORTFOLIO = "portfolio of 27: check, store and record, 6 at once"
ALL = {LIBRARY, *MACHINE, *MEDIA, *METADATA, LEDGER, PORTFOLIO}


TRUE_SIDE = bench._SIDE


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure with small images, but where the size matters, and all rounds on a busy machine."""
    monkeypatch.setattr(bench, "_SIDE", 32)
    monkeypatch.setattr(bench, "_ENOUGH", math.inf)


class State:
    """Everything that must be the same before and after."""

    def __init__(self, world: Any) -> None:
        self.world = world
        world.reference()
        self.before = self.now()
        self.counters = world.counters

    def now(self) -> Any:
        with Settings.of(self.world.directory).stores() as stores:
            owners = stores.metadata.character_ids()  # type: ignore[attr-defined]
            operations = [op.id for op in stores.ledger.list("mara").operations]
            unfinished = stores.ledger.unfinished()
        # The store keeps its folders.
        media = sorted(
            path for path in (self.world.directory / "media").rglob("*") if path.is_file()
        )
        beside = sorted(path.name for path in self.world.directory.parent.iterdir())
        return media, beside, owners, self.world.images(), operations, unfinished

    def check(self) -> None:
        assert self.now() == self.before
        changed = {
            name
            for name, count in self.world.counters.items()
            if count != self.counters.get(name) and re.search("post|delete", name.lower())
        }
        assert any("Posts" in name for name in self.counters)
        assert changed == set(), "nothing is paid for, and nothing is changed"


def figures(answer: Any) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in answer.json["figures"]}


def levels(answer: Any) -> dict[str, str]:
    return {each["name"]: each["level"] for each in answer.json["findings"]}


def break_at(
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    nth: int,
    error: Callable[[], BaseException],
    *,
    after: bool = False,
) -> None:
    """Have the nth call of a method raise, before or after its work; the rest go on."""
    real = getattr(owner, name)
    # Several threads call it at once: each call has a number of its own.
    calls = count(1)

    def fragile(self: Any, *args: Any, **options: Any) -> Any:
        number = next(calls)
        if number == nth and not after:
            raise error()
        result = real(self, *args, **options)
        if number == nth and after:
            raise error()
        return result

    monkeypatch.setattr(owner, name, fragile)


def test_every_figure_is_there_and_nothing_stays(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_SIDE", TRUE_SIDE)
    assert len(png(TRUE_SIDE, noise=True)) == pytest.approx(2_000_000, rel=0.01)
    state = State(world)
    answer = world.run("doctor", "--bench", "--json")
    assert answer.code == 0, answer.out
    found = figures(answer)
    assert set(found) == ALL
    for name, each in found.items():
        assert each["value"] > 0, name
        assert each["rounds"] >= 1, name
        assert each["unit"] == ("images/min" if name == PORTFOLIO else "ms"), name
    assert set(levels(answer).values()) == {"ok"}
    state.check()


def test_the_table_shows_them(world: Any) -> None:
    state = State(world)
    answer = world.run("doctor", "--bench")
    assert answer.code == 0
    for name in ALL:
        assert name in answer.out
    assert "images/min" in answer.out
    state.check()


def test_without_the_option_nothing_is_measured(world: Any) -> None:
    assert "figures" not in world.run("doctor", "--json").json
    assert LEDGER not in world.run("doctor").out


def test_nothing_is_made_where_nothing_is(world: Any, run: Any, tmp_path: Path) -> None:
    where = ("--directory", tmp_path / "a" / "b", "--library-url", world.server.url)
    answer = run("doctor", "--bench", "--json", *where)
    assert answer.code == 0, answer.out
    assert set(figures(answer)) == ALL
    assert not (tmp_path / "a").exists()


# Rounds of the probe itself come first: one save for the media, one for the record.
@pytest.mark.parametrize(
    ("owner", "name", "nth", "role", "known"),
    [
        (DiskMediaStore, "save", 4, "media", {LIBRARY, *MACHINE, LEDGER}),
        (DiskMediaStore, "open", 4, "media", {LIBRARY, *MACHINE, LEDGER}),
        (SqliteMetadataRepository, "add", 3, "metadata", {LIBRARY, *MACHINE, *MEDIA, LEDGER}),
        (SqliteGenerationLedger, "write", 3, "ledger", ALL - {LEDGER, PORTFOLIO}),
        (SqliteMetadataRepository, "add", 20, "portfolio", ALL - {PORTFOLIO}),
        (DiskMediaStore, "save", 30, "portfolio", ALL - {PORTFOLIO}),
        (SqliteGenerationLedger, "renew", 9, "portfolio", ALL - {PORTFOLIO}),
    ],
)
@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.long)])
def test_what_fails_is_told_the_rest_is_measured_and_nothing_stays(
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    nth: int,
    role: str,
    known: set[str],
    after: bool,
) -> None:
    state = State(world)
    with monkeypatch.context() as patched:
        error = lambda: StorageError("The disk is full.")  # noqa: E731
        break_at(patched, owner, name, nth, error, after=after)
        answer = world.run("doctor", "--bench", "--json")
    assert answer.code == 6, answer.out
    assert levels(answer)[f"bench {role}"] == "error"
    assert set(figures(answer)) - {METADATA[0]} == known - {METADATA[0]}
    state.check()


@pytest.mark.parametrize(
    ("owner", "name", "nth"),
    [
        (DiskMediaStore, "save", 4),
        (DiskMediaStore, "open", 4),
        (DiskMediaStore, "save", 30),
        (SqliteMetadataRepository, "add", 3),
        (SqliteMetadataRepository, "list", 5),
        (SqliteMetadataRepository, "add", 20),
        (SqliteGenerationLedger, "write", 3),
        (SqliteGenerationLedger, "renew", 9),
        (CharacterLibrary, "health", 4),
        # Clean-up itself is interrupted.
        (DiskMediaStore, "delete", 5),
        (DiskMediaStore, "delete", 30),
        (SqliteMetadataRepository, "delete", 4),
        (SqliteGenerationLedger, "release", 2),
    ],
)
@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.long)])
def test_ctrl_c_leaves_nothing_behind(
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    nth: int,
    after: bool,
) -> None:
    state = State(world)
    with monkeypatch.context() as patched:
        # A save of the portfolio runs in a thread, which Ctrl-C never reaches.
        if (owner, name, nth) == (DiskMediaStore, "save", 30):
            patched.setattr(DiskMediaStore, "concurrent_safe", False)
        break_at(patched, owner, name, nth, KeyboardInterrupt, after=after)
        answer = world.run("doctor", "--bench")
    assert answer.code == 130, answer.out
    assert "Nothing of the probes stays." in answer.err
    state.check()
    with Settings.of(world.directory).stores() as stores:
        lease = stores.ledger.acquire(CHARACTER, owner="next", ttl=60)
        stores.ledger.release(lease)


def test_a_store_that_saves_one_by_one(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiskMediaStore, "concurrent_safe", False)
    answer = world.run("doctor", "--bench", "--json")
    assert answer.code == 0, answer.out
    assert set(figures(answer)) == ALL


def test_a_store_that_is_broken_is_not_measured(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHARIMG_MEDIA", f"file://{tmp_path}/file/media")
    answer = world.run("doctor", "--bench", "--json")
    assert answer.code == 6
    assert set(figures(answer)) == {LIBRARY, *MACHINE, LEDGER}


def test_a_library_out_of_reach_leaves_the_rest(run: Any, tmp_path: Path) -> None:
    where = ("--directory", tmp_path / "new", "--library-url", "http://127.0.0.1:9")
    answer = run("doctor", "--bench", "--json", *where)
    assert answer.code == 4
    assert set(figures(answer)) == ALL - {LIBRARY}


def test_a_library_that_fails_meanwhile(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def error() -> CharacterLibraryError:
        return CharacterLibraryError("It is down.", code=ErrorCode.UNAVAILABLE)

    break_at(monkeypatch, CharacterLibrary, "health", 3, error)
    answer = world.run("doctor", "--bench", "--json")
    assert answer.code == 4
    assert levels(answer)["bench Library"] == "error"
    assert levels(answer)["connectivity"] == "ok"
    assert set(figures(answer)) == ALL - {LIBRARY}


def test_another_check_is_not_disturbed(world: Any) -> None:
    with Settings.of(world.directory).stores() as stores:
        lease = stores.ledger.acquire(CHARACTER, owner="another", ttl=600)
        answer = world.run("doctor", "--bench", "--json")
        stores.ledger.renew(lease, ttl=600)
        stores.ledger.release(lease)
    assert answer.code == 0, answer.out
    assert levels(answer)["bench ledger"] == "warning"
    assert set(figures(answer)) == ALL - {LEDGER, PORTFOLIO}


def test_without_pillow_there_is_no_thumbnail(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "PIL" else real(name)
    )
    answer = world.run("doctor", "--bench", "--json")
    assert answer.code == 0
    assert set(figures(answer)) == ALL - {MACHINE[1]}


def test_what_takes_long_is_measured_less_often(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_ENOUGH", 1e-9)
    answer = world.run("doctor", "--bench", "--json")
    assert {each["rounds"] for each in figures(answer).values()} == {1}
