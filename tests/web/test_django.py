"""The URL patterns in Django projects: users and permissions, CSRF, transactions, WSGI and ASGI."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import pytest

from charimg import ConfigurationError
from charimg.stores import DiskMediaStore
from charimg.web import Action, MediaApp

from ..servers.django import set_up
from .stages import Stage

set_up()

from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.models import AnonymousUser, User  # noqa: E402
from django.core.handlers.asgi import ASGIHandler  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.template import Context, Engine  # noqa: E402
from django.test import AsyncClient, Client, override_settings  # noqa: E402
from django.urls import include, path  # noqa: E402

from charimg.web.django import media_view, signed_in, urlpatterns  # noqa: E402

IMAGES = "/studio/v1/characters/mara/images"
PAGE = "/studio/screenplay/characters/mara/images"
POST = "/studio/v1/characters/mara/generate-initial-image"
JSON = "application/json"


@pytest.fixture
def hall() -> Stage:
    """A service without a server."""
    stage = Stage("django")
    stage.reset()
    return stage


class Someone(User):
    """A user without a database."""

    class Meta:
        app_label = "auth"
        proxy = True

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return perm == f"studio.{self.username}"


def users(get_response: Any) -> Any:
    """Stand in for Django's AuthenticationMiddleware: the user is named by a header."""

    def middleware(request: Any) -> Any:
        name = request.headers.get("X-User")
        request.user = AnonymousUser() if name is None else Someone(username=name)
        return get_response(request)

    return middleware


@contextmanager
def project(
    hall: Stage,
    *,
    middleware: tuple[str, ...] = (),
    prefix: str = "studio/",
    more: Sequence[Any] = (),
    **options: Any,
) -> Iterator[Client]:
    """A project with the workspace; CSRF is left to those who test it."""
    options.setdefault("authorize", signed_in())
    patterns = urlpatterns(lambda: hall.service, **options)
    urls = ModuleType(f"charimg_urls_{id(patterns)}")
    urls.urlpatterns = [path(prefix, include(patterns)), *more]  # type: ignore[attr-defined]
    urls.users = users  # type: ignore[attr-defined]
    sys.modules[urls.__name__] = urls
    chain = [f"{urls.__name__}.users", *middleware]
    with override_settings(ROOT_URLCONF=urls.__name__, MIDDLEWARE=chain):
        yield Client(enforce_csrf_checks=True)
    del sys.modules[urls.__name__]


CSRF = ("django.middleware.csrf.CsrfViewMiddleware",)
ADA = {"x-user": "ada"}


def test_who_is_signed_in_is_recorded(hall: Stage) -> None:
    with project(hall) as client:
        answer = client.post(POST, {}, JSON, headers=ADA)
        assert answer.json()["image"]["createdBy"] == "ada"
        assert client.get(PAGE, headers=ADA).status_code == 200


def test_who_is_not_is_sent_to_the_login(hall: Stage) -> None:
    with project(hall) as client:
        answer = client.get(IMAGES)
        assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_IN")
        page = client.get(f"{PAGE}?a=1", SCRIPT_NAME="/team")
    assert page.status_code == 303
    assert page["Location"] == (
        "/team/accounts/login/?next=%2Fteam%2Fstudio%2Fscreenplay%2Fcharacters%2Fmara%2Fimages%3Fa%3D1"
    )
    with project(hall, authorize=signed_in(sign_in_url="/in?from=images")) as client:
        assert client.get(PAGE)["Location"].startswith("/in?from=images&next=%2Fstudio")
    assert hall.posts == 0


def test_permissions(hall: Stage) -> None:
    """Somebody has the one permission of that name."""

    def statuses(authorize: Any, user: str) -> list[int]:
        with project(hall, authorize=authorize) as client:
            return [
                client.get(IMAGES, headers={"x-user": user}).status_code,
                client.post(POST, {}, JSON, headers={"x-user": user}).status_code,
                client.delete(IMAGES, headers={"x-user": user}).status_code,
            ]

    assert statuses(signed_in("studio.draw"), "draw") == [200, 200, 422]
    assert statuses(signed_in("studio.draw"), "look") == [403, 403, 403]
    by_action = signed_in({Action.VIEW: None, Action.GENERATE: "studio.draw"})
    assert statuses(by_action, "look") == [200, 403, 403]
    # What is not named is refused even to who may do all the rest.
    assert statuses(by_action, "draw") == [200, 200, 403]

    def may(user: Any, action: Action, character_id: str) -> bool:
        return bool(character_id == "mara" and action == Action.VIEW)

    assert statuses(signed_in(may=may), "draw") == [200, 403, 403]


