"""The contracts can fail: how a failure is told, and what a run makes and closes."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from attrs import evolve

import charimg.testing
from charimg.errors import LeaseLost
from charimg.models import Media, Upload
from charimg.stores.memory import AsyncMemoryCharacterDirectory, AsyncMemoryMediaStore
from charimg.testing import CharacterDirectoryContract, MediaStoreContract, run_contract
from charimg.testing.conformance.base import expect, expect_equal, expect_raises

from .catching import NoUrl, failures_of


def test_a_failure_says_which_rule_was_broken() -> None:
    expect(1, "is well")
    with pytest.raises(AssertionError, match=r"^The contract says: two is one\n.*: +1\n.*: +2$"):
        expect_equal(2, 1, "two is one")
    with (
        pytest.raises(AssertionError, match=r"raises\n.*LeaseLost\n.*no error"),
        expect_raises(LeaseLost, "it raises"),
    ):
        pass
    with (
        pytest.raises(AssertionError, match=r"raises\n.*LeaseLost\n.*ValueError: no"),
        expect_raises(LeaseLost, "it raises"),
    ):
        raise ValueError("no")


def test_make_must_be_defined() -> None:
    failures = run_contract(CharacterDirectoryContract())
    assert len(failures) == 2
    for error in failures.values():
        assert isinstance(error, NotImplementedError)
        assert "CharacterDirectoryContract must define make()" in str(error)


def test_a_forgotten_backend_is_told() -> None:
    failures = failures_of(CharacterDirectoryContract, AsyncMemoryCharacterDirectory)
    assert all("set backend = 'asyncio'" in str(error) for error in failures.values())
    assert failures


class Tracked(AsyncMemoryMediaStore):
    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_stores_are_made_and_closed_inside_the_loop(backend: str) -> None:
    made: list[Tracked] = []

    class Suite(MediaStoreContract):
        async def make(self) -> Tracked:
            made.append(Tracked())
            return made[-1]

        async def reopen(self, first: Any) -> Tracked:
            made.append(Tracked())
            made[-1]._sync = first._sync
            return made[-1]

        async def dispose(self, store: Any) -> None:
            await store.aclose()

    suite = Suite()
    suite.backend = backend  # type: ignore[misc]
    suite.test_get_returns_what_was_saved()
    assert [store.closed for store in made] == [1, 1]


def test_a_test_that_fails_disposes_too() -> None:
    closed = []

    class Suite(MediaStoreContract):
        def make(self) -> Any:
            return NoUrl()

        def dispose(self, store: Any) -> None:
            closed.append(store)

    with pytest.raises(AssertionError):
        Suite().test_locate_fills_in_the_url()
    assert len(closed) == 1


def test_an_async_store_that_ends_early_is_seen_through_the_view() -> None:
    class Empty(AsyncMemoryMediaStore):
        async def save(self, upload: Upload, /) -> Media:
            media = await super().save(upload)
            self._sync._files[upload.key] = evolve(self._sync._files[upload.key], data=b"")
            return media

    class Suite(MediaStoreContract):
        backend = "trio"

        def make(self) -> Any:
            return Empty()

    with pytest.raises(AssertionError, match=re.escape("in order")):
        Suite().test_save_stores_the_file()


def test_sources_of_the_suite() -> None:
    from charimg.testing.conformance.media import BrokenFile, make_upload

    upload = make_upload("k", b"x" * 3000, source=BrokenFile)
    assert upload.file.read(5000) == b"x" * 1000
    for size in (5000, -1, None):
        with pytest.raises(OSError, match="broke off"):
            upload.file.read(size)  # type: ignore[arg-type]
    assert isinstance(upload.file, io.BytesIO)


def test_names_of_testing_load_when_they_are_used() -> None:
    assert charimg.testing.run_contract is run_contract
    assert {"Simulator", "Switches", "serve"} <= set(dir(charimg.testing))
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = charimg.testing.Nonsense
