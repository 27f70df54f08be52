"""The media documents of the Character Library: how many are read, and where they are closed."""

from __future__ import annotations

import pytest
from attrs import evolve

from charimg import CharacterLibraryError
from charimg._async.documents import documents
from charimg._async.lost_sets import lost_set

from .lost_library import ASKED, ENDED, FAILED, HOURS, SECOND, SET, AsyncLook, refused

pytestmark = pytest.mark.anyio


@pytest.fixture
def look() -> AsyncLook:
    return AsyncLook()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 406, 500])
async def test_a_server_that_refuses_media_documents_has_closed_them(
    look: AsyncLook, status: int
) -> None:
    look.library.refuses = refused(status)
    if status in (401, 403, 404, 405):
        assert await lost_set(look.parts, SET, FAILED) is None
        return
    with pytest.raises(CharacterLibraryError):
        await documents(look.parts, "marlow")


async def test_nothing_is_asked_where_media_documents_are_switched_off(look: AsyncLook) -> None:
    look.parts.media_documents = False
    assert await documents(look.parts, "marlow") is None
    assert look.library.asked == []


async def test_documents_are_read_back_to_a_moment_and_else_a_number_of_them(
    look: AsyncLook,
) -> None:
    for number in range(2399, -1, -1):
        look.library.draw(created_at=ENDED - number * SECOND)
    some = await documents(look.parts, "marlow")
    assert some == look.library.media[:2000]
    assert len(look.library.asked) == 10
    assert await documents(look.parts, "marlow", since=ASKED - 2 * HOURS) == look.library.media
    look.library.asked.clear()
    # Those of the moment itself are the last.
    last = look.library.media[100].created_at
    assert await documents(look.parts, "marlow", since=last) == look.library.media[:101]
    assert look.library.asked == ["media marlow 1"]
    # One that does not say when it was made may be new.
    undated = [evolve(each, created_at=None) for each in look.library.media[:300]]
    look.library.media = undated
    assert await documents(look.parts, "marlow", since=ENDED) == undated


async def test_documents_that_are_older_than_the_job_are_not_listed(look: AsyncLook) -> None:
    for number in range(300, -1, -1):
        look.library.draw(created_at=ASKED - number * SECOND)
    assert len((await look.found()).images) == 1
    assert [each for each in look.library.asked if "media" in each] == ["media marlow 1"]
