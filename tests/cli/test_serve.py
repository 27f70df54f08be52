"""``charimg serve`` and the page of ``charimg demo``, as processes."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ..patience import until
from .process import SECONDS, fetch, finish, start


def url_of(process: Any) -> str:
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    url: str = json.loads("".join(lines))["url"]
    return url


def test_the_demo_draws_a_reference_over_the_page_s_own_routes(tmp_path: Path) -> None:
    process = start("serve", "--demo", "--port", "0", "--json", "--directory", tmp_path / "new")
    try:
        url = url_of(process)
        images = f"{url}/v1/characters/mara-voss/images"
        assert fetch(images)["count"] == 0
        post = urllib.request.Request(
            f"{url}/v1/characters/mara-voss/generate-initial-image", method="POST"
        )
        drawn = fetch(post)
        assert drawn["success"] is True
        assert fetch(images)["images"][0]["id"] == drawn["image"]["id"]
        with urllib.request.urlopen(url + drawn["image"]["media"]["url"], timeout=SECONDS) as file:
            assert len(file.read()) == drawn["image"]["media"]["filesize"]
    finally:
        process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("how", [("--host", "0.0.0.0"), ("--token",)])
def test_elsewhere_and_where_it_is_asked_for_a_token_is_made(
    tmp_path: Path, how: tuple[str, ...]
) -> None:
    process = start(
        "serve", "--demo", *how, "--port", "0", "--json", "--directory", tmp_path / "new"
    )
    try:
        url = url_of(process)
        base, _, token = url.partition("/?token=")
        assert len(token) >= 32
        assert "0.0.0.0" not in base
        base = f"http://127.0.0.1:{base.rpartition(':')[2]}"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(f"{base}/v1/characters/mara-voss/images")
        bearer = {"Authorization": f"Bearer {token}"}
        shown = urllib.request.Request(f"{base}/v1/characters/mara-voss/images", headers=bearer)
        assert fetch(shown)["success"] is True
    finally:
        process.send_signal(signal.SIGINT)
    assert finish(process).code == 0


def test_data_of_one_s_own_are_served(run: Any, tmp_path: Path) -> None:
    run("characters", "add", "Mara", "--directory", tmp_path)
    process = start(
        "serve", "--port", "0", "--json", "--directory", tmp_path,
        "--library-url", "http://127.0.0.1:9",
    )  # fmt: skip
    try:
        url = url_of(process)
        assert fetch(f"{url}/v1/characters/mara/images")["character"]["name"] == "Mara"
    finally:
        process.send_signal(signal.SIGINT)
    assert finish(process).code == 0


SUGGESTER = """
from charimg import PromptSuggestion

class Model:
    async def suggest(self, character):
        return PromptSuggestion(prompt=f"{character.name}, as ever.", template="t/1", facts={})
"""


def test_the_page_suggests_what_the_environment_s_suggester_says(run: Any, tmp_path: Path) -> None:
    (tmp_path / "studio_page.py").write_text(SUGGESTER)
    run("characters", "add", "Mara", "--directory", tmp_path / "data")
    process = start(
        "serve", "--port", "0", "--json", "--directory", tmp_path / "data",
        "--library-url", "http://127.0.0.1:9",
        CHARIMG_SUGGESTER="studio_page:Model",
        PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
    )  # fmt: skip
    try:
        url = url_of(process)
        told = fetch(f"{url}/v1/characters/mara/initial-image-prompt")
        assert told["prompt"] == "Mara, as ever."
    finally:
        process.send_signal(signal.SIGINT)
    assert finish(process).code == 0


def test_what_is_missing_is_said_before_anything_is_served(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = run("serve", "--directory", tmp_path / "nothing", "--library-url", "http://x.test")
    assert nothing.code != 0
    assert "There is nothing of charimg's" in nothing.err
    run("characters", "add", "Mara", "--directory", tmp_path)
    assert "No Character Library is configured" in run("serve", "--directory", tmp_path).err
    monkeypatch.setattr("charimg.cli.serve.find_spec", lambda name: None)
    assert "pip install 'charimg[local]'" in run("serve", "--demo").err


def test_a_port_that_is_taken_is_said(run: Any, tmp_path: Path) -> None:
    process = start("serve", "--demo", "--port", "0", "--json", "--directory", tmp_path / "new")
    try:
        port = url_of(process).rpartition(":")[2]
        answer = run("serve", "--demo", "--port", port, "--directory", tmp_path / "other")
        assert answer.code != 0
        assert f"The page's server cannot listen on 127.0.0.1:{port}" in answer.err
    finally:
        process.send_signal(signal.SIGINT)
    finish(process)


def test_the_demo_ends_on_the_page(tmp_path: Path) -> None:
    # No browser on the machine of a test: what would open is printed, too.
    process = start("demo", "--page", "--directory", tmp_path / "new", BROWSER="true")
    heard: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            heard.append(line)
            if "The images page: " in line:
                break
        url = heard[-1].partition("The images page: ")[2].strip()
        assert url.endswith("/screenplay/characters/mara-voss/images")
        base = url.partition("/screenplay")[0]
        until(lambda: fetch(f"{base}/v1/characters/mara-voss/images?limit=1")["count"] == 29)
    finally:
        process.send_signal(signal.SIGINT)
    assert finish(process).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_of_a_stream_it_ends_without_a_word(
    tmp_path: Path, number: int
) -> None:
    process = start("serve", "--demo", "--port", "0", "--json", "--directory", tmp_path / "new")
    character = f"{url_of(process)}/v1/characters/mara-voss"
    fetch(urllib.request.Request(f"{character}/generate-initial-image", method="POST"))
    asked = urllib.request.Request(
        f"{character}/generate-360-set", method="POST", headers={"Accept": "text/event-stream"}
    )
    with urllib.request.urlopen(asked, timeout=SECONDS) as stream:
        assert stream.readline().startswith(b"id: ")
        process.send_signal(number)
        with suppress(http.client.IncompleteRead):
            stream.read()
    # No second signal: it may come before the end, and then decides how that is.
    ended = finish(process)
    assert ended.code == (0 if number == signal.SIGINT else -number)
    assert ended.err.splitlines()[-1] == "Ctrl-C ends it."


def test_what_the_client_is_not_told_is_on_stderr(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def served(self: Any, sockets: Any) -> None:
        logging.getLogger("charimg.web").error("web.failed")

    monkeypatch.setattr("uvicorn.Server.run", served)
    run("characters", "add", "Mara", "--directory", tmp_path)
    where = ("--directory", tmp_path, "--library-url", "http://127.0.0.1:9")
    answer = run("serve", "--port", "0", *where)
    assert answer.code == 0
    assert "web.failed" in answer.err
