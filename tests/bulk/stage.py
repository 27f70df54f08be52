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


class Kills:
    """A progress callback that kills its process when the second image of a portfolio is in.

    Once for each character: the file says that it was.
    """

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, event: object) -> None:
        if isinstance(event, ImageStored) and event.done == 2 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def open_service(
    root: Path, url: str, victims: tuple[str, ...] = (), job_policy: JobPolicy = FAST
) -> Iterator[CharacterImageService]:
    """Open a service; the process dies in the middle of the portfolio of each victim."""
    with (
        CharacterLibrary(url, retries=RetryPolicy.off()) as library,
        Downloader(retries=RetryPolicy.off()) as downloader,
        CharacterImageService.local(
            root, library=library, downloader=downloader, job_policy=job_policy, concurrency=1
        ) as service,
    ):
        arm(service, root, victims)
        yield service


@contextmanager
def open_from_env() -> Iterator[CharacterImageService]:
    """Open a service where the environment says, as a worker on another machine would."""
    with CharacterImageService.from_env(job_policy=FAST) as service:
        yield service


def arm(service: CharacterImageService, root: Path, victims: tuple[str, ...]) -> None:
    """Let portfolios of the victims kill the process."""
    generate = service.generate_portfolio

    def armed(character_id: str, **options: Any) -> Any:
        if character_id in victims:
            options["on_progress"] = Kills(root / f"killed-{character_id}")
        return generate(character_id, **options)

    service.generate_portfolio = armed  # type: ignore[method-assign]


@frozen(kw_only=True)
class Stage:
    """A directory with linked characters, and the simulator behind them.

    Attributes:
        root: The directory.
        server: The simulator, served.
        from_env: Whether services are opened as the environment says.
    """

    root: Path
    server: Any
    from_env: bool = False

    def opener(self, *victims: str) -> OpenService:
        if self.from_env:
            return open_from_env
        return partial(open_service, self.root, self.server.url, victims)

    @property
    def killed(self) -> set[str]:
        """Whose portfolios have killed a process."""
        return {path.name.removeprefix("killed-") for path in self.root.glob("killed-*")}

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
