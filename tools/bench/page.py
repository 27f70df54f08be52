"""The images page in Chromium, as somebody sees it who was never there, on a phone's network.

Beside it stands a page of the same server with the same images as plain ``<img>`` of the originals.
How long until the largest thing is painted is what the browser says itself; the bytes are those
that it received.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import evolve

from charimg import CharacterReference, ImageKind, Upload
from charimg import stores as kinds

from . import backends
from .measure import Contest, Job, Missing, Row, demand
from .pictures import PORTFOLIO, draw_photographs
from .records import add_all, record
from .web import server

__all__ = ["CONTESTS", "IMAGES", "LENA", "PLAIN", "disk_store_options"]

IMAGES = PORTFOLIO + 1
MEGABYTES = 2
MBIT, LATENCY = 12, 70
"""4G as WebPageTest has it (LTE): Mbit/s, and milliseconds there and back."""
LENA = "lena"
OURS, PLAIN = f"/screenplay/characters/{LENA}/images", "/plain"
_FEWEST = 6
"""Images that must be painted: the first row. All have the same size, so the first is the largest
thing, and those that follow it change nothing."""
_MILLISECONDS = 120_000
_SETTLED = 500
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SIZE = {"width": 1440, "height": 900}

_WATCH = """
window.largest = 0;
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) window.largest = each.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
"""
_PAINTED = """(fewest) => {
  const seen = [...document.images].filter((each) => {
    const { top, bottom, width } = each.getBoundingClientRect();
    return width > 100 && bottom > 0 && top < innerHeight;
  });
  const whole = seen.filter(({ complete, naturalWidth }) => complete && naturalWidth > 0);
  return seen.length >= fewest && whole.length >= (location.pathname === "/plain" ? fewest
    : seen.length) && window.largest > 0;
}"""
_ALL = """(wanted) => {
  const whole = [...document.images].filter((each) => each.complete && each.naturalWidth > 0);
  return new Set(whole.map(({ currentSrc }) => currentSrc)).size >= wanted;
}"""


def disk_store_options() -> dict[str, Any]:
    """Return what the disk store is told."""
    return {"base_url": "/media"}


def _fill(folder: Path, s3: str, files: list[Path]) -> None:
    """Put the images in: a reference, and a portfolio."""
    media: Any = (
        kinds.S3MediaStore.from_url(s3)
        if s3
        else kinds.DiskMediaStore(folder / "media", **disk_store_options())
    )
    images = []
    for number, path in enumerate(files):
        key = f"0198c7d2e5f04b6c9a1d3e5f7a9b1c3d-{number:02}"
        data = path.read_bytes()
        with path.open("rb") as file:
            saved = media.save(
                Upload(
                    key=key,
                    file=file,
                    filename=f"{number:02}.jpg",
                    mime_type="image/jpeg",
                    size=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )
        made = record(key, LENA)
        kind = ImageKind.PORTFOLIO_ITEM if number else ImageKind.REFERENCE
        when = made.created_at + timedelta(seconds=number)
        images.append(evolve(made, kind=kind, media=saved, created_at=when))
    with kinds.SqliteDatabase(folder / "charimg.sqlite") as database:
        lena = CharacterReference(id=LENA, name="Lena", library_db_id="665f1c2ab8e4d90012ab34cd")
        kinds.SqliteCharacterDirectory(database).put(lena)
        add_all(kinds.SqliteMetadataRepository(database), images)


class _Visitor:
    """Opens pages, each time as somebody who was never there."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    @contextmanager
    def _visit(self, *, slow: bool) -> Iterator[tuple[Any, list[int]]]:
        # The policy would keep out what looks into the page.
        context = self._browser.new_context(viewport=_SIZE, bypass_csp=True)
        try:
            page = context.new_page()
            page.add_init_script(_WATCH)
            protocol = context.new_cdp_session(page)
            protocol.send("Network.enable")
            received: list[int] = []
            protocol.on(
                "Network.loadingFinished",
                lambda event: received.append(int(event["encodedDataLength"])),
            )
            if slow:
                rate = MBIT * 1_000_000 / 8
                conditions = {"latency": LATENCY, "downloadThroughput": rate}
                conditions |= {"uploadThroughput": rate, "offline": False}
                protocol.send("Network.emulateNetworkConditions", conditions)
            yield page, received
        finally:
            context.close()

    def painted(self, urls: Mapping[str, str]) -> dict[str, float]:
        """Open pages at once; return the seconds until the largest thing of each was painted."""
        found = {}
        with ExitStack() as stack:
            pages = {}
            for name, url in urls.items():
                pages[name], _ = stack.enter_context(self._visit(slow=True))
                pages[name].goto(url, wait_until="commit")
            for page in pages.values():
                page.wait_for_function(_PAINTED, arg=_FEWEST, timeout=_MILLISECONDS)
            # What is there is painted soon, and told soon after.
            page.wait_for_timeout(_SETTLED)
            for name, page in pages.items():
                found[name] = float(page.evaluate("window.largest")) / 1000
        return found

    def received(self, url: str) -> float:
        """Return the megabytes that came until all images were seen."""
        with self._visit(slow=False) as (page, received):
            page.goto(url, wait_until="commit")
            page.wait_for_function(_PAINTED, arg=_FEWEST, timeout=_MILLISECONDS)
            # Whoever scrolls to the end has seen everything.
            page.evaluate("document.documentElement.scrollIntoView({ block: 'end' })")
            page.wait_for_function(_ALL, arg=IMAGES, timeout=_MILLISECONDS)
            page.wait_for_timeout(300)
            return sum(received) / 1e6


