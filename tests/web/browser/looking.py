"""What the tests of our modules share: a bench with texts, a page that complains, axe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe

from charimg.web.texts import TEXTS

from . import bench
from .studio import Watched

WIDTHS = ((1440, 900), (390, 844))
SCHEMES = ("light", "dark")


@contextmanager
def looking(
    chromium: Any,
    *,
    motion: bool = False,
    size: tuple[int, int] = WIDTHS[0],
    media_origin: str = "",
    tolerated: str | None = None,
    **options: Any,
) -> Iterator[tuple[Any, bench.Bench]]:
    """Open the bench's page; at the end nothing may have gone wrong in it.

    Args:
        chromium: The browser.
        motion: Whether the reader is fine with movement.
        size: Of the window.
        media_origin: Another origin from which the page may load images.
        tolerated: What the browser's console may say.
        **options: Of the context.
    """
    with bench.serve(TEXTS) as server:
        server.media_origin = media_origin
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="no-preference" if motion else "reduce",
            accept_downloads=True,
            **options,
        )
        context.set_default_timeout(20_000)
        page = context.new_page()
        watched = Watched(page, "https://library.example")
        page.goto(f"{server.url}/")
        page.locator("#opener:enabled").focus()
        yield page, server
        server.held.set()
        context.close()
        complaints = [each for each in watched.complaints if not (tolerated and tolerated in each)]
        assert complaints == []


def accessible(page: Any) -> None:
    """Let axe look at the page in both schemes and two widths."""
    before = page.viewport_size
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            results = Axe().run(page)
            assert results.violations_count == 0, results.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)


HOSTILE = (
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    "</p></details></figcaption><svg onload=window.hurt=1>",
    "\"><iframe srcdoc='<script>parent.hurt=1</script>'>",
    "&amp;&lt;b&gt; &#x3c;script&#x3e; &notanentity; &",
    "{{constructor.constructor('hurt=1')()}} ${hurt} <%= hurt %>",
    "line one\nline two\r\nline three\rline four\n\n",
    "\n  leading and   inner   spaces\t\ttabs  ",
    "]]> --> <!-- <![CDATA[ <?php echo 1 ?>",
    "right to left \u202ereversed\u202c, \u2066isolated\u2069 and \u200bzero width",
    "emoji 👩🏽\u200d🚀 and e\u0301 combining, 日本語, עברית, العربية",
    "javascript:window.hurt=1",
    "</style><style>*{display:none}</style>",
    "</title><script>window.hurt=1</script>",
    '=HYPERLINK("http://evil.example") @import url(http://evil.example/x.css);',
    "control \x01\x0b\x0c\x1f\x7f\x85\xa0 characters",
    "a" * 5000,
)
