"""What atheris is given begins well, and notices a broken promise."""

from __future__ import annotations

import pytest

from charimg._ingest import urls

from ..machines import oracles
from .tools import load_tool

TOOL = load_tool("fuzz")


def test_every_target_takes_what_it_begins_with() -> None:
    targets = TOOL.targets()
    assert tuple(targets) == TOOL.NAMES
    for check, good in targets.values():
        assert good
        for data in [*good, b"", b"\xff\x00", b"[" * 100_000]:
            check(data)


def test_a_broken_promise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    check, _ = TOOL.targets()["URL policy"]
    monkeypatch.setattr(oracles, "redact", lambda url: url)
    with pytest.raises(AssertionError):
        check("http://example.org/\N{SNOWMAN}".encode())


def test_what_atheris_found_is_mended() -> None:
    # A redirect to an absolute URL lost the empty parameter at its end.
    assert oracles.url_passes("http://tp/://c;")
    assert urls.next_url("http://a.example/", "http://tp/://c;") == "http://tp/://c;"
