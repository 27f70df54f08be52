"""The simulator as a real HTTP server."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from charimg._http.defaults import usual_tls
from charimg.errors import ConfigurationError
from charimg.testing import Simulator, serve
from charimg.testing.server import run


def client_of(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=300, trust_env=False, verify=usual_tls())


def gather(answer: httpx.Response, got: bytearray) -> None:
    for chunk in answer.iter_raw():
        got.extend(chunk)


def test_it_serves_the_simulator_it_was_given_on_a_free_port() -> None:
    simulator = Simulator(base_url="http://library.test")
    db_id = simulator.add_character("Lena")
    with serve(simulator) as server, client_of(server.url) as client:
        assert server.simulator is simulator
        assert simulator.base_url == server.url
        assert server.url.startswith("http://127.0.0.1:")
        assert client.get(f"/api/v1/characters/{db_id}").json()["name"] == "Lena"
        url = client.post(
            f"/api/v1/characters/{db_id}/generate-initial-image", json={"prompt": "x" * 200_000}
        ).json()["data"]["publicUrl"]
        assert url.startswith(server.url)
        file = client.get(url)
        assert file.headers["content-length"] == str(len(file.content))
        assert client.head(url).headers["content-length"] == str(len(file.content))
    assert simulator.posts("generate-initial-image") == [{"prompt": "x" * 200_000}]


def test_without_one_it_makes_its_own_and_two_can_run() -> None:
    with serve() as one, serve() as two:
        assert one.url != two.url
        one.simulator.add_character("Lena")
        for server, count in ((one, 1), (two, 0)):
            with client_of(server.url) as client:
                assert client.get("/api/v1/characters").json()["totalDocs"] == count


def test_it_is_gone_afterwards_and_its_thread_too() -> None:
    # Other tests of this run may keep a server of their own.
    before = set(threading.enumerate())
    with serve() as server, client_of(server.url) as client:
        assert client.get("/api/health").status_code == 200
    with client_of(server.url) as client, pytest.raises(httpx.ConnectError):
        client.get("/api/health")
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert "charimg-simulator" not in left


def test_it_goes_even_if_nobody_ever_asked() -> None:
    with serve() as server:
        pass
    with client_of(server.url) as client, pytest.raises(httpx.ConnectError):
        client.get("/api/health")


def test_an_error_inside_ends_it_too() -> None:
    with pytest.raises(ZeroDivisionError), serve() as server:
        raise ZeroDivisionError
    with client_of(server.url) as client, pytest.raises(httpx.ConnectError):
        client.get("/api/health")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = f"cannot listen on 127.0.0.1:{port}: .*; 0 takes a free one"
        with pytest.raises(ConfigurationError, match=message.replace("; ", ". Choose .*; ")):
            serve(port=port).__enter__()
        with pytest.raises(ConfigurationError, match="cannot listen"):
            run(port=port)


def test_without_uvicorn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'charimg\[local\]'"), serve():
        raise AssertionError("never served")
    told: list[str] = []
    with pytest.raises(ConfigurationError, match="needs uvicorn"):
        run(port=0, ready=told.append)
    assert told == []


def test_it_tells_its_own_time_alone() -> None:
    with serve() as server, client_of(server.url) as client:
        server.simulator.switches.clock_offset = 3600
        answer = client.get("/api/health")
        (told,) = answer.headers.get_list("date")
        ahead = parsedate_to_datetime(told) - datetime.now(UTC)
        assert 3500 < ahead.total_seconds() < 3700


@pytest.mark.parametrize("switch", ["broken_connections", "down", "lost_answers"])
def test_a_broken_connection_breaks(switch: str) -> None:
    with serve() as server, client_of(server.url) as client:
        db_id = server.simulator.add_character("Lena")
        path = f"/api/v1/characters/{db_id}/generate-initial-image"
        setattr(server.simulator.switches, switch, 1 if switch != "down" else True)
        with (
            pytest.raises(httpx.TransportError),
            client.stream("POST", path, json={"prompt": "x"}) as answer,
        ):
            raise AssertionError(f"no status comes, and not {answer.status_code}")
        drawn = server.simulator.reference_of(db_id) is not None
        assert drawn == (switch == "lost_answers")
        server.simulator.switches.down = False
        assert client.get("/api/health").status_code == 200


def test_a_file_breaks_off_in_the_middle() -> None:
    with serve() as server, client_of(server.url) as client:
        db_id = server.simulator.add_character("Lena")
        server.simulator.set_reference(db_id)
        url = client.get(f"/api/v1/characters/{db_id}/reference-image").json()["imageUrl"]
        whole = client.get(url).content
        server.simulator.switches.truncated_files = 1
        got = bytearray()
        with client.stream("GET", url) as answer, pytest.raises(httpx.RemoteProtocolError):
            gather(answer, got)
        assert got == whole[: len(whole) // 2]
        assert client.get(url).content == whole


def test_a_slow_generation_is_finished_after_the_client_gave_up() -> None:
    now = 0.0
    with serve(Simulator(clock=lambda: now)) as server, client_of(server.url) as client:
        db_id = server.simulator.add_character("Lena")
        server.simulator.switches.generation_seconds = 3600
        path = f"/api/v1/characters/{db_id}"
        patience = httpx.Timeout(300, read=0.1)
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{path}/generate-initial-image", json={"prompt": "x"}, timeout=patience)
        # Sent it is, but perhaps not yet read.
        while server.simulator.counters.initial_image_posts == 0:
            assert client.get("/api/health").status_code == 200
        assert "mediaId" not in client.get(f"{path}/reference-image").json()
        now = 3600.0
        assert "mediaId" in client.get(f"{path}/reference-image").json()


def test_half_a_request_does_nothing() -> None:
    with serve() as server, client_of(server.url) as client:
        db_id = server.simulator.add_character("Lena")
        path = f"/api/v1/characters/{db_id}"
        host, port = server.url.removeprefix("http://").split(":")
        head = f"POST {path}/generate-initial-image HTTP/1.1\r\nHost: {host}\r\n"
        for body in (b"", b'{"prompt":'):
            with socket.create_connection((host, int(port))) as half:
                half.sendall(head.encode() + b"Content-Length: 99\r\n\r\n" + body)
                # It is being read by now.
                assert client.get("/api/health").status_code == 200
            for _ in range(20):
                assert client.get(f"{path}/reference-image").status_code == 200
        assert {each.method for each in server.simulator.requests} == {"GET"}
        assert server.simulator.counters.initial_image_posts == 0


def test_it_answers_others_while_one_answer_is_slow() -> None:
    with serve() as server, client_of(server.url) as client:
        db_id = server.simulator.add_character("Lena")
        server.simulator.set_reference(db_id)
        url = client.get(f"/api/v1/characters/{db_id}/reference-image").json()["imageUrl"]
        server.simulator.switches.file_seconds = 3600
        ended = threading.Event()

        def download() -> None:
            with client_of(server.url) as other, suppress(httpx.TransportError):
                other.get(url, timeout=None)
            ended.set()

        thread = threading.Thread(target=download, daemon=True)
        thread.start()
        while server.simulator.counters.files == 0:
            assert client.get("/api/health").status_code == 200
        assert not ended.is_set()
    # Leaving does not wait for it either.
    assert ended.wait(300)
    thread.join()


def test_answers_do_not_wait_for_the_clients_acknowledgement() -> None:
    from charimg.testing.server import listen

    listening, _ = listen("127.0.0.1", 0, "The simulator")
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


RUNNING = """
from charimg.testing.server import run
run(port=0, ready=lambda url: print(url, flush=True))
print("over")
"""


def test_run_serves_until_it_is_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            with client_of(url) as client:
                assert client.get("/api/health").json()["status"] == "ok"
                client.patch("/_simulator/switches", json={"broken_connections": 1})
                with pytest.raises(httpx.TransportError):
                    client.get("/api/health")
        finally:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=300)
    assert (output, errors, process.returncode) == ("over\n", "", 0)


def test_run_takes_a_simulator_and_closes_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn

    simulator = Simulator()
    urls: list[str] = []

    def ended(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        urls.append(f"http://127.0.0.1:{sockets[0].getsockname()[1]}")

    monkeypatch.setattr(uvicorn.Server, "run", ended)
    given: Any = {"port": 0}
    run(simulator, **given)
    assert urls == [simulator.base_url]
    with client_of(urls[0]) as client, pytest.raises(httpx.ConnectError):
        client.get("/api/health")
