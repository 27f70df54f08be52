"""Who may do what: ``authorize`` in each framework fails closed, and so does the CSRF defence."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest
from attrs import evolve

from charimg import AsyncCharacterImageService, CharacterImageService, ConfigurationError
from charimg.web import AccessDenied, Action, AsyncWorkspace, WebRequest, Workspace
from charimg.web.access import admitted, foreign, judged, sign_in_first

from .stages import Stage
from .test_failures import GENERATE, nothing_paid, refused
from .test_routes import MARA, drawn, ok

PAGE = "/screenplay/characters/mara/images"


def test_each_route_asks_for_its_action(stage: Stage) -> None:
    image = drawn(stage)
    at = f"{MARA}/images/{image['id']}"
    stage.answer = False
    for method, path, action in (
        ("GET", PAGE, Action.VIEW),
        ("GET", f"{MARA}/images", Action.VIEW),
        ("HEAD", f"{MARA}/images", Action.VIEW),
        ("GET", at, Action.VIEW),
        ("GET", f"{MARA}/initial-image-prompt", Action.VIEW),
        ("GET", f"{MARA}/operations", Action.VIEW),
        ("GET", f"{MARA}/operations/x", Action.VIEW),
        ("POST", f"{MARA}/images/archive", Action.VIEW),
        ("POST", GENERATE, Action.GENERATE),
        ("POST", f"{MARA}/generate-360-set", Action.GENERATE),
        ("POST", f"{MARA}/generate-scene-image", Action.GENERATE),
        ("POST", f"{at}/retry", Action.RETRY),
        ("POST", f"{at}/restore", Action.RESTORE),
        ("POST", f"{at}/repair", Action.RETRY),
        ("POST", f"{MARA}/operations/x/recover", Action.RETRY),
        ("GET", f"{MARA}/operations/x/candidates", Action.VIEW),
        ("GET", f"{MARA}/operations/x/candidates/y", Action.VIEW),
        ("POST", f"{MARA}/operations/x/settle", Action.SETTLE),
        ("DELETE", at, Action.DELETE),
        ("DELETE", f"{MARA}/images", Action.DELETE),
    ):
        stage.asked.clear()
        assert stage(method, path).status_code == 403, path
        assert [each[1:] for each in stage.asked] == [(action, "mara")]
    assert stage.posts == 1
    stage.answer = True
    assert ok(stage("GET", f"{MARA}/images"))["count"] == 1


def test_it_gets_the_frameworks_own_request(stage: Stage) -> None:
    ok(stage("GET", f"{MARA}/images", headers={"X-Desk": "7"}))
    request = stage.asked[0][0]
    if stage.kind == "asgi":
        assert (b"x-desk", b"7") in request["headers"]
    elif stage.kind == "fastapi":
        assert request.headers["x-desk"] == "7"


@pytest.mark.parametrize("answer", [None, False, 0, 1, "", object(), {"user": "ada"}, ["ada"]])
def test_only_true_or_a_name_admits(stage: Stage, answer: Any) -> None:
    stage.answer = answer
    refused(stage("POST", GENERATE, json={}), 403, "FORBIDDEN")
    refused(stage("GET", f"{MARA}/images"), 403, "FORBIDDEN")
    assert stage("GET", PAGE).status_code == 403
    nothing_paid(stage)


def _raising(error: Exception) -> Callable[..., Any]:
    def answer(*asked: Any) -> Any:
        raise error

    return answer


def test_one_that_raises_refuses(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.answer = _raising(KeyError("session"))
    body = refused(stage("POST", GENERATE, json={}), 403, "FORBIDDEN")
    assert "session" not in body["error"]
    assert "web.authorize_failed" in caplog.messages
    nothing_paid(stage)


def test_one_that_refuses_with_more(stage: Stage) -> None:
    headers = (("WWW-Authenticate", "Bearer"),)
    stage.answer = _raising(
        AccessDenied("Sign in.", status=401, sign_in_url="/login?next=%2F", headers=headers)
    )
    answer = stage("GET", f"{MARA}/images")
    assert refused(answer, 401, "SIGN_IN")["error"] == "Sign in."
    assert answer.headers["www-authenticate"] == "Bearer"
    page = stage("GET", PAGE)
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2F")
    stage.answer = _raising(AccessDenied("<b>No</b>", status=401, headers=headers))
    page = stage("GET", PAGE)
    assert (page.status_code, page.headers["www-authenticate"]) == (401, "Bearer")
    assert "<b>" not in page.text


def test_the_files_of_the_page_are_public(stage: Stage) -> None:
    stage.answer = False
    answer = stage("GET", "/screenplay/static/page.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    tag = answer.headers["etag"]
    again = stage("GET", "/screenplay/static/page.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    refused(stage("GET", "/screenplay/static/nothing.js"), 404, "NO_SUCH_FILE")
    assert stage.asked == []


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{own}"}, False),
        ({"Origin": "{own}"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "{own}.evil.example"}, False),
        ({"Origin": "{https}"}, False),
        ({}, True),
    ],
)
def test_another_sites_page_may_not_write(
    stage: Stage, headers: dict[str, str], admitted: bool
) -> None:
    own = str(httpx.URL(stage.url).copy_with(path="")).rstrip("/")
    https = own.replace("http:", "https:")
    sent = {
        name: value.replace("{own}", own).replace("{https}", https)
        for name, value in headers.items()
    }
    at = f"{stage.url}{GENERATE}"
    for method, url in (("POST", at), ("DELETE", f"{stage.url}{MARA}/images")):
        answer = stage.client.request(method, url, headers={**stage.credentials, **sent})
        if admitted:
            assert answer.status_code in (200, 422)
        else:
            assert answer.status_code == 403
            if stage.kind != "django" or "Origin" not in headers:
                # Django itself refuses a foreign Origin, in its own words.
                assert answer.json()["code"] == "CROSS_SITE"
    assert stage.posts == int(admitted)
    suggested = stage.client.get(f"{stage.url}{MARA}/initial-image-prompt", headers=sent)
    # It may be a call of a model, which costs.
    assert suggested.status_code == (200 if admitted else 403)
    assert len(stage.asked) == 3 * admitted
    reading = stage.client.get(f"{stage.url}{MARA}/images", headers=sent)
    assert reading.status_code == 200


def test_nothing_of_a_body_is_read_before_its_sender_is_admitted(stage: Stage) -> None:
    stage.answer = False
    parts = urlsplit(stage.url)
    headers = "".join(f"{name}: {value}\r\n" for name, value in stage.credentials.items())
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as client:
        # Its body never comes; who waited for it would not answer.
        client.sendall(
            f"POST {parts.path}{GENERATE} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}"
            "Content-Type: application/json\r\nContent-Length: 40\r\n\r\n".encode()
        )
        assert b" 403 " in client.recv(4096).split(b"\r\n")[0]
    assert len(stage.asked) == 1


# What no server has to show: asked of the workspaces themselves.

REQUEST = WebRequest(method="GET", path="/v1/characters/mara/images", native=object())


def _answers(
    authorize: Any, answered: Callable[[], object] = lambda: None, **options: Any
) -> list[int]:
    """Return the statuses in the async and in the sync world, without a service."""

    def nobody() -> Any:
        raise AssertionError("asked for the service")

    async def ask() -> int:
        answer = await AsyncWorkspace(nobody, authorize=authorize, **options).handle(REQUEST)
        answered()
        return answer.status

    statuses = [asyncio.run(ask())]
    statuses.append(Workspace(nobody, authorize=authorize, **options).handle(REQUEST).status)
    answered()
    return statuses


def test_without_authorize_nothing_starts() -> None:
    for workspace in (Workspace, AsyncWorkspace):
        make: Any = workspace
        with pytest.raises(TypeError, match="authorize"):
            make(object())
        with pytest.raises(ConfigurationError, match="authorize"):
            make(object(), authorize=None)


def test_one_that_is_late_refuses(caplog: pytest.LogCaptureFixture) -> None:
    waiting: list[threading.Event] = []

    def late(*asked: Any) -> bool:
        waiting.append(threading.Event())
        return waiting[-1].wait(60)

    def go_on() -> None:
        for each in waiting:
            each.set()

    assert _answers(late, go_on, authorize_timeout=0.01) == [403, 403]
    assert caplog.messages.count("web.authorize_late") == 2


def test_an_async_one_that_never_answers_refuses() -> None:
    async def never(*asked: Any) -> bool:
        await asyncio.sleep(3600)
        return True

    assert _answers(never, authorize_timeout=0.01) == [403, 403]


def test_an_async_one_cannot_be_asked_by_the_sync_world(caplog: pytest.LogCaptureFixture) -> None:
    async def no(*asked: Any) -> bool:
        return False

    class Object:
        async def __call__(self, *asked: Any) -> bool:
            return False

    def returns_a_coroutine(*asked: Any) -> Any:
        return no()

    for each in (no, Object(), returns_a_coroutine):
        assert _answers(each) == [403, 403]
    # Not one coroutine is left un-awaited (a warning would fail this test).
    assert caplog.messages.count("web.authorize_failed") == 3


def test_an_async_one_admits_in_the_async_world() -> None:
    async def yes(*asked: Any) -> str:
        await asyncio.sleep(0)
        return "ada"

    def nobody() -> Any:
        raise LookupError

    async def ask() -> int:
        return (await AsyncWorkspace(nobody, authorize=yes).handle(REQUEST)).status

    assert asyncio.run(ask()) == 500


def test_a_service_may_be_given_itself() -> None:
    sync, later = object.__new__(CharacterImageService), object.__new__(AsyncCharacterImageService)
    assert Workspace(sync, authorize=lambda *_: True).service is sync
    assert AsyncWorkspace(later, authorize=lambda *_: True).service is later


def test_the_service_of_the_other_mode_is_refused_before_the_first_request(
    tmp_path: Path,
) -> None:
    with (
        CharacterImageService.local(tmp_path, library="http://library.test") as service,
        pytest.raises(ConfigurationError, match="AsyncCharacterImageService"),
    ):
        AsyncWorkspace(cast("Any", service), authorize=lambda *_: True)
    other = AsyncCharacterImageService.local(tmp_path, library="http://library.test")
    with pytest.raises(ConfigurationError, match="not the async one"):
        Workspace(cast("Any", other), authorize=lambda *_: True)
    asyncio.run(other.aclose())


# The parts, without a host


def asks(method: str = "POST", **headers: str) -> WebRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebRequest(method=method, path="/", headers=named)


TRUSTED = ("https://studio.example",)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        *((asks(each, sec_fetch_site="cross-site"), True) for each in ("GET", "POST", "DELETE")),
        (asks(), False),
        (asks(sec_fetch_site="same-origin"), False),
        (asks(sec_fetch_site="none"), False),
        (asks(sec_fetch_site="same-site"), True),
        (asks(sec_fetch_site="same-origin", origin="https://evil.example", host="a"), False),
        (asks(sec_fetch_site="cross-site", origin="https://studio.example"), False),
        (asks(sec_fetch_site="cross-site", origin="https://evil.example"), True),
        (asks(origin="https://studio.example", host="other"), False),
        (asks(origin="http://Host:8000", host="hoST:8000"), False),
        (asks(origin="http://host:8000", host="host:8001"), True),
        # Who holds the name on one port or scheme need not hold it on the other.
        (asks(origin="https://host", host="host"), True),
        (evolve(asks(origin="https://host", host="host"), scheme="https"), False),
        (evolve(asks(origin="http://host", host="host"), scheme="https"), True),
        (asks(origin="http://host"), True),
        (asks(origin="null"), True),
        (asks(origin="null", host="host"), True),
    ],
)
def test_another_sites_page_is_known_by_what_the_browser_says(
    request_: WebRequest, expected: bool
) -> None:
    assert foreign(request_, TRUSTED) is expected


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back() -> None:
    refusal = sign_in_first("/login?to={next}", "/a?b=c&d", "Hello.", (("A", "b"),))
    assert (str(refusal), refusal.status, refusal.headers) == ("Hello.", 401, (("A", "b"),))
    assert refusal.sign_in_url == "/login?to=%2Fa%3Fb%3Dc%26d"
    plain = sign_in_first(None, "/a")
    assert (plain.status, plain.sign_in_url, str(plain)) == (401, None, "Sign in first.")
    for status, told in ((401, 401), (403, 403), (500, 403)):
        assert AccessDenied(status=status).status == told
    assert AccessDenied().status == 403


class Named:
    def __init__(self, username: object = "bo") -> None:
        self.username = username


@pytest.mark.parametrize(
    ("user", "name", "expected"),
    [
        ("ada", None, "ada"),
        ("", None, True),
        (Named(), None, "bo"),
        *((Named(none), None, True) for none in ("", None, 7)),
        (object(), None, True),
        (Named(), lambda user: f"{user.username}!", "bo!"),
    ],
)
def test_a_user_is_called_by_name_where_there_is_one(user: Any, name: Any, expected: Any) -> None:
    assert judged(user, True, name) == expected
    for allowed in (False, None, 1, "yes"):
        with pytest.raises(AccessDenied):
            judged(user, allowed, name)


def test_a_name_or_true_admits() -> None:
    assert admitted(True)
    assert admitted("ada")
    for answer in ("", None, False, 1, [1]):
        assert not admitted(answer)
