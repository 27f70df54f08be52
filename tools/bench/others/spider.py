"""Draws references and portfolios with Scrapy, whose media pipeline fetches and shrinks the images.

It gets the arguments as JSON, and writes what it counted itself, its start left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess


class Characters(scrapy.Spider):
    """Asks for a reference and then for a set, for each character."""

    name = "characters"
    url: str
    characters: list[str]

    async def start(self) -> AsyncIterator[scrapy.Request]:
        """Ask for the references."""
        for each in self.characters:
            yield self._post(each, "generate-initial-image", self.referenced)

    def referenced(self, response: Any, character: str) -> Iterator[Any]:
        """Take the reference, and ask for the set."""
        yield {"image_urls": [response.json()["data"]["publicUrl"]]}
        yield self._post(character, "generate-360-set", self.drawn)

    def drawn(self, response: Any, **_: str) -> Iterator[Any]:
        """Take the set."""
        yield {"image_urls": [each["url"] for each in response.json()["images"]]}

    def _post(self, character: str, what: str, then: Any) -> scrapy.Request:
        return scrapy.Request(
            f"{self.url}/api/v1/characters/{character}/{what}",
            method="POST",
            body=json.dumps({"prompt": "Lena."}),
            headers={"Content-Type": "application/json"},
            callback=then,
            cb_kwargs={"character": character},
        )


def _main() -> None:
    given = json.loads(sys.argv[1])
    process = CrawlerProcess(
        settings={
            "ITEM_PIPELINES": {"scrapy.pipelines.images.ImagesPipeline": 1},
            "IMAGES_STORE": given["folder"],
            "IMAGES_THUMBS": {"small": (given["thumbnail"], given["thumbnail"])},
            "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "ERROR",
        }
    )
    crawler = process.create_crawler(Characters)
    process.crawl(crawler, url=given["url"], characters=given["characters"])
    process.start()
    stats = crawler.stats.get_stats()
    said = {
        "seconds": stats["elapsed_time_seconds"],
        "images": stats.get("file_status_count/downloaded", 0),
    }
    Path(given["said"]).write_text(json.dumps(said))


if __name__ == "__main__":
    _main()
