"""How the file is opened, shared and closed, and what its failures say."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from charimg import stores
from charimg.errors import InvalidArgument, StorageError
from charimg.models import CharacterImage
from charimg.stores.sqlite import (
    AsyncSqliteMetadataRepository,
    SqliteDatabase,
    SqliteMetadataRepository,
    pool,
    schema,
)
from charimg.stores.sqlite.failures import translated

MakeImage = Callable[..., CharacterImage]


def _touch(database: SqliteDatabase) -> None:
    with database.reading():
        pass


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_names_are_public() -> None:
    assert stores.SqliteDatabase is SqliteDatabase


def test_nothing_is_opened_before_the_first_use(path: Path) -> None:
    with SqliteDatabase(path) as database:
        assert not path.parent.exists()
        _touch(database)
        assert path.is_file()


def test_the_file_is_durable_and_waits(path: Path, flushed: None) -> None:
    with SqliteDatabase(path, busy_timeout=7.5) as database, database.reading() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        assert [_pragma(connection, name) for name in names] == ["wal", 2, 1, 7500]


def test_a_change_of_directory_does_not_switch_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with SqliteDatabase("a.sqlite") as database:
        assert database.path == tmp_path / "a.sqlite"
        assert repr(database) == f"SqliteDatabase({str(tmp_path / 'a.sqlite')!r})"
        (tmp_path / "sub").mkdir()
        monkeypatch.chdir(tmp_path / "sub")
        _touch(database)
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["a.sqlite"]


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument, match="path of a file"):
        SqliteDatabase(path)


@pytest.mark.parametrize("busy_timeout", [-1, 3601, float("nan")])
def test_a_senseless_timeout_is_refused(path: Path, busy_timeout: float) -> None:
    with pytest.raises(InvalidArgument, match="busy_timeout"):
        SqliteDatabase(path, busy_timeout=busy_timeout)


def test_closing_removes_the_side_files_and_ends_the_use(path: Path) -> None:
    database = SqliteDatabase(path)
    _touch(database)
    assert len(list(path.parent.iterdir())) == 3
    database.close()
    database.close()
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(StorageError, match=r"is closed\. Open a new SqliteDatabase"):
        _touch(database)


def test_closing_waits_for_a_transaction_under_way(path: Path, make_image: MakeImage) -> None:
    database = SqliteDatabase(path)
    with database.writing() as connection:
        database.close()
        connection.execute("INSERT INTO characters VALUES ('a', 'A', NULL, NULL, '{}')")
    assert list(path.parent.iterdir()) == [path], "the connection is closed when it comes back"
    with SqliteDatabase(path) as again, again.reading() as connection:
        assert connection.execute("SELECT count(*) FROM characters").fetchone() == (1,)


def test_threads_have_a_connection_each(database: SqliteDatabase, make_image: MakeImage) -> None:
    repository = SqliteMetadataRepository(database)
    together = threading.Barrier(4, timeout=600)

    def use(number: int) -> int:
        with database.reading() as connection:
            together.wait()
            mine = id(connection)
        for each in range(10):
            repository.add(make_image(f"{number}-{each}"))
        return mine

    with ThreadPoolExecutor(4) as executor:
        assert len(set(executor.map(use, range(4)))) == 4
    assert repository.list("mira").total == 40


def test_a_connection_is_used_again(database: SqliteDatabase) -> None:
    with database.reading() as first:
        pass
    with ThreadPoolExecutor(1) as executor:

        def reuse() -> bool:
            with database.reading() as second:
                return second is first

        assert executor.submit(reuse).result()


def test_an_exception_undoes_everything(database: SqliteDatabase, make_image: MakeImage) -> None:
    repository = SqliteMetadataRepository(database)
    repository.add(make_image("k"))

    def interrupted() -> None:
        with database.writing() as connection:
            connection.execute("DELETE FROM images")
            connection.execute("INSERT INTO characters VALUES ('a', 'A', NULL, NULL, '{}')")
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert repository.get("k") is not None
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM characters").fetchone() == (0,)


def test_a_reader_sees_one_moment(database: SqliteDatabase, make_image: MakeImage) -> None:
    repository = SqliteMetadataRepository(database)
    with database.reading() as connection:
        count = connection.execute("SELECT count(*) FROM images").fetchone()
        repository.add(make_image("k"))
        assert connection.execute("SELECT count(*) FROM images").fetchone() == count


def test_a_writer_waits_for_another(path: Path, database: SqliteDatabase) -> None:
    begun = threading.Event()

    def hold() -> None:
        with database.writing():
            begun.set()
            threading.Event().wait(0.15)

    with ThreadPoolExecutor(1) as executor:
        held = executor.submit(hold)
        assert begun.wait(600)
        with database.writing():
            assert held.result(600) is None


def test_a_lock_that_stays_says_what_to_do(path: Path, database: SqliteDatabase) -> None:
    with database.writing(), SqliteDatabase(path, busy_timeout=0.02) as impatient:
        with pytest.raises(StorageError, match=r"locked.*raise busy_timeout") as caught:
            impatient.writing().__enter__()
        _touch(impatient)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert str(path) in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def _held(path: Path) -> sqlite3.Connection:
    """Return a connection that keeps a new file from becoming WAL."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_wal_is_waited_for(path: Path) -> None:
    with closing(_held(path)) as holder, SqliteDatabase(path, busy_timeout=600) as database:
        timer = threading.Timer(0.15, holder.execute, ["ROLLBACK"])
        timer.start()
        _touch(database)
        timer.join()


