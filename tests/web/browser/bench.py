"""A page with nothing on it but our modules, and images that the simulator draws."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Page

import charimg.web
from charimg.testing.simulator.drawing import draw
from charimg.testing.simulator.shots import SHOTS, ReferenceShot
from charimg.web.texts import TEXTS

from .pages import Pages

STATIC = Path(charimg.web.__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: {media};"
    " connect-src 'self' {media}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
SCRIPT = """
const views = ["viewer", "turntable", "sheet", "zip", "shortcuts"];
const names = [...views, "spin", "save", "sheetpng", "mark"];
const modules = await Promise.all(names.map((name) => import(`./static/${name}.js`)));
window.ours = Object.assign({}, ...modules);
window.ours.listen();
document.getElementById("opener").disabled = false;
"""
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def shot_document(shot: ReferenceShot) -> dict[str, Any]:
    return {
        "name": shot.name,
        "slug": shot.slug,
        "lensMm": shot.lens_mm,
        "crop": shot.crop,
        "expression": shot.expression,
        "cameraAzimuthDeg": shot.camera_azimuth_deg,
        "cameraElevationDeg": shot.camera_elevation_deg,
        "cameraDistanceM": shot.camera_distance_m,
        "sortOrder": 10,
    }


def image(
    number: int,
    kind: str,
    *,
    run: str = "run-a",
    shot: Mapping[str, Any] | None = None,
    prompt: str = "A lighthouse keeper in a yellow coat, photorealistic.",
    origin: str = "",
    failed: bool = False,
    **changes: Any,
) -> dict[str, Any]:
    """Return the JSON of one image, whose file this server draws."""
    key = f"{run}-{number:03d}"
    made = f"2026-11-{10 + number % 15:02d}T1{number % 10}:00:00Z"
    media = {
        "id": key,
        "key": key,
        "url": f"{origin}/media/{key}.webp",
        "thumbnailURL": f"{origin}/media/{key}.webp?small",
        "alt": f"{kind} of Mira" + (f": {shot['name']}" if shot else f" {number}"),
        "filename": f"{key}.webp",
        "mimeType": "image/webp",
        "filesize": 123456 + number,
        "width": 384,
        "height": 512,
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
    }
    document = {
        "id": f"id/{key}?#",
        "key": key,
        "characterReference": "mira",
        "kind": kind,
        "status": "failed" if failed else "succeeded",
        "media": None if failed else media,
        "provider": "character-library",
        "prompt": prompt,
        "sourceUrl": f"https://library.example/{key}.webp",
        "externalId": f"m{number}",
        "error": "The Character Library could not draw this shot." if failed else None,
        "metrics": {
            "generationMs": 81234.5,
            "downloadMs": 420,
            "inspectionMs": 12,
            "storingMs": 3,
            "bytes": 123456 + number,
            "sha256": media["sha256"],
            "width": 384,
            "height": 512,
            # Of a failed shot the server tells the name alone.
            "shot": {"name": shot["name"]} if failed and shot else shot,
            "masterSince": made if kind == "reference" else None,
        },
        "createdBy": "ada",
        "createdAt": made,
        "updatedAt": made,
    }
    document.update(changes)
    return document


def portfolio(
    *, failed: tuple[int, ...] = (), missing: tuple[int, ...] = (), **options: Any
) -> list[dict[str, Any]]:
    """Return the whole set, but for some that failed and some that never came."""
    return [
        image(number, "portfolioItem", shot=shot_document(shot), failed=number in failed, **options)
        for number, shot in enumerate(SHOTS)
        if number not in missing
    ]


class Bench:
    """The running server.

    Attributes:
        url: Its origin.
        sent: The path of each request that was answered.
        held: While it is not set, no image is answered.
        media_origin: Another origin from which the page may load images.
        archive: How a zip is answered: ``whole``, ``cut`` or ``refused``.
    """

    def __init__(self, *, allow_reading: bool = True) -> None:
        self.sent: list[str] = []
        self.held = threading.Event()
        self.held.set()
        self.media_origin = ""
        self.archive = "whole"
        self.asked_for: list[str] = []
        self._allow_reading = allow_reading
        bench = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bench.answer(self)

            def do_POST(self) -> None:
                bench.pack(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.held.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a GET; who has gone meanwhile misses it."""
        path = unquote(urlsplit(handler.path).path)
        with suppress(ConnectionError):
            self._answer(handler, path)
            self.sent.append(path)

    def _answer(self, handler: BaseHTTPRequestHandler, path: str) -> None:
        if path == "/":
            policy = POLICY.format(media=self.media_origin)
            headers = {"Content-Security-Policy": policy}
            self._send(handler, self._page().encode(), "text/html; charset=utf-8", headers)
        elif path == "/bench.js":
            self._send(handler, SCRIPT.encode(), "text/javascript")
        elif path.startswith("/static/") and (file := STATIC / path.split("/")[-1]).is_file():
            self._send(handler, file.read_bytes(), TYPES[file.suffix])
        elif path.startswith("/media/") and "broken" not in path:
            self.held.wait(60)
            headers = {"Access-Control-Allow-Origin": "*"} if self._allow_reading else {}
            key = path.removeprefix("/media/").removesuffix(".webp")
            self._send(handler, _picture(key), "image/webp", headers)
        else:
            handler.send_error(404)

    def pack(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer with a zip of what was asked for, in pieces, as the route does."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.asked_for = json.loads(body)["ids"]
        if self.archive == "refused":
            error = {"success": False, "error": "There are no such images.", "code": "NOT_FOUND"}
            self._send(handler, json.dumps(error).encode(), "application/json", status=404)
            return
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for each in self.asked_for:
                archive.writestr(f"{len(archive.namelist())}.bin", each * 1000)
        data = packed.getvalue()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/zip")
        # It promises more than it sends when it is to break off.
        promised = len(data) + (self.archive == "cut")
        handler.send_header("Content-Length", str(promised))
        handler.end_headers()
        handler.close_connection = True
        with suppress(ConnectionError):
            for start in range(0, len(data), 4096):
                self.held.wait(60)
                handler.wfile.write(data[start : start + 4096])
                handler.wfile.flush()

    def _page(self) -> str:
        config = {
            "base": "",
            "characterId": "mira",
            "backUrl": None,
            "csrf": None,
            "texts": dict(TEXTS),
            "lang": "en",
            "pageSize": 50,
            "mediaOrigins": [],
        }
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bench</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="icon" href="data:,"><link rel="stylesheet" href="static/charimg.css">'
            '<script type="application/json" id="charimg-config">'
            + json.dumps(config).replace("<", "\\u003c")
            + '</script><script type="module" src="bench.js"></script></head><body>'
            '<div id="charimg" class="charimg"><main id="ci-main"><h1>Bench</h1>'
            '<h2 id="ci-images-title" tabindex="-1">Images</h2>'
            '<button id="opener" disabled>Open</button></main>'
            '<section class="ci-toasts" id="ci-toasts" aria-label="Notices"></section>'
            '<p class="ci-hidden" id="ci-status" role="status"></p>'
            '<p class="ci-hidden" id="ci-alert" role="alert"></p></div>'
            "</body></html>"
        )

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler,
        body: bytes,
        kind: str,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@cache
def _picture(key: str) -> bytes:
    run, _, number = key.rpartition("-")
    shot = SHOTS[int(number)] if number.isdigit() and int(number) < len(SHOTS) else None
    return draw(run, key if shot is None else shot.name, shot, "WEBP").data


@contextmanager
def serve(**options: Any) -> Iterator[Bench]:
    """Serve the page for as long as the context lasts."""
    bench = Bench(**options)
    try:
        yield bench
    finally:
        bench.close()


@contextmanager
def looking(
    pages: Pages, *, media_origin: str = "", **options: Any
) -> Iterator[tuple[Page, Bench]]:
    """Open the bench's page.

    Args:
        pages: Open it, with the options.
        media_origin: Another origin from which the page may load images.
        **options: See `Pages.open`.
    """
    with serve() as server:
        server.media_origin = media_origin
        page = pages.open(f"{server.url}/", **options)
        page.locator("#opener:enabled").focus()
        yield page, server
        # What it still asks for would find nobody.
        page.close()
