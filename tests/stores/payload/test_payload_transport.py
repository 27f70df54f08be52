"""The connection to Payload where it breaks, in both modes, and rare turns of the stores."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from tests.servers.payload import PayloadServer

from charimg._http import cms
from charimg.errors import ConfigurationError, ImageNotFound, InvalidArgument, StorageError
from charimg.models import CharacterImage
from charimg.stores import (
    AsyncPayloadCharacterDirectory,
    AsyncPayloadClient,
    AsyncPayloadMediaStore,
    AsyncPayloadMetadataRepository,
    PayloadClient,
    PayloadMediaStore,
    PayloadMetadataRepository,
    PayloadOptions,
)
from charimg.stores._pages import encode_cursor
from charimg.stores.payload import records, steps

from .pictures import upload

URL = "https://cms.example"
FOUND = {"docs": [{"id": 1, "filename": "reference-a-key.png"}], "totalDocs": 1}


class Breaks(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"half" * 20_000
        raise httpx.ReadError("broken")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"half" * 20_000
        raise httpx.ReadError("broken")


def clients(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[Any, Any]:
    transport = httpx.MockTransport(answer)
    return (
        PayloadClient(URL, http_client=httpx.Client(transport=transport)),
        AsyncPayloadClient(URL, http_client=httpx.AsyncClient(transport=transport)),
    )


def file_breaks(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith(".png"):
        return httpx.Response(200, stream=Breaks())
    return httpx.Response(200, json=FOUND)


def file_unreachable(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith(".png"):
        raise httpx.ConnectError("nobody there")
    return httpx.Response(200, json=FOUND)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "told"), [(file_breaks, "broke"), (file_unreachable, "out of reach")]
)
async def test_a_file_that_breaks_off(answer: Any, told: str) -> None:
    sync, aio = clients(answer)
    with (
        pytest.raises(StorageError, match=told),
        PayloadMediaStore(sync).open("a-key") as chunks,
    ):
        list(chunks)
    with pytest.raises(StorageError, match=told):
        async with AsyncPayloadMediaStore(aio).open("a-key") as parts:
            assert [part async for part in parts]


@pytest.mark.anyio
async def test_leaving_a_file_that_breaks_off() -> None:
    _, aio = clients(file_breaks)
    async with AsyncPayloadMediaStore(aio).open("a-key") as parts:
        async for part in parts:
            assert part.startswith(b"half")
            break


@pytest.mark.anyio
async def test_a_read_is_sent_once_more_in_tasks() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        if len(sent) % 3:
            raise httpx.RemoteProtocolError("idle connection closed")
        return httpx.Response(200, json={"user": {}})

    _, aio = clients(answer)
    with pytest.raises(StorageError, match="broke"):
        await aio.check()
    sent[:] = ["GET"]
    await aio.check()


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_a_cancelled_write_ends_before_its_caller_goes_on(anyio_backend: str) -> None:
    at_it, go_on, done = anyio.Event(), anyio.Event(), []

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            at_it.set()
            await go_on.wait()
            done.append(request.method)
        return httpx.Response(200, json=FOUND)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    cms = AsyncPayloadClient(URL, http_client=client)
    after: list[list[str]] = []

    async def delete() -> None:
        with scope:
            try:
                await AsyncPayloadMetadataRepository(cms).delete("1")
                await anyio.lowlevel.checkpoint()
            finally:
                after.append(list(done))

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(delete)
        await at_it.wait()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert after == [], "it waits"
        go_on.set()
    assert scope.cancelled_caught
    assert after == [["DELETE"]]
    await client.aclose()


@pytest.mark.anyio
async def test_closed_clients() -> None:
    sync, aio = clients(lambda request: httpx.Response(200, json=FOUND))
    request = cms.CmsRequest(method="GET", url=URL, what="read")
    for client in sync.transport._clients.get():
        client.close()
    for other in aio.transport._clients.get():
        await other.aclose()
    with pytest.raises(ConfigurationError, match="closed"), sync.transport.open(request, {}):
        pass
    with pytest.raises(ConfigurationError, match="closed"):
        async with aio.transport.open(request, {}):
            pass
    with pytest.raises(ConfigurationError, match="closed"):
        await aio.check()
    await aio.aclose()


def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cms, "_MAX_BODY", 10)
    sync, _ = clients(lambda request: httpx.Response(200, text="x" * 11))
    with pytest.raises(StorageError, match="larger than 10"):
        sync.check()


@pytest.mark.anyio
async def test_async_stores_by_url(server: PayloadServer) -> None:
    url = f"payload+{server.url}"
    character = server.character("Tom")
    for kind in (AsyncPayloadCharacterDirectory, AsyncPayloadMetadataRepository):
        store = kind.from_url(url, api_key=server.api_key)
        assert server.api_key not in repr(store)
        assert server.url in repr(store)
        if isinstance(store, AsyncPayloadCharacterDirectory):
            assert character in {each.id for each in await store.list_all()}
        else:
            assert character not in await store.character_ids()
        await store.aclose()


def test_everything_is_listed_in_pages(
    server: PayloadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from charimg.stores import PayloadCharacterDirectory

    made = {server.character(f"C{number}") for number in range(5)}
    monkeypatch.setattr(steps, "PAGE", 2)
    store = PayloadCharacterDirectory.from_url(f"payload+{server.url}", api_key=server.api_key)
    listed = [each.id for each in store.list_all()]
    assert made <= set(listed)
    assert len(listed) == len(set(listed))
    assert server.url in repr(store)
    store.close()


def test_cursors_of_other_listings(server: PayloadServer) -> None:
    with PayloadClient(server.url, api_key=server.api_key) as client:
        records = PayloadMetadataRepository(client)
        for parts in (("no time", "1"), ("2026-01-02T03:04:05Z", "no-id")):
            with pytest.raises(InvalidArgument):
                records.list("1", cursor=encode_cursor(*parts))


class Blind(httpx.HTTPTransport):
    """Answers the first look for a record with nothing, as if another were just adding it."""

    looked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path, request.read()
        if path.endswith("metadata") and b"operationKey" in body and b"where" in body:
            self.looked += 1
            if self.looked == 1:
                return httpx.Response(200, json={"docs": []}, request=request)
        if path.endswith("metadata") and b"media%5D%5Bequals" in body and self.looked == 1:
            return httpx.Response(200, json={"docs": []}, request=request)
        return super().handle_request(request)


def test_the_database_refuses_a_second_record(payload_of: Any) -> None:
    server: PayloadServer = payload_of("sqlite-uuid")
    with PayloadClient(server.url, api_key=server.api_key) as client:
        media = PayloadMediaStore(client).save(upload("twice-in-a-row"))
        image = CharacterImage(
            key="twice-in-a-row",
            character_id=server.character(),
            kind="scene",
            status="succeeded",
            media=media,
        )
        first = PayloadMetadataRepository(client).add(image)
    with (
        httpx.Client(transport=Blind()) as http,
        PayloadClient(server.url, api_key=server.api_key, http_client=http) as client,
    ):
        records = PayloadMetadataRepository(client)
        assert records.add(image) == first
        assert records.list(image.character_id).total == 1


def drive(run: Any, *answers: Any) -> Any:
    """Carry out steps over answers that are made up: a status, or a JSON value."""
    left = list(answers)
    with suppress(StopIteration):
        next(run)
        while True:
            given = left.pop(0)
            if isinstance(given, int):
                run.send(cms.CmsAnswer(status=given))
            else:
                run.send(cms.CmsAnswer(status=200, body=json.dumps(given).encode()))


def test_a_record_that_goes_while_it_is_updated() -> None:
    site = steps.Site(base_url=URL, options=PayloadOptions(requires_media=False))
    record = {"id": 3, "characterReference": 1, "createdAt": "2026-01-02T03:04:05.678Z"}
    image = CharacterImage(id="3", key="k1", character_id="1", kind="scene", status="failed")
    page = {"docs": [{"id": 3}]}
    with pytest.raises(ImageNotFound):
        drive(records.update(site, image), page, record, page, 404)


def test_records_of_plain_text_characters_and_media_of_elsewhere() -> None:
    site = steps.Site(base_url=URL, options=PayloadOptions(characters=None))
    image = CharacterImage(key="k1", character_id="mira", kind="scene", status="failed")
    with pytest.raises(StorageError, match="media"):
        drive(records.add(site, image), {"docs": []})
    from attrs import evolve

    from charimg.models import Media

    media = Media(id="elsewhere", key="k1", filename="k1.png", mime_type="image/png", size=1)
    with pytest.raises(StorageError, match="media"):
        drive(
            records.add(site, evolve(image, media=media)),
            *({"docs": []}, {"docs": []}, {"docs": []}),
        )
    listing = records.list_page(site, "mira", None, None, 10, None)
    asked = next(listing)
    assert ("where[and][0][characterReference][equals]", "mira") in (asked.query or ())
    listing.close()
    drive(records.character_ids(site), {"docs": [{}, {"id": 1}]})
