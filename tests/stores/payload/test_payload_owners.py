"""Who made an image: text, or a relation to Payload's users with each kind of id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from attrs import evolve
from tests.servers.payload import PayloadServer

from charimg import (
    CharacterImage,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    ErrorCode,
    JobPolicy,
    RetryPolicy,
    StorageError,
)
from charimg.stores import (
    AsyncPayloadClient,
    AsyncPayloadMetadataRepository,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    PayloadCharacterDirectory,
    PayloadClient,
    PayloadMediaStore,
    PayloadMetadataRepository,
    PayloadOptions,
)
from charimg.testing import serve
from charimg.testing.server import SimulatorServer

from .pictures import upload

KINDS = (
    "sqlite-owned",
    "sqlite-uuid-owned",
    *(
        pytest.param(kind, marks=pytest.mark.long)
        for kind in ("postgres-owned", "postgres-uuid-owned", "mongo-owned")
    ),
)
NOBODY = {"int": "999", "uuid": "00000000-0000-4000-8000-000000000000"}
"""Ids that no user has. A MongoDB takes any ObjectId."""


class Studio:
    """A service over a Payload CMS and a Character Library."""

    def __init__(self, cms: PayloadServer, library: SimulatorServer, stack: ExitStack) -> None:
        self.cms = cms
        self.library = library
        self.client = stack.enter_context(PayloadClient(cms.url, api_key=cms.api_key))
        self.directory: Any = PayloadCharacterDirectory(self.client)
        self.metadata = PayloadMetadataRepository(self.client)
        api = stack.enter_context(CharacterLibrary(library.url))
        self.db_id = api.create_character("Mira").id
        self.character = cms.character("Mira", libraryIntegration={"libraryDbId": self.db_id})
        origins = (library.url,)
        loader = Downloader(allowed_origins=origins, retries=RetryPolicy.off())
        self.options: dict[str, Any] = {
            "library": api,
            "media": PayloadMediaStore(self.client),
            "metadata": self.metadata,
            "ledger": MemoryGenerationLedger(),
            "downloader": stack.enter_context(loader),
            "job_policy": JobPolicy(interval=0.05, interval_max=0.05),
        }

    @property
    def service(self) -> CharacterImageService:
        return CharacterImageService(directory=self.directory, **self.options)

    def document(self, image: CharacterImage) -> Any:
        return self.cms.ask("GET", f"/character-image-metadata/{image.id}?depth=0")


@pytest.fixture
def studio(payload_of: Callable[[str], PayloadServer], kind: str) -> Iterator[Studio]:
    with ExitStack() as stack:
        yield Studio(payload_of(kind), stack.enter_context(serve()), stack)


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_that_payload_knows_is_named_as_its_own_kind_of_id(studio: Studio) -> None:
    me = studio.cms.ask("GET", "/users/me")["user"]["id"]
    result = studio.service.generate_reference(studio.character, prompt="Mira.", created_by=str(me))
    assert result.warnings == ()
    assert result.image.created_by == str(me)
    assert studio.document(result.image)["createdBy"] == me
    # A record is written again when its reference is made the master again.
    restored = studio.service.restore_reference(studio.character, result.image.id)
    assert restored.created_by == str(me)
    assert studio.document(restored)["createdBy"] == me


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_that_payload_refuses_costs_no_image(studio: Studio) -> None:
    me = studio.cms.ask("GET", "/users/me")["user"]["id"]
    nobody = NOBODY.get("int" if type(me) is int else "uuid" if "-" in me else "")
    service, who = studio.service, studio.character
    for refused in filter(None, (nobody, "ann@example.org")):
        studio.library.simulator.switches.shots = 2
        image = service.generate_reference(who, prompt="Mira.", created_by=refused)
        portfolio = service.generate_portfolio(who, created_by=refused)
        scene = service.generate_scene(who, "Mira reads.", created_by=refused)
        for result in (image, portfolio, scene):
            (warning,) = result.warnings
            assert warning.code == ErrorCode.CREATED_BY_REFUSED
        images = (image.image, *portfolio.images, scene.image)
        assert len(images) == 4
        assert {each.created_by for each in images} == {None}
        # Nothing is left open, and the character is not locked.
        assert service.recover().operations == ()
        # The same for a record that is there.
        named = studio.metadata.update(evolve(images[0], created_by=refused, prompt="Mira!"))
        assert (named.created_by, named.prompt) == (None, "Mira!")
    assert service.delete_all_images(who).warnings == ()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_text_stays_text(studio: Studio) -> None:
    for created_by in ("7", "007", "ann@example.org"):
        result = studio.service.generate_reference(
            studio.character, prompt="Mira.", created_by=created_by
        )
        assert result.warnings == ()
        assert result.image.created_by == created_by
        assert studio.document(result.image)["createdBy"] == created_by


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_character_that_payload_lacks_costs_nothing(studio: Studio) -> None:
    strangers = [
        CharacterReference(id=each, name="Ann", library_db_id=studio.db_id)
        for each in ("999", "ann")
    ]
    studio.directory = MemoryCharacterDirectory(strangers)
    service = studio.service
    for who in ("999", "ann"):
        for call in (
            lambda who=who: service.generate_reference(who, prompt="Ann."),
            lambda who=who: service.generate_portfolio(who),
            lambda who=who: service.generate_scene(who, "Ann reads."),
        ):
            with pytest.raises(StorageError, match=f"no character '{who}'"):
                call()
    counters = studio.library.simulator.counters
    posts = (counters.initial_image_posts, counters.set360_posts, counters.scene_posts)
    assert posts == (0, 0, 0)
    plain = PayloadOptions(characters=None)
    image = CharacterImage(key="k", character_id="ann", kind="scene", status="succeeded")
    with PayloadClient(studio.cms.url, options=plain) as client:
        # Where the character is plain text, any will do.
        PayloadMetadataRepository(client).check(image)


@pytest.mark.anyio
async def test_the_async_twin_looks_for_the_character(server: PayloadServer) -> None:
    image = CharacterImage(key="k", character_id="999", kind="scene", status="succeeded")
    async with AsyncPayloadClient(server.url, api_key=server.api_key) as client:
        records = AsyncPayloadMetadataRepository(client)
        with pytest.raises(StorageError, match="no character '999'"):
            await records.check(image)
        await records.check(evolve(image, character_id=server.character()))


def test_whose_key_belongs_to_nobody_sends_what_it_has() -> None:
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/me"):
            return httpx.Response(200, json={"user": None})
        if "X-Payload-HTTP-Method-Override" in request.headers:
            kind = "media" if "/media" in request.url.path else "records"
            return httpx.Response(200, json={"docs": [{"id": 1, "of": kind}], "totalDocs": 1})
        sent.append(json.loads(request.content))
        return httpx.Response(400, json={"errors": [{"data": {"errors": [{"path": "kind"}]}}]})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    options = PayloadOptions(characters=None, requires_media=False, key=None)
    client = PayloadClient("https://cms.example", options=options, http_client=http)
    image = CharacterImage(
        key="k", character_id="ann", kind="scene", status="succeeded", created_by="7"
    )
    with pytest.raises(StorageError, match="the fields kind"):
        PayloadMetadataRepository(client).add(image)
    # Another field was refused: nothing is left out, nothing is sent again.
    assert [each["createdBy"] for each in sent] == ["7"]


def test_without_a_field_it_is_kept_among_the_metrics(server: PayloadServer) -> None:
    options = PayloadOptions(fields={"createdBy": None})
    with PayloadClient(server.url, api_key=server.api_key, options=options) as client:
        media = PayloadMediaStore(client).save(upload("k-without-a-field"))
        image = CharacterImage(
            key="k-without-a-field",
            character_id=server.character(),
            kind="scene",
            status="succeeded",
            media=media,
            created_by="ann@example.org",
        )
        records = PayloadMetadataRepository(client)
        added = records.add(image)
        assert added.created_by == "ann@example.org"
        found = records.get(added.id)
        assert found == added
        assert records.update(evolve(added, created_by=None)).created_by is None
