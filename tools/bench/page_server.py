"""The server whose pages are looked at: charimg's page, and one with plain images beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Response

from charimg import AsyncCharacterImageService, AsyncCharacterLibrary, AsyncDownloader
from charimg import stores as kinds
from charimg.web.fastapi import media_view, router
from charimg.web.media import MediaApp

from .page import IMAGES, LENA, PLAIN, disk_store_options

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lena</title>
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<style>main {{ display: grid; grid-template-columns: repeat(6, 1fr); gap: 8px }}
img {{ width: 100%; aspect-ratio: 1; object-fit: cover }}</style></head>
<body><main>{images}</main></body></html>"""


async def _anna(*_: object) -> str:
    return "anna"


def _serve(folder: Path, s3: str, descriptor: int) -> None:
    database = kinds.SqliteDatabase(folder / "charimg.sqlite")
    media: Any = (
        kinds.AsyncS3MediaStore.from_url(s3)
        if s3
        else kinds.AsyncDiskMediaStore(folder / "media", **disk_store_options())
    )
    service = AsyncCharacterImageService(
        library=AsyncCharacterLibrary("http://127.0.0.1:9"),
        downloader=AsyncDownloader(),
        directory=kinds.AsyncSqliteCharacterDirectory(database),
        media=media,
        metadata=kinds.AsyncSqliteMetadataRepository(database),
        ledger=kinds.AsyncSqliteGenerationLedger(database),
    )
    app = FastAPI()

    @app.get(PLAIN)
    async def plain() -> Response:
        listed = await service.list_images(LENA, limit=IMAGES)
        urls = [image.media.url for image in listed.images if image.media is not None]
        shown = "".join(f'<img alt="" src="{url}">'.replace("&", "&amp;") for url in urls)
        return Response(_PAGE.format(images=shown), media_type="text/html")

    if not s3:
        app.get("/media/{path:path}")(media_view(MediaApp(folder / "media")))
    app.include_router(router(service, authorize=_anna))
    uvicorn.run(app, fd=descriptor, log_level="warning", access_log=False)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
