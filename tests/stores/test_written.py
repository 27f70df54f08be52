"""What `add` and `add_many` return is what is read later, though it is seldom read for that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg import CharacterImage, ImageKind, ImageMetrics, ImageStatus, Media, Provenance, Shot
from charimg.stores import MemoryMetadataRepository, SqliteDatabase, SqliteMetadataRepository
from charimg.stores._documents import dump, load_image
from charimg.stores._written import as_new, as_read
from charimg.testing.conformance.records import make_image

KEYS = "abcdef"
WHOLE = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
texts = st.text(max_size=8)
maybe = st.none() | texts
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)
moments = st.sampled_from(
    [
        WHOLE,
        WHOLE + timedelta(milliseconds=1),
        WHOLE + timedelta(microseconds=1),
        WHOLE.astimezone(timezone(timedelta(hours=5))),
    ]
)
media = st.builds(
    Media,
    id=texts,
    key=texts,
    filename=texts,
    mime_type=texts,
    size=st.integers(0, 9),
    width=st.none() | st.integers(0, 9),
    url=maybe,
    thumbnail_url=maybe,
)
metrics = st.builds(
    ImageMetrics,
    generation_ms=numbers,
    bytes=st.none() | st.integers(0, 9),
    cleaned=st.lists(texts, max_size=2).map(tuple) | st.lists(texts, max_size=2),
    provenance=st.none() | st.builds(Provenance, tool=maybe, credentials=st.booleans()),
    shot=st.none() | st.builds(Shot, name=texts, lens_mm=numbers),
    master_since=st.none() | moments,
)
images = st.builds(
    CharacterImage,
    key=st.sampled_from(KEYS),
    id=st.sampled_from("abcdefg"),
    character_id=st.just("lena"),
    kind=st.sampled_from([*ImageKind, "scene", "hologram"]),
    status=st.sampled_from([*ImageStatus, "succeeded"]),
    media=st.none() | media,
    prompt=texts,
    error=maybe,
    metrics=metrics,
    created_at=moments,
    updated_at=moments,
)


def written(image: CharacterImage) -> tuple[CharacterImage, str]:
    new = as_new(image)
    return new, dump(new, what="it")


@given(image=images)
def test_what_is_not_read_again_equals_what_would_be_read(image: CharacterImage) -> None:
    new, text = written(image)
    read = load_image(new.id, text)
    returned = as_read(new, text, text)
    assert returned == read
    assert hash(returned.created_at) == hash(read.created_at)
    assert dump(returned, what="it") == dump(read, what="it")


def test_a_record_as_the_service_makes_it_is_not_read_again() -> None:
    image = make_image("a", "lena", kind=ImageKind.SCENE, status=ImageStatus.SUCCEEDED)
    new, text = written(image)
    assert as_read(new, text, text) is new


@pytest.mark.parametrize(
    "change",
    [
        {"created_at": WHOLE + timedelta(microseconds=1)},
        {"updated_at": WHOLE.astimezone(timezone(timedelta(hours=5)))},
        {"metrics": ImageMetrics(generation_ms=5)},
        {"metrics": ImageMetrics(cleaned=["a"])},  # type: ignore[arg-type]
        {"metrics": ImageMetrics(cleaned=(ImageKind.SCENE,))},
        {"metrics": ImageMetrics(master_since=WHOLE + timedelta(microseconds=1))},
    ],
)
def test_what_reading_changes_is_read(change: dict[str, Any]) -> None:
    new, text = written(make_image("a", "lena", **change))
    returned = as_read(new, text, text)
    assert returned is not new
    assert returned == load_image("a", text)


def test_what_stands_there_already_is_read() -> None:
    new, text = written(make_image("a", "lena"))
    _, other = written(make_image("a", "lena", prompt="first"))
    assert as_read(new, text, other).prompt == "first"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteDatabase]:
    path: Path = tmp_path_factory.mktemp("written") / "charimg.sqlite"
    with SqliteDatabase(path) as opened:
        yield opened


def _added(repository: Any, add: Any, there: Any, given_: Any) -> Any:
    """Return what an empty repository answers, and what it holds then."""
    for key in KEYS:
        repository.delete(key)
    for each in there:
        repository.add(each)
    return add(given_), [repository.get(key) for key in KEYS]


@given(there=st.lists(images, max_size=2), given_=st.lists(images, max_size=6))
def test_adding_many_is_adding_each(
    database: SqliteDatabase, there: list[CharacterImage], given_: list[CharacterImage]
) -> None:
    for repository in (SqliteMetadataRepository(database), MemoryMetadataRepository()):

        def each(some: Any, add: Any = repository.add) -> Any:
            return tuple(add(image) for image in some)

        many = _added(repository, repository.add_many, there, given_)
        assert many == _added(repository, each, there, given_)
