from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg import __version__
from charimg.cli import doctor
from charimg.cli.doctor import Finding, verdict
from charimg.cli.exit_codes import ExitCode
from charimg.cli.probes import check_newest
from charimg.cli.scratch import scratch
from charimg.cli.session import Settings
from charimg.journal import Operation, OperationKind, OperationState


def _findings(answer: Any) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["level"], each["message"]) for each in answer.json["findings"]}


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
    assert answer.json["versions"]["distributed"]


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


def _below(path: Path) -> list[Path]:
    return sorted(path.rglob("*"))


@pytest.mark.parametrize(
    ("variable", "path", "roles"),
    [
        ("METADATA", "deep/er/x.sqlite", {"metadata", "characters", "ledger"}),
        ("LEDGER", "deep/er/x.sqlite", {"ledger"}),
        ("CHARACTERS", "x.sqlite", {"characters"}),
        ("MEDIA", "deep/er/files", {"media"}),
        ("MEDIA", "empty", {"media"}),
    ],
)
def test_what_is_not_there_yet_is_tried_and_nothing_stays(
    world: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    path: str,
    roles: set[str],
) -> None:
    (tmp_path / "empty").mkdir()
    scheme = "file" if variable == "MEDIA" else "sqlite"
    slash = "" if scheme == "file" else "/"
    monkeypatch.setenv(f"CHARIMG_{variable}", f"{scheme}://{slash}{tmp_path}/{path}")
    before = _below(tmp_path)
    answer = world.run("doctor", "--json")
    assert answer.code == 0, answer.out
    found = _findings(answer)
    for role in roles:
        assert found[role][0] == "ok"
        assert f"{tmp_path}/{path}: " in found[role][1]
    assert _below(tmp_path) == before


@pytest.mark.parametrize(
    ("variable", "path", "broken", "told"),
    [
        ("METADATA", "file/x.sqlite", {"metadata", "characters", "ledger"}, "Not a directory"),
        ("METADATA", "empty", {"metadata", "characters", "ledger"}, "choose another path"),
        ("LEDGER", "deep/er/" + "x" * 300, {"ledger"}, "choose another path"),
        ("LEDGER", "deep/" + "x" * 300 + "/x.sqlite", {"ledger"}, "File name too long"),
        ("MEDIA", "deep/er/" + "x" * 300, {"media"}, "Choose a shorter path"),
        ("MEDIA", "file/files", {"media"}, "Not a directory"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line_and_nothing_stays(
    world: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    path: str,
    broken: set[str],
    told: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    scheme = "file" if variable == "MEDIA" else "sqlite"
    slash = "" if scheme == "file" else "/"
    monkeypatch.setenv(f"CHARIMG_{variable}", f"{scheme}://{slash}{tmp_path}/{path}")
    before = _below(tmp_path)
    answer = world.run("doctor", "--json")
    assert answer.code == 6, answer.out
    found = _findings(answer)
    assert {name for name, (level, _) in found.items() if level == "error"} == broken
    for role in broken:
        assert f"{tmp_path}/{path}" in found[role][1]
        assert told in found[role][1]
        assert "\n" not in found[role][1]
        assert "charimg-probe" not in found[role][1]
    if variable == "MEDIA":
        # A fault of the files is not told as one of the records.
        assert found["metadata"][0] == "warning"
        assert "not tried" in found["metadata"][1]
    assert "database" not in found or variable != "METADATA"
    assert _below(tmp_path) == before


def test_a_directory_above_that_somebody_uses_meanwhile_stays(
    tmp_path: Path,
) -> None:
    settings = Settings.of(tmp_path / "a" / "b").places
    with scratch(settings):
        (tmp_path / "a" / "file").touch()
    assert _below(tmp_path) == [tmp_path / "a", tmp_path / "a" / "file"]


def test_the_newest_file_is_read(world: Any) -> None:
    assert _findings(world.run("doctor", "--json"))["files"] == ("ok", "no records yet")
    world.reference()
    level, message = _findings(world.run("doctor", "--json"))["files"]
    assert level == "ok"
    assert message == "that of the newest record is there, and is the one that was stored"


def test_files_that_are_elsewhere_are_told(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.reference()
    (tmp_path / "forgotten").mkdir()
    monkeypatch.setenv("CHARIMG_MEDIA", f"file://{tmp_path}/forgotten")
    answer = world.run("doctor", "--json")
    assert answer.code == 6
    level, message = _findings(answer)["files"]
    assert level == "error"
    assert message.startswith(f"The newest record's file is not in {tmp_path}/forgotten. ")
    assert "CHARIMG_MEDIA" in message
    assert _levels(answer)["media"] == "ok"


def test_a_file_that_was_changed_is_told(world: Any) -> None:
    image = world.reference()
    with Settings.of(world.directory).stores() as stores:
        media = stores.media.get(image["media"]["key"])
        assert media is not None
        path = stores.media.path(media)  # type: ignore[attr-defined]
    path.write_bytes(b"x" * media.size)
    answer = world.run("doctor", "--json")
    assert answer.code == 6
    level, message = _findings(answer)["files"]
    assert level == "error"
    assert f"{image['id']!r} of 'mara', is not the one that was stored" in message


@pytest.mark.parametrize(
    ("role", "about"),
    [
        ("metadata", "files"),
        ("media", "files"),
        ("characters", "database"),
        ("ledger", "operations"),
    ],
)
def test_a_store_that_is_broken_is_told_once_and_what_is_in_the_others_is_looked_at(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, about: str
) -> None:
    world.reference()
    sound = f"sqlite:///{world.directory / 'charimg.sqlite'}"
    for each in ("METADATA", "CHARACTERS", "LEDGER"):
        monkeypatch.setenv(f"CHARIMG_{each}", sound)
    broken = tmp_path / "broken"
    broken.write_bytes(b"no database and no directory")
    scheme = "file://" if role == "media" else "sqlite:///"
    monkeypatch.setenv(f"CHARIMG_{role.upper()}", f"{scheme}{broken}")
    answer = world.run("doctor", "--json")
    assert answer.code == 6
    levels = _levels(answer)
    assert [name for name, level in levels.items() if level == "error"] == [role]
    assert {"database", "operations", "files"} - set(levels) == {about}


def test_a_repository_that_cannot_tell_whose_records_it_holds(world: Any) -> None:
    with Settings.of(world.directory).stores() as stores:
        plain = evolve(stores, metadata=_Plain())
    assert check_newest(plain).startswith("not looked at")


class _Plain:
    """A repository that names no characters; nothing else is asked of it."""


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


def test_a_missing_extra_is_told_and_no_warning(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name in ("pillow", "uvicorn"):
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    answer = world.run("doctor", "--json")
    assert answer.code == 0
    assert _levels(answer)["extra images"] == "ok"
    told = {each["name"]: each["message"] for each in answer.json["findings"]}
    assert "pip install 'charimg[images]'" in told["extra images"]
    assert "not installed (pillow, uvicorn)" in told["extra local"]
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
