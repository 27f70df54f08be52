"""The example hosts behind a proxy that takes a prefix away: every link that they give has it."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from charimg import AsyncCharacterImageService, CharacterImageService, CharacterReference
from charimg.testing import serve

from .documents import ROOT

EXAMPLES = ROOT / "examples"
PREFIX = "/proxy"
LINK = re.compile(r'href="([^"]+)">Images')
MARA = CharacterReference(id="mara", name="Mara Voss", library_db_id="f" * 24)


@pytest.fixture
def library() -> Iterator[str]:
    with serve() as server:
        yield server.url


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: Any) -> dict[str, Any]:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path))
    return runpy.run_path(str(EXAMPLES / request.param))


def inside(link: str) -> str:
    """What the application behind the proxy gets to see of a link."""
    assert link.startswith(f"{PREFIX}/"), link
    return link.removeprefix(PREFIX)


def check_page(page: str) -> None:
    """Check all that the page of a character leads to, on this host."""
    led = re.findall(r'(?:href|src|content)="(/[^"]*)"', page)
    assert led
    assert [each for each in led if not each.startswith(f"{PREFIX}/")] == []
    assert f"{PREFIX}/characters/mara" in page


@pytest.mark.parametrize("example", ["flask_host.py"], indirect=True)
def test_flask(example: dict[str, Any], library: str, tmp_path: Path) -> None:
    with CharacterImageService.local(tmp_path, library=library, media_url="/media") as service:
        service.put_character(MARA)
        app = example["create_app"](service)
        transport = httpx.WSGITransport(app=app, script_name=PREFIX)
        with httpx.Client(transport=transport, base_url="http://host.test") as client:
            away = client.get("/characters/mara")
            assert away.status_code == 302
            sign_in = inside(away.headers["location"])
            given = {"username": "ada", "password": "engine"}
            signed_in = client.post(sign_in, data=given)
            assert signed_in.status_code == 302
            shown = client.get(inside(signed_in.headers["location"]))
            link = LINK.search(shown.text)
            assert link is not None
            check_page(client.get(inside(link[1])).text)


@pytest.mark.anyio
@pytest.mark.parametrize("example", ["fastapi_host.py"], indirect=True)
async def test_fastapi(example: dict[str, Any], library: str, tmp_path: Path) -> None:
    app = example["app"]
    async with AsyncCharacterImageService.local(
        tmp_path, library=library, media_url="/media"
    ) as app.state.images:
        await app.state.images.put_character(MARA)
        transport = httpx.ASGITransport(app=app, root_path=PREFIX)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://host.test", auth=("ada", "engine")
        ) as client:
            # An ASGI server tells the whole path, with the prefix.
            link = LINK.search((await client.get(f"{PREFIX}/characters/mara")).text)
            assert link is not None
            check_page((await client.get(httpx.URL(link[1]).path)).text)
