"""The shells that talk to the Character Library: httpx's failures become ours, in both modes."""

from __future__ import annotations

import gzip
from typing import Any

import anyio
import httpx
import pytest

from charimg._http import api
from charimg._http.api import ApiTransport, AsyncApiTransport
from charimg._library.requests import LibraryAnswer, LibraryRequest
from charimg.errors import CharacterLibraryError, ConfigurationError, ErrorCode
from charimg.policies import Timeouts

from ..library.helpers import BASE, GET, POST
from ..servers.ports import Port
from .raw_server import ServerFactory, head
from .scripted import Scripted, failing, reply

MODES = ["sync", "async"]
QUICK = Timeouts(read=0.2, delete=0.2, generation=0.2)


def send(
    mode: str,
    request: LibraryRequest = GET,
    *,
    base: str = BASE,
    server: Scripted | None = None,
    timeouts: Timeouts = Timeouts(),  # noqa: B008
) -> LibraryAnswer:
    """Send a request with a client of its own."""
    if mode == "sync":
        client = None if server is None else httpx.Client(transport=server.transport)
        transport = ApiTransport(base, timeouts=timeouts, client=client)
        try:
            return transport.send(request, request_id="request-1")
        finally:
            transport.close()

    async def run() -> LibraryAnswer:
        client = None if server is None else httpx.AsyncClient(transport=server.transport)
        transport = AsyncApiTransport(base, timeouts=timeouts, client=client)
        try:
            return await transport.send(request, request_id="request-1")
        finally:
            await transport.aclose()

    return anyio.run(run)


def failure(mode: str, request: LibraryRequest = GET, **options: Any) -> CharacterLibraryError:
    with pytest.raises(CharacterLibraryError) as caught:
        send(mode, request, **options)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_is_read_whole(mode: str, serve: ServerFactory) -> None:
    body = gzip.compress(b'{"a": 1}')
    server = serve([head(Content_Encoding="gzip", Content_Length=len(body), X_Thing="x"), body])
    answer = send(mode, POST, base=server.url)
    assert (answer.status, answer.body) == (200, b'{"a": 1}')
    assert answer.headers["x-thing"] == "x"
    (sent,) = server.heads
    assert sent.startswith(f"POST {POST.path} HTTP/1.1\r\n")
    assert "X-Request-Id: request-1\r\n" in sent