@contextmanager
def _chromium() -> Iterator[_Visitor]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise Missing("Playwright is missing; install it with: pip install -e '.[dev]'") from error
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        raise Missing("Chromium is not there; install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield _Visitor(browser)
        finally:
            browser.close()


@contextmanager
def _visited() -> Iterator[tuple[_Visitor, dict[str, str]]]:
    """Give a visitor, and the origins of servers by their store."""
    with ExitStack() as stack:
        visitor = stack.enter_context(_chromium())
        root = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        files = draw_photographs(root / "photographs", megabytes=MEGABYTES, count=IMAGES)
        endpoint, bucket, _ = stack.enter_context(backends.s3())
        found = {}
        url = f"s3://{bucket}/?endpoint={endpoint}&region=us-east-1"
        for kind, s3 in (("disk", ""), ("S3", url)):
            folder = root / kind
            folder.mkdir()
            _fill(folder, s3, files)
            port = stack.enter_context(server(_command(folder, s3), PLAIN))
            found[kind] = f"http://127.0.0.1:{port}"
        yield visitor, found


def _command(folder: Path, s3: str) -> Callable[[int], list[str]]:
    return lambda descriptor: [
        *(sys.executable, "-m", "bench.page_server", str(folder), s3, str(descriptor))
    ]


@contextmanager
def _paints() -> Iterator[Mapping[str, Job]]:
    with _visited() as (visitor, found):
        plain = {kind: origin + PLAIN for kind, origin in found.items()}
        waiting: dict[str, float] = {}

        def ours(url: str) -> Job:
            return lambda: visitor.painted({"": url})[""]

        def other(kind: str) -> Job:
            def job() -> float:
                # They do nothing but wait for their networks, so they can do that at once.
                if kind not in waiting:
                    waiting.update(visitor.painted(plain))
                return waiting.pop(kind)

            return job

        yield {
            **{f"ours {kind}": ours(origin + OURS) for kind, origin in found.items()},
            **{f"plain {kind}": other(kind) for kind in found},
        }


@contextmanager
def _weights() -> Iterator[Mapping[str, Job]]:
    with _visited() as (visitor, found):

        def job(url: str, least: float) -> Job:
            def received() -> float:
                megabytes = visitor.received(url)
                demand(megabytes > least, "not all images came")
                return megabytes

            return received

        yield {
            f"{name} {kind}": job(origin + path, least)
            for kind, origin in found.items()
            for name, path, least in (
                ("ours", OURS, 0),
                ("plain", PLAIN, MEGABYTES * IMAGES * 0.7),
            )
        }


def _rows(what: str, reach: float, unit: str = "ms") -> tuple[Row, ...]:
    return tuple(
        Row(
            work=f"page of {IMAGES} images of {MEGABYTES} MB in {kind}, {what}",
            ours=f"ours {kind}",
            other=f"plain {kind}",
            against="a page with <img> of the originals",
            reach=reach,
            unit=unit,
        )
        for kind in ("disk", "S3")
    )


CONTESTS = (
    Contest(
        name="page",
        rounds=5,
        prepare=_paints,
        rows=_rows(f"largest paint on 4G of {MBIT} Mbit/s", 0.25),
    ),
    # The same each time.
    Contest(name="page-bytes", rounds=2, prepare=_weights, rows=_rows("bytes", 0.1, "MB")),
)
