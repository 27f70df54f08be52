"""The JSON form of charimg's own values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._json import from_json, to_json
from charimg.errors import StorageError
from charimg.journal import Doomed, Operation, OperationItem
from charimg.models import (
    CharacterImage,
    CharacterReference,
    ImageMetrics,
    Media,
    Shot,
)

times = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 -- the strategy wants naive bounds
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
texts = st.text(max_size=20)
optional_texts = st.none() | texts
counts = st.integers(0, 2**53)
floats = st.floats(allow_nan=False, allow_infinity=False)

shots = st.builds(
    Shot,
    name=texts,
    slug=optional_texts,
    lens_mm=st.none() | floats,
    sort_order=st.none() | counts,
)
images = st.builds(
    CharacterImage,
    key=texts,
    id=texts,
    character_id=texts,
    kind=texts,
    status=texts,
    prompt=texts,
    error=optional_texts,
    created_at=times,
    updated_at=times,
    media=st.none()
    | st.builds(Media, id=texts, key=texts, filename=texts, mime_type=texts, size=counts),
    metrics=st.builds(
        ImageMetrics,
        bytes=st.none() | counts,
        download_ms=st.none() | floats,
        shot=st.none() | shots,
        master_since=st.none() | times,
    ),
)
operations = st.builds(
    Operation,
    id=texts,
    kind=texts,
    character_id=texts,
    state=texts,
    options=st.dictionaries(texts, st.none() | texts | st.lists(counts, max_size=3), max_size=3),
    baseline=st.lists(texts, max_size=3).map(tuple),
    items=st.lists(
        st.builds(OperationItem, key=texts, index=counts, shot=st.none() | shots), max_size=3
    ).map(tuple),
    doomed=st.lists(
        st.builds(Doomed, image_id=optional_texts, media_key=optional_texts), max_size=3
    ).map(tuple),
    posted_at=st.none() | times,
    created_at=times,
    updated_at=times,
)


@given(images)
def test_an_image_survives_the_way_through_json(image: CharacterImage) -> None:
    assert from_json(CharacterImage, json.loads(json.dumps(to_json(image))), what="it") == image


@given(operations)
def test_an_operation_survives_the_way_through_json(operation: Operation) -> None:
    assert from_json(Operation, json.loads(json.dumps(to_json(operation))), what="it") == operation


def image(**changes: Any) -> dict[str, Any]:
    made = CharacterImage(
        key="k",
        character_id="c",
        kind="reference",
        status="succeeded",
        media=Media(id="1", key="k", filename="f.png", mime_type="image/png", size=3),
        metrics=ImageMetrics(shot=Shot(name="50mm", lens_mm=50.0)),
    )
    return {**to_json(made), **changes}


def test_names_are_camel_case_and_the_character_is_the_character_reference() -> None:
    written = image()
    assert written["characterReference"] == "c"
    assert written["media"]["mimeType"] == "image/png"
    assert written["metrics"]["shot"]["lensMm"] == 50.0
    assert not [name for name in written if "_" in name]


def test_times_are_utc_with_milliseconds() -> None:
    east = CharacterImage(
        key="k",
        character_id="c",
        kind="scene",
        status="succeeded",
        created_at=datetime.fromisoformat("2026-01-01T02:00:00.123+02:00"),
    )
    assert to_json(east)["createdAt"] == "2026-01-01T00:00:00.123Z"
    back = from_json(CharacterImage, to_json(east), what="it")
    assert back.created_at.utcoffset() == timedelta(0)


def test_unknown_fields_are_ignored_and_unknown_enum_values_kept() -> None:
    read = from_json(
        CharacterImage, image(status="archived", kind="turntable", novelty=1), what="it"
    )
    assert (read.status, read.kind) == ("archived", "turntable")


def test_an_open_enum_is_written_as_a_plain_string() -> None:
    written = to_json(Operation(id="o", kind="reference", character_id="c"))
    assert type(written["state"]) is str


def test_traits_of_a_character_are_kept_as_they_are() -> None:
    character = CharacterReference(id="1", name="Lena", traits={"hair": {"color": ["auburn", 1]}})
    assert from_json(CharacterReference, to_json(character), what="it") == character


def test_an_integer_stands_for_a_number() -> None:
    read = from_json(CharacterImage, image(metrics={"downloadMs": 3}), what="it")
    assert type(read.metrics.download_ms) is float


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"status": 7}, r"\$\.status must be a string, not int"),
        ({"metrics": {"shot": {"name": 3}}}, r"\$\.metrics\.shot\.name must be a string, not int"),
        ({"metrics": {"bytes": True}}, r"\$\.metrics\.bytes must be an integer, not bool"),
        ({"metrics": {"bytes": 1.5}}, r"\$\.metrics\.bytes must be an integer, not float"),
        ({"media": []}, r"\$\.media must be an object, not list"),
        ({"media": {"id": "1"}}, r"\$\.media\.key is missing"),
        ({"createdAt": "yesterday"}, r"\$\.createdAt must be an ISO 8601 date and time"),
        ({"createdAt": 5}, r"\$\.createdAt must be an ISO 8601 date and time"),
        ({"createdAt": "2026-01-01T00:00:00"}, r"\$\.createdAt must be .* with a time zone"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(StorageError, match=complaint):
        from_json(CharacterImage, image(**changes), what="the record 'k'")


def test_the_refusal_says_what_was_read_and_where() -> None:
    written = to_json(
        Operation(id="o", kind="scene", character_id="c", items=(OperationItem(key="k", index=0),))
    )
    written["items"].append(5)
    with pytest.raises(StorageError, match=r"the operation 'o': \$\.items\[1\] must be an object"):
        from_json(Operation, written, what="the operation 'o'")
    with pytest.raises(StorageError, match=r"\$ must be an object, not list"):
        from_json(Operation, [], what="the operation 'o'")
    with pytest.raises(StorageError, match=r"\$\.options must be an object, not str"):
        from_json(Operation, {**written, "items": [], "options": "x"}, what="it")
    with pytest.raises(StorageError, match=r"\$\.characterReference is missing"):
        from_json(Operation, {"id": "o", "kind": "scene"}, what="it")
