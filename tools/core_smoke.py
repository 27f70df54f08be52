"""What must hold with the core dependencies alone. Run it in an environment that has only those.

``check_wheel.py`` builds the wheel, installs it into an empty environment and runs this there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charimg import CharacterImageService

EXTRAS = (
    *("PIL", "baml_py", "distributed", "django", "fastapi", "flask", "jinja2", "obstore"),
    *("opentelemetry", "psycopg", "rich", "typer", "uvicorn"),
)
LATE = ("httpx", "sqlite3", "asyncio")
"""Not wanted at ``import charimg``: they load with the first name that needs them."""
DB_ID = "6730c1a2b3c4d5e6f7a8b9c0"
ANSWERS: dict[str, Any] = {
    "/api/health": {"status": "ok"},
    f"/api/v1/characters/{DB_ID}": {"id": DB_ID, "name": "Lena", "characterId": "lena-1"},
}


# We cause no warning. With the newest versions, nothing does: then Python is asked for it, by -W.
warnings.filterwarnings("error", module="charimg")


def demand(holds: object, message: str) -> None:
    """End the run with a message unless something holds."""
    if not holds:
        raise SystemExit(f"core smoke: {message}")


class Handler(BaseHTTPRequestHandler):
    """Answers a handful of GETs as the Character Library would."""

    busy = 0
    """So many answers are a 503 that asks for half a minute."""

    def do_GET(self) -> None:
        """Answer from the table, or with the server's 500 for an unknown id."""
        answer = ANSWERS.get(self.path.partition("?")[0])
        body = json.dumps(answer or {"error": "Not Found"}).encode()
        busy = Handler.busy > 0
        Handler.busy -= busy
        self.send_response(503 if busy else 200 if answer else 500)
        if busy:
            self.send_header("Retry-After", "30")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Stay quiet."""


@contextmanager
def server() -> Iterator[str]:
    """Serve the handful of answers; yields the base URL."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def check_import() -> None:
    """``import charimg`` alone: quick, quiet, typed."""
    import charimg

    for name in (*EXTRAS, *LATE):
        demand(name not in sys.modules, f"import charimg loaded {name}")
    demand(files("charimg").joinpath("py.typed").is_file(), "py.typed is not in the package")
    version = importlib.metadata.version("charimg")
    demand(charimg.__version__ == version, f"{charimg.__version__} is not {version}")


def check_empty_environment() -> None:
    """No extra is here, or what follows would prove nothing."""
    here = [name for name in EXTRAS if importlib.util.find_spec(name) is not None]
    demand(not here, f"this environment is not empty, it has {', '.join(here)}")


def check_names() -> None:
    """Every public name of every public module resolves, and none of them needs an extra."""
    for module_name in ("charimg", "charimg.otel", "charimg.stores", "charimg.testing"):
        module = importlib.import_module(module_name)
        for name in module.__all__:
            demand(getattr(module, name, None) is not None, f"{module_name}.{name} is missing")
    for name in EXTRAS:
        demand(name not in sys.modules, f"the public names loaded {name}")


def check_client() -> None:
    """A client against a real server, sync and async."""
    import asyncio

    from charimg import AsyncCharacterLibrary, CharacterLibrary, CharacterLibraryError, ErrorCode

    with server() as base_url:
        with CharacterLibrary(base_url) as library:
            library.health()
            demand(library.get_character(DB_ID).name == "Lena", "the character has another name")
            try:
                library.get_character("0" * 24)
            except CharacterLibraryError as error:
                demand(error.code == ErrorCode.NOT_FOUND, f"an unknown id gave {error.code}")
            else:
                demand(False, "an unknown id gave an answer")
        check_retry_after(base_url)

        async def asynchronous() -> None:
            async with AsyncCharacterLibrary(base_url) as library:
                await library.health()
                name = (await library.get_character(DB_ID)).name
                demand(name == "Lena", "the async client sees another name")

        asyncio.run(asynchronous())


def check_retry_after(base_url: str) -> None:
    """The wait that a server asks for is kept, up to its cap."""
    from charimg import CharacterLibrary, RetryPolicy

    policy = RetryPolicy(wait_initial=0, wait_max=0, wait_jitter=0, retry_after_max=0.3)
    Handler.busy = 1
    begun = time.monotonic()
    with CharacterLibrary(base_url, retries=policy) as library:
        library.health()
    waited = time.monotonic() - begun
    demand(Handler.busy == 0, "a 503 was not met")
    demand(0.3 <= waited < 10, f"Retry-After, capped to 0.3 s, gave a wait of {waited:.3f} s")


@contextmanager
def embedded(
    directory: str, *, provenance: Any = "read", **options: Any
) -> Iterator[CharacterImageService]:
    """Open a service with the simulator and the embedded stores; it knows one character, lena."""
    import httpx

    from charimg import CharacterImageService, CharacterLibrary, CharacterReference, Downloader
    from charimg.testing import Simulator

    with (
        httpx.Client(transport=Simulator().transport()) as client,
        CharacterLibrary("http://library.test", client=client) as library,
        Downloader(client=client, provenance=provenance) as downloader,
        CharacterImageService.local(
            directory, library=library, downloader=downloader, **options
        ) as service,
    ):
        linked = library.create_character("Lena", character_id="lena-1")
        service.put_character(CharacterReference(id="lena", name="Lena", library_db_id=linked.id))
        yield service


def check_embedded() -> None:
    """A reference with the simulator and the embedded stores, all without an extra."""
    with TemporaryDirectory() as directory, embedded(directory) as service:
        result = service.generate_reference("lena", prompt="A plain portrait.")
        page = service.list_images("lena")
        demand(page.images == (result.image,), "the list does not hold the new reference")


def check_command() -> None:
    """The command without its extra says in one line what to install."""
    command = Path(sys.executable).with_name("charimg")
    done = subprocess.run(
        [str(command)], capture_output=True, text=True, check=False, env={**os.environ}
    )
    demand(done.returncode != 0, "the command succeeds without its extra")
    lines = done.stderr.strip().splitlines()
    demand(
        len(lines) == 1 and re.search(r"pip install 'charimg\[cli\]'", lines[0]),
        f"the command without its extra says: {done.stderr or done.stdout}",
    )


def main() -> None:
    """Run every check; the order matters, as modules stay loaded."""
    check_empty_environment()
    check_import()
    check_names()
    check_client()
    check_embedded()
    check_command()
    print("core smoke: fine with the core dependencies alone")


if __name__ == "__main__":
    main()
