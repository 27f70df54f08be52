"""TLS is verified against the name of the host, also on connections that are kept."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import trustme

from ..figures import Figure
from .inward import MODES, PUBLIC, Names, Network, guarded, moved, names, whole_png

GOOD, EVIL = "good.test", "evil.test"
TABLE = {GOOD: [PUBLIC], EVIL: [PUBLIC], "twice.test": [PUBLIC]}
KEPT = whole_png("").replace(b"Connection: close\r\n", b"")


class TlsServer:
    """Keeps connections alive; remembers the name of each handshake and the host of each request.

    Attributes:
        answer: What each request gets.
        spoil: Whether bytes that are no TLS follow the head of the answer.
    """

    def __init__(self, certificate: trustme.LeafCert) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._context.sni_callback = lambda _, name, __: self.shown.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.shown: list[str | None] = []
        self.hosts: list[str] = []
        self.answer = KEPT
        self.spoil = False
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            with self._context.wrap_socket(connection, server_side=True) as stream:
                self._open.append(stream)
                while received := stream.recv(65536):
                    lines = received.decode("latin-1").split("\r\n")
                    self.hosts += [line[6:] for line in lines if line.lower().startswith("host: ")]
                    stream.sendall(self.answer[:60] if self.spoil else self.answer)
                    if self.spoil:
                        os.write(stream.fileno(), b"\x17\x03\x03\x00\x20" + b"no TLS" * 6)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[TlsServer]:
    """A server whose certificate names `GOOD` alone."""
    served = TlsServer(authority.issue_cert(GOOD))
    yield served
    served.close()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """TLS settings that trust the authority of the tests."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def fetched(mode: str, server: TlsServer, context: ssl.SSLContext | None, *hosts: str) -> list[str]:
    with names(Names({**TABLE, "inward.test": ["127.0.0.1"]})):
        urls = [f"https://{host}:{server.port}/a.png" for host in hosts]
        return guarded(mode, urls, Network(), ssl_context=context, ports=[server.port])


def test_the_name_of_the_host_is_what_counts(
    server: TlsServer, trusting: ssl.SSLContext, figure: Figure
) -> None:
    tried = 0
    for mode in MODES:
        for hosts, outcomes in (
            ([GOOD], ["ok"]),
            ([EVIL], ["CONNECTION"]),
            # A connection to the same address is open, and serves its own name only.
            ([GOOD, EVIL, GOOD], ["ok", "CONNECTION", "ok"]),
            (["inward.test"], ["ADDRESS_REFUSED"]),
            # Not even for the address itself does a certificate of a name stand.
            (["127.0.0.1"], ["ADDRESS_REFUSED"]),
        ):
            server.shown.clear()
            server.hosts.clear()
            assert fetched(mode, server, trusting, *hosts) == outcomes
            pairs = list(zip(hosts, outcomes, strict=True))
            served = [f"{host}:{server.port}" for host, got in pairs if got == "ok"]
            assert server.hosts == served, "only who was verified got a request"
            shown = [host for host, got in pairs if got != "ADDRESS_REFUSED"]
            # The third URL finds the connection of the first one.
            assert server.shown == list(dict.fromkeys(shown))
            tried += len(hosts)
    accepted = _rewriting(server, trusting)
    figure(
        "TLS",
        f"{tried} handshakes and pooled requests, 0 for a wrong name; "
        f"a client that puts the address into the URL: {accepted} accepted",
    )
    assert accepted == 1


def _rewriting(server: TlsServer, context: ssl.SSLContext) -> int:
    """Return how many requests for a wrong name pass where the URL names the address."""
    with httpx.Client(verify=context, trust_env=False) as client:
        for host in (GOOD, EVIL):
            client.get(
                f"https://127.0.0.1:{server.port}/",
                headers={"Host": host},
                extensions={"sni_hostname": host},
            )
    return server.hosts.count(EVIL)


@pytest.mark.parametrize("mode", MODES)
def test_an_unknown_authority_is_not_trusted(mode: str, server: TlsServer) -> None:
    assert fetched(mode, server, None, GOOD) == ["CONNECTION"]
    assert server.hosts == []


@pytest.mark.parametrize("mode", MODES)
def test_what_the_environment_trusts_is_not_trusted(
    mode: str, server: TlsServer, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        assert fetched(mode, server, None, GOOD) == ["CONNECTION"]
    assert server.hosts == []


@pytest.mark.parametrize("mode", MODES)
def test_no_redirect_leads_down_to_http(
    mode: str, server: TlsServer, trusting: ssl.SSLContext
) -> None:
    server.answer = moved(f"http://{GOOD}:{server.port}/a.png")
    assert fetched(mode, server, trusting, GOOD) == ["URL_REFUSED"]
    server.answer = moved(f"https://{EVIL}:{server.port}/a.png")
    assert fetched(mode, server, trusting, GOOD) == ["CONNECTION"]
    assert set(server.hosts) == {f"{GOOD}:{server.port}"}


@pytest.mark.parametrize("mode", MODES)
def test_a_broken_record_is_our_error(
    mode: str, server: TlsServer, trusting: ssl.SSLContext
) -> None:
    server.spoil = True
    assert fetched(mode, server, trusting, GOOD) == ["CONNECTION"]


def test_http_where_tls_is_spoken(server: TlsServer, trusting: ssl.SSLContext) -> None:
    options: dict[str, Any] = {"ssl_context": trusting, "ports": [server.port]}
    with names(Names(TABLE)):
        for mode in MODES:
            url = f"http://{GOOD}:{server.port}/"
            assert guarded(mode, [url], Network(), **options)[0] in ("CONNECTION", "TRUNCATED")
