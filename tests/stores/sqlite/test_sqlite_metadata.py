"""Pages over many records: order, filters, totals, and what they cost SQLite."""

from __future__ import annotations

import itertools
import random
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from charimg.errors import InvalidArgument, StorageError
from charimg.models import CharacterImage, ImagePage
from charimg.stores._pages import encode_cursor
from charimg.stores.sqlite import SqliteDatabase, SqliteMetadataRepository

MakeImage = Callable[..., CharacterImage]

BEGIN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
KINDS = ("reference", "portfolioItem", "scene")
STATUSES = ("succeeded", "failed")
FILTERS = [
    {},
    {"kind": "scene"},
    {"status": "failed"},
    {"kind": "portfolioItem", "status": "succeeded"},
]


def _fill(database: SqliteDatabase, images: list[CharacterImage]) -> None:
    """Write many records in one transaction."""
    SqliteMetadataRepository(database).add_many(images)


def _order(image: CharacterImage) -> tuple[datetime, str]:
    return (image.created_at, image.id)


def _expected(images: list[CharacterImage], **filters: str) -> list[str]:
    """Return the keys as they must be listed."""
    chosen = [
        image
        for image in images
        if all(getattr(image, name) == value for name, value in filters.items())
    ]
    return [image.key for image in sorted(chosen, key=_order, reverse=True)]


def _walk(repository: SqliteMetadataRepository, limit: int, **filters: Any) -> Iterator[ImagePage]:
    cursor = None
    while True:
        page = repository.list("mira", limit=limit, cursor=cursor, **filters)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


def _keys(pages: Iterator[ImagePage]) -> list[str]:
    return [image.key for page in pages for image in page.images]


@pytest.fixture
def many(database: SqliteDatabase, make_image: MakeImage) -> list[CharacterImage]:
    """Write ten thousand images of Mira, a thousand for each of ten moments, and some of Abel."""
    images = [
        make_image(
            f"k{number:05}",
            kind=KINDS[number % 3],
            status=STATUSES[number % 2],
            created_at=BEGIN + timedelta(milliseconds=number % 10),
        )
        for number in range(10_000)
    ]
    random.Random(7).shuffle(images)
    _fill(database, images)
    _fill(database, [make_image(f"other{each}", character_id="abel") for each in range(100)])
    return images


