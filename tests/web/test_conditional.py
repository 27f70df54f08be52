"""Asking for the list again, over HTTP, in each framework: 304 until anything is another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve

from charimg import CharacterReference, Media
from charimg import stores as kinds
from charimg.stores import AsyncMemoryMediaStore, MemoryMediaStore

from .stages import Stage

MARA = "/v1/characters/mara"


@pytest.fixture
def kept(stage: Stage, tmp_path: Path) -> Iterator[Stage]:
    """A host whose records are in SQLite and whose files are on disk."""
    with kinds.SqliteDatabase(tmp_path / "charimg.sqlite") as database:
        if stage.is_async:
            stage.change(
                metadata=kinds.AsyncSqliteMetadataRepository(database),
                media=kinds.AsyncDiskMediaStore(tmp_path / "media", base_url="/media"),
            )
        else:
            stage.change(
                metadata=kinds.SqliteMetadataRepository(database),
                media=kinds.DiskMediaStore(tmp_path / "media", base_url="/media"),
            )
        yield stage


def listed(stage: Stage, tag: str = "", query: str = "", method: str = "GET") -> httpx.Response:
    headers = {"If-None-Match": tag} if tag else {}
    return stage(method, f"{MARA}/images{query}", headers=headers)


def tag_of(stage: Stage, query: str = "") -> str:
    return str(listed(stage, query=query).headers["etag"])


def drawn(stage: Stage) -> Any:
    answer = stage("POST", f"{MARA}/generate-initial-image", json={"policy": "keep-history"})
    assert answer.status_code == 200, answer.text
    return answer.json()["image"]


def test_the_list_is_sent_once_until_it_changes(kept: Stage) -> None:
    drawn(kept)
    first = listed(kept)
    assert first.status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["content-type"] == "application/json"
    tag = first.headers["etag"]
    assert tag.startswith('"')
    again = listed(kept, tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == "private, no-cache"
    assert again.headers["x-content-type-options"] == "nosniff"
    assert "content-length" not in again.headers
    assert "content-type" not in again.headers
    drawn(kept)
    changed = listed(kept, tag)
    assert (changed.status_code, changed.json()["count"]) == (200, 2)
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"other", W/"more",{tag}', 304),
        ("*", 304),
        ('"other"', 200),
        ('"x.{version}"', 200),
        ('"{head}.0"', 200),
        ("{bare}", 200),
    ],
)
def test_tags_are_compared_as_rfc_9110_says(kept: Stage, header: str, status: int) -> None:
    tag = tag_of(kept)
    head, _, version = tag.strip('"').partition(".")
    header = header.format(tag=tag, head=head, version=version, bare=tag.strip('"'))
    assert listed(kept, header).status_code == status
    assert listed(kept, header, method="HEAD").status_code == status


def test_permission_is_asked_first(kept: Stage) -> None:
    tag = tag_of(kept)
    kept.answer = False
    refused = listed(kept, tag)
    assert refused.status_code == 403
    assert refused.headers["cache-control"] == "no-store"
    assert "etag" not in refused.headers
    assert [each[1] for each in kept.asked] == ["view", "view"]


def test_each_page_has_a_tag_of_its_own(kept: Stage) -> None:
    drawn(kept)
    drawn(kept)
    cursor = listed(kept, query="?limit=1").json()["nextCursor"]
    queries = ["", "?kind=scene", "?status=failed", "?limit=1", f"?limit=1&cursor={cursor}"]
    tags = [tag_of(kept, query) for query in queries]
    assert len(set(tags)) == len(tags)
    for query, own in zip(queries, tags, strict=True):
        for tag in tags:
            assert listed(kept, tag, query).status_code == (304 if tag == own else 200)
    assert listed(kept, "*", "?cursor=none").status_code == 422
    assert listed(kept, "*", "?limit=0").status_code == 422


def test_every_operation_changes_the_tag(kept: Stage) -> None:
    seen = [tag_of(kept)]

    def changed() -> None:
        tag = tag_of(kept)
        assert tag not in seen
        seen.append(tag)

    first, second = drawn(kept), drawn(kept)
    changed()
    assert kept("POST", f"{MARA}/images/{first['id']}/restore", json={}).status_code == 200
    changed()
    assert kept("DELETE", f"{MARA}/images/{second['id']}", json={}).status_code == 200
    changed()
    kept.simulator.switches.file_errors = 1
    assert kept("POST", f"{MARA}/generate-initial-image", json={}).status_code == 502
    (failed,) = listed(kept, query="?status=failed").json()["images"]
    changed()
    assert kept("POST", f"{MARA}/images/{failed['id']}/retry", json={}).status_code == 200
    changed()


def test_who_the_character_is_belongs_to_the_answer(kept: Stage) -> None:
    tag = tag_of(kept)
    voss = CharacterReference(id="mara", name="Mara Voss")
    kept.call(lambda service: service.directory.put(voss))
    renamed = listed(kept, tag)
    assert (renamed.status_code, renamed.json()["character"]["name"]) == (200, "Mara Voss")


class _Signed(MemoryMediaStore):
    count = 0

    def locate(self, media: Media, /) -> Media:
        self.count += 1
        return evolve(media, url=f"https://s3.example/{media.key}?until={self.count}")


class _AsyncSigned(AsyncMemoryMediaStore):
    count = 0

    def locate(self, media: Media, /) -> Media:
        self.count += 1
        return evolve(media, url=f"https://s3.example/{media.key}?until={self.count}")


class _Ending(_Signed):
    def urls_by(self) -> None: ...


class _AsyncEnding(_AsyncSigned):
    def urls_by(self) -> None: ...


@pytest.mark.parametrize("stores", [(_Signed, _AsyncSigned), (_Ending, _AsyncEnding)])
def test_urls_that_end_are_always_sent_anew(kept: Stage, stores: Any) -> None:
    kept.change(media=stores[kept.is_async]())
    drawn(kept)
    first, again = listed(kept), listed(kept, "*")
    for answer in (first, again):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
    one, other = (each.json()["images"][0]["media"]["url"] for each in (first, again))
    assert one != other


def test_a_repository_without_versions_has_no_tags(stage: Stage) -> None:
    drawn(stage)
    answer = listed(stage, "*")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "etag" not in answer.headers
