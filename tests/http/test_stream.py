"""The shells that fetch files: what goes out, and what httpx's failures become, in both modes."""

from __future__ import annotations

import pickle
from typing import Any

import anyio
import httpx
import pytest
from attrs import frozen

from charimg._http.stream import AsyncDownloadClient, DownloadClient
from charimg.errors import ConfigurationError, DownloadError, ErrorCode

from .raw_server import ServerFactory, head
from .scripted import Chunks, Scripted, failing, reply

MODES = ["sync", "async"]
URL = "https://cdn.test/a.png?signature=secret"


@frozen
class Fetched:
    status: int
    headers: dict[str, str]
    body: bytes


def fetch(
    mode: str,
    *urls: str,
    timeout: float = 5,
    connect_timeout: float = 5,
    **injected: Any,
) -> list[Fetched]:
    """Fetch URLs one after another with one client, its own unless there are ``injected`` parts."""
    # The servers of these tests listen on the loopback address.
    options: Any = {"timeout": timeout, "connect_timeout": connect_timeout, "exempt": True}
    found = []
    if mode == "sync":
        client = DownloadClient(
            connections=2, client=httpx.Client(**injected) if injected else None
        )
        try:
            for url in urls:
                with client.stream(url, **options) as answer:
                    headers = dict(answer.headers)
                    found.append(Fetched(answer.status, headers, b"".join(answer.chunks)))
        finally:
            client.close()
        return found

    async def run() -> list[Fetched]:
        client = AsyncDownloadClient(
            connections=2, client=httpx.AsyncClient(**injected) if injected else None
        )
        try:
            for url in urls:
                async with client.stream(url, **options) as answer:
                    headers = dict(answer.headers)
                    body = b"".join([chunk async for chunk in answer.chunks])
                    found.append(Fetched(answer.status, headers, body))
        finally:
            await client.aclose()
        return found

    return anyio.run(run)


def failure(mode: str, url: str = URL, **options: Any) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        fetch(mode, url, **options)
    assert "secret" not in f"{caught.value}{caught.value!r}"
    return caught.value


def streaming(stream: Chunks, **headers: str) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=stream))


@pytest.mark.parametrize("mode", MODES)
def test_bytes_come_as_they_are(mode: str, serve: ServerFactory) -> None:
    server = serve([head(Content_Length=5, X_Thing="x"), b"\x00\x01\x02\x03\x04"])
    (got,) = fetch(mode, f"{server.url}/a?b=c")
    assert (got.status, got.body) == (200, b"\x00\x01\x02\x03\x04")
    assert got.headers == {"content-length": "5", "x-thing": "x"}
    (sent,) = server.heads
    assert sent.startswith("GET /a?b=c HTTP/1.1\r\n")
    assert "Accept-Encoding: identity\r\n" in sent
    assert "User-Agent: charimg\r\n" in sent


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_decompressed(mode: str) -> None:
    stream = Chunks(b"not", b"gzip")
    (got,) = fetch(mode, URL, transport=streaming(stream, **{"content-encoding": "gzip"}))
    assert got.body == b"notgzip"
    assert stream.closed


@pytest.mark.parametrize("mode", MODES)
def test_nothing_of_an_injected_client_reaches_the_host(mode: str) -> None:
    server = Scripted(reply(body=b"x"))
    fetch(
        mode,
        URL,
        transport=server.transport,
        headers={"X-Key": "secret"},
        cookies={"session": "secret"},
        params={"key": "mine"},
        auth=("user", "secret"),
    )
    (request,) = server.requests
    assert dict(request.headers) == {
        "host": "cdn.test",
        "accept": "image/png,image/jpeg,image/webp,image/*;q=0.8,*/*;q=0.5",
        "accept-encoding": "identity",
        "user-agent": "charimg",
    }
    assert str(request.url) == URL


@pytest.mark.parametrize("mode", MODES)
def test_redirects_and_cookies_are_left_alone(
    mode: str, serve: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    # The server closes each connection: said, so that the client does not use it again.
    closing = {"Content_Length": 0, "Connection": "close"}
    moved = [head("302 Found", Location="/b", Set_Cookie="a=b", **closing)]
    server = serve(moved, [head(**closing)])
    first, second = fetch(mode, f"{server.url}/a", f"{server.url}/c")
    assert (first.status, first.headers["location"]) == (302, "/b")
    assert second.status == 200
    assert [each.split(" ")[1] for each in server.heads] == ["/a", "/c"]
    assert "ookie" not in server.heads[1]


@pytest.mark.parametrize("mode", MODES)
def test_an_injected_client_that_follows_redirects_does_not_here(mode: str) -> None:
    server = Scripted(reply(status=302, body=b"", headers={"location": "https://evil.test/"}))
    (got,) = fetch(mode, URL, transport=server.transport, follow_redirects=True)
    assert got.status == 302


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("timeout", "connect"), [(5, 2), (2, 2)])
def test_times_reach_httpx(timeout: float, connect: float, mode: str) -> None:
    server = Scripted(reply(body=b"x"))
    fetch(mode, URL, transport=server.transport, timeout=timeout, connect_timeout=connect)
    sent = server.requests[0].extensions["timeout"]
    assert sent == {"connect": 2, "read": timeout, "write": timeout, "pool": timeout}
    server = Scripted(reply(body=b"x"))
    fetch(mode, URL, transport=server.transport, timeout=1, connect_timeout=9)
    assert server.requests[0].extensions["timeout"]["connect"] == 1


