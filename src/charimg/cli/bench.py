"""The user's own figures: how fast the Library answers, and what the stores and this machine do."""

from __future__ import annotations

import importlib.util
import io
import statistics
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager

from attrs import define, field, frozen

from .._assembly.stores import Stores
from .._concurrency import Outcome, run_bounded
from .._decoding import Decoder, draw_thumbnail
from .._ingest.inspect import inspect
from .._offers import offers
from .._owner import new_owner
from .._surely import surely
from .._sync.library import CharacterLibrary
from .._sync.parts import CONCURRENCY
from ..errors import CharimgError
from ..journal import Lease
from ..models import Media
from ..policies import DownloadLimits
from ..protocols import ListableMetadataRepository
from .probes import CHARACTER, TTL, known_character, png, recorded, saved, step

__all__ = ["Bench", "Figure"]

_ROUNDS = 9
_ENOUGH = 5.0
"""Seconds after which a figure makes do with fewer rounds."""
_SIDE = 816
"""As noise it is a file of 2 MB."""
_SMALL = 16
_PAGE = 50
_PORTFOLIO = 27
_THUMBNAIL = 320


@frozen(kw_only=True)
class Figure:
    """What was measured.

    Attributes:
        name: Of what.
        value: The median.
        unit: ``ms`` or ``images/min``.
        rounds: How often it was measured.
    """

    name: str
    value: float
    rounds: int
    unit: str = "ms"


@define
class Bench:
    """Measures, and takes away what it has written; nothing on the Library is changed or drawn.

    Attributes:
        figures: What is known so far.
    """

    figures: list[Figure] = field(factory=list)
    _noise: bytes = field(factory=lambda: png(_SIDE, noise=True), repr=False)

    def library(self, library: CharacterLibrary) -> None:
        """Measure a call that costs nothing.

        Raises:
            CharacterLibraryError: It fails.
        """
        self._median("Library: GET health", library.health)

    def stores(
        self, stores: Stores, *, without: Collection[str]
    ) -> Iterator[tuple[str, CharimgError]]:
        """Measure the stores and this machine; yield the role and error of each that fails.

        Args:
            stores: The stores.
            without: Roles that are left out, with what needs them.
        """
        missing = set(without)
        works: tuple[tuple[str, set[str], Callable[[Stores], None]], ...] = (
            ("media", {"media"}, self._media),
            ("metadata", {"media", "metadata"}, self._metadata),
            ("ledger", {"ledger"}, self._ledger),
            ("portfolio", {"media", "metadata", "ledger"}, self._portfolio),
        )
        self._machine()
        for role, needed, work in works:
            if needed & missing:
                continue
            try:
                work(stores)
            except CharimgError as error:
                missing.add(role)
                yield role, error

    def _median(self, name: str, work: Callable[[], object]) -> None:
        """Measure some work that can be repeated, after one round that does not count."""
        work()
        self._take(name, _rounds(work))

    def _take(self, name: str, times: list[float]) -> None:
        value = statistics.median(times) * 1000
        self.figures.append(Figure(name=name, value=value, rounds=len(times)))

    def _media(self, stores: Stores) -> None:
        saving: list[float] = []
        reading: list[float] = []
        deleting: list[float] = []

        def work() -> None:
            begun = time.perf_counter()
            with saved(stores.media, self._noise, _SIDE) as media:
                stored = time.perf_counter()
                with stores.media.open(media.key) as chunks:
                    for _ in chunks:
                        pass
                read = time.perf_counter()
            saving.append(stored - begun)
            reading.append(read - stored)
            deleting.append(time.perf_counter() - read)

        _rounds(work)
        self._take("media: save a file of 2 MB", saving)
        self._take("media: read a file of 2 MB", reading)
        self._take("media: delete it", deleting)

    def _metadata(self, stores: Stores) -> None:
        metadata = stores.metadata
        owner = known_character(stores)
        adding: list[float] = []

        def work() -> None:
            with saved(stores.media, png(_SMALL), _SMALL) as media:
                begun = time.perf_counter()
                with recorded(stores, owner, media):
                    adding.append(time.perf_counter() - begun)

        _rounds(work)
        self._take("metadata: add a record", adding)
        if offers(metadata, ListableMetadataRepository):
            owner = next(reversed(metadata.character_ids()), owner)
        self._median("metadata: read a page of 50", lambda: metadata.list(owner, limit=_PAGE))

    def _ledger(self, stores: Stores) -> None:
        with _leased(stores) as lease:
            self._median("ledger: write a step", lambda: stores.ledger.write(step(), lease=lease))

    def _machine(self) -> None:
        self._median("this machine: check an image of 2 MB", self._check)
        if importlib.util.find_spec("PIL") is not None:
            file = io.BytesIO(self._noise)
            self._median(
                "this machine: draw a thumbnail of it", lambda: draw_thumbnail(file, _THUMBNAIL)
            )

    def _check(self) -> None:
        file = io.BytesIO(self._noise)
        inspection = inspect(file, max_pixels=DownloadLimits().max_pixels)
        decoder = Decoder.chosen(None)
        if decoder is not None:
            decoder.check(file, inspection)

    def _portfolio(self, stores: Stores) -> None:
        """Bring as many images in as a portfolio has; the service flushes less, several at once."""
        owner = known_character(stores)
        with _leased(stores) as lease, ExitStack() as there:

            def save() -> Media:
                return there.enter_context(saved(stores.media, self._noise, _SIDE))

            def work(_: int) -> Media | None:
                self._check()
                return save() if stores.media.concurrent_safe else None

            def settle(_: int, outcome: Outcome[Media | None]) -> None:
                stores.ledger.renew(lease, ttl=TTL)
                media = outcome.unwrap() or save()
                there.enter_context(recorded(stores, owner, media))
                stores.ledger.write(step(), lease=lease)

            begun = time.perf_counter()
            run_bounded(work, range(_PORTFOLIO), limit=CONCURRENCY, handle=settle)
            seconds = time.perf_counter() - begun
        self.figures.append(
            Figure(
                name=f"portfolio of {_PORTFOLIO}: check, store and record, {CONCURRENCY} at once",
                value=_PORTFOLIO / seconds * 60,
                unit="images/min",
                rounds=1,
            )
        )


@contextmanager
def _leased(stores: Stores) -> Iterator[Lease]:
    lease = stores.ledger.acquire(CHARACTER, owner=new_owner(), ttl=TTL)
    try:
        yield lease
    finally:
        surely(lambda: stores.ledger.release(lease))


def _rounds(work: Callable[[], object]) -> list[float]:
    """Do some work several times; return the seconds that each took."""
    times: list[float] = []
    while len(times) < _ROUNDS and sum(times) < _ENOUGH:
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return times
