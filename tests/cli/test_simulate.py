from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from charimg.cli import simulate

from .process import fetch, finish, start


def test_it_serves_until_ctrl_c(run: Any, tmp_path: Path) -> None:
    process = start(
        "simulate", "--port", "0", "--json", "--seed", "5",
        "--switch", "job_seconds=0.5", "--switch", "set360_mode=images",
        "--switch", "relative_urls=true",
    )  # fmt: skip
    assert process.stdout is not None
    try:
        # The object comes at once, not at the end: a script reads where to connect.
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            lines.append(process.stdout.readline())
        told = json.loads("".join(lines))
        url = told["url"]
        assert told == {"url": url, "control": f"{url}/_simulator"}
        assert fetch(f"{url}/api/health")["status"] == "ok"
        switches = fetch(f"{url}/_simulator/switches")
        assert switches["job_seconds"] == 0.5
        assert switches["set360_mode"] == "images"
        assert switches["relative_urls"] is True
        where = ("--directory", tmp_path, "--library-url", url)
        run("characters", "add", "Mara", "--directory", tmp_path)
        assert run("characters", "link", "mara", "--create", *where).code == 0
        assert run("generate", "reference", "mara", *where).code == 0
        assert fetch(f"{url}/_simulator/counters")["initialImagePosts"] == 1
    finally:
        process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 0
    assert ended.out == ""
    assert f"export CHARACTER_LIBRARY_API_URL={url}" in ended.err
    assert "Traceback" not in ended.err
    assert "Error" not in ended.err


def test_for_people_stdout_is_the_url() -> None:
    process = start("simulate", "--port", "0")
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert fetch(f"{url}/_simulator/counters")["requests"] == 0
    finally:
        process.send_signal(signal.SIGINT)
    assert finish(process).code == 0


def test_ctrl_c_is_a_clean_end_however_early_it_comes(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(simulator: Any, *, ready: Any, **_: Any) -> None:
        ready("http://127.0.0.1:1")
        raise KeyboardInterrupt

    monkeypatch.setattr("charimg.testing.server.run", interrupted)
    answer = run("simulate", "--json")
    assert answer.code == 0
    assert answer.json["url"] == "http://127.0.0.1:1"
    assert "Error" not in answer.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("file_errors", "NAME=VALUE"),
        ("no_such_switch=1", "no_such_switch"),
        ("file_errors=many", "cannot have that value"),
        ("file_errors=-1", "cannot have that value"),
    ],
)
def test_a_bad_switch_is_refused(run: Any, given: str, told: str) -> None:
    answer = run("simulate", "--port", "0", "--switch", given, "--json")
    assert answer.code == 2
    assert told in answer.json["error"]["message"]


def test_a_taken_port_is_told(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = run("simulate", "--port", port, "--json")
    assert answer.code == 2
    assert port in answer.json["error"]["message"]
    assert "another port" in answer.err


@pytest.mark.parametrize("command", ["simulate", "demo"])
def test_what_is_not_installed_is_told(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setattr(simulate, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    answer = run(command, "--json")
    assert answer.code == 2
    assert "pillow and uvicorn" in answer.err
    assert "pip install 'charimg[local]'" in answer.err
    assert list(tmp_path.iterdir()) == []
