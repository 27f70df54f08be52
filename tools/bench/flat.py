"""What must not cost more the more is finished: recovery, a listing, and a look at everything.

Two stores of each kind, one of them a hundred times as full as the other; what is done is the same.
"""

from __future__ import annotations

import io
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    GenerationLedger,
    MetadataRepository,
    Operation,
    OperationItem,
    OperationKind,
    OperationState,
    Upload,
)
from charimg import stores as kinds
from charimg.stores._documents import dump
from charimg.testing import serve

from . import backends
from .measure import Contest, Job, Row, demand
from .records import record, row_of

__all__ = ["CONTESTS"]

OPERATIONS = {"few": 1_000, "many": 100_000}
"""Finished ones: ten of each character."""
OPEN = 100
"""What a recovery finds: images that are stored and not recorded."""
IMAGES = {"few": 10_000, "many": 1_000_000}
EACH = 28
"""Images of each character: a reference and a portfolio."""
_OF_EACH = 10


def _character(number: int) -> str:
    return f"c{number:07}"


def _scene(number: int, state: str) -> Operation:
    """Return a scene of which all is known: its image is stored, or it still has to be."""
    key = f"{number:032x}"
    item = OperationItem(
        key=f"{key}-000",
        index=0,
        prompt="She waits for the last tram, in the rain.",
        source_url="https://library.example.org/api/media/file/scene.jpg",
        external_id=f"{number:024x}",
    )
    return Operation(
        id=key,
        kind=OperationKind.SCENE,
        character_id=_character(0),
        library_db_id=f"{0:024x}",
        state=state,
        prompt="She waits for the last tram, in the rain.",
        items=(item,),
    )


def _recovering(
    ledger: GenerationLedger, metadata: MetadataRepository, library: CharacterLibrary
) -> Job:
    """Return what has open operations recovered; it tells the seconds that this took."""
    media = kinds.MemoryMediaStore()
    directory = kinds.MemoryCharacterDirectory()
    for number in range(OPEN):
        linked = f"{number:024x}"
        directory.put(
            CharacterReference(id=_character(number), name=f"Lena {number}", library_db_id=linked)
        )
    service = CharacterImageService(
        library=library, directory=directory, media=media, metadata=metadata, ledger=ledger
    )
    begun = [10**9]

    def job() -> float:
        keys = []
        for number in range(OPEN):
            begun[0] += 1
            op = evolve(
                _scene(begun[0], OperationState.RECEIVED),
                character_id=_character(number),
                library_db_id=f"{number:024x}",
            )
            lease = ledger.acquire(op.character_id, owner="gone", ttl=60)
            ledger.write(op, lease=lease)
            ledger.release(lease)
            key = op.items[0].key
            keys.append(key)
            media.save(
                Upload(
                    key=key,
                    file=io.BytesIO(b"x"),
                    filename=f"scene-{key}.jpg",
                    mime_type="image/jpeg",
                    size=1,
                    sha256="2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
                )
            )
        start = time.perf_counter()
        report = service.recover()
        passed = time.perf_counter() - start
        outcomes = [each.outcome for each in report.operations]
        demand(outcomes == ["completed"] * OPEN, f"not all were recovered: {set(outcomes)}")
        for key in keys:
            metadata.delete(key)
            media.delete(key)
        return passed

    return job


def _finished() -> tuple[str, str]:
    """Return the id of a finished operation, and its text."""
    op = _scene(0, OperationState.DONE)
    return op.id, dump(op, what="it")


@contextmanager
def _sqlite_recovery() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        library = stack.enter_context(CharacterLibrary(stack.enter_context(serve()).url))
        key, text = _finished()
        jobs: dict[str, Job] = {}
        for name, number in OPERATIONS.items():
            database = stack.enter_context(kinds.SqliteDatabase(folder / f"{name}.sqlite"))
            ledger = kinds.SqliteGenerationLedger(database)
            ledger.get("makes the tables")
            with closing(sqlite3.connect(database.path)) as bare, bare:
                bare.execute("PRAGMA synchronous = OFF")
                bare.execute(
                    "WITH RECURSIVE numbers (n) AS "
                    "(SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?) "
                    "INSERT INTO operations (id, character_id, finished, operation) "
                    "SELECT printf('%032x', n), printf('c%07d', n / ?), 1, "
                    "replace(replace(?, ?, printf('%032x', n)), ?, printf('c%07d', n / ?)) "
                    "FROM numbers",
                    (number, _OF_EACH, text, key, _character(0), _OF_EACH),
                )
            jobs[name] = _recovering(ledger, kinds.SqliteMetadataRepository(database), library)
        yield jobs


