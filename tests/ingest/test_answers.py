from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest.answers import Body, Redirect, read_head
from charimg._ingest.limits import BodyMeter
from charimg.errors import DownloadError, ErrorCode

URL = "https://example.org/a.png?sig=secret"


def refusal(status: int, headers: dict[str, str]) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        read_head(URL, status, headers)
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("headers", "length", "delimited"),
    [
        ({"content-length": "5"}, 5, True),
        ({"content-length": " 5 "}, 5, True),
        ({"content-length": "0", "content-type": "text/html"}, 0, True),
        ({"transfer-encoding": "chunked"}, None, True),
        ({"transfer-encoding": "chunked", "content-length": "5"}, None, True),
        ({}, None, False),
        ({"content-encoding": "identity", "content-length": "5"}, 5, True),
        ({"content-encoding": " Identity", "content-length": "5"}, 5, True),
        ({"content-encoding": "", "content-length": "5"}, 5, True),
    ],
)
def test_a_200_brings_a_body(headers: dict[str, str], length: int | None, delimited: bool) -> None:
    assert read_head(URL, 200, headers) == Body(expected_length=length, self_delimiting=delimited)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_where_they_may_lead(status: int) -> None:
    head = read_head(URL, status, {"location": "/b.png"})
    assert head == Redirect(url="https://example.org/b.png")
    assert refusal(status, {}).code == ErrorCode.BAD_STATUS
    assert refusal(status, {"location": "http://example.org/"}).code == ErrorCode.URL_REFUSED


def test_only_a_200_is_a_file() -> None:
    for status in {*range(100, 1000)} - {200}:
        error = refusal(status, {"content-length": "5"})
        assert (error.code, error.status_code) == (ErrorCode.BAD_STATUS, status)
        assert error.retryable == (status in (408, 425, 429) or 500 <= status <= 599)
        assert ("Try again" in str(error)) == error.retryable


def test_a_location_means_nothing_without_a_redirect() -> None:
    assert isinstance(read_head(URL, 200, {"location": "/b"}), Body)
    assert refusal(304, {"location": "/b"}).code == ErrorCode.BAD_STATUS


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip", "x"])
def test_encoded_bodies_are_refused(encoding: str) -> None:
    error = refusal(200, {"content-encoding": encoding, "content-length": "5"})
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert not error.retryable


@pytest.mark.parametrize("length", ["", "-1", "+5", "5, 5", "0x5", "5.0", "\u0665", "9" * 19])
def test_odd_lengths_are_refused(length: str) -> None:
    assert refusal(200, {"content-length": length}).code == ErrorCode.BAD_STATUS


@given(st.lists(st.binary(max_size=50), max_size=10), st.booleans())
def test_a_body_is_counted(chunks: list[bytes], announced: bool) -> None:
    whole = b"".join(chunks)
    expected = len(whole) if announced else None
    meter = BodyMeter(max_bytes=max(1, len(whole)), expected_length=expected, where="there")
    for chunk in chunks:
        meter.feed(chunk)
    meter.finish()
    assert meter.size == len(whole)


def test_too_much_is_refused_as_soon_as_it_is_known() -> None:
    with pytest.raises(DownloadError, match="larger than 5 bytes") as caught:
        BodyMeter(max_bytes=5, expected_length=6, where="there")
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.TOO_LARGE, False)
    meter = BodyMeter(max_bytes=5, expected_length=None, where="there")
    meter.feed(b"12345")
    with pytest.raises(DownloadError) as caught:
        meter.feed(b"6")
    assert (caught.value.code, caught.value.status_code) == (ErrorCode.TOO_LARGE, 200)


def test_another_length_than_announced_is_refused() -> None:
    meter = BodyMeter(max_bytes=9, expected_length=3, where="there")
    meter.feed(b"12")
    with pytest.raises(DownloadError, match="2 bytes instead of the 3") as caught:
        meter.finish()
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.TRUNCATED, True)
    with pytest.raises(DownloadError, match="4 bytes instead of the 3") as caught:
        meter.feed(b"34")
    assert caught.value.code == ErrorCode.TRUNCATED
