"""The page within a host's own template and texts."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from charimg.web.texts import TEXTS

from .pages import Pages
from .parts import cards, generate
from .studio import in_this_process

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
