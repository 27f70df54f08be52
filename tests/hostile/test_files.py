"""Broken, lying and doubled files never reach a store; names of files are never the server's."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve

from charimg import DownloadError, ErrorCode, ImageRejected

from ..figures import Figure
from ..ingest.samples import drawn
from .hosts import ALL, HostileHost, of, scenes_async, scenes_sync, stored
from .polyglots import LIES, polyglots, pretenders

pytest.importorskip("PIL")

MODES = {"sync": scenes_sync, "async": scenes_async}
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


def serving(*bodies: bytes, content_type: str = "image/png") -> list[Callable[[HostileHost], None]]:
    """Return a preparation of the host per body."""

    def prepare(body: bytes) -> Callable[[HostileHost], None]:
        return lambda host: setattr(host, "answer", of(body, content_type))

    return [prepare(body) for body in bodies]


def undelimited(body: bytes) -> Callable[[HostileHost], None]:
    """Prepare an answer that ends with its connection."""

    class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            yield body

        async def __aiter__(self) -> Any:
            yield body

    return lambda host: setattr(host, "answer", lambda: httpx.Response(200, stream=Stream()))


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("mode", MODES)
def test_a_cut_image_is_never_stored(mode: str, every: int, tmp_path: Path, figure: Figure) -> None:
    """By the built-in inspector alone; every other answer is one that ends with its connection."""
    tried = 0
    for kind in KINDS:
        root, host, whole = tmp_path / kind, HostileHost(), drawn(kind)
        cuts = [whole[: len(whole) * point // 100] for point in range(0, 100, every)]
        tries = [
            undelimited(cut) if number % 2 else serving(cut)[0] for number, cut in enumerate(cuts)
        ]
        # The whole image is stored, in both ways, and that is the only change from the cut ones.
        tries += [*serving(whole), undelimited(whole)]
        *told, first, second = MODES[mode](root, host, tries, limits=ALL, decode=False)
        assert {type(each) for each in told} == {ImageRejected, DownloadError}
        assert first.media.sha256 == second.media.sha256
        named = [path.name for path in stored(root) if not path.name.startswith("_")]
        assert len(named) == 1 + 2, "the reference and the two whole ones"
        tried += len(told)
    figure(f"images cut at {100 // every} points, {mode}", f"{tried} tried, 0 stored")


TYPES = ["image/png", "image/jpeg", "image/svg+xml", "text/html"]


def lying(bodies: dict[str, bytes]) -> list[Callable[[HostileHost], None]]:
    """Return a preparation of the host per body, each under another type."""
    return [
        serving(body, content_type=TYPES[number % len(TYPES)])[0]
        for number, body in enumerate(bodies.values())
    ]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_image_is_never_stored(mode: str, tmp_path: Path, figure: Figure) -> None:
    bodies = {**LIES, **pretenders()}
    assert len(set(bodies.values())) == len(bodies) >= 37
    told = MODES[mode](tmp_path, HostileHost(), lying(bodies), limits=ALL, decode=False)
    for name, error in zip(bodies, told, strict=True):
        assert isinstance(error, ImageRejected), name
    named = [path for path in stored(tmp_path) if not path.name.startswith("_")]
    assert [path.suffix for path in named] == [".png"], "the reference alone"
    figure(f"type lies, {mode}", f"{len(told)} tried, 0 stored")


@pytest.mark.parametrize("mode", MODES)
def test_of_an_image_that_is_more_the_image_is_stored(
    mode: str, tmp_path: Path, figure: Figure
) -> None:
    plain = {kind: drawn(kind) for kind in KINDS}
    bodies = polyglots(plain)
    assert len(set(bodies.values())) == len(bodies) >= 36
    told = MODES[mode](tmp_path, HostileHost(), lying(bodies), limits=ALL, decode=True)
    assert len(told) == len(bodies)
    for (name, body), image in zip(bodies.items(), told, strict=True):
        assert not isinstance(image, Exception), (name, image)
        assert image.metrics.cleaned, name
        assert image.metrics.source_sha256 == hashlib.sha256(body).hexdigest(), name
        (path,) = tmp_path.rglob(image.media.filename)
        data = path.read_bytes()
        assert len(data) < len(body), name
        assert image.metrics.sha256 == image.media.sha256 == hashlib.sha256(data).hexdigest(), name
        # All but one of them are the very file to which something was added.
        assert data in plain.values() or name == "JPEG that is a script", name
    figure(f"polyglots, {mode}", f"{len(told)} tried, {len(told)} stored as an image alone")
    refusing = evolve(ALL, foreign="refuse")
    told = MODES[mode](tmp_path, HostileHost(), lying(bodies), limits=refusing, decode=False)
    assert {type(each) for each in told} == {ImageRejected}
    figure(f"polyglots, {mode}, refused if wanted", f"{len(told)} tried, 0 stored")


@pytest.mark.parametrize("mode", MODES)
def test_the_type_is_the_one_of_the_bytes(mode: str, tmp_path: Path) -> None:
    tries = serving(*[drawn(kind) for kind in KINDS], content_type="text/html")
    told = MODES[mode](tmp_path, HostileHost(), tries, limits=ALL)
    assert [image.media.mime_type for image in told] == [f"image/{kind.lower()}" for kind in KINDS]
    assert [image.media.filename.rpartition(".")[2] for image in told] == [
        "png", "jpg", "webp", "gif", "avif",
    ]  # fmt: skip


HOSTILE = [
    "../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/cron.d/x",
    "C:\\x.png",
    "\\\\server\\share\\x.png",
    "a/../../b.png",
    "....//....//x",
    ".",
    "..",
    "",
    " ",
    ".htaccess",
    "-rf",
    "~root",
    "$(id)",
    "`id`",
    "a;rm -rf x",
    "x.png\0.html",
    "x\r\nSet-Cookie: a=b",
    "x\n.png",
    "\x1b[2J.png",
    "\x7f",
    "CON",
    "nul.png",
    "COM1.jpg",
    "lpt9",
    "aux.",
    "x.png.",
    "x.png ",
    "x.png:ads",
    "<script>alert(1)</script>.png",
    '"onload="alert(1)',
    "' or 1=1 --",
    "x" * 300 + ".png",
    "é" * 200,
    "\u202egnp.exe",
    "\ufeffx.png",
    "x\u2215y.png",
    "\uff0e\uff0e\uff0fx",
    "\U0001f600.png",
    "%2e%2e%2fx",
    "x.svg",
    "x.html",
    "x.php.png",
    "_media.json",
    "_thumbnail.webp",
    ".incoming",
]
OURS = re.compile(r"(reference|scene)-[0-9a-f]{32}-[0-9]{3}\.png|_media\.json|_thumbnail\.webp")


def hostile_names(count: int) -> list[str]:
    """Return so many names, all different: the known ones, and mixtures of their pieces."""
    draw = random.Random(3)
    names = dict.fromkeys(HOSTILE)
    while len(names) < count:
        names["".join(draw.choices(HOSTILE, k=draw.randint(2, 4)))[:400]] = None
    return list(names)


@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.parametrize("mode", MODES)
def test_no_byte_of_a_name_comes_from_the_server(
    mode: str, number: int, tmp_path: Path, figure: Figure
) -> None:
    # Each mode gets its half; which names it gets makes no difference to the code under test.
    body, names = drawn("PNG", (8, 8)), hostile_names(number)[list(MODES).index(mode) :: 2]

    def prepare(name: str) -> Callable[[HostileHost], None]:
        said = f'attachment; filename="{name}"'.encode()

        def do(host: HostileHost) -> None:
            host.name = name
            host.answer = lambda: httpx.Response(
                200, content=body, headers=[(b"content-disposition", said)]
            )

        return do

    root, outside = tmp_path / "media", tmp_path
    told = MODES[mode](root, HostileHost(), [prepare(name) for name in names])
    # Some of the names make no URL; those that do are stored, and under our names.
    kept = [each for each in told if not isinstance(each, Exception)]
    refused = [each for each in told if isinstance(each, Exception)]
    assert {each.code for each in refused} <= {ErrorCode.URL_REFUSED}
    assert len(kept) > len(names) / 2
    for path in stored(outside):
        assert OURS.fullmatch(path.name), path
        folders = path.relative_to(root).parts[:-1]
        assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{32}-[0-9]{3}", "/".join(folders)), path
    assert all(image.media.filename.startswith("scene-") for image in kept)
    figure(
        f"hostile names, {mode}",
        f"{len(names)} tried, {len(kept)} files stored, 0 with a byte of the server's name",
    )
