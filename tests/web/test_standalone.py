"""The workspace on a server of its own: who may come in, the list of characters, start and end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import anyio
import httpx
import pytest
from attrs import evolve

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterReference,
    ConfigurationError,
    JobPolicy,
    Operation,
    OperationState,
    StorageError,
)
from charimg._assembly.embedded import async_embedded
from charimg.testing import Simulator
from charimg.web._async.streams import follow_ledger
from charimg.web.standalone import MEDIA, Standalone

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:8080"
TOKEN = "let-me-in"


@pytest.fixture(autouse=True)
def _houses_are_left() -> Iterator[None]:
    """Close what the houses of a test keep, also where a server in them ended badly."""
    yield
    while House.built:
        House.built.pop().stores.database.close()


class House:
    """A simulator, embedded stores and the server's application over them."""

    built: ClassVar[list[House]] = []

    def __init__(self, directory: Path, **options: Any) -> None:
        self.skipped = 0.0
        self.simulator = Simulator(
            base_url="http://library.test", clock=lambda: time.monotonic() + self.skipped
        )
        self.stores = async_embedded(directory, media_url=MEDIA)
        self.built.append(self)
        self.service: AsyncCharacterImageService | None = None
        self.closed = False
        self.directory: Any = self.stores.directory
        options.setdefault("media_directory", directory / "media")
        self.app = Standalone(self.open(), **options)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncCharacterImageService]:
        client = httpx.AsyncClient(transport=self.simulator.transport())
        self.service = AsyncCharacterImageService(
            library=AsyncCharacterLibrary("http://library.test", client=client),
            downloader=AsyncDownloader(client=client),
            directory=self.directory,
            media=self.stores.media,
            metadata=self.stores.metadata,
            ledger=self.stores.ledger,
            job_policy=JobPolicy(interval=0.01, interval_max=0.05),
        )
        yield self.service
        self.closed = True

    async def link(self, character_id: str, name: str) -> None:
        db_id = self.simulator.add_character(name=name)
        await self.stores.directory.put(
            CharacterReference(id=character_id, name=name, library_db_id=db_id, traits={"age": 34})
        )

    @asynccontextmanager
    async def up(self) -> AsyncIterator[httpx.AsyncClient]:
        """Run the application through its start and its end, as a server does."""
        to_app, for_app = anyio.create_memory_object_stream[Any](2)
        to_server, for_server = anyio.create_memory_object_stream[Any](2)
        async with to_app, for_app, to_server, for_server, anyio.create_task_group() as tasks:
            tasks.start_soon(self.app, {"type": "lifespan"}, for_app.receive, to_server.send)
            await to_app.send({"type": "lifespan.startup"})
            told = await for_server.receive()
            if told["type"] != "lifespan.startup.complete":
                raise RuntimeError(told["message"])
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url=URL, timeout=30
            ) as client:
                yield client
            await to_app.send({"type": "lifespan.shutdown"})
            assert (await for_server.receive())["type"] == "lifespan.shutdown.complete"


async def test_from_the_list_to_an_image(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.link("mara voss", "Mara <Voss>")
    async with house.up() as client:
        index = await client.get("/")
        assert index.status_code == 200
        assert "Mara &lt;Voss&gt;" in index.text
        assert '/screenplay/characters/mara%20voss/images"' in index.text
        assert "default-src 'none'" in index.headers["content-security-policy"]
        assert (await client.head("/")).content == b""
        await house.link("mara", "Mara Voss")
        page = await client.get("/screenplay/characters/mara/images")
        assert page.status_code == 200
        assert 'data-copy="mara"' in page.text
        drawn = await client.post("/v1/characters/mara/generate-initial-image")
        media = drawn.json()["image"]["media"]
        assert media["url"].startswith("/media/")
        file = await client.get(media["url"])
        assert file.headers["content-type"] == media["mimeType"]
        assert len(file.content) == media["filesize"]
        thumbnail = await client.get(media["thumbnailURL"])
        assert thumbnail.headers["content-type"] == "image/webp"
    assert house.closed


async def test_two_of_one_name_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    house = House(tmp_path)
    for character_id in ("mara-1", "mara-2"):
        await house.link(character_id, "Mara Voss")
    async with house.up() as client:
        index = (await client.get("/")).text
        for character_id in ("mara-1", "mara-2"):
            assert f"Mara Voss <small>{character_id}</small>" in index


async def test_without_characters_it_says_how_to_add_one(tmp_path: Path) -> None:
    async with House(tmp_path).up() as client:
        assert "charimg characters add" in (await client.get("/")).text


async def test_a_directory_that_lists_nothing_leads_to_a_character_by_its_id(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    await house.link("mara", "Mara Voss")

    class Closed:
        get = house.stores.directory.get

    house.directory = Closed()
    async with house.up() as client:
        index = await client.get("/")
        assert '<input name="character"' in index.text.replace("\n", " ")
        led = await client.get("/", params={"character": "mara"})
        assert led.status_code == 303
        assert led.headers["location"] == "/screenplay/characters/mara/images"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8080", 421),
        ("", 421),
    ],
)
async def test_without_a_token_only_its_own_names_reach_it(
    tmp_path: Path, host: str, status: int
) -> None:
    async with House(tmp_path).up() as client:
        for path in ("/", "/media/ab/key/name.png", "/v1/characters/x/images"):
            answer = await client.get(path, headers={"Host": host})
            assert (answer.status_code == 421) == (status == 421), path


