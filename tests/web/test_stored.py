"""The listing from stored JSON: the same bytes as the slow way, and a tag for each of them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImage,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    ImagePage,
    Media,
    StorageError,
    StoredPage,
    to_json,
)
from charimg import stores as kinds
from charimg._ingest.urls import public
from charimg.stores._documents import load
from charimg.testing import Simulator
from charimg.testing.conformance.records import make_image
from charimg.web import AsyncWorkspace, WebRequest, WebResponse, Workspace, _turns
from charimg.web import stored as listings
from charimg.web.exchange import json_response
from charimg.web.stored import StoredListing
from charimg.web.wire import page_json

from ..test_json import characters, images, optional_texts, texts
from ..test_spelling import stored

PATH = "/v1/characters/mara/images"
MARA = CharacterReference(id="mara", name="Mara")


class Permanent:
    """Where files are, for ever."""

    def __init__(self, url: str | None = "https://é.example") -> None:
        self.url = url

    def locate(self, media: Media) -> Media:
        thumbnail = f"{self.url}/{media.key}/t" if len(media.key) % 2 else None
        return evolve(
            media, url=self.url and f"{self.url}/{media.filename}", thumbnail_url=thumbnail
        )

    def urls_by(self) -> str | None:
        return str(self.url)


class Signed(Permanent):
    """Another URL each time."""

    count = 0

    def locate(self, media: Media) -> Media:
        self.count += 1
        return evolve(media, url=f"https://s3.example/{media.key}?{self.count}")

    def urls_by(self) -> str | None:
        return None


def slow(media: Any, records: list[str], page: StoredPage, character: CharacterReference) -> Any:
    """Return the answer of `page_json`, or that a record cannot be read."""
    read = []
    try:
        for text in records:
            image = load(CharacterImage, text, what="it")
            if image.source_url:
                image = evolve(image, source_url=public(image.source_url))
            if image.media is not None:
                image = image.with_media(media.locate(image.media))
            read.append(image)
    except StorageError:
        return StorageError
    whole = ImagePage(images=tuple(read), next_cursor=page.next_cursor, total=page.total)
    return json_response(200, page_json(whole, character)).body


def fast(media: Any, page: StoredPage, character: CharacterReference) -> Any:
    listing = StoredListing(media, {"limit": 50}, "")
    listing.wanted(character)
    try:
        return listing.answer(character, page).body
    except StorageError:
        return StorageError


def respelt(text: str, how: str) -> str:
    """Return a record as something else may have written it."""
    data = json.loads(text)
    if how == "spaced":
        return json.dumps(data)
    if how == "plain":
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    if how == "older":
        del data["metrics"]["provenance"]
        return json.dumps(data, separators=(",", ":"))
    if how == "damaged":
        data["prompt"] = 7
        return json.dumps(data, separators=(",", ":"))
    return text


RECORDS = st.lists(st.tuples(images, st.sampled_from(["", "spaced", "plain", "older", "damaged"])))


@pytest.mark.parametrize("store", [Permanent, lambda: Permanent(None), Signed])
@given(records=RECORDS, character=characters, cursor=optional_texts, source=texts)
def test_the_bytes_are_those_of_the_slow_way(
    store: Callable[[], Any], records: Any, character: Any, cursor: str | None, source: str
) -> None:
    written = [respelt(stored(image), how) for image, how in records]
    written += [stored(evolve(image, source_url=f"https://x/{source}?s=1")) for image, _ in records]
    page = StoredPage(
        version="1",
        records=tuple((str(number), text) for number, text in enumerate(written)),
        next_cursor=cursor,
        total=len(written),
    )
    for _ in range(2):  # from memory, too
        assert fast(store(), page, character) == slow(store(), written, page, character)


def request(query: dict[str, str] | None = None, tag: str | None = None) -> WebRequest:
    headers = {} if tag is None else {"if-none-match": tag}
    return WebRequest(method="GET", path=PATH, query=query or {}, headers=headers)


async def anna(*_: object) -> str:
    return "anna"


class House(ExitStack):
    """A database with a workspace of each mode."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "charimg.sqlite"
        self.folder = folder
        self.runner = self.enter_context(asyncio.Runner())
        self.database = self.enter_context(kinds.SqliteDatabase(self.path))
        self.records = kinds.SqliteMetadataRepository(self.database)
        self.directory = kinds.SqliteCharacterDirectory(self.database)
        self.directory.put(MARA)
        self.serve("/media")

    def serve(self, base_url: str) -> None:
        library = Simulator().base_url
        self.service = CharacterImageService(
            library=CharacterLibrary(library),
            downloader=Downloader(),
            directory=self.directory,
            media=kinds.DiskMediaStore(self.folder / "media", base_url=base_url),
            metadata=self.records,
            ledger=kinds.SqliteGenerationLedger(self.database),
        )
        self.twin = AsyncCharacterImageService(
            library=AsyncCharacterLibrary(library),
            downloader=AsyncDownloader(),
            directory=kinds.AsyncSqliteCharacterDirectory(self.database),
            media=kinds.AsyncDiskMediaStore(self.folder / "media", base_url=base_url),
            metadata=kinds.AsyncSqliteMetadataRepository(self.database),
            ledger=kinds.AsyncSqliteGenerationLedger(self.database),
        )
        self.workspace = Workspace(self.service, authorize=lambda *_: "anna")
        self.aworkspace = AsyncWorkspace(self.twin, authorize=anna)

    def get(self, query: dict[str, str], tag: str | None = None) -> WebResponse:
        """Ask in both modes."""
        answer = self.workspace.handle(request(query, tag))
        twin = self.runner.run(self.aworkspace.handle(request(query, tag)))
        assert (answer.status, answer.headers, answer.body) == (
            *(twin.status, twin.headers, twin.body),
        )
        return answer

    def slowly(self, query: dict[str, Any]) -> bytes:
        limit = int(query.get("limit", 50))
        page = self.service.list_images("mara", **{**query, "limit": limit})
        character = self.directory.get("mara")
        assert character is not None
        return json_response(200, page_json(page, character)).body


