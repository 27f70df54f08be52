"""Characters on disk + SQLite and a simulated Library over HTTP; picklable ways to open both."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen

from charimg import (
    CharacterImage,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    JobPolicy,
    RetryPolicy,
)
from charimg.bulk.worker import OpenService
from charimg.events import ImageStored

SHOTS = 3
FAST = JobPolicy(interval=0.01, interval_max=0.02, deadline=60, stall=60, cancel_grace=0)
IMPATIENT = JobPolicy(interval=0.01, interval_max=0.02, deadline=0.1, stall=60, cancel_grace=0)


class KillsOnce:
    """A hook of the service's downloads: kills its process when a character's second image is in.

    Only the first process that comes by is killed; the file says that it was.
    """

    def __init__(self, service: CharacterImageService, victim: str, mark: Path) -> None:
        self.media = service.media
        self.victim = victim
        self.mark = mark

    def __call__(self, event: object) -> None:
        if not isinstance(event, ImageStored) or event.image.character_id != self.victim:
            return
        if event.done == 2 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def open_service(
    root: Path, url: str, victim: str | None = None, job_policy: JobPolicy = FAST
) -> Iterator[CharacterImageService]:
    """Open a service; with a victim, the process dies in the middle of that one's portfolio."""
    with (
        CharacterLibrary(url, retries=RetryPolicy.off()) as library,
        Downloader(retries=RetryPolicy.off()) as downloader,
        CharacterImageService.local(
            root, library=library, downloader=downloader, job_policy=job_policy, concurrency=1
        ) as service,
    ):
        if victim is not None:
            _arm(service, victim, root / "killed")
        yield service


def _arm(service: CharacterImageService, victim: str, mark: Path) -> None:
    generate = service.generate_portfolio

    def armed(character_id: str, **options: Any) -> Any:
        kill = KillsOnce(service, victim, mark)
        return generate(character_id, **options, on_progress=kill)

    service.generate_portfolio = armed  # type: ignore[method-assign]


@frozen(kw_only=True)
class Stage:
    """A directory with linked characters, and the simulator behind them."""

    root: Path
    server: Any

    def opener(self, victim: str | None = None) -> OpenService:
        return partial(open_service, self.root, self.server.url, victim)

    def add(self, *ids: str) -> list[str]:
        with self.opener()() as service:
            for each in ids:
                made = service.library.create_character(each)
                service.put_character(CharacterReference(id=each, name=each, library_db_id=made.id))
        return list(ids)

    def references(self, *ids: str) -> list[str]:
        """Add characters that have a reference."""
        self.add(*ids)
        with self.opener()() as service:
            for each in ids:
                service.generate_reference(each, prompt=f"A face of {each}.")
        return list(ids)

    def switch(self, **changes: Any) -> None:
        self.server.simulator.switches.change(changes)

    @property
    def counters(self) -> Any:
        return self.server.simulator.counters

    def images(self, character_id: str, kind: str | None = None) -> list[CharacterImage]:
        with self.opener()() as service:
            return list(service.iter_images(character_id, kind=kind))
