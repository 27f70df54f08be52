"""The transport in front of the simulator behaves as a connection does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import httpx
import pytest

from charimg.testing import Simulator
from charimg.testing.simulator import SimulatedResponse

from .asking import Ask, asking


def gather(answer: httpx.Response, got: bytearray) -> None:
    for chunk in answer.iter_raw():
        got.extend(chunk)


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture(params=["client", "async client"])
def ask(simulator: Simulator, request: pytest.FixtureRequest) -> Iterator[Ask]:
    with asking(simulator, request.param) as ask:
        yield ask


def test_the_request_arrives_whole(simulator: Simulator, ask: Ask) -> None:
    answer = ask(
        "POST",
        "/api/v1/characters",
        params={"a": "ж"},
        json={"name": "龍"},
        headers={"X-Request-ID": "r-1"},
    )
    assert answer.status_code == 201
    (request,) = simulator.requests
    assert (request.method, request.host) == ("POST", "library.test")
    assert (request.path, dict(request.query)) == ("/api/v1/characters", {"a": "ж"})
    assert (request.request_id, request.json) == ("r-1", {"name": "龍"})


def test_a_refused_connection(simulator: Simulator, ask: Ask) -> None:
    simulator.switches.down = True
    with pytest.raises(httpx.ConnectError) as caught:
        ask("GET", "/api/health")
    assert caught.value.request.url.path == "/api/health"


def test_a_connection_that_breaks_before_the_answer(simulator: Simulator, ask: Ask) -> None:
    simulator.switches.broken_connections = 1
    with pytest.raises(httpx.ReadError) as caught:
        ask("GET", "/api/health")
    assert caught.value.request.url.path == "/api/health"
    assert ask("GET", "/api/health").status_code == 200


def test_a_file_that_breaks_off_gives_its_first_half(simulator: Simulator) -> None:
    simulator.set_reference(simulator.add_character("Lena"))
    name = next(iter(simulator._state.files))
    with httpx.Client(transport=simulator.transport(), base_url=simulator.base_url) as client:
        whole = client.get(f"/media/{name}").content
        simulator.switches.truncated_files = 1
        got = bytearray()
        with client.stream("GET", f"/media/{name}") as answer:
            assert answer.headers["content-length"] == str(len(whole))
            with pytest.raises(httpx.ReadError):
                gather(answer, got)
    assert got == whole[: len(whole) // 2]


async def gather_async(answer: httpx.Response, got: bytearray) -> None:
    async for chunk in answer.aiter_raw():
        got.extend(chunk)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_file_that_breaks_off_gives_its_first_half_async_too(anyio_backend: str) -> None:
    simulator = Simulator()
    simulator.set_reference(simulator.add_character("Lena"))
    name = next(iter(simulator._state.files))
    async with httpx.AsyncClient(
        transport=simulator.transport(), base_url=simulator.base_url
    ) as client:
        whole = (await client.get(f"/media/{name}")).content
        simulator.switches.truncated_files = 1
        got = bytearray()
        async with client.stream("GET", f"/media/{name}") as answer:
            with pytest.raises(httpx.ReadError):
                await gather_async(answer, got)
    assert got == whole[: len(whole) // 2]


def test_a_slow_answer_times_out_where_the_client_says_so(simulator: Simulator, ask: Ask) -> None:
    simulator.switches.api_seconds = 0.05
    with pytest.raises(httpx.ReadTimeout) as caught:
        ask("GET", "/api/health", timeout=0.01)
    assert caught.value.request.url.path == "/api/health"
    assert ask("GET", "/api/health", timeout=httpx.Timeout(0.01, read=5)).status_code == 200
    assert ask("GET", "/api/health", timeout=None).status_code == 200


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []

    async def later(seconds: float) -> None:
        found.append(seconds)

    sleep: Callable[[float], None] = found.append
    # Its own alone: another thread that is left of other tests may sleep, too.
    monkeypatch.setattr("charimg._http.mock.time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr("charimg._http.mock.anyio", SimpleNamespace(sleep=later))
    return found


def test_it_waits_as_long_as_the_answer_or_the_client(
    simulator: Simulator, ask: Ask, waits: list[float]
) -> None:
    simulator.switches.api_seconds = 50
    assert ask("GET", "/api/health", timeout=60).status_code == 200
    with pytest.raises(httpx.ReadTimeout):
        ask("GET", "/api/health", timeout=20)
    assert [seconds for seconds in waits if seconds] == [50, 20]


def test_a_download_is_running_while_it_is_waited_for(simulator: Simulator, ask: Ask) -> None:
    simulator.set_reference(simulator.add_character("Lena"))
    name = next(iter(simulator._state.files))
    seen: list[bool] = []
    delivering = simulator.delivering

    def watched(response: SimulatedResponse) -> object:
        seen.append(response.is_file)
        return delivering(response)

    simulator.delivering = watched  # type: ignore[method-assign, assignment]
    transport = simulator.transport()
    with httpx.Client(transport=transport, base_url=simulator.base_url) as client:
        client.get(f"/media/{name}")
    assert seen == [True]
    assert simulator.most_files_at_once == 1