def record(number: int, kind: str = "scene", **changes: Any) -> CharacterImage:
    key = f"{number:032x}-000"
    media = Media(id=key, key=key, filename="a.png", mime_type="image/png", size=7)
    fields = {"character_id": "mara", "status": "succeeded", "media": media, **changes}
    return CharacterImage(key=key, kind=kind, **fields)


QUERIES: list[dict[str, str]] = [{}, {"kind": "scene"}, {"status": "failed"}, {"limit": "1"}]
WHICH = st.integers(0, 3)


class Listings(RuleBasedStateMachine):
    """Whatever happens to the records, a tag stands for one answer."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(TemporaryDirectory())
        self.house = self.stack.enter_context(House(Path(folder)))
        self.answers: dict[tuple[int, str], bytes] = {}

    def teardown(self) -> None:
        self.stack.close()

    @rule(number=WHICH, kind=st.sampled_from(["scene", "reference"]), other=st.booleans())
    def add(self, number: int, kind: str, other: bool) -> None:
        self.house.records.add(record(number, kind, character_id="otto" if other else "mara"))

    @rule(number=WHICH, status=st.sampled_from(["succeeded", "failed"]), prompt=texts)
    def update(self, number: int, status: str, prompt: str) -> None:
        image = self.house.records.get(record(number).id)
        if image is not None:
            self.house.records.update(evolve(image, status=status, prompt=prompt))

    @rule(number=WHICH)
    def delete(self, number: int) -> None:
        self.house.records.delete(record(number).id)

    @rule(name=st.sampled_from(["Mara", "Mara Voss"]))
    def rename(self, name: str) -> None:
        self.house.directory.put(CharacterReference(id="mara", name=name))

    @rule(place=st.sampled_from(["/media", "https://cdn.example"]))
    def move_files(self, place: str) -> None:
        self.house.serve(place)

    @rule(number=WHICH, error=st.sampled_from(["one", "two"]))
    def change_by_another_program(self, number: int, error: str) -> None:
        with closing(sqlite3.connect(self.house.path)) as connection, connection:
            connection.execute(
                "UPDATE images SET record = json_set(record, '$.error', ?) WHERE id = ?",
                (error, record(number).id),
            )

    @invariant()
    def a_tag_stands_for_one_answer(self) -> None:
        for number, query in enumerate(QUERIES):
            answer = self.house.get(query)
            assert answer.body == self.house.slowly(query)
            tag = dict(answer.headers)["ETag"]
            assert self.answers.setdefault((number, tag), answer.body) == answer.body
            for (other, known), body in self.answers.items():
                again = self.house.workspace.handle(request(query, known))
                assert again.status == (304 if (other, known) == (number, tag) else 200)
                assert again.status == 200 or body == answer.body

    @precondition(lambda self: self.answers)
    @rule()
    def ask_by_what_is_known(self) -> None:
        for number, query in enumerate(QUERIES):
            known = ", ".join(tag for of, tag in self.answers if of == number)
            assert self.house.get(query, f'W/"x", {known}').status == 304


TestListings = Listings.TestCase
TestListings.settings = settings(max_examples=25, stateful_step_count=10, deadline=None)


def test_both_reads_of_an_async_listing_are_one_turn_of_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[object] = []
    in_thread = _turns.in_thread

    async def counted(call: Callable[[], Any]) -> Any:
        turns.append(call)
        return await in_thread(call)

    monkeypatch.setattr(_turns, "in_thread", counted)
    monkeypatch.setattr("charimg.stores.sqlite.aio.in_thread", counted)
    with House(tmp_path) as house:
        house.runner.run(house.aworkspace.handle(request()))
        assert len(turns) == 1


def test_what_a_host_changed_of_a_store_or_a_service_is_asked(tmp_path: Path) -> None:
    class Directory(kinds.AsyncSqliteCharacterDirectory):
        async def get(self, character_id: str, /) -> CharacterReference | None:
            return CharacterReference(id=character_id, name="Otto")

    class Service(AsyncCharacterImageService):
        async def list_images(self, character_id: str, **asked: Any) -> ImagePage:
            return ImagePage(images=(), next_cursor="more", total=9)

    with House(tmp_path) as house:
        house.records.add(record(1))
        parts = {
            name: getattr(house.twin, name)
            for name in ("library", "directory", "media", "metadata", "ledger")
        }
        parts["directory"] = Directory(house.database)
        for cls in (AsyncCharacterImageService, Service):
            service = cls(**parts, downloader=AsyncDownloader())
            answer = house.runner.run(AsyncWorkspace(service, authorize=anna).handle(request()))
            body = json.loads(answer.body)
            assert body["character"]["name"] == "Otto"
            assert (body["count"], body["nextCursor"]) == (
                (9, "more") if cls is Service else (1, None)
            )
            assert ("ETag" in dict(answer.headers)) == (cls is AsyncCharacterImageService)


@pytest.mark.parametrize("name", ["directory", "service"])
def test_a_method_that_a_host_put_in_the_place_of_another_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def get(character_id: str, /) -> CharacterReference:
        return CharacterReference(id=character_id, name="Otto")

    async def list_images(*_: Any, **asked: Any) -> ImagePage:
        return ImagePage(images=(), next_cursor=None, total=9)

    with House(tmp_path) as house:
        if name == "service":
            monkeypatch.setattr(house.twin, "list_images", list_images)
        else:
            monkeypatch.setattr(house.twin.directory, "get", get)
        answer = json.loads(house.runner.run(house.aworkspace.handle(request())).body)
        assert answer["character"]["name"] == ("Otto" if name == "directory" else "Mara")
        assert answer["count"] == (9 if name == "service" else 0)


def test_what_a_host_changed_of_records_and_urls_is_shown(tmp_path: Path) -> None:
    class Records(kinds.SqliteMetadataRepository):
        """Of which some are nobody's business."""

        def list(self, character_id: str, /, **asked: Any) -> ImagePage:
            page = super().list(character_id, **asked)
            return evolve(page, images=page.images[:1], total=1)

    class Files(kinds.DiskMediaStore):
        """Whose URLs end one day."""

        count = 0

        def locate(self, media: Media, /) -> Media:
            self.count += 1
            return evolve(super().locate(media), url=f"/media?signed={self.count}")

    def get(**parts: Any) -> WebResponse:
        names = ("library", "directory", "media", "metadata", "ledger")
        given = {**{name: getattr(house.service, name) for name in names}, **parts}
        service = CharacterImageService(**given, downloader=Downloader())
        return Workspace(service, authorize=lambda *_: "anna").handle(request())

    with House(tmp_path) as house:
        for number in (1, 2):
            house.records.add(record(number))
        assert json.loads(get(metadata=Records(house.database)).body)["count"] == 1
        files = Files(tmp_path / "media", base_url="/media")
        answers = [get(media=files) for _ in range(2)]
        assert answers[0].body != answers[1].body
        assert not any("ETag" in dict(each.headers) for each in answers)