async def test_with_a_token_nothing_opens_without_it(tmp_path: Path) -> None:
    house = House(tmp_path, token=TOKEN)
    await house.link("mara", "Mara Voss")
    async with house.up() as client:
        for path in ("/", "/media/a/b/c", "/v1/characters/mara/images", "/screenplay/static/x.js"):
            assert (await client.get(path)).status_code == 401, path
        wrong = await client.get("/", params={"token": "let-me-im"})
        assert wrong.status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/", headers=bearer)).status_code == 200
        # A form of another site cannot open the door with a POST.
        assert (await client.post("/", params={"token": TOKEN})).status_code == 401
        opened = await client.get("/?a=1&token=let-me-in&b=%26")
        assert opened.status_code == 303
        assert opened.headers["location"] == "/?a=1&b=%26"
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert (await client.get("/")).status_code == 200
        answer = await client.get("/v1/characters/mara/images", headers={"Host": "any.example"})
        assert answer.status_code == 200


async def test_a_session_is_no_token_and_ends_with_a_sign_out_or_the_server(tmp_path: Path) -> None:
    """Browsers send a cookie to every port of a host: who gets it there must not have the token."""
    house = House(tmp_path, token=TOKEN)
    async with house.up() as client:
        cookies = [
            (await client.get("/", params={"token": TOKEN})).headers["set-cookie"].partition(";")[0]
            for _ in range(2)
        ]
        assert len({*cookies}) == 2
        assert TOKEN not in "".join(cookies)
        client.cookies.clear()
        one, other = ({"Cookie": each} for each in cookies)
        wrong = {"Cookie": f"{cookies[0].partition('=')[0]}={TOKEN}"}
        assert (await client.get("/", headers=wrong)).status_code == 401
        assert 'action="/sign-out"' in (await client.get("/", headers=one)).text
        for site in ("same-site", "cross-site"):
            away = {**one, "Sec-Fetch-Site": site}
            assert (await client.post("/sign-out", headers=away)).status_code == 403
        assert (await client.get("/", headers=one)).status_code == 200
        gone = await client.post("/sign-out", headers=one)
        assert (gone.status_code, gone.text) == (200, "You are signed out.")
        assert "Max-Age=0" in gone.headers["set-cookie"]
        assert (await client.get("/", headers=one)).status_code == 401
        assert (await client.get("/", headers=other)).status_code == 200
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.post("/sign-out", headers=bearer)).status_code == 200
    async with House(tmp_path, token=TOKEN).up() as client:
        assert (await client.get("/", headers=other)).status_code == 401


async def test_without_a_token_there_is_nothing_to_sign_out_of(tmp_path: Path) -> None:
    async with House(tmp_path).up() as client:
        assert "sign-out" not in (await client.get("/")).text


async def test_the_oldest_session_ends_for_one_too_many(tmp_path: Path) -> None:
    async with House(tmp_path, token=TOKEN).up() as client:
        first = (await client.get("/", params={"token": TOKEN})).headers["set-cookie"]
        cookie = {"Cookie": first.partition(";")[0]}
        for _ in range(999):
            await client.get("/", params={"token": TOKEN})
        client.cookies.clear()
        assert (await client.get("/", headers=cookie)).status_code == 200
        await client.get("/", params={"token": TOKEN})
        client.cookies.clear()
        assert (await client.get("/", headers=cookie)).status_code == 401


async def test_a_door_leads_to_no_other_server(tmp_path: Path) -> None:
    async with House(tmp_path, token=TOKEN).up() as client:
        answer = await client.get(
            httpx.URL(URL).copy_with(raw_path=b"//evil.example?token=let-me-in")
        )
        assert answer.status_code == 303
        assert answer.headers["location"] == "/evil.example"


