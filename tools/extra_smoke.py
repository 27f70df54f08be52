"""What must hold with one extra: a small, real use of what it brings.

``check_wheel.py`` installs the wheel with the extra into an empty environment and runs this there,
as ``extra_smoke.py NAME``.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    BamlPromptSuggester,
    CharacterReference,
    ProvenancePolicy,
    Upload,
)
from charimg.bulk import BulkTask, DaskExecutor, run_bulk
from charimg.otel import OpenTelemetryHook
from charimg.stores import PostgresCharacterDirectory, PostgresDatabase, S3MediaStore
from core_smoke import demand, embedded

IMAGES = "/studio/v1/characters/lena/images"
PAGE = "/studio/screenplay/characters/lena/images"


def allow(*_asked: object) -> bool:
    """Allow everything."""
    return True


@contextmanager
def image_of_lena(**options: Any) -> Iterator[tuple[str, Any, Any]]:
    """Draw a reference; yields the directory, the service and the image."""
    with TemporaryDirectory() as directory, embedded(directory, **options) as service:
        image = service.generate_reference("lena", prompt="A plain portrait.").image
        yield directory, service, image


def command(directory: str, *arguments: str) -> str:
    """Run the command on a directory; return what it prints."""
    program = Path(sys.executable).with_name("charimg")
    done = subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CHARIMG_DIR": directory},
    )
    demand(done.returncode == 0, f"charimg {' '.join(arguments)} says: {done.stderr}")
    return done.stdout


def listed(status: int, body: str, page: str) -> None:
    """Demand that an answer lists the one image, and that the page names the character."""
    demand(status == 200, f"the list answers {status}: {body}")
    demand(len(json.loads(body)["images"]) == 1, f"the list says {body}")
    demand("<html" in page and "Lena" in page, f"the page is {page[:200]}")


# What each extra brings


def images() -> None:
    """A thumbnail is drawn."""
    with image_of_lena() as (_directory, _service, image):
        demand(image.media.thumbnail_url, "no thumbnail was drawn")


def cli() -> None:
    """The command lists what there is, for people and for programs."""
    with image_of_lena() as (directory, _service, image):
        told = command(directory, "list", "lena", "--json")
        demand(image.id in told, f"the command lists {told}")
        command(directory, "list", "lena")
        command(directory, "--help")


def local() -> None:
    """The demo: the command, the simulator's server, thumbnails and decoding."""
    with TemporaryDirectory() as directory:
        told = json.loads(command(directory, "demo", "--json", "--directory", f"{directory}/demo"))
    wanted = {"reference": 1, "portfolioItem": 27, "scene": 1}
    whole = told["images"] == wanted and told["failed"] == 0 and told["mediaFiles"] == 29
    demand(whole, f"the demo says {told}")


class Model(BaseHTTPRequestHandler):
    """Answers every question of BAML as a language model would."""

    def do_POST(self) -> None:
        """Describe Lena."""
        self.rfile.read(int(self.headers["Content-Length"]))
        said = json.dumps({"description": "Lena has green eyes."})
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": said},
            "finish_reason": "stop",
        }
        body = json.dumps(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "stub",
                "choices": [choice],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Stay quiet."""


def baml() -> None:
    """A prompt comes from a model that is asked through BAML."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            suggester = BamlPromptSuggester(
                model="stub", base_url=f"http://127.0.0.1:{http.server_port}/v1", api_key="key"
            )
            lena = CharacterReference(id="lena", name="Lena", traits={"eye_color": "green"})
            suggestion = suggester.suggest(lena)
        finally:
            http.shutdown()
            thread.join()
    demand(suggestion.reason is None, f"the model's prompt was not taken: {suggestion.reason}")
    demand("Lena has green eyes." in suggestion.prompt, f"the prompt is {suggestion.prompt}")


def bulk() -> None:
    """A cluster of one worker draws."""
    import distributed

    # It has types for some of this only.
    dask: Any = distributed
    with (
        TemporaryDirectory() as directory,
        dask.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
            silence_logs="CRITICAL",
        ) as cluster,
        dask.Client(cluster, set_as_default=False) as client,
        DaskExecutor(client) as executor,
    ):
        report = run_bulk(
            "reference",
            [BulkTask(character_id="lena", options={"prompt": "A plain portrait."})],
            executor=executor,
            open_service=lambda: embedded(directory),
        )
    demand(report.outcomes["done"] == 1, f"the run says {report}")


