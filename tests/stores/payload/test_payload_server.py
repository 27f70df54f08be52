"""What a real Payload does to its clients: refusals, limits, crashes, many at once."""

from __future__ import annotations

import io
import logging
import pickle
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from attrs import evolve
from PIL import Image
from tests.servers.payload import PayloadServer

from charimg import CharacterImageService, CharacterLibrary, Downloader, JobPolicy, RetryPolicy
from charimg.errors import (
    ConfigurationError,
    InvalidArgument,
    MediaNotFound,
    StorageConflict,
    StorageError,
)
from charimg.models import CharacterImage
from charimg.stores import (
    AsyncPayloadClient,
    AsyncPayloadMediaStore,
    PayloadCharacterDirectory,
    PayloadClient,
    PayloadMediaStore,
    PayloadMetadataRepository,
    PayloadOptions,
    SqliteDatabase,
    SqliteGenerationLedger,
)
from charimg.testing import serve

from .pictures import png, upload


def key() -> str:
    return f"k-{secrets.token_hex(8)}"


@pytest.fixture
def client(server: PayloadServer) -> Iterator[PayloadClient]:
    with PayloadClient(server.url, api_key=server.api_key) as made:
        yield made


@pytest.fixture
def media(client: PayloadClient) -> PayloadMediaStore:
    return PayloadMediaStore(client)


@pytest.fixture
def records(client: PayloadClient) -> PayloadMetadataRepository:
    return PayloadMetadataRepository(client)


def record(server: PayloadServer, store: PayloadMediaStore, **changes: Any) -> CharacterImage:
    name = key()
    fields: dict[str, Any] = {
        "key": name,
        "character_id": server.character(),
        "kind": "scene",
        "status": "succeeded",
        "media": store.save(upload(name)),
        **changes,
    }
    return CharacterImage(**fields)


def test_twenty_uploads_at_once_with_the_same_hint(
    server: PayloadServer, media: PayloadMediaStore
) -> None:
    keys = [key() for _ in range(20)]
    uploads = [upload(each, filename="portrait.png") for each in keys]
    with ThreadPoolExecutor(20) as pool:
        saved = list(pool.map(media.save, uploads))
    assert len({each.filename for each in saved}) == 20
    for each in keys:
        with media.open(each) as chunks:
            assert b"".join(chunks) == png(each.encode())


@pytest.mark.anyio
async def test_twenty_uploads_at_once_in_tasks(server: PayloadServer) -> None:
    keys = [key() for _ in range(20)]
    async with AsyncPayloadClient(server.url, api_key=server.api_key) as client:
        store = AsyncPayloadMediaStore(client)
        async with anyio.create_task_group() as group:
            for each in keys:
                group.start_soon(store.save, upload(each, filename="portrait.png"))
        for each in keys:
            async with store.open(each) as chunks:
                assert b"".join([chunk async for chunk in chunks]) == png(each.encode())


def test_missing_credentials_are_not_told_as_wrong(server: PayloadServer) -> None:
    options = PayloadOptions(media="character-references")
    with PayloadClient(server.url, options=options) as client:
        calls: list[Callable[[], object]] = [
            client.check,
            lambda: PayloadCharacterDirectory(client).get("1"),
            lambda: PayloadMediaStore(client).save(upload(key())),
        ]
        for call in calls:
            with pytest.raises(StorageError, match="No API key or token was given") as missing:
                call()
            assert "PAYLOAD_API_KEY" in str(missing.value)
            assert "Check the" not in str(missing.value)


