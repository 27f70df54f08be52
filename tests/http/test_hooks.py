"""Injected clients whose response hook raises for what is no success, in both modes."""

from __future__ import annotations

import pickle
from typing import Any

import anyio
import httpx
import pytest

from charimg._http.api import ApiTransport, AsyncApiTransport
from charimg._http.stream import AsyncDownloadClient, DownloadClient
from charimg._library.requests import LibraryAnswer, LibraryRequest
from charimg.errors import CharacterLibraryError, DownloadError, ErrorCode
from charimg.policies import Timeouts

from ..library.helpers import BASE, GET, POST
from .scripted import Scripted, reply

MODES = ["sync", "async"]
URL = "https://cdn.test/a.png?signature=secret"


def raise_for_status(response: httpx.Response) -> None:
    response.raise_for_status()


async def araise_for_status(response: httpx.Response) -> None:
    response.raise_for_status()


def ask(mode: str, request: LibraryRequest, server: Scripted) -> LibraryAnswer:
    """Send a request with a client that has the hook."""
    options: dict[str, Any] = {"timeouts": Timeouts()}
    if mode == "sync":
        hooks = {"response": [raise_for_status]}
        with httpx.Client(transport=server.transport, event_hooks=hooks) as client:
            return ApiTransport(BASE, client=client, **options).send(request, request_id="mine")

    async def run() -> LibraryAnswer:
        hooks = {"response": [araise_for_status]}
        async with httpx.AsyncClient(transport=server.transport, event_hooks=hooks) as client:
            transport = AsyncApiTransport(BASE, client=client, **options)
            return await transport.send(request, request_id="mine")

    return anyio.run(run)


def fetch(mode: str, server: Scripted) -> int:
    """Fetch a file with a client that has the hook; return its status."""
    times: dict[str, Any] = {"timeout": 5, "connect_timeout": 5}
    if mode == "sync":
        hooks = {"response": [raise_for_status]}
        with httpx.Client(transport=server.transport, event_hooks=hooks) as client:
            files = DownloadClient(connections=1, client=client)
            with files.stream(URL, **times) as answer:
                return answer.status

    async def run() -> int:
        hooks = {"response": [araise_for_status]}
        async with httpx.AsyncClient(transport=server.transport, event_hooks=hooks) as client:
            files = AsyncDownloadClient(connections=1, client=client)
            async with files.stream(URL, **times) as answer:
                return answer.status

    return anyio.run(run)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("status", "code", "retryable", "unknown"),
    [
        (302, ErrorCode.INVALID_RESPONSE, False, False),
        (400, ErrorCode.BAD_REQUEST, False, False),
        (401, ErrorCode.UNAUTHORIZED, False, False),
        (404, ErrorCode.NOT_FOUND, False, False),
        (429, ErrorCode.RATE_LIMITED, True, False),
        (500, ErrorCode.INVALID_RESPONSE, False, True),
        (503, ErrorCode.UNAVAILABLE, False, True),
    ],
)
def test_a_refusal_by_a_hook_is_told_by_its_status(
    status: int, code: str, retryable: bool, unknown: bool, mode: str
) -> None:
    headers = {"retry-after": "7", "location": "https://evil.test/"}
    server = Scripted(reply({"error": "secret"}, status=status, headers=headers))
    with pytest.raises(CharacterLibraryError) as caught:
        ask(mode, POST, server)
    error = caught.value
    assert isinstance(error.__cause__, httpx.HTTPStatusError)
    assert (error.status_code, error.code) == (status, code)
    assert (error.retryable, error.outcome_unknown) == (retryable, unknown)
    assert error.retry_after == 7.0
    assert error.request_id == "mine"
    assert "secret" not in str(error)
    assert len(server.requests) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("mode", MODES)
def test_what_succeeds_passes_the_hook(mode: str) -> None:
    assert ask(mode, GET, Scripted(reply({"a": 1}))).body == b'{"a": 1}'
    assert fetch(mode, Scripted(reply(body=b"x"))) == 200


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("status", "retryable"), [(302, False), (404, False), (503, True)])
def test_a_file_refused_by_a_hook_is_told_by_its_status(
    status: int, retryable: bool, mode: str
) -> None:
    server = Scripted(reply(status=status, body=b"x", headers={"location": "https://evil.test/"}))
    with pytest.raises(DownloadError) as caught:
        fetch(mode, server)
    error = caught.value
    assert isinstance(error.__cause__, httpx.HTTPStatusError)
    assert (error.code, error.status_code) == (ErrorCode.BAD_STATUS, status)
    assert error.retryable == retryable
    assert f"status {status}" in str(error)
    assert "secret" not in f"{error} {error!r}"
    assert len(server.requests) == 1
