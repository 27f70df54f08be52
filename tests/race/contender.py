"""One of several processes that compete for a character, round by round.

Started with pipes: ``name root url tmp``. Each line on stdin is one round in JSON: ``round``,
``act``, ``whom`` and ``ahead`` (how many seconds this process's clock is ahead). It is answered by
one line on stdout when the act has ended.
"""

from __future__ import annotations

import functools
import json
import ssl
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpcore
import stamina

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharimgError,
    Downloader,
    GenerationInProgress,
    RetryPolicy,
)
from charimg._assembly.settings import StoreSettings
from charimg._assembly.stores import open_stores
from charimg.journal import Lease, Operation

from ..patience import LIMITS, PATIENT
from ..servers.unflushed import unflushed

LENA = "lena"
LEASE_SECONDS = 10_000


def reference(service: CharacterImageService, whom: str) -> object:
    result = service.generate_reference(whom, prompt="a portrait")
    return "retried" if result.retried else None


def scene(service: CharacterImageService, whom: str) -> object:
    return service.generate_scene(whom, "a scene") and None


def delete_one(service: CharacterImageService, whom: str) -> object:
    images = service.list_images(whom, limit=1).images
    return service.delete_image(whom, images[0].id) and None if images else None


def delete_all(service: CharacterImageService, whom: str) -> object:
    return service.delete_all_images(whom) and None


def recover(service: CharacterImageService, whom: str) -> object:
    outcomes = [each.outcome for each in service.recover(whom).operations]
    if "error" in outcomes:
        return "error"
    return "refused" if outcomes and set(outcomes) == {"in-progress"} else None


ACTS: dict[str, Callable[[CharacterImageService, str], object]] = {
    "reference": reference,
    "scene": scene,
    "delete one": delete_one,
    "delete all": delete_all,
    "recover": recover,
}


class Contender:
    """The service of this process, and what it has done.

    Attributes:
        requests: How many HTTP requests this process has sent, of any client.
        written: Operation and lease token of every ledger write that was accepted.
    """

    def __init__(self, name: str, root: Path, url: str) -> None:
        self.name = name
        self.round = 0
        self.ahead = 0.0
        self.requests = 0
        self.written: list[tuple[str, int]] = []
        library = CharacterLibrary(
            url,
            timeouts=PATIENT,
            retries=RetryPolicy.off(),
            request_id_factory=self._request_id,
        )
        downloader = Downloader(limits=LIMITS, retries=RetryPolicy.off())
        # Files below the root; records and ledger there, too, or where the environment says.
        stores = open_stores(StoreSettings.from_env(root))
        self.service = CharacterImageService(
            library=library,
            directory=stores.directory,
            media=stores.media,
            metadata=stores.metadata,
            ledger=stores.ledger,
            downloader=downloader,
            lease_seconds=LEASE_SECONDS,
        )
        self.close = stores.close
        ledger: Any = self.service.ledger
        ledger._clock = lambda: time.time() + self.ahead
        write = ledger.write

        def noted(operation: Operation, /, *, lease: Lease) -> None:
            write(operation, lease=lease)
            self.written.append((operation.id, lease.token))

        ledger.write = noted
        send = httpcore.ConnectionPool.handle_request

        def counted(pool: Any, request: Any) -> Any:
            self.requests += 1
            return send(pool, request)

        httpcore.ConnectionPool.handle_request = counted  # type: ignore[method-assign]

    def _request_id(self) -> str:
        return f"{self.name}-{self.round}-{self.requests}"

    def run(self, task: dict[str, Any]) -> dict[str, Any]:
        """Do what a round asks for, and tell what came of it."""
        self.round, self.ahead = task["round"], task["ahead"]
        self.requests, self.written = 0, []
        said: object
        text = ""
        try:
            said = ACTS[task["act"]](self.service, task.get("whom", LENA))
        except GenerationInProgress:
            said = "refused"
        except CharimgError as error:
            said = str(getattr(error, "code", type(error).__name__))
            text = "".join(traceback.format_exception(error))
        except BaseException:  # noqa: BLE001 - told to whoever asked
            said = traceback.format_exc()
        return {"said": said, "text": text, "requests": self.requests, "written": self.written}


def main() -> None:
    """Compete until stdin ends."""
    stamina.set_active(False)
    # Reading the certificates takes longer than an operation, and nobody here speaks TLS.
    context = ssl.create_default_context()
    ssl.create_default_context = functools.lru_cache(lambda *_, **__: context)  # type: ignore[assignment]
    name, root, url, tempfile.tempdir = sys.argv[1:]
    with unflushed():
        contender = Contender(name, Path(root), url)
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(contender.run(json.loads(line))), flush=True)
        contender.service.close()
        contender.close()
        contender.service.library.close()


if __name__ == "__main__":
    main()