def test_djangos_own_token_is_honoured(hall: Stage) -> None:
    with project(hall, middleware=CSRF) as client:
        page = client.get(PAGE, headers=ADA).content.decode()
        header = page.split('"header": "')[1].split('"')[0]
        token = page.split('"token": "')[1].split('"')[0]
        assert header == "X-CSRFTOKEN"
        assert client.post(POST, {}, JSON, headers=ADA).status_code == 403
        assert client.delete(IMAGES, headers=ADA).status_code == 403
        assert hall.posts == 0
        sent = client.post(POST, {}, JSON, headers={**ADA, header: token})
        assert sent.status_code == 200
        # With the token, too, another site's page is refused.
        foreign = {**ADA, header: token, "sec-fetch-site": "cross-site"}
        assert client.post(POST, {}, JSON, headers=foreign).json()["code"] == "CROSS_SITE"
    assert hall.posts == 1


def test_what_changes_something_is_outside_of_the_requests_transaction(hall: Stage) -> None:
    """The ledger is on disk before an image is paid for; what only reads stays inside."""
    inside: dict[str, bool] = {}

    def authorize(request: Any, action: Action, character_id: str) -> bool:
        inside[f"{request.method} {request.path.rpartition('mara/')[2]}"] = (
            connection.in_atomic_block
        )
        return True

    settings = connections["default"].settings_dict
    settings["ATOMIC_REQUESTS"] = True
    try:
        with project(hall, authorize=authorize) as client:
            client.post(POST, {}, JSON)
            client.delete(IMAGES)
            client.post(f"{IMAGES}/x/retry")
            client.get(f"{IMAGES.replace('images', 'operations')}")
            client.get(f"{IMAGES.replace('images', 'initial-image-prompt')}")
    finally:
        settings["ATOMIC_REQUESTS"] = False
    assert inside == {
        "POST generate-initial-image": False,
        "DELETE images": False,
        "POST images/x/retry": False,
        "GET operations": True,
        "GET initial-image-prompt": True,
    }


def test_a_thread_of_ours_closes_its_connections(
    hall: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    done = threading.Event()

    def close_all() -> None:
        closed.append(threading.current_thread().name)
        done.set()

    monkeypatch.setattr(connections, "close_all", close_all)
    with project(hall) as client:
        client.post(POST, {}, JSON, headers=ADA)
        assert closed == []
        events = client.post(POST, {}, JSON, headers={**ADA, "accept": "text/event-stream"})
        assert b"event: done" in b"".join(events.streaming_content)  # type: ignore[attr-defined]
    assert done.wait(30)
    assert closed == ["charimg-operation"]


def test_below_a_script_name_and_a_prefix_with_a_parameter(hall: Stage) -> None:
    with project(hall, prefix="projects/<int:project>/") as client:
        answer = client.get(PAGE.replace("studio", "projects/7"), headers=ADA, SCRIPT_NAME="/team")
    text = answer.content.decode()
    assert '"base": "/team/projects/7"' in text
    assert "/team/projects/7/screenplay/static/page.js" in text


def test_a_link_on_the_hosts_page(hall: Stage) -> None:
    template = Engine().from_string("{% url 'charimg-page' character.id %}")
    with project(hall):
        link = template.render(Context({"character": {"id": "röd ?&"}}))
    assert link == "/studio/screenplay/characters/r%C3%B6d%20%3F&amp;/images"


def test_head_and_405_and_gzip(hall: Stage) -> None:
    gzip = ("django.middleware.gzip.GZipMiddleware",)
    zipped = {**ADA, "accept-encoding": "gzip"}
    with project(hall, middleware=gzip) as client:
        page = client.get(PAGE, headers=zipped)
        assert (page["Content-Encoding"], page["Content-Length"]) == (
            "gzip",
            str(len(page.content)),
        )
        head = client.head(IMAGES, headers=ADA)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head["Content-Length"]) > 0
        assert client.put(IMAGES, headers=ADA).json()["code"] == "METHOD_NOT_ALLOWED"
        events = client.post(POST, {}, JSON, headers={**zipped, "accept": "text/event-stream"})
        # Compressed, each would wait for the next.
        assert events["Content-Encoding"] == "identity"
        assert b"event: done" in b"".join(events.streaming_content)  # type: ignore[attr-defined]
        operation = client.get(IMAGES.replace("images", "operations"), headers=ADA).json()
        at = f"{IMAGES.replace('images', 'operations')}/{operation['operations'][0]['id']}"
        head = client.head(at, headers={**ADA, "accept": "text/event-stream"})
        assert (head.status_code, head.content) == (200, b"")


