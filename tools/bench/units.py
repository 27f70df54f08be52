"""What one image costs in rows, files and requests: the units that larger numbers are made of."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    JobPolicy,
    Upload,
)
from charimg import stores as kinds
from charimg.testing import Simulator

from .measure import Missing
from .pictures import PORTFOLIO

__all__ = ["CHARACTERS", "measure_units"]

CHARACTERS = 40
_URL = "http://library.test"
_QUICK = JobPolicy(interval=0.01, interval_max=0.01)


def measure_units() -> dict[str, float]:
    """Return the units by name, each per image of a portfolio unless its name says otherwise."""
    with TemporaryDirectory(prefix="charimg-bench-") as folder:
        root = Path(folder)
        found = _drawn(root)
        found |= _files(root / "media")
        for more in (_postgres, _s3):
            with _optional():
                found |= more(root)
        # The last, for it takes the rows away.
        found |= _sqlite(root / "charimg.sqlite")
    return {name: round(value, 2) for name, value in found.items()}


@contextmanager
def _optional() -> Iterator[None]:
    """Leave out what has no server here."""
    try:
        yield
    except (Missing, pytest.skip.Exception):
        return


def _drawn(root: Path) -> dict[str, float]:
    """Draw a portfolio for each character, on disk and SQLite; count what the Library is asked."""
    import httpx

    simulator = Simulator(base_url=_URL)
    with (
        kinds.SqliteDatabase(root / "charimg.sqlite") as database,
        httpx.Client(transport=simulator.transport()) as client,
        CharacterLibrary(_URL, client=client) as library,
        Downloader(client=client, decode=False) as downloader,
        CharacterImageService.local(
            root, library=library, downloader=downloader, job_policy=_QUICK
        ) as service,
    ):
        directory = kinds.SqliteCharacterDirectory(database)
        for number in range(CHARACTERS):
            db_id = simulator.add_character(name=f"Character {number}")
            simulator.set_reference(db_id)
            key = f"character-{number}"
            directory.put(CharacterReference(id=key, name=key, library_db_id=db_id))
            service.generate_portfolio(key)
    files = simulator.counters.files
    return {
        "calls of the Library, per portfolio": (simulator.counters.requests - files) / CHARACTERS,
        "downloads": files / (CHARACTERS * PORTFOLIO),
    }


def _files(media: Path) -> dict[str, float]:
    """Count what the disk store keeps beside the image itself."""
    images = CHARACTERS * PORTFOLIO
    paths = [path for path in media.rglob("*") if path.is_file()]
    beside = [path for path in paths if path.name.startswith("_")]
    return {
        "files on disk": len(paths) / images,
        "thumbnail and sidecar, bytes": sum(path.stat().st_size for path in beside) / images,
    }


def _sqlite(path: Path) -> dict[str, float]:
    """Weigh the rows, by what the file loses with them."""
    images = CHARACTERS * PORTFOLIO
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:

        def size() -> int:
            connection.execute("VACUUM")
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (page,) = connection.execute("PRAGMA page_size").fetchone()
            return int(pages * page)

        whole = size()
        connection.execute("DELETE FROM operations")
        records = size()
        connection.execute("DELETE FROM images")
        return {
            "SQLite, record and its indexes, bytes": (records - size()) / images,
            "SQLite, journal, bytes per portfolio": (whole - records) / CHARACTERS,
        }


def _postgres(root: Path) -> dict[str, float]:
    """Weigh the same rows in PostgreSQL."""
    import psycopg
    from tests.servers.postgres import running

    with running() as server:
        url = server.new_database()
        with (
            kinds.SqliteDatabase(root / "charimg.sqlite") as source,
            kinds.PostgresDatabase.from_url(url) as database,
        ):
            records = kinds.SqliteMetadataRepository(source)
            repository = kinds.PostgresMetadataRepository(database)
            for number in range(CHARACTERS):
                for image in records.list(f"character-{number}", limit=PORTFOLIO).images:
                    repository.add(image)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM FULL charimg.images")
            weighed = connection.execute("SELECT pg_total_relation_size('charimg.images')")
            ((size,),) = weighed.fetchall()
    return {"PostgreSQL, record and its indexes, bytes": size / (CHARACTERS * PORTFOLIO)}


def _s3(_: Path) -> dict[str, float]:
    """Count the requests of a save, thumbnail included."""
    from PIL import Image
    from tests.servers import s3
    from tests.servers.proxy import proxying

    drawn = io.BytesIO()
    Image.new("RGB", (800, 600), "red").save(drawn, "PNG")
    data = drawn.getvalue()
    with (
        pytest.MonkeyPatch.context() as patch,
        s3.rclone() as server,
        proxying(server.port) as proxy,
    ):
        s3.credentials(patch)
        store = kinds.S3MediaStore.from_url(server.url("units", endpoint=proxy.endpoint))
        for number in range(2):
            # What happens once is not counted.
            proxy.requests.clear()
            store.save(
                Upload(
                    key=f"key-{number}",
                    file=io.BytesIO(data),
                    filename="a.png",
                    mime_type="image/png",
                    size=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )
        written = [each for each in proxy.requests if each.method == "PUT"]
        return {
            "S3, requests": len(proxy.requests),
            "S3, writing requests": len(written),
        }