def test_wal_is_not_waited_for_longer_than_the_timeout(path: Path) -> None:
    with (
        closing(_held(path)),
        SqliteDatabase(path, busy_timeout=0.05) as database,
        pytest.raises(StorageError, match="raise busy_timeout"),
    ):
        _touch(database)


class _Stubborn:
    """A connection of a file system on which WAL does not work."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def execute(self, statement: str) -> Any:
        assert statement == "PRAGMA journal_mode = WAL"
        if isinstance(self._answer, Exception):
            raise self._answer
        return self

    def fetchone(self) -> Any:
        return (self._answer,)


def test_a_file_system_without_wal_is_refused(database: SqliteDatabase) -> None:
    with pytest.raises(StorageError, match=r"stays in mode 'delete'.*local disk"):
        database._write_ahead(_Stubborn("delete"))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.OperationalError, match="disk I/O"):
        database._write_ahead(_Stubborn(sqlite3.OperationalError("disk I/O error")))  # type: ignore[arg-type]


def _junk(path: Path) -> None:
    path.write_bytes(b"This is a letter, not a database. " * 100)


def _damaged(path: Path) -> None:
    with SqliteDatabase(path) as database:
        _touch(database)
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 4000 + content[4100:])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_junk, "not a database.*Is it the right path"),
        (_damaged, "malformed.*restore it from a backup"),
        (Path.mkdir, "unable to open.*right to make files"),
    ],
)
def test_a_file_that_is_no_database(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "notes.txt"
    spoil(path)
    content = path.is_file() and path.read_bytes()
    with SqliteDatabase(path) as database:
        for _ in range(2):
            with pytest.raises(StorageError, match=message) as caught:
                _touch(database)
            assert str(path) in str(caught.value)
            assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert (path.is_file() and path.read_bytes()) == content


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        SqliteDatabase(tmp_path / "file" / "sub" / "a.sqlite") as database,
        pytest.raises(StorageError, match=r"Cannot make the directory .*sub of the data") as e,
    ):
        _touch(database)
    assert isinstance(e.value.__cause__, OSError)
    assert str(e.value).endswith(
        "Not a directory. A part of the path is a file; choose another path."
    )


def test_new_directories_outlive_a_power_cut(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite flushes the directory of its file, but none above it."""
    flushed: list[Path] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with SqliteDatabase(path) as database:
        _touch(database)
    assert flushed == [tmp_path, tmp_path / "deep"]


def test_other_failures_of_sqlite_are_ours_too(database: SqliteDatabase) -> None:
    with (
        pytest.raises(StorageError, match=r"no such table: absent\.$"),
        database.reading() as connection,
    ):
        connection.execute("SELECT * FROM absent")
    with pytest.raises(StorageError, match="binding"), database.reading() as connection:
        connection.execute("SELECT ?", ())