def s3() -> None:
    """An object is saved, read, signed and deleted in a real server's bucket."""
    store = S3MediaStore.from_url(os.environ["SMOKE_S3"])
    content, key = b"not quite a picture", secrets.token_hex(16)
    media = store.save(
        Upload(
            key=key,
            file=io.BytesIO(content),
            filename="it.png",
            mime_type="image/png",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
    )
    url = str(store.locate(media).url)
    demand("X-Amz-Signature" in url, f"the URL is not signed: {url}")
    with store.open(key) as chunks:
        demand(b"".join(chunks) == content, "other bytes come back")
    demand(store.delete(key), "nothing was deleted")


def postgres() -> None:
    """A character is kept in a real database."""
    lena = CharacterReference(id="lena", name="Lena")
    with PostgresDatabase(os.environ["SMOKE_POSTGRES"]) as database:
        directory = PostgresCharacterDirectory(database)
        directory.put(lena)
        demand(directory.get("lena") == lena, "another character comes back")


def otel() -> None:
    """The hook takes every event of an operation, with the API alone."""
    with image_of_lena(hooks=[OpenTelemetryHook()]):
        pass


def ask_asgi(mount: Callable[[AsyncCharacterImageService], Any]) -> None:
    """Ask an ASGI application for the list and the page."""
    import httpx

    async def ask(directory: str) -> tuple[httpx.Response, httpx.Response]:
        async with (
            AsyncCharacterLibrary("http://library.test") as library,
            AsyncCharacterImageService.local(directory, library=library) as service,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(mount(service)), base_url="http://host.test"
            ) as client,
        ):
            return await client.get(IMAGES), await client.get(PAGE)

    with image_of_lena() as (directory, _service, _image):
        answer, page = asyncio.run(ask(directory))
    listed(answer.status_code, answer.text, page.text)


def web() -> None:
    """The routes and the page as an ASGI application."""
    from charimg.web import asgi_app

    def mount(service: AsyncCharacterImageService) -> Any:
        inner = asgi_app(service, authorize=allow)

        async def host(scope: Any, receive: Any, send: Any) -> None:
            await inner({**scope, "root_path": "/studio"}, receive, send)

        return host

    ask_asgi(mount)


def fastapi() -> None:
    """The router in a FastAPI application, and in its OpenAPI."""
    from fastapi import FastAPI

    from charimg.web.fastapi import router

    def mount(service: AsyncCharacterImageService) -> FastAPI:
        app = FastAPI()
        app.include_router(router(service, authorize=allow), prefix="/studio")
        demand(IMAGES.replace("lena", "{character_id}") in app.openapi()["paths"], "no OpenAPI")
        return app

    ask_asgi(mount)


def flask() -> None:
    """The blueprint in a Flask application."""
    from flask import Flask

    from charimg.web.flask import blueprint

    with image_of_lena() as (_directory, service, _image):
        app = Flask("studio")
        app.register_blueprint(blueprint(service, authorize=allow), url_prefix="/studio")
        client = app.test_client()
        answer, page = client.get(IMAGES), client.get(PAGE)
        listed(answer.status_code, answer.text, page.text)


def django() -> None:
    """The views in a Django project."""
    from django import setup
    from django.conf import settings
    from django.urls import include, path

    urls = ModuleType("studio_urls")
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=urls, SECRET_KEY="none")  # noqa: S106
    setup()
    from django.test import Client

    from charimg.web.django import urlpatterns

    with image_of_lena() as (_directory, service, _image):
        pages = urlpatterns(service, authorize=allow)
        urls.urlpatterns = [path("studio/", include(pages))]  # type: ignore[attr-defined]
        answer, page = Client().get(IMAGES), Client().get(PAGE)
        listed(answer.status_code, answer.content.decode(), page.content.decode())


def c2pa() -> None:
    """An image is signed, with a certificate of the tests, and read back."""
    import c2pa as library

    tests = Path(__file__).parents[1] / "tests"
    authority = run_path(str(tests / "signing" / "certificates.py"))["authority"]
    with TemporaryDirectory() as work:
        authority().write(Path(work))
        policy = ProvenancePolicy(
            mode="sign", certificate=f"{work}/chain.pem", key=f"{work}/key.pem"
        )
        with image_of_lena(provenance=policy) as (_directory, service, image):
            demand(image.metrics.provenance.marked == "sign", "the image was not signed")
            with service.media.open(image.key) as chunks:
                data = io.BytesIO(b"".join(chunks))
            with library.Reader(image.media.mime_type, data) as reader:
                state = reader.get_validation_state()
    demand(state in ("Valid", "Trusted"), f"the signature is {state}")


SMOKES: dict[str, Callable[[], None]] = {
    smoke.__name__: smoke
    for smoke in (
        *(images, cli, local, baml, bulk, c2pa, s3, postgres, otel),
        *(web, fastapi, flask, django),
    )
}


if __name__ == "__main__":
    SMOKES[sys.argv[1]]()