@pytest.mark.parametrize("credentials", [{"api_key": "wrong-key"}, {"token": "no.jwt.here"}])
def test_wrong_credentials(
    server: PayloadServer, credentials: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with PayloadClient(server.url, **credentials) as client:
        with pytest.raises(StorageError, match="does not accept") as refused:
            client.check()
        with pytest.raises(StorageError, match="403"):
            PayloadMediaStore(client).save(upload(key()))
        with pytest.raises(StorageError, match=r"403.*API key"):
            PayloadCharacterDirectory(client).get("1")
        told = repr(client) + repr(client.site) + str(refused.value) + caplog.text
    for secret in credentials.values():
        assert secret not in told


def test_a_token_signs_in(server: PayloadServer) -> None:
    from tests.servers.payload import PASSWORD

    answer = server.ask(
        "POST", "/users/login", {"email": "tests@example.org", "password": PASSWORD}
    )
    with PayloadClient(server.url, token=answer["token"]) as client:
        client.check()
        assert PayloadMediaStore(client).get(key()) is None


def test_a_record_is_found_among_many_of_its_media(
    server: PayloadServer, media: PayloadMediaStore, records: PayloadMetadataRepository
) -> None:
    last = evolve(record(server, media), created_at=datetime(2100, 1, 1, tzinfo=UTC))
    assert last.media is not None
    fields = {
        "characterReference": int(last.character_id),
        "media": int(last.media.id),
        "kind": "scene",
        "status": "succeeded",
        "metrics": {"key": "another"},
    }
    for _ in range(101):
        server.ask("POST", "/character-image-metadata?depth=0", fields)
    added = records.add(last)
    assert records.add(last) == added
    assert records.list(last.character_id).total == 102


def test_validation_errors_name_the_field_and_not_the_value(
    server: PayloadServer, media: PayloadMediaStore, records: PayloadMetadataRepository
) -> None:
    image = record(server, media, kind="hologram", prompt="a secret prompt")
    with pytest.raises(StorageError, match="kind") as caught:
        records.add(image)
    assert "hologram" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert records.list(image.character_id).total == 0


def test_what_is_no_image_is_refused_and_leaves_nothing(media: PayloadMediaStore) -> None:
    name = key()
    with pytest.raises(StorageError, match="400"):
        media.save(upload(name, b"no image at all"))
    assert media.get(name) is None


def test_a_file_above_the_limit(media: PayloadMediaStore) -> None:
    # Payload answers 413, or breaks the connection while the file is still on its way.
    name = key()
    with pytest.raises(StorageError, match="larger than"):
        media.save(upload(name, png(secrets.token_bytes(21 * 1024 * 1024))))
    assert media.get(name) is None
    media.save(upload(name))


def test_client_errors_that_are_500(
    server: PayloadServer, media: PayloadMediaStore, records: PayloadMetadataRepository
) -> None:
    image = records.add(record(server, media))
    # Ids that no database of this kind can hold are not asked for.
    for odd in ("abc", "1e3", "-1", "01", "9" * 30, "٣", ""):
        assert records.get(odd) is None
        assert records.delete(odd) is False
        assert records.list(odd).total == 0
    assert records.list(image.character_id, kind="hologram").total == 0
    with pytest.raises(StorageError, match="no character"):
        records.add(evolve(image, key=key(), character_id="abc"))
    unknown = evolve(image, key=key(), character_id="999999")
    with pytest.raises(StorageError, match=r"add the record"):
        records.add(unknown)


def test_records_before_media(
    server: PayloadServer, media: PayloadMediaStore, records: PayloadMetadataRepository
) -> None:
    image = records.add(record(server, media))
    assert image.media is not None
    with pytest.raises(StorageConflict, match=f"'?{image.id}'?"):
        media.delete(image.media.key)
    with media.open(image.media.key) as chunks:
        assert b"".join(chunks) == png(image.key.encode())
    assert records.delete(image.id)
    assert media.delete(image.media.key)
    assert list(server.files.glob(f"*{image.media.key}*")) == []


def test_a_file_that_is_gone(server: PayloadServer, media: PayloadMediaStore) -> None:
    name = key()
    saved = media.save(upload(name))
    (server.files / saved.filename).unlink()
    with pytest.raises(MediaNotFound), media.open(name):
        pass
    assert media.get(name) is None
    again = media.save(upload(name))
    assert (again.filename, media.get(name)) == (saved.filename, again)


def test_a_thumbnail_that_is_gone_is_told(server: PayloadServer, media: PayloadMediaStore) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (800, 600), "red").save(drawn, "PNG")
    wide = evolve(upload(key(), drawn.getvalue()), width=800, height=600)
    saved = media.save(wide)
    assert media.has_renditions(saved)
    assert media.has_renditions(evolve(saved, id="0"))
    for file in server.files.iterdir():
        if file.name != saved.filename and file.stem.startswith(Path(saved.filename).stem):
            file.unlink()
    assert not media.has_renditions(saved)


def test_a_file_left_on_the_disk_does_not_hide_the_next(
    server: PayloadServer, media: PayloadMediaStore
) -> None:
    name = key()
    # Written by an upload whose server died before the document was.
    server.files.mkdir(exist_ok=True)
    (server.files / f"reference-{name}.png").write_bytes(b"half")
    saved = media.save(upload(name))
    assert saved.key == name
    assert media.get(name) == saved
    with media.open(name) as chunks:
        assert b"".join(chunks) == png(name.encode())
    assert media.delete(name)


def test_keys_that_no_file_name_can_carry(media: PayloadMediaStore) -> None:
    for odd in ("", "../up", "A", "a b", "a-1", "-a", "x" * 200):
        with pytest.raises(InvalidArgument):
            media.save(upload(odd))


def test_an_upload_that_is_not_what_was_announced(media: PayloadMediaStore) -> None:
    for changes in ({"sha256": "0" * 64}, {"size": 7}, {"size": 10_000}):
        name = key()
        with pytest.raises(StorageError):
            media.save(evolve(upload(name), **changes))
        assert media.get(name) is None


