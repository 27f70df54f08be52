"""A port that is kept for a server is that server's, and nobody else's."""

from __future__ import annotations

import socket
import sys

import pytest

from .servers.ports import Port


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port is only chosen")
def test_a_port_is_kept_for_its_server_also_while_that_starts_again() -> None:
    port = Port()
    where = ("127.0.0.1", port.number)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where)
        # As the kernel treats those who take any port.
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(where)
        with socket.create_server(where) as server, socket.create_connection(where):
            server.accept()[0].close()