HTTPX_ERRORS = [
    each
    for name in httpx.__all__
    if isinstance(each := getattr(httpx, name), type)
    and issubclass(each, httpx.RequestError | httpx.InvalidURL)
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", HTTPX_ERRORS)
def test_no_exception_of_httpx_leaks(kind: type[Exception], mode: str) -> None:
    cause = kind("https://library.test/?secret")
    error = failure(mode, server=Scripted(failing(cause)))
    assert error.__cause__ is cause
    assert error.code in (ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT, ErrorCode.INVALID_RESPONSE)
    assert error.status_code is None
    assert "secret" not in str(error)


def test_there_are_exceptions_to_try() -> None:
    assert {httpx.ReadTimeout, httpx.TooManyRedirects, httpx.InvalidURL} < set(HTTPX_ERRORS)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "code", "unknown", "words"),
    [
        (httpx.ReadTimeout, "TIMEOUT", True, "no answer within 600 s"),
        (httpx.WriteTimeout, "TIMEOUT", True, "no answer within 600 s"),
        (httpx.PoolTimeout, "TIMEOUT", False, "no free connection"),
        (httpx.ConnectTimeout, "UNAVAILABLE", False, "out of reach"),
        (httpx.ConnectError, "UNAVAILABLE", False, "out of reach"),
        (httpx.ProxyError, "UNAVAILABLE", False, "out of reach"),
        (httpx.UnsupportedProtocol, "UNAVAILABLE", False, "out of reach"),
        (httpx.LocalProtocolError, "UNAVAILABLE", False, "out of reach"),
        (httpx.InvalidURL, "UNAVAILABLE", False, "out of reach"),
        (httpx.ReadError, "UNAVAILABLE", True, "connection broke"),
        (httpx.WriteError, "UNAVAILABLE", True, "connection broke"),
        (httpx.CloseError, "UNAVAILABLE", True, "connection broke"),
        (httpx.RemoteProtocolError, "UNAVAILABLE", True, "connection broke"),
    ],
)
def test_whether_a_write_may_have_happened(
    kind: type[Exception], code: str, unknown: bool, words: str, mode: str
) -> None:
    error = failure(mode, POST, server=Scripted(failing(kind("x"))))
    assert (error.code, error.outcome_unknown) == (code, unknown)
    # What may have been paid for is not worth another try.
    assert error.retryable != unknown
    assert words in str(error)
    assert error.request_id == "request-1"


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_is_not_there(mode: str) -> None:
    port = Port()
    error = failure(mode, POST, base=f"http://127.0.0.1:{port.number}")
    assert (error.code, error.outcome_unknown) == (ErrorCode.UNAVAILABLE, False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("script", [[], [b"SSH-2.0-hello\r\n"], [b"HTTP/1.1 200 O"]])
def test_a_server_that_does_not_speak_http(
    script: list[bytes], mode: str, serve: ServerFactory
) -> None:
    error = failure(mode, POST, base=serve(script).url)
    assert (error.code, error.outcome_unknown) == (ErrorCode.UNAVAILABLE, True)
    assert error.status_code is None


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_says_nothing(mode: str, serve: ServerFactory) -> None:
    error = failure(mode, POST, base=serve([60.0]).url, timeouts=QUICK)
    assert (error.code, error.outcome_unknown) == (ErrorCode.TIMEOUT, True)
    assert "within 0.2 s" in str(error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("status", "unknown"), [("200 OK", True), ("400 Bad", False), ("500 Oh", True)]
)
def test_an_answer_that_is_cut_off(
    status: str, unknown: bool, mode: str, serve: ServerFactory
) -> None:
    server = serve([head(status, Content_Length=100, X_Request_Id="theirs"), b'{"success": '])
    error = failure(mode, POST, base=server.url)
    assert (error.code, error.field) == (ErrorCode.INVALID_RESPONSE, "$")
    assert error.status_code == int(status[:3])
    assert error.retryable != unknown
    assert error.outcome_unknown == unknown
    assert error.request_id == "theirs"
    assert "cut off" in str(error)


@pytest.mark.parametrize("mode", MODES)
def test_an_unfit_request_id_of_the_server_is_not_believed(mode: str, serve: ServerFactory) -> None:
    server = serve([head(Content_Length=9, X_Request_Id="a b"), b"{"])
    assert failure(mode, base=server.url).request_id == "request-1"


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_cannot_be_decompressed(mode: str) -> None:
    broken = reply(body=b"not gzip", headers={"content-encoding": "gzip"})
    error = failure(mode, POST, server=Scripted(broken))
    assert error.code == ErrorCode.INVALID_RESPONSE
    assert "decompressed" in str(error)


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_trickles_has_an_end(mode: str, serve: ServerFactory) -> None:
    steps: list[bytes | float] = [head(Content_Length=50)]
    for _ in range(6):
        steps += [0.06, b" "]
    error = failure(mode, POST, base=serve(steps).url, timeouts=QUICK)
    assert (error.code, error.outcome_unknown) == (ErrorCode.TIMEOUT, True)
    assert "not complete after 0.2 s" in str(error)


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_swells_is_refused(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_MAX_BODY", 1000)
    packed = gzip.compress(b" " * 1001)
    assert len(packed) < 1000
    bomb = reply(body=packed, headers={"content-encoding": "gzip"})
    error = failure(mode, server=Scripted(bomb))
    assert error.code == ErrorCode.INVALID_RESPONSE
    assert "larger than 1000 bytes" in str(error)
    assert not error.retryable
    whole = reply(body=b" " * 1000)
    assert len(send(mode, server=Scripted(whole)).body) == 1000


@pytest.mark.parametrize("kind", [ApiTransport, AsyncApiTransport])
def test_what_httpx_calls_no_url_is_refused(kind: type[ApiTransport]) -> None:
    with pytest.raises(ConfigurationError, match="base URL"):
        kind("https://library.test:port", timeouts=Timeouts())