def test_urls_are_absolute_and_may_be_those_of_a_cdn(server: PayloadServer) -> None:
    url = server.url.replace("http://", "payload+http://")
    for store_url, begin in (
        (url, f"{server.url}/api/media/file/"),
        (f"{url}?cdn=https%3A%2F%2Fcdn.example%2Fm", "https://cdn.example/m/"),
    ):
        store = PayloadMediaStore.from_url(store_url, api_key=server.api_key)
        try:
            saved = store.save(upload(key()))
            assert store.locate(saved).url == begin + saved.filename
        finally:
            store.close()


def test_the_character_ids_and_characters_are_named(
    server: PayloadServer, media: PayloadMediaStore, records: PayloadMetadataRepository
) -> None:
    image = records.add(record(server, media))
    assert image.character_id in records.character_ids()
    directory = PayloadCharacterDirectory(PayloadClient(server.url, api_key=server.api_key))
    assert image.character_id in {each.id for each in directory.list_all()}
    directory.close()


def test_a_server_that_is_no_payload() -> None:
    with httpx.Client(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, text="<html>"))
    ) as http:
        client = PayloadClient("https://cms.example", http_client=http)
        with pytest.raises(StorageError, match="not Payload's"):
            client.check()
        client.close()
        assert not http.is_closed


def answering(*answers: httpx.Response) -> PayloadClient:
    """Return a client whose server gives these answers, one after the other."""
    left = list(answers)
    http = httpx.Client(transport=httpx.MockTransport(lambda request: left.pop(0)))
    return PayloadClient("https://cms.example", http_client=http)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(200, json=[]), "not Payload's"),
        (httpx.Response(302, headers={"Location": "/login"}), "not Payload's"),
        (httpx.Response(302, json={}), "not Payload's"),
        (httpx.Response(200, json={"docs": None}), "not Payload's"),
        (httpx.Response(200, json={"docs": [1]}), "not Payload's"),
        (httpx.Response(429, text="slow"), "slow down"),
        (httpx.Response(503, text="down"), "503"),
        (httpx.Response(400, text="no json"), "as a whole"),
        (httpx.Response(400, json={"errors": []}), "as a whole"),
    ],
)
def test_odd_answers_are_storage_errors(answer: httpx.Response, told: str) -> None:
    store = PayloadMediaStore(answering(answer))
    with pytest.raises(StorageError, match=told):
        store.get("a-key")


def test_odd_documents_are_storage_errors() -> None:
    page = {"docs": [{"id": 1}], "totalDocs": None}
    records = PayloadMetadataRepository(answering(*[httpx.Response(200, json=page)] * 2))
    with pytest.raises(StorageError, match="not Payload's"):
        records.list("1")
    store = PayloadMediaStore(answering(httpx.Response(200, json=page)))
    with pytest.raises(StorageError, match="no file name"):
        store.get("a-key")
    with pytest.raises(StorageError, match="not Payload's"):
        PayloadMediaStore(
            answering(
                httpx.Response(200, json={"docs": []}),
                httpx.Response(200, json={"docs": []}),
                httpx.Response(201, json={"doc": None}),
            )
        ).save(upload("a-key"))


def test_a_file_that_does_not_come_back() -> None:
    nothing = httpx.Response(200, json={"docs": []})
    document = {"id": 1, "filename": "reference-a-key.png", "mimeType": "image/png"}
    created = httpx.Response(201, json={"doc": document})
    with pytest.raises(StorageError, match="give the file back"):
        PayloadMediaStore(answering(nothing, nothing, created, httpx.Response(500))).save(
            upload("a-key")
        )
    found = httpx.Response(200, json={"docs": [document]})
    with pytest.raises(StorageError, match="403"):
        PayloadMediaStore(answering(found, httpx.Response(403))).get("a-key")
    with (
        pytest.raises(StorageError, match="502"),
        PayloadMediaStore(answering(found, httpx.Response(502))).open("a-key"),
    ):
        pass


def breaking(error: type[httpx.HTTPError], times: int) -> tuple[PayloadClient, list[str]]:
    """Return a client whose connection breaks so many times, and the methods that were sent."""
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        if len(sent) <= times:
            raise error("broken")
        return httpx.Response(200, json={"docs": [], "totalDocs": 0, "user": {}})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return PayloadClient("https://cms.example", http_client=http), sent


def test_a_read_is_sent_once_more_over_a_new_connection() -> None:
    client, sent = breaking(httpx.RemoteProtocolError, 1)
    client.check()
    assert sent == ["GET", "GET"]
    client, sent = breaking(httpx.ReadError, 2)
    with pytest.raises(StorageError, match="broke"):
        client.check()
    assert sent == ["GET", "GET"]


