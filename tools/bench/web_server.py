"""The servers that are put under load: charimg's routes, or a route that answers from memory."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response

from charimg import AsyncCharacterImageService, AsyncCharacterLibrary, AsyncDownloader
from charimg import stores as kinds
from charimg.web.fastapi import router

from .measure import demand
from .web import MEDIA, PATH

TAG = '"1"'


async def _anna(*_: object) -> str:
    return "anna"


async def _answer(app: Any) -> bytes:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get(PATH)
        demand(answer.status_code == 200, f"the route answered {answer.status_code} {answer.text}")
        return answer.content


def _serve(kind: str, folder: Path, descriptor: int) -> None:
    database = kinds.SqliteDatabase(folder / "charimg.sqlite")
    service = AsyncCharacterImageService(
        library=AsyncCharacterLibrary("http://127.0.0.1:9"),
        downloader=AsyncDownloader(),
        directory=kinds.AsyncSqliteCharacterDirectory(database),
        media=kinds.AsyncDiskMediaStore(folder / "media", base_url=MEDIA),
        metadata=kinds.AsyncSqliteMetadataRepository(database),
        ledger=kinds.AsyncSqliteGenerationLedger(database),
    )
    app = FastAPI()
    app.include_router(router(service, authorize=_anna))
    if kind == "bare":
        body = asyncio.run(_answer(app))
        app = FastAPI()

        @app.get(PATH)
        async def images(request: Request) -> Response:
            headers = {"ETag": TAG}
            if request.headers.get("if-none-match") == TAG:
                return Response(status_code=304, headers=headers)
            return Response(body, media_type="application/json", headers=headers)

    uvicorn.run(app, fd=descriptor, log_level="warning", access_log=False)


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