async def test_what_a_former_server_left_is_recovered_before_the_first_request(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    await house.link("mara", "Mara Voss")
    house.simulator.switches.change({"job_seconds": 30.0})
    async with house.up() as client, anyio.create_task_group() as tasks:
        await client.post("/v1/characters/mara/generate-initial-image")

        async def portfolio() -> None:
            # The server ends in the middle: an answer comes all the same.
            answer = await client.post("/v1/characters/mara/generate-360-set")
            assert answer.status_code == 503
            assert answer.json()["code"] == "INTERRUPTED"

        tasks.start_soon(portfolio)
        with anyio.fail_after(20):
            while house.simulator.counters.set360_posts == 0:
                await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        await house.app._workspace.aclose()
    (unfinished,) = await house.stores.ledger.unfinished()
    assert unfinished.state == OperationState.RECEIVED
    house.skipped = 60
    again = House.__new__(House)
    again.__dict__.update(house.__dict__)
    again.app = Standalone(again.open(), media_directory=tmp_path / "media")
    async with again.up() as client:
        listed = await client.get("/v1/characters/mara/images", params={"limit": 100})
        assert listed.json()["count"] == 28
    assert house.simulator.counters.set360_posts == 1


async def test_a_job_that_still_runs_when_the_server_starts_is_taken_up_by_who_watches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charimg.web._async.streams._ADOPT", 0.02)
    monkeypatch.setattr("charimg.web._async.streams._POLL", 0.02)
    house = House(tmp_path)
    await house.link("mara", "Mara Voss")
    house.simulator.switches.change({"job_seconds": 30.0})
    async with house.up() as client, anyio.create_task_group() as tasks:
        await client.post("/v1/characters/mara/generate-initial-image")
        tasks.start_soon(client.post, "/v1/characters/mara/generate-360-set")
        with anyio.fail_after(20):
            while house.simulator.counters.set360_posts == 0:
                await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        await house.app._workspace.aclose()
    again = House.__new__(House)
    again.__dict__.update(house.__dict__)
    again.app = Standalone(again.open(), media_directory=tmp_path / "media")
    async with again.up() as client, anyio.create_task_group() as tasks:
        (operation,) = await house.stores.ledger.unfinished()

        async def later() -> None:
            await anyio.sleep(0.2)
            house.skipped = 60

        tasks.start_soon(later)
        with anyio.fail_after(60):
            told = await client.get(
                f"/v1/characters/mara/operations/{operation.id}",
                headers={"Accept": "text/event-stream"},
            )
        assert "event: done" in told.text
        listed = await client.get("/v1/characters/mara/images", params={"limit": 100})
        assert listed.json()["count"] == 28
    assert house.simulator.counters.set360_posts == 1


async def test_who_watches_is_told_on_although_it_cannot_be_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("charimg.web._async.streams._ADOPT", 0.01)
    monkeypatch.setattr("charimg.web._async.streams._POLL", 0.01)
    house = House(tmp_path)
    await house.link("mara", "Mara Voss")
    calls: list[str] = []
    operation = Operation(
        id="01a212394ef375cd53c037737ec25db3",
        kind="portfolio",
        character_id="mara",
        state=OperationState.RECEIVED,
    )

    class Service:
        class ledger:  # noqa: N801 - stands in for an attribute
            @staticmethod
            async def get(_: str) -> Operation:
                return evolve(operation, state="done") if len(calls) > 2 else operation

        @staticmethod
        async def recover(character_id: str) -> None:
            calls.append(character_id)
            raise StorageError("The disk is full.")

    service: Any = Service()
    told = [chunk async for chunk in follow_ledger(service, operation, 0, 5.0, 3600.0)]
    assert b"event: done" in told[-1]
    assert set(calls) == {"mara"}
    assert "web.not_taken_up" in caplog.messages


async def test_a_stream_that_breaks_off_with_the_server_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)

    async def cancelled(*_: Any) -> None:
        raise anyio.get_cancelled_exc_class()

    house.app._routes = cancelled
    scope: Any = {
        "type": "http", "method": "GET", "path": "/v1/x", "headers": [(b"host", b"localhost")]
    }  # fmt: skip
    with pytest.raises(anyio.get_cancelled_exc_class()):
        await house.app(scope, cancelled, cancelled)
    monkeypatch.setattr("charimg.web.standalone.server_ends", lambda: True)
    await house.app(scope, cancelled, cancelled)


async def test_a_character_that_nobody_knows_is_told_in_words(tmp_path: Path) -> None:
    async with House(tmp_path).up() as client:
        page = await client.get("/screenplay/characters/no<b>dy/images")
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert "There is no character" in page.text
        assert "no&lt;b&gt;dy" in page.text


async def test_a_service_that_cannot_open_ends_the_server_with_the_reason(tmp_path: Path) -> None:
    house = House(tmp_path)

    @asynccontextmanager
    async def broken() -> AsyncIterator[AsyncCharacterImageService]:
        raise ConfigurationError("There is no such database.")
        yield

    house.app = Standalone(broken())
    with pytest.raises(BaseExceptionGroup) as raised:
        async with house.up():
            pass
    assert raised.group_contains(RuntimeError, match="There is no such database.")


async def test_before_its_start_it_answers_no_request(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house.app), base_url=URL) as client:
        answer = await client.get("/v1/characters/mara/images")
        assert answer.status_code == 500
        assert answer.json()["code"] == "INTERNAL"
