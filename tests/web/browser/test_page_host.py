"""The page within a host's own template and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from charimg import AsyncCharacterImageService, AsyncCharacterLibrary
from charimg._assembly.embedded import async_embedded
from charimg.web import MediaApp, asgi_app
from charimg.web.texts import TEXTS

from ...servers.http import serve_asgi
from .pages import Pages, becomes
from .parts import cards, generate, starting
from .studio import MARA, in_this_process

_TEMPLATE = """{% extends "charimg/images.html" %}
{% block title %}Studio | {{ super() }}{% endblock %}
{% block before %}<nav id="mine" aria-label="Studio"><kbd>K</kbd></nav>{% endblock %}
{% block after %}<footer>© the studio</footer>{% endblock %}
"""


def test_a_host_extends_the_page_and_translates_it(pages: Pages, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "images.html").write_text(_TEMPLATE, encoding="utf-8")
    texts = {
        **{key: text for key, text in TEXTS.items() if key.startswith("will_")},
        "generate_reference": "Referenz erzeugen",
        "kind_reference": "Referenz",
        "will_delete_one": "Löscht hier {count} Bild.",
    }
    with in_this_process(
        tmp_path / "studio", templates=templates, texts=texts, lang="de", page_size=2
    ) as studio:
        studio.fill(6)
        page = pages.open(studio.page_of())
        assert page.title() == "Studio | Images of Mara Voss"
        assert page.locator("html").get_attribute("lang") == "de"
        expect(page.get_by_role("navigation", name="Studio")).to_be_visible()
        expect(page.get_by_text("© the studio")).to_be_attached()
        expect(page.get_by_role("button", name="Referenz erzeugen")).to_be_visible()
        expect(generate(page)).to_have_count(0)
        # Two at a time, until the window is full.
        expect(cards(page)).to_have_count(6)
        expect(cards(page).last).to_contain_text("Referenz")
        # What is the host's own keeps its look.
        look = "(element) => getComputedStyle(element).borderTopWidth"
        assert page.locator("#mine kbd").evaluate(look) == "0px"


def test_behind_the_prefix_of_a_proxy(pages: Pages, tmp_path: Path) -> None:
    """Pictures, the way back and the routes are found there; nothing is asked for beside it."""
    with in_this_process(tmp_path / "studio") as studio:
        studio.fill(3)

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"].startswith("/team/"), scope["path"]
        await app({**scope, "root_path": "/team"}, receive, send)

    stores = async_embedded(tmp_path / "studio", media_url="/media")
    images = AsyncCharacterImageService(
        library=AsyncCharacterLibrary("http://127.0.0.1:1"),
        directory=stores.directory,
        media=stores.media,
        metadata=stores.metadata,
        ledger=stores.ledger,
    )
    mounted = asgi_app(images, authorize=lambda *_: True, character_url="/cast/{id}")
    app = Starlette(
        routes=[
            Mount("/studio", mounted),
            Mount("/media", MediaApp(tmp_path / "studio" / "media")),
            Route("/cast/{id}", lambda request: PlainTextResponse(request.path_params["id"])),
        ]
    )
    with stores.database, serve_asgi(behind) as url:
        page = pages.open(f"{url}/team/studio/screenplay/characters/{MARA}/images")
        expect(cards(page)).to_have_count(3)
        for picture in cards(page).get_by_role("img").all():
            expect(picture).to_have_attribute("src", starting("/team/media/"))
        becomes(
            page,
            "() => [...document.querySelectorAll('.ci-card img')].every((img) => img.naturalWidth)",
        )
        page.get_by_role("link", name="Back to character").click()
        expect(page.get_by_text(MARA)).to_be_visible()
        assert page.url == f"{url}/team/cast/{MARA}"