def test_an_upload_is_sent_once() -> None:
    nothing = httpx.Response(200, json={"docs": []})
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["Content-Type"].startswith("multipart"):
            sent.append(request.method)
            raise httpx.WriteError("reset")
        return nothing

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with pytest.raises(StorageError, match="broke"):
        PayloadMediaStore(PayloadClient("https://cms.example", http_client=http)).save(upload("k1"))
    assert sent == ["POST"]


def test_a_silent_server() -> None:
    client, _ = breaking(httpx.ReadTimeout, 9)
    with pytest.raises(StorageError, match="in time"):
        client.check()


def test_nobody_listens(server: PayloadServer) -> None:
    with (
        PayloadClient("http://127.0.0.1:1", api_key="secret-key") as client,
        pytest.raises(StorageError, match="out of reach") as caught,
    ):
        client.check()
    assert "secret-key" not in str(caught.value)


def test_bad_settings() -> None:
    for url in (
        "https://cms.example",
        "payload+https://",
        "payload+https://user:pw@cms.example",
        "payload+https://cms.example?key=secret",
        "payload+https://cms.example?media=a/b",
        "payload+https://cms.example?media",
    ):
        with pytest.raises(ConfigurationError) as caught:
            PayloadClient.from_url(url)
        assert "secret" not in str(caught.value)
        assert "pw" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        PayloadClient("https://cms.example", api_key="a", token="b")
    with pytest.raises(ConfigurationError):
        PayloadClient("https://cms.example", api_key="a\nb")
    client = PayloadClient("https://cms.example", options=PayloadOptions(characters=None))
    with pytest.raises(ConfigurationError):
        PayloadCharacterDirectory(client).get("1")
    client.close()
    with pytest.raises(ConfigurationError, match="closed"):
        client.check()


@pytest.mark.parametrize(
    "kind",
    ["sqlite", *(pytest.param(each, marks=pytest.mark.long) for each in ("postgres", "mongo"))],
)
def test_a_portfolio_survives_a_killed_server(
    kind: str, new_payload: Callable[[str], PayloadServer], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        cms = new_payload(kind)
        stack.callback(cms.kill)
        cms.start()
        library_server = stack.enter_context(serve())
        library = stack.enter_context(CharacterLibrary(library_server.url))
        remote = library.create_character("Mira")
        character = cms.character("Mira", libraryIntegration={"libraryDbId": remote.id})
        downloader = stack.enter_context(
            Downloader(allowed_origins=(library_server.url,), retries=RetryPolicy.off())
        )
        database = stack.enter_context(SqliteDatabase(tmp_path / "ledger.sqlite"))
        client = stack.enter_context(PayloadClient(cms.url, api_key=cms.api_key))
        store = PayloadMediaStore(client)
        service = stack.enter_context(
            CharacterImageService(
                library=library,
                directory=PayloadCharacterDirectory(client),
                media=store,
                metadata=PayloadMetadataRepository(client),
                ledger=SqliteGenerationLedger(database),
                downloader=downloader,
                job_policy=JobPolicy(interval=0.05, interval_max=0.05),
            )
        )
        service.generate_reference(character, prompt="Mira, studio portrait.")
        save = store.save
        done = 0

        def kill_after_five(each: Any) -> Any:
            nonlocal done
            if done == 5:
                cms.kill()
            done += 1
            return save(each)

        store.save = kill_after_five  # type: ignore[method-assign]
        with pytest.raises(StorageError):
            service.generate_portfolio(character)
        store.save = save  # type: ignore[method-assign]
        cms.start()
        report = service.recover()
        assert [each.outcome for each in report.operations] == ["completed"]
        page = service.list_images(character, limit=1000)
        assert page.total == 1 + 27
        for image in page.images:
            assert image.media is not None
            assert store.get(image.media.key).sha256 == image.metrics.sha256  # type: ignore[union-attr]
        assert cms.ask("GET", "/media/count")["totalDocs"] == page.total
        assert service.recover().operations == ()
        # A record cannot stand without media here: a failed shot waits in the ledger.
        library_server.simulator.switches.file_errors = 1
        (failed,) = service.generate_portfolio(character).failures
        (listed,) = service.list_images(character, status="failed").images
        assert listed.id == failed.id
        again = service.retry_ingestion(character, failed.id).image
        assert service.get_image(character, again.id).status == "succeeded"
        assert service.list_images(character, status="failed").total == 0
        page = service.list_images(character)
        assert page.total == 1 + 2 * 27
        assert service.delete_all_images(character).removed == page.total
        assert cms.ask("GET", "/media/count")["totalDocs"] == 0
