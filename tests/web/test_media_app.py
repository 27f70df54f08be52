"""Files of the disk store over HTTP: what is served, what is not, and with which headers."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio
import httpx
import pytest
from PIL import Image

from charimg import Media, StorageError, Upload
from charimg.stores import DiskMediaStore
from charimg.web import MediaApp

BASE = "https://app.example/media"


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (900, 700), "teal").save(file, "PNG")
    return file.getvalue()


def saved(store: DiskMediaStore, key: str, data: bytes, kind: str = "image/png") -> Media:
    upload = Upload(
        key=key,
        file=io.BytesIO(data),
        filename=f"reference-{key}.png",
        mime_type=kind,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return store.locate(store.save(upload))


@pytest.fixture
def store(tmp_path: Path) -> DiskMediaStore:
    return DiskMediaStore(tmp_path / "media", base_url=BASE)


class Wsgi:
    """Asks the WSGI form, mounted, under the standard library's validator."""

    def __init__(self, app: MediaApp) -> None:
        self.app = validator(app.wsgi)

    def __call__(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "/media",
            "QUERY_STRING": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }
        setup_testing_defaults(environ)
        told: list[Any] = []
        body = self.app(environ, lambda status, head, error=None: told.extend((status, head)))
        data = b"".join(body)
        body.close()  # type: ignore[attr-defined]
        return httpx.Response(int(told[0].split()[0]), headers=told[1], content=data)


class Asgi:
    """Asks the ASGI form, mounted in Starlette."""

    def __init__(self, app: MediaApp) -> None:
        from fastapi import FastAPI

        self.app = FastAPI()
        self.app.mount("/media", app)

    def __call__(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
                return await client.request(method, f"/media{path}", headers=headers)

        return anyio.run(ask)


@pytest.fixture(params=[Wsgi, Asgi])
def ask(request: pytest.FixtureRequest, store: DiskMediaStore, tmp_path: Path) -> Any:
    return request.param(MediaApp(tmp_path / "media"))


def path_of(url: str | None) -> str:
    return (url or "").removeprefix(BASE)


def is_safe(response: httpx.Response) -> bool:
    policy = response.headers["content-security-policy"]
    nosniff: bool = response.headers["x-content-type-options"] == "nosniff"
    return nosniff and "default-src 'none'" in policy and "sandbox" in policy


def test_an_image_and_its_thumbnail(ask: Any, store: DiskMediaStore) -> None:
    data = png()
    media = saved(store, "k1", data)
    response = ask("GET", path_of(media.url), {})
    assert (response.status_code, response.content) == (200, data)
    assert is_safe(response)
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-length"] == str(len(data))
    assert response.headers["content-disposition"] == 'inline; filename="reference-k1.png"'
    assert "immutable" in response.headers["cache-control"]
    small = ask("GET", path_of(media.thumbnail_url), {})
    assert small.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(small.content)).size == (320, 249)
    assert is_safe(small)
    assert small.headers["etag"] != response.headers["etag"]


def test_head_and_conditions(ask: Any, store: DiskMediaStore) -> None:
    data = png()
    path = path_of(saved(store, "k1", data).url)
    head = ask("HEAD", path, {})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(data))
    tag = head.headers["etag"]
    for condition in (tag, f'"x", W/{tag}', "*"):
        again = ask("GET", path, {"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b"")
        assert is_safe(again)
    assert ask("GET", path, {"If-None-Match": '"x"'}).status_code == 200


def test_what_is_not_served(ask: Any, store: DiskMediaStore, tmp_path: Path) -> None:
    media = saved(store, "k1", png())
    shard = path_of(media.url).split("/")[1]
    (tmp_path / "secret.png").write_bytes(b"secret")
    (store.path(media).parent / "other.png").write_bytes(b"secret")
    for path in (
        "/",
        "/k1",
        f"/{shard}/k1",
        f"/{shard}/k1/_media.json",
        f"/{shard}/k1/other.png",
        f"/{shard}/k1/",
        f"/{shard}/k1/reference-k1.png/",
        f"/{shard}/absent/reference-k1.png",
        "/zz/k1/reference-k1.png",
        f"/{shard}/../secret.png",
        f"/{shard}/%2e%2e/secret.png",
        f"/{shard}/k1/..%2f..%2f..%2fsecret.png",
        f"/{shard}/ü/x.png",
        "/.incoming/k1/x",
    ):
        response = ask("GET", path, {})
        assert response.status_code == 404, path
        assert b"secret" not in response.content
        assert is_safe(response)
    posted = ask("POST", path_of(media.url), {})
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
    assert is_safe(posted)


def test_a_type_that_is_no_image_is_never_shown(ask: Any, store: DiskMediaStore) -> None:
    """A host may save what it likes into its own store."""
    media = saved(store, "k1", b"<script>alert(1)</script>", "text/html")
    response = ask("GET", path_of(media.url), {})
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment")
    assert is_safe(response)


def test_a_file_that_goes_at_this_moment(
    ask: Any, store: DiskMediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = saved(store, "k1", png())
    get = DiskMediaStore.get

    def got(self: DiskMediaStore, key: str, /) -> Media | None:
        found = get(self, key)
        store.delete(key)
        return found

    monkeypatch.setattr(DiskMediaStore, "get", got)
    assert ask("GET", path_of(media.url), {}).status_code == 404


def test_a_disk_that_fails_is_not_a_file_that_is_gone(
    ask: Any, store: DiskMediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = saved(store, "k1", png())

    def failing(self: DiskMediaStore, key: str, /) -> Media | None:
        raise StorageError("The disk is broken.")

    monkeypatch.setattr(DiskMediaStore, "get", failing)
    response = ask("GET", path_of(media.url), {})
    assert response.status_code == 503
    assert is_safe(response)
    assert "cache-control" not in response.headers


def test_only_http(tmp_path: Path) -> None:
    app = MediaApp(tmp_path)
    assert "MediaApp(DiskMediaStore(" in repr(app)

    async def ask() -> None:
        await app({"type": "websocket"}, None, None)  # type: ignore[arg-type]

    with pytest.raises(RuntimeError, match="not websocket"):
        anyio.run(ask)
