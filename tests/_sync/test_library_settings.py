# Generated from tests/_async/test_library_settings.py by tools/unasync.py. Do not edit.
"""The client's settings, request ids, and what it never shows."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import httpx
import pytest

from charimg import (
    CharacterLibrary,
    CharacterLibraryError,
    ConfigurationError,
    RetryPolicy,
    Timeouts,
)

from ..http.scripted import Scripted, failing, html, reply
from ..library.helpers import BASE, DB_ID
from ..servers.http import serve_wsgi
from .canned import (
    FAST,
    GENERATIONS,
    PAGE,
    PROMPT,
    READS,
    SCENE,
    SECRET,
    WRITES,
    client_of,
    error_of,
)


def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", f" {BASE}/ ")
    server = Scripted(reply({"status": "ok"}))
    times = Timeouts(read=7)
    library = CharacterLibrary.from_env(
        headers={"X-Key": SECRET},
        timeouts=times,
        retries=RetryPolicy.off(),
        client=httpx.Client(transport=server.transport),
        request_id_factory=lambda: "mine",
    )
    assert library.base_url == BASE
    assert library.timeouts is times
    library.health()
    (request,) = server.requests
    assert request.headers["x-key"] == SECRET
    assert request.headers["x-request-id"] == "mine"
    assert request.extensions["timeout"]["read"] == 7


@pytest.mark.parametrize(
    "value", [None, "", "  ", "library.test", "ftp://library.test", f"https://u:{SECRET}@x.test"]
)
def test_from_env_without_a_usable_url(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", value)
    with pytest.raises(ConfigurationError, match="CHARACTER_LIBRARY_API_URL") as caught:
        CharacterLibrary.from_env()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "headers", [{"": "x"}, {"a b": "x"}, {"a:": "x"}, {"é": "x"}, {"a": "é"}, {"a": "x\r\nb: y"}]
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be sent") as caught:
        CharacterLibrary(BASE, headers=headers)
    assert "b: y" not in str(caught.value)


@pytest.mark.parametrize("url", ["library.test", "https://xn--.test\u3002", "https://[::1"])
def test_a_base_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        CharacterLibrary(url)


def test_a_clients_own_settings_do_not_override_ours() -> None:
    server = Scripted(reply(status=302, body=b"", headers={"location": "https://evil.test/"}))
    own = httpx.Client(
        transport=server.transport, follow_redirects=True, timeout=1, headers={"Accept": "x/y"}
    )
    library = CharacterLibrary(BASE, client=own, retries=FAST, headers={"accept": "z/z"})
    with pytest.raises(CharacterLibraryError, match="redirects elsewhere"):
        library.health()
    assert server.requests[0].headers["accept"] == "application/json"
    assert server.requests[0].extensions["timeout"]["read"] == 30


TIMES = Timeouts(connect=1, read=2, delete=3, generation=4)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        *((name, 2) for name in READS),
        *((name, 4) for name in GENERATIONS),
        ("delete_character", 3),
        ("delete_reference_image", 3),
        ("create_character", 2),
        ("update_character", 2),
        ("set_reference_image", 2),
        ("cancel_job", 2),
    ],
)
def test_timeouts_per_kind_of_call_reach_httpx(name: str, seconds: float) -> None:
    call = READS[name][0] if name in READS else WRITES[name][0]
    server = Scripted(html(500))
    with pytest.raises(CharacterLibraryError):
        call(client_of(server, timeouts=TIMES, retries=RetryPolicy.off()))
    assert server.requests[0].extensions["timeout"] == {
        "connect": 1,
        "read": seconds,
        "write": seconds,
        "pool": 1,
    }


def test_an_injected_client_is_never_closed() -> None:
    server = Scripted(reply({"status": "ok"}), reply({"status": "ok"}))
    own = httpx.Client(transport=server.transport)
    with CharacterLibrary(BASE, client=own) as library:
        library.health()
    assert not own.is_closed
    library.close()
    library.health()
    own.close()
    with pytest.raises(ConfigurationError, match="closed"):
        library.health()


def test_an_own_client_is_closed() -> None:
    with CharacterLibrary(BASE) as library:
        pass
    library.close()
    with pytest.raises(ConfigurationError, match="closed"):
        library.health()


def test_what_a_client_shows_of_itself() -> None:
    library = CharacterLibrary(f"{BASE}/", headers={"X-Key": SECRET})
    assert repr(library) == f"CharacterLibrary('{BASE}')"
    assert library.timeouts == Timeouts()
    assert library.resolve_url("/media/a") == "https://library.test/media/a"
    for name in ("base_url", "timeouts"):
        with pytest.raises(AttributeError):
            setattr(library, name, None)


# Request ids


def test_a_request_id_is_sent_and_stands_in_the_error() -> None:
    server = Scripted(reply({"error": "boom"}, status=500))
    with pytest.raises(CharacterLibraryError) as caught:
        client_of(server).delete_reference_image(DB_ID)
    sent = server.requests[0].headers["x-request-id"]
    assert len(sent) == 32
    assert caught.value.request_id == sent
    assert sent in str(caught.value)


def test_each_call_has_a_request_id_of_its_own() -> None:
    server = Scripted(reply({"status": "ok"}), reply({"status": "ok"}))
    library = client_of(server)
    library.health()
    library.health()
    assert len({each.headers["x-request-id"] for each in server.requests}) == 2


def test_the_request_id_that_the_server_names_wins() -> None:
    theirs = {"X-Request-Id": "theirs"}
    boom = reply({"error": "boom"}, status=500, headers=theirs)
    assert (error_of(WRITES["cancel_job"][0], boom)).request_id == "theirs"


@pytest.mark.parametrize("bad", ["", "a b", "é", "x" * 129, None])
def test_an_unfit_request_id_is_refused(bad: Any) -> None:
    server = Scripted()
    with pytest.raises(ConfigurationError, match="request_id_factory"):
        client_of(server, request_id_factory=lambda: bad).health()
    assert server.requests == []


# Secrets


def test_keys_prompts_and_queries_reach_no_log_error_or_repr(
    caplog: pytest.LogCaptureFixture,
) -> None:
    echo = f"rejected: {PROMPT} and {SCENE}"
    failures = [
        reply({"error": "Image generation failed", "details": echo}, status=500),
        reply({"success": True, "data": {"publicUrl": 5, "note": PROMPT}}),
        html(502),
        failing(httpx.ReadError(f"POST {BASE}?q={SECRET}")),
    ]
    errors = []
    with caplog.at_level(logging.DEBUG):
        for failure in failures:
            errors.append(
                error_of(WRITES["generate_initial_image"][0], failure, headers={"X-Key": SECRET})
            )
        errors.append(error_of(WRITES["generate_scene_image"][0], failures[0]))
        server = Scripted(html(502), reply(PAGE))
        library = client_of(server, headers={"X-Key": SECRET})
        library.find_characters(name="Lena Marlow")
    assert caplog.records
    logged = [text for each in caplog.records for text in (each.getMessage(), repr(vars(each)))]
    texts = [*logged, *(f"{each}{each!r}" for each in errors[:4]), repr(library)]
    for text in texts:
        assert SECRET not in text
        assert PROMPT not in text
        assert "auburn" not in text
        assert "Marlow" not in text
        assert "where" not in text
    assert SCENE not in str(errors[4])


def test_each_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "charimg"):
        client_of(Scripted(reply({"status": "ok"}))).health()
        error_of(WRITES["cancel_job"][0], reply({"error": "Job not found"}, status=404))
        error_of(WRITES["cancel_job"][0], failing(httpx.ReadError("x")))
    told = [vars(each) for each in caplog.records if each.message == "library.request"]
    assert [each["method"] for each in told] == ["GET", "DELETE", "DELETE"]
    assert [each.get("status") for each in told] == [200, 404, None]
    assert [each.get("code") for each in told] == [None, "NOT_FOUND", "UNAVAILABLE"]
    assert all(each["duration_ms"] >= 0 for each in told)


def test_errors_pickle() -> None:
    errors = [
        error_of(WRITES["cancel_job"][0], reply({"error": "Job not found"}, status=404)),
        error_of(WRITES["generate_360_set"][0], failing(httpx.ReadTimeout("x"))),
    ]
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert (str(copy), vars(copy)) == (str(error), vars(error))


def closed(environ: Any, start: Any) -> list[bytes]:
    """Answer as a server does that wants a key which it was not given, or another one."""
    start("401 Unauthorized", [("Content-Type", "application/json")])
    return [b'{"error": "who are you"}']


def test_a_missing_key_is_not_told_as_a_wrong_one() -> None:
    wrong = "Check the headers that the client was given."
    with serve_wsgi(closed) as url:
        for options, told in (
            ({}, "No key was sent: give the client the header"),
            ({"headers": {"X-Key": SECRET}}, wrong),
        ):
            with CharacterLibrary(url, retries=RetryPolicy.off(), **options) as library:
                with pytest.raises(CharacterLibraryError, match=told) as caught:
                    library.health()
            assert (wrong in str(caught.value)) == (told == wrong)
    # What an injected client brings along nobody knows here.
    client = client_of(Scripted(reply({"error": "no"}, status=403)))
    with pytest.raises(CharacterLibraryError, match=wrong):
        client.health()
