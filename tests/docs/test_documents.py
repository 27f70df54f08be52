"""Every block of the README and the documentation runs, in order, against the simulator."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

from charimg import CharacterLibrary
from charimg.testing import serve

from ..servers.django import set_up
from ..servers.model import KEY, serve_model
from ..servers.payload import PayloadServer
from ..servers.postgres import PostgresServer
from ..servers.s3 import S3Server, credentials
from ..signing.certificates import authority
from .documents import DOCUMENTS, ROOT, Runner, fences, look_up

# What a reader of a page has already done before its first block.
_BEFORE = {
    "docs/how-to/baml.md": "_model",
    "docs/how-to/django.md": "_django",
    "docs/how-to/own-store-django.md": "_django",
    "docs/how-to/payload.md": "_payload",
    "docs/how-to/postgres.md": "_postgres",
    "docs/how-to/provenance.md": "_certificate",
    "docs/how-to/s3.md": "_s3",
}


@pytest.fixture
def _world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A Character Library where the environment says, and an empty working directory."""
    loggers = [logging.getLogger(name) for name in ("", "charimg", "httpx")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    # A reader need not have structlog, through which retries would be printed to stdout.
    set_on_retry_hooks([LoggingOnRetryHook])
    with serve() as server:
        monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", server.url)
        monkeypatch.chdir(tmp_path)
        yield
    set_on_retry_hooks(None)
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def _postgres(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty database."""
    monkeypatch.setenv("DATABASE_URL", postgres_server.new_database())


@pytest.fixture
def _certificate(tmp_path: Path) -> None:
    """A certificate and its key, in the working directory."""
    pytest.importorskip("c2pa")
    authority().write(tmp_path)


@pytest.fixture
def _django() -> Iterator[None]:
    """A Django project: settings, and a migrated database."""
    set_up()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE studio_character (id integer PRIMARY KEY AUTOINCREMENT, name text, "
            "library_db_id text, age integer NULL, hair text)"
        )
    yield
    # Django's own close() would keep a database in memory open.
    connection.connection.close()
    connection.connection = None


@pytest.fixture
def _model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A model's server that keeps to the facts until it is asked of another character."""
    with serve_model() as model:
        model.describes("Mara Voss is 34, and her hair is auburn. She wears a charcoal coat.")
        monkeypatch.setenv("MODEL_URL", model.url)
        monkeypatch.setenv("MODEL_KEY", KEY)
        yield


@pytest.fixture
def _s3(radosgw_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket, and the environment as the page has it, with credentials of the server's."""
    credentials(monkeypatch)
    page = (ROOT / "docs/how-to/s3.md").read_text(encoding="utf-8")
    [media] = re.findall(r"export CHARIMG_MEDIA='([^']+)'", page)
    monkeypatch.setenv("CHARIMG_MEDIA", media)
    monkeypatch.setenv("AWS_ENDPOINT_URL", radosgw_server.endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")


@pytest.fixture
def _payload(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A Payload CMS with a character that is linked."""
    work = tmp_path / "payload"
    work.mkdir()
    server = PayloadServer(work)
    server.start()
    with CharacterLibrary(os.environ["CHARACTER_LIBRARY_API_URL"]) as library:
        remote = library.create_character("Mira")
    character = server.character("Mira", libraryIntegration={"libraryDbId": remote.id})
    monkeypatch.setenv("PAYLOAD_URL", server.url)
    monkeypatch.setenv("PAYLOAD_API_KEY", server.api_key)
    monkeypatch.setenv("CHARACTER_ID", character)
    yield
    server.kill()


@pytest.mark.usefixtures("_world")
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_block_holds(path: Path, request: pytest.FixtureRequest) -> None:
    before = _BEFORE.get(path.relative_to(ROOT).as_posix())
    if before is not None:
        request.getfixturevalue(before)
    runner = Runner()
    runner.run(path)
    assert runner.ran == fences(path), "a block was passed over"


@pytest.mark.usefixtures("_world")
@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("```python\nprint(1 +)\n```", SyntaxError),
        ("```python\nassert False\n```", AssertionError),
        ("```python\nprint(1)\n```\n\n```output\n2\n```", AssertionError),
        ("```console\n$ charimg list nobody\n```", AssertionError),
        ("```console\n$ false\n$ true\n```", AssertionError),
        ("```console\n$ echo a\nb\n```", AssertionError),
        ("```console\n$ make no-such-target\n```", AssertionError),
        ("```console\n$ pip install '.[no-such-extra]'\n```", AssertionError),
        ("```json\n{\n```", ValueError),
        ("```ruby\nputs 1\n```", AssertionError),
    ],
)
def test_a_wrong_block_is_noticed(tmp_path: Path, block: str, error: type[Exception]) -> None:
    path = tmp_path / "wrong.md"
    path.write_text(f"# Wrong\n\n{block}\n", encoding="utf-8")
    with pytest.raises(error):
        Runner().run(path)


@pytest.mark.parametrize("command", ["simulate", "generate scene mara"])
def test_a_command_that_is_looked_up_has_its_options(command: str) -> None:
    look_up(f"charimg {command}")
    with pytest.raises(Exception, match="--no-such-option"):
        look_up(f"charimg {command} --no-such-option")


def test_a_block_knows_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "right.md"
    path.write_text(
        "```python\nx = 1\nprint(x)\n```\n\n- ```python\n  print(x + 1)\n  ```\n\n"
        "```output\n1\n...\n```\n\n```console\n$ echo a\na\n$ false; echo $?\n1\n```\n",
        encoding="utf-8",
    )
    runner = Runner()
    runner.run(path)
    assert runner.ran == {"python": 2, "output": 1, "console": 1} == fences(path)