def test_a_full_disk_is_told(database: SqliteDatabase, make_image: MakeImage) -> None:
    repository = SqliteMetadataRepository(database)
    repository.add(make_image("before"))
    with database.reading() as connection:
        pages = _pragma(connection, "page_count")
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match=r"full.*Free some disk space"):
        repository.add(make_image("big", prompt="x" * 1_000_000))
    assert repository.get("big") is None
    assert repository.add(make_image("after")).key == "after"


def test_a_disk_that_fails_is_told(path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(StorageError) as caught, translated(path):
        raise error
    assert str(caught.value) == (
        f"SQLite database {path}: disk I/O error. The disk is full or fails: look at its free "
        "space and into the system's log, then try again."
    )


def test_a_file_that_may_not_be_written(database: SqliteDatabase) -> None:
    # Root may write everywhere, so SQLite is told to refuse as it would without the right.
    with database.reading() as connection:
        connection.execute("PRAGMA query_only = ON")
    with (
        pytest.raises(StorageError, match="right to write the file and its directory"),
        database.reading() as connection,
    ):
        connection.execute("DELETE FROM characters")


def test_no_text_is_quoted_that_cannot_be_written(database: SqliteDatabase) -> None:
    with pytest.raises(InvalidArgument) as caught:
        SqliteMetadataRepository(database).list("secret\ud800")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# A file that is gone


def _removed(path: Path) -> None:
    shutil.rmtree(path.parent)


def _moved(path: Path) -> None:
    path.rename(path.with_name("old.sqlite"))


def _replaced(path: Path) -> None:
    _moved(path)
    with SqliteDatabase(path) as another:
        _touch(another)


@pytest.mark.parametrize("spoil", [_removed, _moved, _replaced])
@pytest.mark.parametrize("opened", [True, False], ids=["idle connection", "no connection"])
def test_nothing_is_written_into_the_void(
    path: Path, make_image: MakeImage, spoil: Callable[[Path], None], opened: bool
) -> None:
    with SqliteDatabase(path) as database:
        repository = SqliteMetadataRepository(database)
        repository.add(make_image("before"))
        if not opened:
            database._pool._close_idle()
        spoil(path)
        left = sorted(path.parent.rglob("*"))
        for call in (lambda: repository.add(make_image("k")), lambda: repository.list("mira")):
            with pytest.raises(StorageError, match=r"moved, removed or replaced") as caught:
                call()
            assert str(path) in str(caught.value)
            assert "open a new SqliteDatabase" in str(caught.value)
        if not opened:
            assert sorted(path.parent.rglob("*")) == left, "no new file is made in its place"


def test_a_file_that_goes_during_a_transaction(path: Path, database: SqliteDatabase) -> None:
    def write() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO characters VALUES ('a', 'A', NULL, NULL, '{}')")
            _moved(path)

    with pytest.raises(StorageError, match="Nothing was written"):
        write()
    path.with_name("old.sqlite").rename(path)
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM characters").fetchone() == (0,)


def test_a_file_that_comes_back_is_used_again(path: Path, make_image: MakeImage) -> None:
    with SqliteDatabase(path) as database:
        repository = SqliteMetadataRepository(database)
        repository.add(make_image("before"))
        _moved(path)
        with pytest.raises(StorageError):
            repository.get("before")
        path.with_name("old.sqlite").rename(path)
        repository.add(make_image("after"))
    with SqliteDatabase(path) as again:
        keys = {image.key for image in SqliteMetadataRepository(again).list("mira").images}
    assert keys == {"before", "after"}


def test_a_file_that_goes_while_it_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate = schema.migrate

    def interrupted(connection: sqlite3.Connection) -> None:
        migrate(connection)
        _moved(path)

    monkeypatch.setattr(schema, "migrate", interrupted)
    with (
        SqliteDatabase(path) as database,
        pytest.raises(StorageError, match="moved, removed or replaced"),
    ):
        _touch(database)


# Async


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_an_async_program_closes_it_too(path: Path, anyio_backend: str) -> None:
    import anyio

    async with SqliteDatabase(path) as database:
        repository = AsyncSqliteMetadataRepository(database)
        assert await repository.get("k") is None
    assert list(path.parent.iterdir()) == [path]
    cancelled = SqliteDatabase(path)
    _touch(cancelled)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await cancelled.aclose()
    assert list(path.parent.iterdir()) == [path], "even when the caller is cancelled"


def test_a_task_that_is_cancelled_closes_it(path: Path) -> None:
    async def main() -> None:
        for turns in range(4):
            database = SqliteDatabase(path)
            _touch(database)
            task = asyncio.create_task(database.aclose())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # Only a task that has not begun has nothing to end.
            assert (list(path.parent.iterdir()) == [path]) == bool(turns)
            database.close()

    asyncio.run(main())


# Forking


def test_nothing_is_open_while_the_process_forks(
    database: SqliteDatabase, make_image: MakeImage
) -> None:
    repository = SqliteMetadataRepository(database)
    repository.add(make_image("before"))
    side = database.path.with_name(database.path.name + "-wal")
    assert side.exists()
    pool._before()
    assert not side.exists(), "the last connection is closed, so SQLite removes its log"
    with ThreadPoolExecutor(1) as executor:
        other = executor.submit(repository.add, make_image("meanwhile"))
        assert not side.exists(), "nobody opens one before the fork is over"
        pool._after_in_parent()
        assert other.result(600).key == "meanwhile"
    assert repository.list("mira").total == 2


def test_a_forked_child_starts_anew(database: SqliteDatabase, make_image: MakeImage) -> None:
    repository = SqliteMetadataRepository(database)
    repository.add(make_image("parent"))
    pool._before()
    pool._after_in_child()
    repository.add(make_image("child"))
    assert repository.list("mira").total == 2


def test_a_fork_waits_for_transactions_of_other_threads(database: SqliteDatabase) -> None:
    begun, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with database.writing():
            begun.set()
            finish.wait(600)

    with ThreadPoolExecutor(2) as executor:
        holding = executor.submit(hold)
        assert begun.wait(600)
        threading.Timer(0.05, finish.set).start()
        pool._before()
        assert finish.is_set()
        pool._after_in_parent()
        holding.result(600)


def test_a_failure_to_close_does_not_stop_a_fork() -> None:
    class Broken:
        def close(self) -> None:
            raise sqlite3.OperationalError("unable to close")

    lender = pool.Pool(Broken, patience=0)  # type: ignore[arg-type]
    with lender.lend():
        pass
    pool._before()
    pool._after_in_parent()
    lender.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_parent_and_child_lose_nothing(path: Path, start: Any) -> None:
    program = """
from charimg.models import CharacterImage
repository = SqliteMetadataRepository(SqliteDatabase(path))
add = lambda key: repository.add(
    CharacterImage(key=key, character_id="mira", kind="scene", status="failed"))
add("before")
up, down = os.pipe(), os.pipe()
if os.fork() == 0:
    add("child-1")
    os.write(up[1], b"1")
    os.read(down[0], 1)
    add("child-2")
    os.write(up[1], b"2")
    os._exit(0)
os.read(up[0], 1)
repository._database.close()
os.write(down[1], b"1")
os.read(up[0], 1)
os.wait()
"""
    process = start(program)
    _, errors = process.communicate(timeout=600)
    assert errors == ""
    with SqliteDatabase(path) as database:
        keys = {image.key for image in SqliteMetadataRepository(database).list("mira").images}
    assert keys == {"before", "child-1", "child-2"}


def test_a_cursor_in_a_traceback_does_not_keep_the_lock(path: Path) -> None:
    def broken_off(database: SqliteDatabase) -> None:
        with database.writing() as connection:
            cursor = connection.execute("SELECT 1 UNION SELECT 2")
            assert cursor.fetchone() == (1,)
            raise KeyboardInterrupt

    with SqliteDatabase(path, busy_timeout=0) as database:
        with pytest.raises(KeyboardInterrupt) as caught:
            broken_off(database)
        with database.writing() as connection:
            connection.execute("DELETE FROM images")
        assert caught.tb is not None
