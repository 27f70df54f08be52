"""What a forked child finds of its parent's connections: it opens its own."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from charimg import CharacterLibrary, ConfigurationError
from charimg.testing import serve

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# The worst moment to fork: a thread of the parent holds the locks of the connections.
_FORKING = """
import os, signal, sys
from charimg import CharacterLibrary, Downloader, StorageError
from charimg.stores import PayloadClient

url, image = sys.argv[1:]
library, downloader, payload = CharacterLibrary(url), Downloader(), PayloadClient(url)

def work():
    library.health()
    downloader.fetch(image, library_url=url).file.close()
    try:
        payload.check()
    except StorageError:
        pass  # This is no Payload; but it has answered.

work()
for clients in (library._calls._transport._clients, downloader._client._clients,
                payload.transport._clients):
    for client in clients.get():
        client._transport._pool._optional_thread_lock._lock.acquire()
if os.fork() == 0:
    signal.alarm(30)
    work()
    for each in (library, downloader, payload):
        each.close()
    os._exit(0)
print(os.wait()[1])
"""


def test_a_forked_child_talks_over_connections_of_its_own() -> None:
    with serve() as server:
        db_id = server.simulator.add_character(name="Lena")
        with CharacterLibrary(server.url) as library:
            image = library.generate_initial_image(db_id, "one").url
        assert image is not None
        done = subprocess.run(
            [sys.executable, "-c", _FORKING, server.url, image],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


def test_what_was_closed_before_the_fork_stays_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = CharacterLibrary("http://library.test")
    library.close()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ConfigurationError, match="closed"):
        library.health()
    library.close()


def test_an_injected_client_is_the_affair_of_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"status": "healthy"}))
    with httpx.Client(transport=answer) as client:
        library = CharacterLibrary("http://library.test", client=client)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert library.health().well
