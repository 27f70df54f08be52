from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._library.urls import check_base_url, resolve
from charimg.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given_url", "base"),
    [
        ("https://library.test", "https://library.test"),
        ("https://library.test/", "https://library.test"),
        (" http://127.0.0.1:3000// ", "http://127.0.0.1:3000"),
        ("https://library.test/a/b/", "https://library.test/a/b"),
    ],
)
def test_a_base_url_loses_its_slash(given_url: str, base: str) -> None:
    assert check_base_url(given_url) == base


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "library.test",
        "ftp://library.test",
        "file:///etc/passwd",
        "https://",
        "https://:80",
        "https://library.test:0",
        "https://library.test:hello",
        "https://library.test:99999",
        "http://[::1",
        "https://user:secret@library.test",
        "https://secret@library.test",
        "https://library.test?key=secret",
        "https://library.test/?",
        "https://library.test#secret",
        "https://library.test/a secret",
        "https://library.test/\x7fsecret",
    ],
)
def test_a_bad_base_url_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="SOME_NAME") as caught:
        check_base_url(bad, source="SOME_NAME")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("https://cdn.test/a.png?x=1", "https://cdn.test/a.png?x=1"),
        ("/api/media/a.png", "https://library.test/api/media/a.png"),
        ("media/a.png", "https://library.test/prefix/media/a.png"),
        (" /a.png\n", "https://library.test/a.png"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_urls_are_resolved_against_the_base(url: str, absolute: str) -> None:
    assert resolve("https://library.test/prefix", url) == absolute


@given(st.text())
def test_resolving_never_fails(url: str) -> None:
    assert isinstance(resolve("https://library.test", url), str)
