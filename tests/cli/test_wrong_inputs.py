"""Each mistake: one clear error that says what to do, no traceback, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from charimg import policies
from charimg.cli import session

NEED_LIBRARY = [
    ("generate", "reference", "mara"),
    ("generate", "portfolio", "mara"),
    ("generate", "scene", "mara", "She waits."),
    ("delete", "mara", "--all", "--yes"),
    ("retry", "mara", "--all"),
    ("recover",),
    ("characters", "link", "mara", "--create", "--replace"),
]
READ_ONLY = [
    ("list", "mara"),
    ("show", "mara", "an-image"),
    ("prompt", "mara"),
    ("characters", "list"),
]


def _check(answer: Any, code: int, *told: str) -> None:
    assert answer.code == code, answer.err
    assert answer.json["error"]["exitCode"] == code
    assert answer.err.count("Error: ") == 1
    assert "Traceback" not in answer.err
    for text in told:
        assert text in answer.err


@pytest.mark.parametrize("args", NEED_LIBRARY, ids=" ".join)
def test_no_library_is_configured(world: Any, args: tuple[str, ...]) -> None:
    world.reference()
    answer = world.read(*args, "--json")
    _check(answer, 2, "CHARACTER_LIBRARY_API_URL", "--library-url")
    assert len(world.images()) == 1


@pytest.mark.parametrize("url", ["nonsense", "ftp://library.example", "http://", "//x"])
def test_a_library_url_that_is_none(world: Any, url: str) -> None:
    world.reference()
    for args in NEED_LIBRARY:
        answer = world.read(*args, "--json", "--library-url", url)
        _check(answer, 2, "CHARACTER_LIBRARY_API_URL", "--library-url", "https://")
    assert len(world.images()) == 1


def test_the_url_comes_from_the_environment(
    world: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", world.server.url)
    monkeypatch.setenv("CHARIMG_DIR", str(world.directory))
    assert world.run_command("generate", "reference", "mara").code == 0
    assert world.run_command("list", "mara", "--json").json["total"] == 1


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick() -> policies.RetryPolicy:
        return policies.RetryPolicy(attempts=2, wait_initial=0.01, wait_max=0.01)

    monkeypatch.setattr(session, "RetryPolicy", quick)


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        (("generate", "reference", "mara"), 1),
        (("generate", "portfolio", "mara"), 1),
        (("generate", "scene", "mara", "She waits."), 1),
        (("characters", "link", "mara", "--create", "--replace"), 1),
    ],
    ids=str,
)
def test_a_library_out_of_reach(
    world: Any, quick_retries: None, args: tuple[str, ...], kept: int
) -> None:
    world.reference()
    answer = world.read(*args, "--json", "--library-url", "http://127.0.0.1:9")
    _check(answer, 4, "out of reach", "Next: `charimg doctor`")
    assert answer.json["error"]["code"] == "UNAVAILABLE"
    assert len(world.images()) == kept
    listed = world.read("characters", "list", "--json").json["characters"]
    assert listed[0]["libraryDbId"] == world.db_id


def test_a_retried_call_is_told_to_people(world: Any, quick_retries: None) -> None:
    answer = world.read("generate", "reference", "mara", "--library-url", "http://127.0.0.1:9")
    assert "trying again in " in answer.err
    assert "stamina" not in answer.err


@pytest.mark.parametrize("args", [*NEED_LIBRARY, *READ_ONLY], ids=" ".join)
@pytest.mark.parametrize("what", ["a file", "nothing", "no data"])
def test_a_directory_without_data(
    run: Any, tmp_path: Path, args: tuple[str, ...], what: str
) -> None:
    place = tmp_path / "place"
    if what == "a file":
        place.write_text("mine")
    elif what == "no data":
        place.mkdir()
    url = () if args in READ_ONLY else ("--library-url", "http://127.0.0.1:9")
    answer = run(*args, "--json", "--directory", place, *url)
    _check(answer, 2, "place", "--directory")
    if what == "a file":
        assert place.read_text() == "mine"
    else:
        assert what == "no data" or not place.exists()
        assert list(tmp_path.glob("place/*")) == []


def test_adding_to_a_file(run: Any, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.write_text("mine")
    _check(run("characters", "add", "Mara", "--json", "--directory", place), 2, "place")
    assert place.read_text() == "mine"


def test_a_database_that_is_none(world: Any) -> None:
    file = world.directory / "charimg.sqlite"
    for extra in world.directory.glob("charimg.sqlite-*"):
        extra.unlink()
    file.write_bytes(b"certainly no database " * 100)
    answer = world.read("list", "mara", "--json")
    _check(answer, 6, "charimg.sqlite")
    assert file.read_bytes().startswith(b"certainly")


@pytest.mark.parametrize(
    "args",
    [
        ("generate", "reference", "nobody"),
        ("generate", "portfolio", "nobody"),
        ("generate", "scene", "nobody", "She waits."),
        ("characters", "link", "nobody", "--create"),
    ],
    ids=" ".join,
)
def test_an_unknown_character(world: Any, args: tuple[str, ...]) -> None:
    _check(world.run(*args, "--json"), 3, "'nobody'", "Next: `charimg characters list`")


def test_a_character_that_is_not_linked(world: Any) -> None:
    world.read("characters", "add", "Bo")
    for args in (("reference", "bo"), ("portfolio", "bo"), ("scene", "bo", "He waits.")):
        answer = world.run("generate", *args, "--json")
        _check(answer, 3, "not linked", "Next: `charimg characters link")
    assert sum(world.counters[name] for name in ("set360Posts", "scenePosts")) == 0


def test_an_empty_prompt_or_scene(world: Any) -> None:
    world.reference()
    for args in (("reference", "mara", "--prompt", ""), ("scene", "mara", " \n")):
        _check(world.run("generate", *args, "--json"), 2, "empty")
    assert len(world.images()) == 1
    assert world.counters["initialImagePosts"] == 1
    assert world.counters["scenePosts"] == 0


@pytest.mark.parametrize("command", ["show", "delete", "retry"])
def test_a_bad_image_id(world: Any, command: str) -> None:
    world.reference()
    run = world.read if command == "show" else world.run
    for given in ("no-such-image", "", "../../etc/passwd", "%", "_"):
        args = [command, "mara", given, *["--yes"][: int(command == "delete")], "--json"]
        _check(run(*args), 3, "Next: `charimg list mara`")
    assert len(world.images()) == 1


# Headers


@pytest.fixture
def headers() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers everything, and the headers that it was sent."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            body = b'{"status": "ok"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_headers_are_sent_and_never_shown(
    run: Any, headers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = headers
    monkeypatch.setenv("CHARIMG_HEADERS", "X-Key = from-outside \n\nX-Other=a=b\n")
    where = ("--directory", tmp_path, "--library-url", url)
    first = run("doctor", *where)
    assert first.code == 0, first.out
    assert (seen[-1]["x-key"], seen[-1]["x-other"]) == ("from-outside", "a=b")
    second = run("doctor", *where, "--header", "X-Key=given", "--header", "X-More=1", "--json")
    assert second.code == 0
    assert [seen[-1][name] for name in ("x-key", "x-other", "x-more")] == ["given", "a=b", "1"]
    for answer in (first, second):
        assert "from-outside" not in answer.out + answer.err
        assert "given" not in answer.out + answer.err


@pytest.mark.parametrize("given", ["SECRET", "=SECRET", " =SECRET"])
def test_a_header_that_is_none_is_refused_unseen(world: Any, given: str) -> None:
    answer = world.run("generate", "reference", "mara", "--header", given, "--json")
    _check(answer, 2, "NAME=VALUE")
    assert "SECRET" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("directory", "told"),
    [
        ("", "it is empty; give a directory"),
        (" ", "it is empty; give a directory"),
        ("x" * 300, "(File name too long)"),
        (__file__, "which is not a directory"),
        (f"{__file__}/below", "(Not a directory)"),
    ],
)
@pytest.mark.parametrize("command", [("list", "mara"), ("characters", "list"), ("migrate",)])
def test_a_directory_that_can_be_none(
    run: Any, command: tuple[str, ...], directory: str, told: str
) -> None:
    answer = run(*command, "--json", "--directory", directory)
    assert answer.code == 2
    assert told in answer.json["error"]["message"]
    assert "--directory" in answer.json["error"]["message"]


def test_a_database_whose_path_is_too_long(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_METADATA", f"sqlite:///{'x' * 300}")
    answer = run("characters", "list", "--json")
    assert answer.code == 2
    assert "There is nothing of charimg's in" in answer.json["error"]["message"]
    answer = run("characters", "add", "Mara", "--json")
    assert answer.code == 6
    assert "choose another path" in answer.json["error"]["message"]


def test_the_directory_of_the_environment(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_DIR", "x" * 300)
    answer = run("list", "mara", "--json")
    assert answer.code == 2
    assert "(File name too long)" in answer.json["error"]["message"]
