"""A FastAPI application with sign-in (ada, password engine) and the images pages behind it.

Against a simulated Character Library, or the one of CHARACTER_LIBRARY_API_URL::

    python examples/fastapi_host.py [port]
"""

import os
import sys
import tempfile
from contextlib import ExitStack, asynccontextmanager
from html import escape
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from sign_in import knows

from charimg import AsyncCharacterImageService, CharacterReference
from charimg.testing import serve
from charimg.web import MediaApp
from charimg.web.fastapi import from_dependency, images_url, media_view, router

DIRECTORY = os.environ.get("CHARIMG_DIR") or tempfile.mkdtemp()


@asynccontextmanager
async def lifespan(app: FastAPI):
    """Run the service as long as the application, and add a character to a new one."""
    library = os.environ["CHARACTER_LIBRARY_API_URL"]
    async with AsyncCharacterImageService.local(
        DIRECTORY, library=library, media_url="/media"
    ) as images:
        app.state.images = images
        await images.recover()  # what an earlier process left
        if await images.directory.get("mara") is None:
            remote = await images.library.create_character("Mara Voss")
            await images.put_character(
                CharacterReference(id="mara", name="Mara Voss", library_db_id=remote.id)
            )
        yield


def current_user(given: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> str:
    """Return who is signed in."""
    if not knows(given.username, given.password):
        raise HTTPException(401, "Who are you?", {"WWW-Authenticate": "Basic"})
    return given.username


app = FastAPI(lifespan=lifespan)
signed_in = [Depends(current_user)]
app.include_router(
    router(
        lambda: app.state.images,
        authorize=from_dependency(current_user),
        character_url="/characters/{id}",
    ),
    prefix="/studio",
)
app.get("/media/{path:path}", dependencies=signed_in)(media_view(MediaApp(f"{DIRECTORY}/media")))


@app.get("/characters/{character_id}", dependencies=signed_in)
async def character(request: Request, character_id: str) -> HTMLResponse:
    """Show a character, with a link to its images."""
    link = images_url(request, character_id)
    return HTMLResponse(f'<h1>{escape(character_id)}</h1><a href="{escape(link)}">Images</a>')


if __name__ == "__main__":
    with ExitStack() as owned:
        if "CHARACTER_LIBRARY_API_URL" not in os.environ:
            os.environ["CHARACTER_LIBRARY_API_URL"] = owned.enter_context(serve()).url
        uvicorn.run(app, port=int(sys.argv[1]) if sys.argv[1:] else 8000)
