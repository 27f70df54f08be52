"""What the simulated server holds: characters, files, jobs."""

from __future__ import annotations

import hashlib
import math
import operator
import re
import unicodedata
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, field, frozen

from .shots import ReferenceShot

__all__ = [
    "Character",
    "Job",
    "MediaFile",
    "State",
    "milliseconds",
    "now_text",
    "slug_of",
    "stem_of",
]


def now_text(offset: float = 0.0) -> str:
    """Return the present as the server writes it, or another moment so many seconds off."""
    when = datetime.now(UTC) + timedelta(seconds=offset)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(moment: str) -> int:
    """Return a moment as it stands in the names of files."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def slug_of(name: str) -> str:
    """Return the ``characterId`` that the server derives: empty without any Latin letter."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def stem_of(name: str) -> str:
    """Return the beginning of the names of a character's shots: its name in words.

    Each UTF-16 unit that is no small Latin letter and no digit becomes one underscore.
    """
    units = name.lower().encode("utf-16-le", "surrogatepass")
    letters = (chr(units[at] | units[at + 1] << 8) for at in range(0, len(units), 2))
    return "".join(each if re.match(r"[a-z0-9]", each) else "_" for each in letters)


@frozen(kw_only=True)
class MediaFile:
    """One file of the server and its media document.

    Attributes:
        id: The media id.
        name: The file's name, which may lie about its type.
        data: The bytes.
        mime_type: What the server says that they are.
        width: Pixels.
        height: Pixels.
        alt: Alternative text.
        created: When.
        prompt: What was drawn.
        subject: The prompt of the reference from which it was drawn; its looks are that one's.
        shot: The shot of a core image.
        shot_type: The ``shotType`` of its entry in the gallery.
        tags: The ``tags`` of that.
        told: Whether the gallery tells the prompt; so it does of what is drawn on demand.
        on_demand: Whether its entry in the gallery has its ``dinoAssetId``.
        valid: Whether it passed the server's own checks.
        notes: What they say.
        quality: Its ``qualityScore``, 0 to 100.
        consistency: Its ``consistencyScore``, 0 to 100.
        reading: How the reading of its features went: ``validation_success``, ``error``, or
            ``processing`` while it lasts.
    """

    id: str
    name: str
    data: bytes = field(repr=False)
    mime_type: str
    width: int
    height: int
    alt: str
    created: str
    prompt: str
    subject: str
    shot: ReferenceShot | None = None
    shot_type: str = "core_reference"
    tags: str | None = None
    told: bool = False
    on_demand: bool = False
    valid: bool = False
    notes: str = ""
    quality: float = 88.5
    consistency: float = 93.2
    reading: str = "validation_success"

    @property
    def read(self) -> bool:
        """Whether its features could be read."""
        return self.reading == "validation_success"

    @property
    def asset(self) -> str | None:
        """Its ``dinoAssetId``: empty once reading failed, ``None`` while it lasts."""
        return {"validation_success": f"dino-{self.id}", "error": ""}.get(self.reading)

    @property
    def features(self) -> list[float]:
        """Its feature vector: the cosine to that of its reference is the consistency."""
        likeness = self.consistency / 100
        rest = math.sqrt(1 - likeness**2)
        own = _direction(self.id)
        looks = _direction(self.subject)
        shared = sum(map(operator.mul, own, looks))
        # What is its own stands at right angles to its looks.
        apart = _unit([each - shared * look for each, look in zip(own, looks, strict=True)])
        return [
            round(likeness * look + rest * each, 5) for look, each in zip(looks, apart, strict=True)
        ]


def _direction(text: str) -> list[float]:
    digest = hashlib.sha512(text.encode("utf-8", "surrogatepass")).digest()
    return _unit([each - 127.5 for each in digest])


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(each**2 for each in vector))
    return [each / length for each in vector]


@define(kw_only=True)
class Character:
    """One character and the images that its gallery shows, besides the reference."""

    id: str
    slug: str
    fields: dict[str, Any]
    created: str
    updated: str
    reference: str | None = None
    gallery: list[str] = field(factory=list)


@define(kw_only=True)
class Job:
    """One 360° job. Its progress follows from the clock; it is carried out when it is seen."""

    id: str
    character_id: str
    begun: float
    created: str
    stem: str
    prompt: str
    subject: str
    quality: float
    consistency: float
    shots: tuple[ReferenceShot, ...]
    failing: tuple[ReferenceShot, ...] = ()
    """What the model refuses."""
    lost: tuple[ReferenceShot, ...] = ()
    """What is drawn, and of what the bucket loses the file."""
    fails: bool = False
    attempts: int = 2
    done: int = 0
    """Through how many shots it is."""
    stranded: int | None = None
    """Through how many it was when the server was started again."""
    seen_cancelled: bool = False
    cancelled_once: bool = False
    ended: str | None = None
    """``completed`` or ``failed`` once its end was carried out."""
    error: str | None = None
    completed: str | None = None
    images: list[str] = field(factory=list)


class State:
    """Everything that the server holds."""

    def __init__(self, seed: int = 0) -> None:
        self.characters: dict[str, Character] = {}
        self.media: dict[str, MediaFile] = {}
        self.files: dict[str, str] = {}
        self.jobs: dict[str, Job] = {}
        self._names: set[str] = set()
        self._unfinished: list[tuple[float, Callable[[], object]]] = []
        self._seed = seed
        self._made = 0

    def new_id(self) -> str:
        """Return the next ObjectId."""
        return self._digest()[:24]

    def new_uuid(self) -> str:
        """Return the next UUID."""
        return str(uuid.UUID(self._digest()[:32], version=4))

    def _digest(self) -> str:
        self._made += 1
        return hashlib.sha256(f"{self._seed}:{self._made}".encode()).hexdigest()

    def name(self, stem: str, moment: str, extension: str) -> str:
        """Return the name of a file that is uploaded at a moment, another one than all others."""
        number = milliseconds(moment)
        while f"{stem}_{number}" in self._names:
            number += 1
        self._names.add(f"{stem}_{number}")
        return f"{stem}_{number}{extension}"

    def numbered(self, stem: str, extension: str) -> str:
        """Return a name as Payload tells files of one name apart: by ``-1``, ``-2``."""
        name, number = stem, 0
        while name in self._names:
            number += 1
            name = f"{stem}-{number}"
        self._names.add(name)
        return f"{name}{extension}"

    def keep(self, media: MediaFile) -> MediaFile:
        """Take a file in. Files stay for ever, as on the real server."""
        self.media[media.id] = media
        self.files[media.name] = media.id
        self.files[media.name.rpartition(".")[0]] = media.id
        return media

    def later(self, due: float, effect: Callable[[], object]) -> None:
        """Have something happen at a time of the simulator's clock."""
        self._unfinished.append((due, effect))

    def catch_up(self, now: float) -> None:
        """Do everything whose time has come, in order."""
        over = sorted((each for each in self._unfinished if each[0] <= now), key=lambda it: it[0])
        self._unfinished = [each for each in self._unfinished if each[0] > now]
        for _, effect in over:
            effect()