HTTPX_ERRORS = [
    each
    for name in httpx.__all__
    if isinstance(each := getattr(httpx, name), type)
    and issubclass(each, httpx.RequestError | httpx.InvalidURL)
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", HTTPX_ERRORS)
def test_no_exception_of_httpx_leaks(kind: type[Exception], mode: str) -> None:
    cause = kind(f"{URL} failed")
    early = failure(mode, transport=Scripted(failing(cause)).transport)
    assert early.__cause__ is cause
    stream = Chunks(b"abc", error=kind(f"{URL} failed"))
    late = failure(mode, transport=streaming(stream))
    assert stream.closed
    for error in (early, late):
        assert pickle.loads(pickle.dumps(error)).code == error.code
        assert "https://cdn.test/a.png" in str(error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "early", "late", "retryable"),
    [
        (httpx.ReadTimeout, "TIMEOUT", "TIMEOUT", True),
        (httpx.ConnectTimeout, "TIMEOUT", "TIMEOUT", True),
        (httpx.ConnectError, "CONNECTION", "CONNECTION", True),
        (httpx.ReadError, "CONNECTION", "CONNECTION", True),
        (httpx.RemoteProtocolError, "CONNECTION", "TRUNCATED", True),
        (httpx.LocalProtocolError, "CONNECTION", "CONNECTION", False),
        (httpx.UnsupportedProtocol, "CONNECTION", "CONNECTION", False),
        (httpx.InvalidURL, "URL_REFUSED", "URL_REFUSED", False),
    ],
)
def test_codes(kind: type[Exception], early: str, late: str, retryable: bool, mode: str) -> None:
    error = failure(mode, transport=Scripted(failing(kind("x"))).transport)
    assert (error.code, error.retryable) == (early, retryable)
    error = failure(mode, transport=streaming(Chunks(b"abc", error=kind("x"))))
    assert (error.code, error.retryable) == (late, retryable)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("url", "code"),
    [("https://cdn.test:port/a?secret", "URL_REFUSED"), ("ftp://cdn.test/?secret", "CONNECTION")],
)
def test_a_url_that_httpx_refuses(url: str, code: str, mode: str) -> None:
    error = failure(mode, url)
    assert (error.code, error.retryable) == (code, False)


@pytest.mark.parametrize("mode", MODES)
def test_a_body_that_is_cut_off(mode: str, serve: ServerFactory) -> None:
    error = failure(mode, serve([head(Content_Length=100), b"abc"]).url)
    assert (error.code, error.retryable) == (ErrorCode.TRUNCATED, True)
    chunked = serve([head(Transfer_Encoding="chunked"), b"3\r\nabc\r\n"])
    assert failure(mode, chunked.url).code == ErrorCode.TRUNCATED


@pytest.mark.parametrize("mode", MODES)
def test_a_body_that_stops_coming(mode: str, serve: ServerFactory) -> None:
    server, seconds = serve([head(Content_Length=9), b"abc", 60.0]), 0.1
    # A short time may be over before the answer has begun.
    while "before it answered" in str(error := failure(mode, server.url, timeout=seconds)):
        seconds *= 2
    assert error.code == ErrorCode.TIMEOUT
    assert "while it sent the file" in str(error)


@pytest.mark.parametrize("mode", MODES)
def test_a_host_that_says_nothing(mode: str, serve: ServerFactory) -> None:
    error = failure(mode, serve([60.0]).url, timeout=0.1)
    assert error.code == ErrorCode.TIMEOUT
    assert "before it answered" in str(error)


# Who closes what


def test_leaving_early_gives_the_connection_back(serve: ServerFactory) -> None:
    server = serve([head(Content_Length=9), b"abc", 0.05])
    client = DownloadClient(connections=1)
    for _ in range(3):  # the pool holds one connection
        with client.stream(server.url, timeout=1, connect_timeout=1, exempt=True) as answer:
            assert next(answer.chunks) == b"abc"
    client.close()

    async def run() -> None:
        own = AsyncDownloadClient(connections=1)
        for _ in range(3):
            async with own.stream(server.url, timeout=1, connect_timeout=1, exempt=True) as answer:
                assert await anext(answer.chunks) == b"abc"
        await own.aclose()

    anyio.run(run)


def test_what_the_block_raises_stays_what_it_is() -> None:
    client = DownloadClient(connections=1, client=httpx.Client(transport=streaming(Chunks(b"x"))))
    with (
        pytest.raises(httpx.ReadTimeout),
        client.stream(URL, timeout=1, connect_timeout=1),
    ):
        raise httpx.ReadTimeout("the caller's own")


def test_an_injected_client_is_never_closed() -> None:
    injected = httpx.Client(transport=Scripted(reply(body=b"x")).transport)
    client = DownloadClient(connections=1, client=injected)
    client.close()
    assert not injected.is_closed
    with client.stream(URL, timeout=1, connect_timeout=1) as answer:
        assert b"".join(answer.chunks) == b"x"


def test_an_own_client_is_closed() -> None:
    client = DownloadClient(connections=1)
    client.close()
    client.close()
    with (
        pytest.raises(ConfigurationError, match="closed"),
        client.stream(URL, timeout=1, connect_timeout=1),
    ):
        pytest.fail("it opened")


def test_an_async_client_is_closed_or_not_too() -> None:
    async def run() -> None:
        injected = httpx.AsyncClient(transport=Scripted(reply(body=b"x")).transport)
        client = AsyncDownloadClient(connections=1, client=injected)
        await client.aclose()
        assert not injected.is_closed
        own = AsyncDownloadClient(connections=1)
        await own.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            async with own.stream(URL, timeout=1, connect_timeout=1):
                pytest.fail("it opened")

    anyio.run(run)