@contextmanager
def _postgres_recovery() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        url = stack.enter_context(backends.postgres())
        import psycopg

        library = stack.enter_context(CharacterLibrary(stack.enter_context(serve()).url))
        key, text = _finished()
        jobs: dict[str, Job] = {}
        for name, number in OPERATIONS.items():
            database = stack.enter_context(kinds.PostgresDatabase(url, schema=name))
            ledger = kinds.PostgresGenerationLedger(database)
            ledger.get("makes the tables")
            with psycopg.connect(url, autocommit=True) as bare:
                bare.execute(
                    f"INSERT INTO {name}.operations (id, character_id, finished, operation) "  # noqa: S608 - ours
                    "SELECT lpad(to_hex(n), 32, '0'), 'c' || lpad((n / %s)::text, 7, '0'), true, "
                    "replace(replace(%s, %s, lpad(to_hex(n), 32, '0')), %s, "
                    "'c' || lpad((n / %s)::text, 7, '0')) FROM generate_series(0, %s) AS n",
                    (_OF_EACH, text, key, _character(0), _OF_EACH, number - 1),
                )
                bare.execute(f"VACUUM ANALYZE {name}.operations")
            jobs[name] = _recovering(ledger, kinds.PostgresMetadataRepository(database), library)
        yield jobs


def _fill_images(path: Path, number: int) -> None:
    """Fill a file with characters of 28 images each; its indexes are made when all is there."""
    key, _, kind, status, moment, text = row_of(record())
    with closing(sqlite3.connect(path, isolation_level=None)) as bare:
        bare.execute("PRAGMA synchronous = OFF")
        bare.execute("BEGIN")
        later = bare.execute(
            "SELECT type, name, sql FROM sqlite_master "
            "WHERE tbl_name = 'images' AND type IN ('index', 'trigger') AND sql IS NOT NULL"
        ).fetchall()
        for what, name, _ in later:
            bare.execute(f"DROP {what} {name}")
        numbers = (
            "WITH RECURSIVE numbers (n) AS "
            "(SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?) "
        )
        bare.execute(
            f"{numbers}INSERT INTO images "  # noqa: S608 - ours
            "(id, character_id, kind, status, created_ms, record) "
            "SELECT printf('%032d', n), printf('c%07d', n / ?), ?, ?, ? + n, "
            "replace(?, ?, printf('%032d', n)) FROM numbers",
            (number, EACH, kind, status, moment, text, key),
        )
        bare.execute(
            "INSERT INTO image_counts (character_id, kind, status, images) "
            "SELECT character_id, kind, status, count(*) FROM images GROUP BY 1, 2, 3"
        )
        for _, _, sql in later:
            bare.execute(sql)
        bare.execute(
            f"{numbers}INSERT INTO characters "  # noqa: S608 - ours
            "(id, name, library_db_id, library_character_id, traits) "
            "SELECT printf('c%07d', n), 'Lena ' || n, printf('%024x', n), NULL, ? FROM numbers",
            (number // EACH, '{"age":34,"hair":"auburn"}'),
        )
        bare.execute("COMMIT")


@contextmanager
def _commands() -> Iterator[Mapping[str, Job]]:
    """Let the commands run in this process: what Python needs to begin is the same for all."""
    from charimg.cli.app import app

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        url = stack.enter_context(serve()).url

        def entered(*args: str) -> str:
            with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
                app(args, standalone_mode=False)
            return out.getvalue()

        jobs: dict[str, Job] = {}
        for name, number in IMAGES.items():
            place = folder / name
            with kinds.SqliteDatabase(place / "charimg.sqlite") as database:
                kinds.SqliteMetadataRepository(database).get("makes the tables")
            _fill_images(place / "charimg.sqlite", number)
            directory = ("--directory", str(place), "--json")

            def listed(directory: tuple[str, ...] = directory) -> None:
                out = entered("list", _character(1), *directory)
                demand(f'"total": {EACH}' in out, "not all images of the character")

            def examined(directory: tuple[str, ...] = directory, number: int = number) -> None:
                out = entered("doctor", "--library-url", url, *directory)
                demand(f"{number // EACH} characters" in out, "not all characters")

            jobs[f"list {name}"] = listed
            jobs[f"doctor {name}"] = examined
        yield jobs


def _among(work: str, what: str, sizes: Mapping[str, int], prefix: str = "") -> Row:
    return Row(
        work=f"{work} {sizes['many']:,} {what}",
        ours=f"{prefix}many",
        other=f"{prefix}few",
        against=f"{sizes['few']:,}",
        reach=1.25,
    )


_RECOVER = f"recover(), {OPEN} open operations among"

CONTESTS = (
    Contest(
        name="flat-sqlite",
        rounds=5,
        prepare=_sqlite_recovery,
        rows=(_among(f"SQLite: {_RECOVER}", "finished", OPERATIONS),),
    ),
    Contest(
        name="flat-postgres",
        rounds=5,
        prepare=_postgres_recovery,
        rows=(_among(f"PostgreSQL: {_RECOVER}", "finished", OPERATIONS),),
    ),
    Contest(
        name="flat-commands",
        rounds=7,
        prepare=_commands,
        rows=(
            _among("SQLite: `charimg list`, one character of", "images", IMAGES, "list "),
            _among("SQLite: `charimg doctor`,", "images", IMAGES, "doctor "),
        ),
    ),
)