def test_under_asgi_a_stream_comes_as_it_happens(hall: Stage) -> None:
    gate = hall.gate()

    async def main() -> list[bytes]:
        client = AsyncClient()
        headers = {**ADA, "accept": "text/event-stream"}
        answer = await client.post(POST, {}, JSON, headers=headers)
        assert answer.is_async  # type: ignore[attr-defined]
        told = []
        async for chunk in answer.streaming_content:  # type: ignore[attr-defined]
            told.append(chunk)
            # Were all told at once, the first would never come.
            gate.set()
        return told

    with project(hall):
        told = b"".join(anyio.run(main))
    assert [told.count(b"event: " + name) for name in (b"started", b"image", b"done")] == [1, 1, 1]


def test_under_asgi_over_http(hall: Stage) -> None:
    async def main() -> Any:
        transport = httpx.ASGITransport(ASGIHandler())
        async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
            answer = await client.post(POST, json={"prompt": "Rain."}, headers=ADA)
            return answer.json()["image"]["prompt"]

    with project(hall):
        assert anyio.run(main) == "Rain."


def test_files_behind_a_sign_in(hall: Stage, tmp_path: Path) -> None:
    hall.change(media=DiskMediaStore(tmp_path, base_url="/media"))
    hall.service.generate_reference("mara")
    media = hall.service.list_images("mara").images[0].media
    view = login_required(media_view(MediaApp(tmp_path)))
    with project(hall, more=[path("media/<path:path>", view)]) as client:
        assert client.get(media.url).status_code == 302
        file = client.get(media.url, headers=ADA)
        assert len(b"".join(file.streaming_content)) == media.size  # type: ignore[attr-defined]
        assert (file.status_code, file["Content-Type"]) == (200, media.mime_type)
        assert file["Content-Security-Policy"] == "default-src 'none'; sandbox"
        again = client.get(media.url, headers={**ADA, "if-none-match": file["ETag"]})
        assert again.status_code == 304
        head = client.head(media.url, headers=ADA)
        assert b"".join(head.streaming_content) == b""  # type: ignore[attr-defined]
        assert client.get("/media/ü/b/c", headers=ADA).status_code == 404

        async def under_asgi() -> bytes:
            answer = await AsyncClient().get(media.url, headers=ADA)
            chunks = answer.streaming_content  # type: ignore[attr-defined]
            return b"".join([chunk async for chunk in chunks])

        assert len(anyio.run(under_asgi)) == media.size


def test_without_authorize_there_are_no_patterns(hall: Stage) -> None:
    with pytest.raises(ConfigurationError, match="authorize"):
        urlpatterns(hall.service, authorize=None)  # type: ignore[arg-type]


def test_back_follows_the_prefix_of_a_proxy(hall: Stage) -> None:
    with project(hall, character_url="/cast/{id}") as client:
        assert b'href="/cast/mara"' in client.get(PAGE, headers=ADA).content
        behind = client.get(PAGE, headers=ADA, SCRIPT_NAME="/team")
        assert b'href="/team/cast/mara"' in behind.content
