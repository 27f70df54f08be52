"""The JSON form of charimg's own values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg import _json
from charimg._json import from_json, to_json
from charimg.errors import StorageError
from charimg.journal import Doomed, JobSeen, Operation, OperationItem
from charimg.models import (
    CharacterImage,
    CharacterReference,
    ImageKind,
    ImageMetrics,
    ImageStatus,
    Media,
    Provenance,
    SceneDetails,
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


def every_field(cls: type[Any], **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values of the class with every field drawn, those with a default included."""
    assert set(strategies) == {each.name for each in attrs.fields(cls)}
    return st.builds(cls, **strategies)


optional_counts = st.none() | counts
optional_floats = st.none() | floats
optional_times = st.none() | times
json_values = st.recursive(
    st.none() | st.booleans() | counts | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
characters = every_field(
    CharacterReference,
    id=texts,
    name=texts,
    library_db_id=optional_texts,
    library_character_id=optional_texts,
    traits=json_objects,
)
provenances = every_field(
    Provenance,
    digital_source_type=optional_texts,
    tool=optional_texts,
    credentials=st.booleans(),
    generator=optional_texts,
    marked=optional_texts,
)
shots = every_field(
    Shot,
    name=texts,
    slug=optional_texts,
    lens_mm=optional_floats,
    crop=optional_texts,
    expression=optional_texts,
    camera_azimuth_deg=optional_floats,
    camera_elevation_deg=optional_floats,
    camera_distance_m=optional_floats,
    sort_order=optional_counts,
)
media = every_field(
    Media,
    id=texts,
    key=texts,
    filename=texts,
    mime_type=texts,
    size=counts,
    width=optional_counts,
    height=optional_counts,
    sha256=optional_texts,
    alt=texts,
    url=optional_texts,
    thumbnail_url=optional_texts,
)
scenes = every_field(
    SceneDetails, type=optional_texts, mood=optional_texts, lighting=optional_texts
)
metrics = every_field(
    ImageMetrics,
    generation_ms=optional_floats,
    download_ms=optional_floats,
    inspection_ms=optional_floats,
    storing_ms=optional_floats,
    bytes=optional_counts,
    sha256=optional_texts,
    source_sha256=optional_texts,
    cleaned=st.lists(texts, max_size=3).map(tuple),
    provenance=st.none() | provenances,
    width=optional_counts,
    height=optional_counts,
    shot=st.none() | shots,
    scene=st.none() | scenes,
    prompt_origin=optional_texts,
    master_since=optional_times,
)
images = every_field(
    CharacterImage,
    key=texts,
    id=texts,
    character_id=texts,
    kind=texts | st.sampled_from(ImageKind),
    status=texts | st.sampled_from(ImageStatus),
    media=st.none() | media,
    provider=texts,
    prompt=texts,
    source_url=optional_texts,
    external_id=optional_texts,
    error=optional_texts,
    metrics=metrics,
    created_by=optional_texts,
    created_at=times,
    updated_at=times,
)
items = every_field(
    OperationItem,
    key=texts,
    index=counts,
    state=texts,
    prompt=texts,
    prompt_origin=optional_texts,
    source_url=optional_texts,
    external_id=optional_texts,
    shot=st.none() | shots,
    error=optional_texts,
    image_id=optional_texts,
)
jobs_seen = every_field(JobSeen, status=texts, current=counts, total=counts, moved_at=times)
doomed = every_field(Doomed, image_id=texts, media_key=texts)
operations = every_field(
    Operation,
    id=texts,
    kind=texts,
    character_id=texts,
    library_db_id=optional_texts,
    state=texts,
    prompt=texts,
    options=json_objects,
    created_by=optional_texts,
    baseline=st.lists(texts, max_size=3).map(tuple),
    job_id=optional_texts,
    job_seen=st.none() | jobs_seen,
    items=st.lists(items, max_size=3).map(tuple),
    doomed=st.lists(doomed, max_size=3).map(tuple),
    removed=counts,
    remote_delete=texts,
    error=optional_texts,
    posted_at=optional_times,
    posted_on_server=optional_times,
    received_at=optional_times,
    created_at=times,
    updated_at=times,
)


METRICS = to_json(ImageMetrics())


@given(characters)
def test_a_character_survives_the_way_through_json(character: CharacterReference) -> None:
    written = json.loads(json.dumps(to_json(character)))
    assert from_json(CharacterReference, written, what="it") == character


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


def test_a_record_has_these_fields_and_no_others() -> None:
    written = image()
    assert list(written) == [
        "key",
        "characterReference",
        "kind",
        "status",
        "id",
        "media",
        "provider",
        "prompt",
        "sourceUrl",
        "externalId",
        "error",
        "metrics",
        "createdBy",
        "createdAt",
        "updatedAt",
    ]
    assert set(written["metrics"]) == {
        "generationMs",
        "downloadMs",
        "inspectionMs",
        "storingMs",
        "bytes",
        "sha256",
        "sourceSha256",
        "cleaned",
        "provenance",
        "width",
        "height",
        "shot",
        "scene",
        "promptOrigin",
        "masterSince",
    }
    assert set(written["metrics"]["shot"]) >= {
        "name",
        "lensMm",
        "cameraAzimuthDeg",
        "cameraElevationDeg",
        "cameraDistanceM",
    }
    assert written["provider"] == "character-library"


def test_none_never_becomes_a_word() -> None:
    wrong = attrs.evolve(Operation(id="o", kind="scene", character_id="c"), prompt=None)
    with pytest.raises(TypeError):
        to_json(wrong)


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
        ({"metrics": {**METRICS, "cleaned": [7]}}, r"\$\.metrics\.cleaned\[0\] must be a string"),
        ({"metrics": {**METRICS, "cleaned": "abc"}}, r"cleaned must be a list, not str"),
        ({"metrics": {**METRICS, "cleaned": None}}, r"cleaned must be a list, not NoneType"),
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


class _Left:
    """Counts what is left to cattrs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        self._converter = _json._CONVERTER
        monkeypatch.setattr(_json, "_CONVERTER", self)

    def structure(self, data: Any, cls: Any) -> Any:
        self.read += 1
        return self._converter.structure(data, cls)

    def unstructure(self, value: Any) -> Any:
        return self._converter.unstructure(value)


def test_what_was_written_whole_is_read_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    left = _Left(monkeypatch)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    made = CharacterImage(
        key="k",
        character_id="c",
        kind="reference",
        status="succeeded",
        metrics=ImageMetrics(shot=Shot(name="50mm", lens_mm=50.0), master_since=moment),
        created_at=moment,
    )
    assert from_json(CharacterImage, to_json(made), what="it") == made
    assert left.read == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"downloadMs": 3}},
        {"createdAt": "2026-01-01T02:00:00.000+02:00", "updatedAt": "2026-01-01T00:00:00.000Z"},
    ],
)
def test_what_has_another_form_is_read_all_the_same(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = _Left(monkeypatch)
    read = from_json(CharacterImage, image(**changes), what="it")
    assert left.read == 1
    assert read == from_json(CharacterImage, to_json(read), what="it")
    assert left.read == 1
