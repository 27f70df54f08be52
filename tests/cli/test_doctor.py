from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from charimg import __version__
from charimg.cli import doctor
from charimg.cli.doctor import Finding, verdict
from charimg.cli.exit_codes import ExitCode
from charimg.cli.session import Settings
from charimg.journal import Operation, OperationKind, OperationState


def _levels(answer: Any) -> dict[str, str]:
    return {each["name"]: each["level"] for each in answer.json["findings"]}


def test_all_is_well(world: Any) -> None:
    answer = world.run("doctor", "--json")
    assert answer.code == 0, answer.out
    assert answer.json["ok"] is True
    assert set(_levels(answer).values()) == {"ok"}
    assert answer.json["versions"]["charimg"] == __version__
    assert answer.json["versions"]["python"].count(".") == 2
    assert answer.json["versions"]["httpx"]


def test_the_table_tells_people(world: Any) -> None:
    answer = world.run("doctor")
    assert answer.code == 0
    for text in (world.server.url, "is writable", "1 characters, 0 of them not linked", "httpx"):
        assert text in answer.out


def test_nothing_is_made_where_nothing_is(world: Any, run: Any, tmp_path: Path) -> None:
    answer = run("doctor", "--directory", tmp_path / "a" / "b", "--library-url", world.server.url)
    assert answer.code == 0
    assert "it will be made" in answer.out
    assert not (tmp_path / "a").exists()


def test_no_configuration(run: Any, tmp_path: Path) -> None:
    answer = run("doctor", "--directory", tmp_path, "--json")
    assert answer.code == 2
    assert answer.json["exitCode"] == 2
    assert answer.json["ok"] is False
    assert _levels(answer)["configuration"] == "error"


def test_a_bad_header_is_not_shown(run: Any, world: Any) -> None:
    answer = run(
        "doctor", "--directory", world.directory, "--library-url", world.server.url,
        "--header", "SECRETKEY",
    )  # fmt: skip
    assert answer.code == 2
    assert "SECRETKEY" not in answer.out + answer.err


def test_the_library_is_out_of_reach(run: Any, tmp_path: Path) -> None:
    answer = run("doctor", "--directory", tmp_path, "--library-url", "http://127.0.0.1:9", "--json")
    assert answer.code == 4
    assert _levels(answer)["connectivity"] == "error"
    assert _levels(answer)["configuration"] == "ok"


def test_a_library_that_fails(world: Any) -> None:
    world.switch(gateway_errors=1)
    answer = world.run("doctor", "--json")
    assert answer.code == 4


def test_a_file_is_no_directory(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    answer = run("doctor", "--directory", file)
    assert answer.code == 2


def test_a_directory_that_is_not_writable(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    answer = world.run("doctor", "--json")
    assert answer.code == 6
    assert _levels(answer)["directory"] == "error"


def test_a_parent_that_is_not_writable(
    world: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    answer = run("doctor", "--directory", tmp_path / "new", "--library-url", world.server.url)
    assert answer.code == 6
    assert "not writable" in answer.out


def test_unfinished_operations_are_told(world: Any) -> None:
    with Settings.of(world.directory).stores() as stores:
        lease = stores.ledger.acquire("mara", owner="t", ttl=60)
        op = Operation(
            id="op-1",
            kind=OperationKind.SCENE,
            character_id="mara",
            state=OperationState.POSTING,
        )
        stores.ledger.write(op, lease=lease)
        stores.ledger.release(lease)
    answer = world.run("doctor", "--json")
    assert answer.code == 8
    assert _levels(answer)["operations"] == "error"
    assert "charimg recover" in answer.out


def test_a_missing_extra_is_a_warning(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in ("pillow", "uvicorn"):
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    answer = world.run("doctor", "--json")
    assert answer.code == 0
    assert _levels(answer)["extra images"] == "warning"
    told = {each["name"]: each["message"] for each in answer.json["findings"]}
    assert "pip install 'charimg[images]'" in told["extra images"]
    assert "pillow, uvicorn missing" in told["extra local"]
    assert "not installed" in world.run("doctor").out


def test_the_worst_finding_decides() -> None:
    def error(code: ExitCode) -> Finding:
        return Finding(name="n", level="error", message="m", exit_code=code)

    warning = Finding(name="n", level="warning", message="m", exit_code=ExitCode.USAGE)
    assert verdict([]) == 0
    assert verdict([warning]) == 0
    everything = [error(ExitCode.UNRESOLVED), error(ExitCode.LIBRARY), error(ExitCode.STORAGE)]
    assert verdict(everything) == 6
    assert verdict(everything[:2]) == 4
    assert verdict(everything[:1]) == 8
    assert verdict([*everything, error(ExitCode.USAGE)]) == 2
