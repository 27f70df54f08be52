"""What Payload's documents mean, without a server: every kind of id, other names, odd values.

The documents are made up after Payload's own form; test_payload_conformance.py has real ones.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from charimg._http.cms import CmsAnswer
from charimg.errors import ConfigurationError, StorageError
from charimg.models import CharacterImage
from charimg.stores import PayloadOptions
from charimg.stores.payload import answers, wire

from .pictures import upload

OPTIONS = PayloadOptions()
BASE = "https://cms.example"
OBJECT_ID = "65f1c0ffee65f1c0ffee65f1"
UUID = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
MEDIA: dict[str, Any] = {
    "id": OBJECT_ID,
    "filename": "reference-k-1a2b.png",
    "mimeType": "image/png",
    "filesize": 7,
    "width": 12,
    "height": 8,
    "alt": "Mira",
    "sizes": {"thumbnail": {"url": None, "filename": None}},
}
RECORD: dict[str, Any] = {
    "id": OBJECT_ID,
    "characterReference": {"id": OBJECT_ID},
    "media": MEDIA,
    "kind": "reference",
    "status": "succeeded",
    "createdAt": "2026-01-02T03:04:05.678Z",
}


@pytest.mark.parametrize(
    ("value", "kind"), [(7, "int"), (UUID, "uuid"), (OBJECT_ID, "object"), ("slug", "text")]
)
def test_an_id_goes_back_as_the_type_that_came(value: object, kind: str) -> None:
    assert wire.kind_of(value) == kind
    assert wire.parse_id(kind, str(value)) == value
    for other in (7, UUID, OBJECT_ID, "slug"):
        if other != value and kind != "text":
            assert wire.parse_id(kind, str(other)) is None
    assert wire.parse_id(kind, "") is None


def test_integers_that_no_column_holds() -> None:
    for text in ("2147483648", "9" * 40, "007", "-1", "1.0", "٣"):
        assert wire.parse_id("int", text) is None
    assert wire.parse_id("text", "a\0b") is None


def test_a_plain_record_of_object_ids() -> None:
    image = wire.read_image(RECORD, OPTIONS, BASE)
    assert (image.id, image.character_id, image.key) == (OBJECT_ID, OBJECT_ID, "k-1a2b")
    assert image.media is not None
    assert image.media.url == f"{BASE}/api/media/file/reference-k-1a2b.png"
    assert image.media.thumbnail_url is None
    document = wire.write_image(
        image, OPTIONS, character=OBJECT_ID, media=OBJECT_ID, created_by=image.created_by
    )
    assert (document["characterReference"], document["media"]) == (OBJECT_ID, OBJECT_ID)
    assert wire.read_image({**RECORD, **document, "media": MEDIA}, OPTIONS, BASE) == image


def test_a_record_without_media_or_metrics() -> None:
    image = wire.read_image({**RECORD, "media": None, "metrics": "odd"}, OPTIONS, BASE)
    assert (image.media, image.key) == (None, OBJECT_ID)
    bare = {"id": 3, "createdAt": RECORD["createdAt"], "createdBy": {"id": 9}}
    image = wire.read_image(bare, OPTIONS, BASE)
    assert (image.kind, image.status, image.character_id) == ("unknown", "unknown", "")
    assert image.created_by == "9"
    with pytest.raises(StorageError):
        wire.read_image({"id": 3}, OPTIONS, BASE)


def test_other_names_and_groups() -> None:
    options = PayloadOptions(
        alt=None, key=None, fields={"prompt": "made.how.prompt", "createdBy": None}
    )
    image = evolve(wire.read_image(RECORD, options, BASE), prompt="p", created_by="u")
    document = wire.write_image(image, options, character=1, media=2, created_by=None)
    assert document["made"] == {"how": {"prompt": "p"}}
    assert not {"createdBy", "operationKey", "prompt"} & set(document)
    again = wire.read_image({**RECORD, **document, "media": MEDIA}, options, BASE)
    assert (again.prompt, again.created_by) == ("p", None)
    assert again.media is not None
    assert again.media.alt == ""


def test_an_operation_key_counts_without_metrics() -> None:
    image = wire.read_image({**RECORD, "operationKey": "theirs"}, OPTIONS, BASE)
    assert image.key == "theirs"


def test_an_image_without_media_is_written() -> None:
    image = CharacterImage(key="k1", character_id="1", kind="scene", status="failed")
    assert (
        wire.write_image(image, OPTIONS, character=1, media=None, created_by=None)["metrics"]["key"]
        == "k1"
    )


def test_thumbnails() -> None:
    sizes = {"thumbnail": {"url": "/api/media/file/t-1.png", "filename": "t-1.png"}}
    plain = wire.read_media({**MEDIA, "sizes": sizes}, OPTIONS, BASE)
    assert plain.thumbnail_url == f"{BASE}/api/media/file/t-1.png"
    cdn = PayloadOptions(cdn="https://cdn.example/m")
    served = wire.read_media({**MEDIA, "sizes": sizes}, cdn, BASE)
    assert served.thumbnail_url == "https://cdn.example/m/t-1.png"
    with pytest.raises(ConfigurationError):
        PayloadOptions(cdn="ftp://cdn.example")
    with pytest.raises(ConfigurationError):
        PayloadOptions(fields={"media": None})


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("reference-k-1a2b.png", "k-1a2b"),
        ("portfolio-item-k-1a2b-1.webp", "k-1a2b"),
        ("image-k-1a2b", "k-1a2b"),
        ("holiday.jpg", "holiday"),
        ("scene-0-000.jpg", "0-000"),
    ],
)
def test_the_key_in_a_file_name(name: str, key: str) -> None:
    assert wire.key_in(name) == key


def test_a_name_that_cannot_be_found_is_replaced() -> None:
    assert wire.stored_name(upload("k1")) == "reference-k1.png"
    assert wire.stored_name(upload("k1", filename="Portrait.JPG")) == "image-k1.jpg"
    webp = upload("k1", filename="portrait", mime_type="image/webp")
    assert wire.stored_name(webp) == "image-k1.webp"
    odd = upload("k1", filename="portrait.xyz", mime_type="image/x-odd")
    assert wire.stored_name(odd) == "image-k1.png"


@pytest.mark.parametrize("traits", ['{"age": 3}', {"age": 3}])
def test_a_character_of_a_flat_collection(traits: object) -> None:
    document = {
        "id": OBJECT_ID,
        "name": "Mira",
        "libraryDbId": OBJECT_ID,
        "generationMetadata": {"bamlData": traits},
    }
    character = wire.read_character(document, OPTIONS)
    assert (character.name, character.library_db_id) == ("Mira", OBJECT_ID)
    assert character.traits == {"age": 3}


@pytest.mark.parametrize("traits", ["no json", "[1]", [1], None])
def test_traits_that_are_none(traits: object) -> None:
    document = {"id": 1, "generationMetadata": {"bamlData": traits}}
    assert wire.read_character(document, OPTIONS).traits == {}


def test_credentials_in_the_words_of_a_server_are_left_out() -> None:
    body = b'{"errors": [{"path": "https://u:SECRET@h/x?sig=SECRET"}]}'
    error = answers.refused(CmsAnswer(status=400, body=body), "store media 'k'")
    assert "refused the fields https://[…]@h/x?[…]. Do" in str(error)