def test_ten_thousand_records_page_through_without_gap_or_double(
    database: SqliteDatabase, many: list[CharacterImage]
) -> None:
    repository = SqliteMetadataRepository(database)
    for limit, filters in ((1_000, {}), (333, {}), *((700, each) for each in FILTERS[1:])):
        expected = _expected(many, **filters)
        pages = list(_walk(repository, limit, **filters))
        assert _keys(iter(pages)) == expected
        assert {page.total for page in pages} == {len(expected)}
        assert [len(page.images) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_records_come_and_go_between_two_pages(
    database: SqliteDatabase, make_image: MakeImage, many: list[CharacterImage]
) -> None:
    repository = SqliteMetadataRepository(database)
    order = _expected(many)
    times = {image.key: image.created_at for image in many}
    found: list[str] = []
    present, still_to_come, gone = set(order), set[str](), set[str]()
    for number, page in enumerate(_walk(repository, 500)):
        assert page.total == len(present)
        keys = [image.key for image in page.images]
        found += keys
        last = keys[-1]
        # Newer than all; beside the last one, before and behind it; older than all.
        newest = make_image(f"new{number}", created_at=BEGIN + timedelta(days=1))
        passed = make_image(f"{last}-after", created_at=times[last])
        coming = make_image(f"{last[:-1]}!", created_at=times[last])
        oldest = make_image(f"old{number}", created_at=BEGIN - timedelta(days=1))
        for image in (newest, passed, coming, oldest):
            repository.add(image)
            present.add(image.key)
            times[image.key] = image.created_at
        if page.next_cursor is not None:
            still_to_come |= {coming.key, oldest.key}
        # One that was listed, the one that the cursor stands on, and one that is still to come.
        doomed = list({keys[0], last})
        if len(found) < 9_000:
            doomed.append(order[9_500 + number])
            gone.add(doomed[-1])
        for key in doomed:
            assert repository.delete(key)
            present.remove(key)
    assert len(found) == len(set(found)), "no double"
    assert set(found) == (set(order) - gone) | still_to_come, "no gap"


def test_pages_hold_while_another_thread_writes(
    database: SqliteDatabase, make_image: MakeImage
) -> None:
    repository = SqliteMetadataRepository(database)
    lasting = [make_image(f"k{each:04}", created_at=BEGIN) for each in range(0, 1_000, 2)]
    _fill(database, lasting)
    stop, written = threading.Event(), threading.Event()

    def churn() -> None:
        for number in itertools.count():
            key = f"k{(number * 37) % 500 * 2 + 1:04}"
            repository.add(make_image(key, created_at=BEGIN))
            repository.delete(key)
            written.set()
            if stop.is_set():
                return

    writer = threading.Thread(target=churn)
    writer.start()
    try:
        assert written.wait(600)
        for _ in range(3):
            keys = _keys(_walk(repository, 7))
            assert keys == sorted(set(keys), reverse=True), "in order, no double"
            assert [key for key in keys if int(key[1:]) % 2 == 0] == _expected(lasting), "no gap"
    finally:
        stop.set()
        writer.join()


moments = st.integers(-3, 3).map(lambda each: BEGIN + timedelta(milliseconds=each))
rows = st.lists(st.tuples(moments, st.sampled_from(KINDS), st.sampled_from(STATUSES)), max_size=25)


@settings(max_examples=40, deadline=None)
@given(
    rows=rows,
    limit=st.integers(1, 6),
    filters=st.fixed_dictionaries(
        {},
        optional={"kind": st.sampled_from(KINDS), "status": st.sampled_from(STATUSES)},
    ),
)
def test_pages_join_to_the_whole(
    rows: list[tuple[datetime, str, str]], limit: int, filters: dict[str, str]
) -> None:
    images = [
        CharacterImage(
            key=f"k{number * 7 % 11}-{number}",
            character_id="mira",
            kind=kind,
            status=status,
            created_at=moment,
        )
        for number, (moment, kind, status) in enumerate(rows)
    ]
    with tempfile.TemporaryDirectory() as directory, SqliteDatabase(f"{directory}/a") as database:
        _fill(database, images)
        expected = _expected(images, **filters)
        pages = list(_walk(SqliteMetadataRepository(database), limit, **filters))
    assert _keys(iter(pages)) == expected
    assert {page.total for page in pages} == {len(expected)}
    assert len(pages) == max(1, -(-len(expected) // limit))


# What it costs


@contextmanager
def _statements(database: SqliteDatabase) -> Iterator[list[str]]:
    """Collect what the one connection executes, with its values."""
    seen: list[str] = []
    with database.reading() as connection:
        connection.set_trace_callback(seen.append)
    yield seen
    with database.reading() as connection:
        connection.set_trace_callback(None)
    del seen[-1:]


def _listing(database: SqliteDatabase, **options: Any) -> tuple[str, str]:
    """Return the two queries of a page: the total, and the records."""
    with _statements(database) as seen:
        SqliteMetadataRepository(database).list("mira", **options)
    assert (seen[0], seen[1], seen[4]) == ("COMMIT", "BEGIN", "COMMIT"), "one transaction"
    assert len(seen) == 5, "two queries, however many records there are"
    return seen[2], seen[3]


def _plan(database: SqliteDatabase, query: str) -> list[str]:
    with database.reading() as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]


def _effort(database: SqliteDatabase, call: Callable[[], object]) -> int:
    """Return how many steps of its machine SQLite needs: a time that no other program changes."""
    count = itertools.count()
    with database.reading() as connection:
        connection.set_progress_handler(lambda: next(count) < 0, 1)
    call()
    with database.reading() as connection:
        connection.set_progress_handler(None, 1)
    return next(count)


def _effort_of_query(path: Path, query: str) -> int:
    count = itertools.count()
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(lambda: next(count) < 0, 1)
        connection.execute(query).fetchall()
    return next(count)


@pytest.mark.parametrize(
    ("filters", "index", "columns"),
    [
        ({}, "images_newest", "character_id=?"),
        ({"kind": "scene"}, "images_by_kind", "character_id=? AND kind=?"),
        ({"status": "failed"}, "images_by_status", "character_id=? AND status=?"),
        (
            {"kind": "scene", "status": "failed"},
            "images_by_kind_status",
            "character_id=? AND kind=? AND status=?",
        ),
    ],
)
@pytest.mark.parametrize("cursor", [None, encode_cursor(1_767_323_045_678, "k")])
def test_a_page_is_read_from_an_index_in_its_order(
    database: SqliteDatabase,
    filters: dict[str, str],
    index: str,
    columns: str,
    cursor: str | None,
) -> None:
    total, records = _listing(database, cursor=cursor, **filters)
    assert _plan(database, total) == ["SEARCH image_counts USING PRIMARY KEY (character_id=?)"]
    # Neither a scan nor a sorting step, and the row value is a bound of the search itself.
    assert _plan(database, records) == [
        f"SEARCH images USING INDEX {index} ({columns} AND (created_ms,id)<(?,?))"
    ]


def test_a_late_page_costs_no_more_than_the_first(
    path: Path, database: SqliteDatabase, many: list[CharacterImage]
) -> None:
    for filters in FILTERS:
        cursors = [
            page.next_cursor for page in _walk(SqliteMetadataRepository(database), 100, **filters)
        ]
        _, first = _listing(database, limit=100, **filters)
        _, late = _listing(database, limit=100, cursor=cursors[-3], **filters)
        efforts = [_effort_of_query(path, query) for query in (first, late)]
        assert efforts[1] <= efforts[0] * 1.5
        assert efforts[0] <= 100 * 30, "of the records of the page alone"


def test_a_total_costs_the_same_however_many_records_there_are(
    path: Path, database: SqliteDatabase, many: list[CharacterImage]
) -> None:
    for filters in FILTERS:
        total, _ = _listing(database, **filters)
        assert _effort_of_query(path, total) <= 200


def test_totals_follow_every_change(database: SqliteDatabase, make_image: MakeImage) -> None:
    repository = SqliteMetadataRepository(database)

    def totals() -> list[int]:
        filters: list[dict[str, str]] = [{}, {"kind": "scene"}, {"status": "failed"}]
        return [repository.list("mira", **each).total for each in filters]

    first = repository.add(make_image("k1", character_id="mira", kind="scene", status="succeeded"))
    repository.add(make_image("k2", character_id="mira", kind="scene", status="failed"))
    repository.add(make_image("k1", character_id="mira", kind="scene", status="failed"))
    assert totals() == [2, 2, 1]
    repository.update(evolve(first, kind="reference", status="failed"))
    assert totals() == [2, 1, 2]
    repository.update(evolve(first, character_id="abel"))
    assert (totals(), repository.list("abel").total) == ([1, 1, 1], 1)
    assert repository.character_ids() == ("abel", "mira")
    assert repository.delete("k2")
    assert not repository.delete("k2")
    assert (totals(), repository.character_ids()) == ([0, 0, 0], ("abel",))


def test_a_total_is_not_changed_by_what_is_rolled_back(database: SqliteDatabase) -> None:
    def give_up() -> None:
        with database.writing() as connection:
            connection.execute(
                "INSERT INTO images (id, character_id, kind, status, created_ms, record) "
                "VALUES ('k1', 'mira', 'scene', 'failed', 0, '{}')"
            )
            counted = connection.execute("SELECT sum(images) FROM image_counts").fetchone()
            assert counted == (1,)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    page = SqliteMetadataRepository(database).list("mira")
    assert (page.images, page.total) == ((), 0)


def test_writing_costs_the_same_however_many_records_there_are(
    database: SqliteDatabase, make_image: MakeImage
) -> None:
    repository = SqliteMetadataRepository(database)

    def efforts(key: str) -> tuple[int, ...]:
        image = make_image(key, created_at=BEGIN)
        calls: list[Callable[[], object]] = [
            lambda: repository.add(image),
            lambda: repository.add(image),
            lambda: repository.get(key),
            lambda: repository.update(image),
            lambda: repository.delete(key),
        ]
        return tuple(_effort(database, call) for call in calls)

    few = efforts("k-few")
    _fill(database, [make_image(f"k{each:05}", created_at=BEGIN) for each in range(10_000)])
    many = efforts("k-many")
    for before, after in zip(few, many, strict=True):
        assert 0 < after <= before + 20


# What is refused


@pytest.mark.parametrize("created_ms", [2**63, -(2**63) - 1, 10**40])
def test_a_cursor_beyond_time_is_refused(database: SqliteDatabase, created_ms: int) -> None:
    with pytest.raises(InvalidArgument, match="out of range"):
        SqliteMetadataRepository(database).list("mira", cursor=encode_cursor(created_ms, "k"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [("{", "it is no JSON"), ('{"key": 7}', r"\$\.key must be a string, not int")],
)
def test_a_damaged_record_is_told(
    database: SqliteDatabase, make_image: MakeImage, damage: str, message: str
) -> None:
    repository = SqliteMetadataRepository(database)
    repository.add(make_image("k"))
    with database.writing() as connection:
        connection.execute("UPDATE images SET record = ?", (damage,))
    for call in (lambda: repository.get("k"), lambda: repository.list("mira")):
        with pytest.raises(StorageError, match=rf"the record 'k': {message}.*damaged"):
            call()
    assert repository.delete("k"), "it can still be removed"


def test_writers_begin_immediate(database: SqliteDatabase, make_image: MakeImage) -> None:
    repository = SqliteMetadataRepository(database)
    image = repository.add(make_image("k"))
    with _statements(database) as seen:
        repository.add(make_image("other"))
        repository.update(image)
        repository.delete("k")
    begun = [each for each in seen if each.startswith("BEGIN")]
    assert begun == ["BEGIN IMMEDIATE"] * 3
