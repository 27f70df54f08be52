from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest import naming
from charimg._ingest.naming import alt_text, filename, item_key, new_operation_id, operation_of


def test_operation_ids_are_unique_and_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    before = time.time_ns() // 1_000_000
    one = new_operation_id()
    assert re.fullmatch("[0-9a-f]{32}", one)
    assert before <= int(one[:12], 16) <= time.time_ns() // 1_000_000
    assert len({new_operation_id() for _ in range(1000)}) == 1000
    ids = []
    for ms in (0, 1, 2**40, 2**40 + 1, 2**48 - 1):
        monkeypatch.setattr(naming.time, "time_ns", lambda ms=ms: ms * 1_000_000)
        ids.append(new_operation_id())
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {32}


def test_operation_ids_of_one_millisecond_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for nanoseconds in (0, 1, 15, 16, 999_999, 1_000_000):
        now = 1_700_000_000_000_000_000 + nanoseconds
        monkeypatch.setattr(naming.time, "time_ns", lambda now=now: now)
        ids.append(new_operation_id())
    assert ids == sorted(ids)
    assert {each[:12] for each in ids[:-1]} == {f"{1_700_000_000_000:012x}"}


def test_keys_sort_like_their_images() -> None:
    assert item_key("0123", 7) == "0123-007"
    assert operation_of("0123-007") == "0123"
    keys = [item_key("0123", index) for index in range(1000)]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("reference", "reference-abc-001.jpg"),
        ("portfolioItem", "portfolio-item-abc-001.jpg"),
        ("scene", "scene-abc-001.jpg"),
        ("../..", "image-abc-001.jpg"),
        ("Newer Kind", "newer-kind-abc-001.jpg"),
    ],
)
def test_file_names(kind: str, expected: str) -> None:
    assert filename(kind, "abc-001", "jpg") == expected


@given(st.text(), st.text(), st.sampled_from(["png", "jpg", "webp"]))
def test_file_names_are_always_safe(kind: str, key: str, extension: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+\.[a-z]+", filename(kind, key, extension))


@pytest.mark.parametrize(
    ("name", "kind", "shot", "expected"),
    [
        ("Mira", "reference", None, "Reference image of Mira"),
        (
            "Mira",
            "portfolioItem",
            "50mm 25° RIGHT MCU",
            "Portfolio image of Mira: 50mm 25° RIGHT MCU",
        ),
        ("Mira", "scene", None, "Scene with Mira"),
        ("Mira", "newer", None, "Image of Mira"),
        ("", "reference", None, "Reference image"),
        ("", "portfolioItem", "Front", "Portfolio image: Front"),
        (" Mi\nra\u202e ", "scene", " \t", "Scene with Mi ra"),
    ],
)
def test_alternative_texts(name: str, kind: str, shot: str | None, expected: str) -> None:
    assert alt_text(name, kind, shot) == expected


@given(st.text(), st.text(), st.text() | st.none())
def test_alternative_texts_fit_on_a_line(name: str, kind: str, shot: str | None) -> None:
    text = alt_text(name, kind, shot)
    assert text.isprintable()
    assert 0 < len(text) <= 200
