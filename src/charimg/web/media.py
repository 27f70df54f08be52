"""Serves the files of a disk store, as an ASGI and as a WSGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from http import HTTPStatus
from os import PathLike
from typing import Any

from ..stores._threads import in_thread
from ..stores.disk import DiskMediaStore
from .answers import Answer, answer

__all__ = ["MediaApp"]

_CHUNK = 256 * 1024


class MediaApp:
    """Serves the files of a `DiskMediaStore`; mount it where ``base_url`` of the store leads.

    One object is both: ``app.mount("/media", MediaApp(directory))`` for FastAPI and Starlette, and
    ``MediaApp(directory).wsgi`` for Flask, Django and other WSGI hosts.

    Only what the store has is served, by the type that charimg found in the bytes, with
    ``X-Content-Type-Options: nosniff`` and a Content-Security-Policy that lets nothing in a file
    run or load. It asks nobody for permission: put it behind the host's own sign-in.

    Args:
        directory: That of the store.
    """

    def __init__(self, directory: str | PathLike[str]) -> None:
        # Nothing is saved, so nothing is drawn.
        self._store = DiskMediaStore(directory, base_url="", thumbnail_px=0)

    def __repr__(self) -> str:
        return f"MediaApp({self._store!r})"

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],  # noqa: ARG002 - of the protocol
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer one ASGI request."""
        if scope["type"] != "http":
            # A host runs its own lifespan; there are no web sockets here.
            raise RuntimeError(f"MediaApp serves http, not {scope['type']}.")
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        said = await in_thread(
            lambda: answer(self._store, scope["method"], path, headers.get(b"if-none-match"))
        )
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in said.headers]
        await send({"type": "http.response.start", "status": said.status, "headers": raw})
        chunks = _body(said, scope["method"])
        while chunk := await in_thread(lambda: next(chunks, b"")):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def wsgi(
        self, environ: Mapping[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one WSGI request."""
        method = environ["REQUEST_METHOD"]
        # WSGI hands the path over as Latin-1.
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        said = answer(self._store, method, path, environ.get("HTTP_IF_NONE_MATCH"))
        start_response(f"{said.status} {HTTPStatus(said.status).phrase}", list(said.headers))
        return _body(said, method)


def _body(said: Answer, method: str) -> Iterator[bytes]:
    if method == "HEAD":
        return
    if said.file is None:
        if said.text:
            yield said.text
        return
    with said.file.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