def test_nobody_has_no_listing(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.directory.remove("mara")
        answer = house.get({})
        assert (answer.status, json.loads(answer.body)["code"]) == (404, "CHARACTER_NOT_FOUND")


@pytest.mark.parametrize("version", ["", 'a"b', "a b", "é", "x" * 101])
def test_a_version_that_fits_no_header_is_no_tag(version: str) -> None:
    page = StoredPage(version=version, records=(), next_cursor=None, total=0)
    listing = StoredListing(Permanent(), {"limit": 50}, "*")
    listing.wanted(MARA)
    answer = listing.answer(MARA, page)
    assert (answer.status, "ETag" in dict(answer.headers)) == (200, False)


def test_a_record_without_media_stands_as_it_is() -> None:
    image = record(1, media=None, error="lost")
    body = fast(
        Permanent(),
        StoredPage(version="1", records=(("1", stored(image)),), next_cursor=None, total=1),
        MARA,
    )
    assert json.loads(body)["images"] == [to_json(image)]


def test_what_another_store_keeps_meanwhile_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Contested(listings._Form):
        """Kept for another store by the time that anybody looks."""

        shown = property(lambda self: ("theirs", "{}"), lambda self, kept: None)  # type: ignore[assignment]

    monkeypatch.setattr(listings, "_Form", Contested)
    listings._form.cache_clear()
    image = make_image("k", "mara", source_url=None)
    page = StoredPage(version="1", records=(("k", stored(image)),), next_cursor=None, total=1)
    store = Permanent()
    answers = [fast(store, page, MARA) for _ in range(2)]
    listings._form.cache_clear()
    assert answers == [slow(store, [stored(image)], page, MARA)] * 2


def test_a_long_record_is_shown_and_not_remembered() -> None:
    listings._form.cache_clear()
    store, expected = Permanent(), []
    for length in (10, 20_000):
        image = make_image("k", "mara", prompt="x" * length)
        page = StoredPage(version="1", records=(("k", stored(image)),), next_cursor=None, total=1)
        assert fast(store, page, MARA) == slow(store, [stored(image)], page, MARA)
        expected.append(listings._form.cache_info().currsize)
    assert expected == [1, 1]
