"""The download of many images as one zip, in a browser."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from .conftest import Looking
from .pages import accessible, becomes

IDS = ["id/a?#", "id b", "ü"]
START = """([ids, options]) => {
  window.done = "not yet";
  ours.downloadArchive(ids, options).then((done) => { window.done = done; });
}"""


def notice(page: Page, text: str) -> Any:
    return page.locator(".ci-toast").get_by_text(text)


def test_the_zip_is_saved_and_told(looking: Looking, tmp_path: Path) -> None:
    with looking() as (page, server):
        with page.expect_download() as download:
            page.evaluate(START, [IDS, {"name": "Mira Kestrel"}])
        assert re.fullmatch(r"mira-kestrel-\d{4}-\d\d-\d\d\.zip", download.value.suggested_filename)
        path = tmp_path / "saved.zip"
        download.value.save_as(path)
        assert server.asked_for == IDS
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert [archive.read(each).decode() for each in archive.namelist()] == [
                each * 1000 for each in IDS
            ]
        expect(notice(page, "Saved a zip of 3 images")).to_be_visible()
        assert page.evaluate("done") is True


def test_it_shows_how_far_it_is_and_can_be_cancelled(looking: Looking) -> None:
    with looking() as (page, server):
        server.held.clear()
        page.evaluate(START, [IDS, {"bytes": 5_000_000}])
        expect(notice(page, "Packing 3 images…")).to_be_visible()
        accessible(page)
        page.get_by_role("button", name="Cancel").click()
        becomes(page, "() => done === false")
        expect(page.locator(".ci-toast")).to_have_count(0)
        server.held.set()
        with page.expect_download():
            page.evaluate(START, [IDS, {"bytes": 5_000_000}])


def test_progress_is_told_in_bytes(looking: Looking) -> None:
    with looking() as (page, _):
        told = page.evaluate(
            """async () => {
              const told = [];
              // A second goes by whenever the clock is looked at.
              let now = 0;
              performance.now = () => (now += 1000);
              const body = new ReadableStream({
                async start(stream) {
                  for (let piece = 0; piece < 3; piece += 1) {
                    stream.enqueue(new Uint8Array(9_000_000));
                  }
                  stream.close();
                },
              });
              const blob = await ours.receive(new Response(body), (bytes) => told.push(bytes));
              return { told, size: blob.size, type: blob.type };
            }"""
        )
        assert told["size"] == 27_000_000
        assert told["type"] == "application/zip"
        assert told["told"] == [9_000_000, 18_000_000, 27_000_000, 27_000_000]


def test_a_refusal_is_told_in_its_own_words(looking: Looking) -> None:
    with looking() as (page, server):
        server.archive = "refused"
        page.evaluate(START, [IDS, {}])
        expect(notice(page, "The zip could not be downloaded.")).to_be_visible()
        expect(notice(page, "There are no such images.")).to_be_visible()
        assert page.evaluate("done") is False


def test_half_a_zip_is_never_saved(looking: Looking) -> None:
    downloads: list[Any] = []
    with looking() as (page, server):
        page.on("download", lambda download: downloads.append(download))
        server.archive = "cut"
        page.evaluate(START, [IDS, {}])
        expect(notice(page, "The connection broke off. Try again.")).to_be_visible()
        assert page.evaluate("done") is False
        accessible(page)
    assert downloads == []
