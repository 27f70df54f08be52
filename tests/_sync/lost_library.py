# Generated from tests/_async/lost_library.py by tools/unasync.py. Do not edit.
"""A Character Library that holds what a test says, and a look for a lost set there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from attrs import evolve

from charimg import CharacterLibraryError, ErrorCode, JobPolicy, OperationItem
from charimg._library.values import (
    Gallery,
    GalleryImage,
    Job,
    JobPage,
    LibraryCharacter,
    LibraryMedia,
    LibraryMediaPage,
    PortfolioImage,
    ReferenceShot,
)
from charimg._sync.lost_sets import LostSet, lost_set
from charimg._sync.operation import Run
from charimg.journal import Lease, Operation, OperationState
from charimg.models import Shot
from charimg.stores import MemoryCharacterDirectory, MemoryGenerationLedger

ASKED = datetime(2026, 11, 29, 20, 0, tzinfo=UTC)
DRAWN = ASKED + timedelta(minutes=5)
ENDED = ASKED + timedelta(minutes=10)
JUST = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
HOURS = timedelta(hours=6)
LENA, NAMESAKE, MAX = (each * 24 for each in "abc")
OWN, OTHER = "own", "other"
ANGLES = ("front", "left", "back")
SHOTS = tuple(
    ReferenceShot(
        shot=Shot(name=f"the {each}", lens_mm=50, crop="cu", expression="neutral"),
        angle=each,
        pack="core",
    )
    for each in ANGLES
)
FAILED = Job(job_id=OWN, status="failed", current=2, total=3, completed_at=ENDED)
SET = Operation(
    id="1" * 32,
    kind="portfolio",
    character_id="1",
    library_db_id=LENA,
    state=OperationState.RECEIVED,
    job_id=OWN,
    created_at=ASKED - timedelta(minutes=1),
)
ITEM = OperationItem(key="k", index=0, state="stored")


def refused(status: int, code: str = ErrorCode.SERVER_ERROR) -> CharacterLibraryError:
    return CharacterLibraryError("It is refused.", code=code, status_code=status)


class Library:
    """What a look for a lost set asks of the Character Library.

    Attributes:
        asked: What was asked.
        names: The characters.
        media: The media documents, newest first.
        pages: The jobs, newest first, as they lie on pages.
        results: What jobs have drawn.
        shots: What sets are drawn from; or how that is refused.
        refuses: How media documents are refused.
        core: What the gallery shows.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.names: dict[str, str] = {LENA: "Lena Marlow", NAMESAKE: "Lena Marlow", MAX: "Max"}
        self.media: list[LibraryMedia] = []
        own = evolve(FAILED, character_id=LENA, created_at=ASKED)
        self.pages: list[list[Job]] = [[own]]
        self.results: dict[str, tuple[PortfolioImage, ...]] = {}
        self.shots: Sequence[ReferenceShot] | CharacterLibraryError = SHOTS
        self.refuses: CharacterLibraryError | None = None
        self.core: list[GalleryImage] = []

    def get_character(self, db_id: str) -> LibraryCharacter:
        self.asked.append(f"character {db_id[0]}")
        if db_id == "down":
            raise refused(503)
        if db_id not in self.names:
            raise refused(404, ErrorCode.NOT_FOUND)
        return LibraryCharacter(id=db_id, name=self.names[db_id])

    def list_media(self, filename: str, *, limit: int, page: int) -> LibraryMediaPage:
        self.asked.append(f"media {filename} {page}")
        if self.refuses is not None:
            raise self.refuses
        found = [
            each for each in self.media if filename in (each.filename or each.url or "").lower()
        ]
        media, number = found[limit * (page - 1) : limit * page], -(-len(found) // limit)
        return LibraryMediaPage(
            media=tuple(media), total=len(found), page=page, pages=number, has_next=page < number
        )

    def get_media(self, media_id: str) -> LibraryMedia:
        self.asked.append(f"medium {media_id}")
        found = [each for each in self.media if each.id == media_id]
        if not found:
            raise refused(404, ErrorCode.NOT_FOUND)
        return found[0]

    def list_images(self, db_id: str, *, category: str) -> Gallery:
        self.asked.append(f"{category} of {db_id[0]}")
        return Gallery(character_id=db_id, core=tuple(self.core))

    def list_jobs(self, *, character_id: str | None = None, limit: int, page: int = 1) -> JobPage:
        self.asked.append(f"jobs {page} of {limit}")
        number = len(self.pages)
        jobs = tuple(
            each for each in self.pages[page - 1] if character_id in (None, each.character_id)
        )
        return JobPage(jobs=jobs, total=0, page=page, pages=number, has_next=page < number)

    def get_job(self, job_id: str) -> Job:
        self.asked.append(f"job {job_id}")
        if job_id not in self.results:
            raise refused(404, ErrorCode.NOT_FOUND)
        return Job(job_id=job_id, status="completed", images=self.results[job_id])

    def list_reference_shots(self) -> Sequence[ReferenceShot]:
        self.asked.append("shots")
        if isinstance(self.shots, CharacterLibraryError):
            raise self.shots
        return self.shots

    def draw(
        self,
        moment: datetime = DRAWN,
        *,
        angle: str = "front",
        who: str = "lena_marlow",
        attempt: int = 1,
        **fields: Any,
    ) -> str:
        """Put a file there, and return its id."""
        number = round(moment.timestamp() * 1000)
        name = f"{who}_50mm_{angle}_cu_neutral_v{attempt}_{number}.png"
        known: dict[str, Any] = {"id": f"m{len(self.media)}", "filename": name, **fields}
        self.media.insert(0, LibraryMedia(**known))
        return str(known["id"])

    def order(self, created: datetime | None, completed: datetime | None, **fields: Any) -> None:
        """Put somebody's job there, which tells no images unless `results` has some."""
        status = "processing" if completed is None else "completed"
        known: dict[str, Any] = {"job_id": OTHER, "character_id": NAMESAKE, "status": status}
        job = Job(**{**known, **fields}, created_at=created, completed_at=completed)
        self.pages[0].append(job)


class Look:
    """A look for what a set has drawn, with nothing else there."""

    def __init__(self) -> None:
        self.library: Any = Library()
        self.directory = MemoryCharacterDirectory()
        self.ledger = MemoryGenerationLedger()
        self.parts: Any = SimpleNamespace(
            library=self.library,
            directory=self.directory,
            ledger=self.ledger,
            media_documents=True,
            job_policy=JobPolicy(),
            hooks=(),
        )
        self._lease: Lease | None = None

    def keep(self, op: Operation) -> None:
        """Have another operation there."""
        lease = self.ledger.acquire(op.character_id, owner="me", ttl=1000)
        self.ledger.write(op, lease=lease)
        self.ledger.release(lease)

    def run(self, **fields: Any) -> Run:
        """Return the operation as it stands in the ledger, with some fields changed."""
        if self._lease is None:
            self._lease = self.ledger.acquire(SET.character_id, owner="me", ttl=1000)
        run = Run(self.parts, evolve(SET, **fields), self._lease)
        run.write()
        return run

    def found(
        self, job: Job = FAILED, op: Operation = SET, *, only: Sequence[str] | None = None
    ) -> LostSet:
        found = lost_set(self.parts, op, job, only=only)
        assert found is not None
        return found

    def ids(self, *given: Any, **options: Any) -> list[str]:
        """Return the ids of the images, of which nobody may doubt any."""
        found = self.found(*given, **options)
        assert found.doubts == ()
        return [media.id for media, _ in found.images]

    def doubted(self, *given: Any, **options: Any) -> bool:
        """Tell whether another job may have drawn an image that was found."""
        found = self.found(*given, **options)
        assert len(found.images) == 1
        return any(f"Job {OTHER} drew for" in each for each in found.doubts)
