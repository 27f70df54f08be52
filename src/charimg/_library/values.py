"""Frozen values of the Character Library's side, as its client returns them.

URLs are absolute (resolved against the base URL), times are timezone-aware UTC. Statuses and
categories are open strings: a newer server may send ones that are not listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from ..models import Shot

__all__ = [
    "CharacterPage",
    "Gallery",
    "GalleryImage",
    "Health",
    "InitialImage",
    "Job",
    "JobCancellation",
    "JobPage",
    "LibraryCharacter",
    "LibraryMedia",
    "LibraryMediaPage",
    "PortfolioAnswer",
    "PortfolioFailure",
    "PortfolioImage",
    "ReferenceDeletion",
    "ReferenceState",
    "SceneImage",
]


_UNWELL = frozenset({"down", "error", "fail", "failed", "failing", "unhealthy"})


@frozen(kw_only=True)
class Health:
    """What ``GET /api/health`` says.

    Attributes:
        status: ``ok`` when the server is well.
        service: The server's name.
        version: The server's version.
        environment: ``production``, …
        uptime: Seconds since the server started.
        timestamp: The server's clock.
    """

    status: str
    service: str | None = None
    version: str | None = None
    environment: str | None = None
    uptime: float | None = None
    timestamp: datetime | None = None

    @property
    def well(self) -> bool:
        """Whether the server does not say of itself that it is not."""
        return self.status.casefold() not in _UNWELL


@frozen(kw_only=True)
class LibraryCharacter:
    """A character document of the Character Library.

    Attributes:
        id: The 24-hex MongoDB ObjectId; hosts keep it as ``library_db_id``. It stands in paths.
        name: The character's name. Not unique.
        character_id: The readable, unique slug; hosts keep it as ``library_character_id``.
        status: ``draft``, ``in_development``, …
        master_reference_id: The media id of the master reference image, when there is one.
        created_at: When the document was created.
        updated_at: When it last changed.
        fields: The whole document as the server sent it.
    """

    id: str
    name: str
    character_id: str | None = None
    status: str | None = None
    master_reference_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    fields: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)


@frozen(kw_only=True)
class CharacterPage:
    """One page of characters, newest first.

    Attributes:
        characters: The characters of this page.
        total: How many match in all.
        page: The number of this page, from 1.
        pages: How many pages there are.
        has_next: Whether a further page follows.
    """

    characters: tuple[LibraryCharacter, ...]
    total: int
    page: int
    pages: int
    has_next: bool


@frozen(kw_only=True)
class InitialImage:
    """A generated master reference image. At least one of ``url`` and ``media_id`` is there.

    Attributes:
        url: Where the file is served: ``publicUrl``, else ``imageUrl``, else ``url``.
        media_id: The media document (``imageId``).
        character_name: The character's name, as the server knows it.
        quality_score: 0 to 100, when the server scored it.
        validation_notes: The server's remarks, when there are any.
    """

    url: str | None = field(default=None, repr=False)
    media_id: str | None = None
    character_name: str | None = None
    quality_score: float | None = None
    validation_notes: str | None = None


@frozen(kw_only=True)
class ReferenceState:
    """The master reference image of a character, or its absence.

    Attributes:
        media_id: The media document.
        url: Where the file is served.
    """

    media_id: str | None = None
    url: str | None = field(default=None, repr=False)

    @property
    def exists(self) -> bool:
        """Whether the character has a master reference image."""
        return self.media_id is not None or self.url is not None


@frozen(kw_only=True)
class ReferenceDeletion:
    """What deleting the master reference reset. The server says the same when there was none.

    Attributes:
        message: The server's own words.
        reset_fields: The document's fields that were cleared: the gallery and core set too.
    """

    message: str | None = None
    reset_fields: tuple[str, ...] = ()


@frozen(kw_only=True)
class PortfolioImage:
    """One image of a 360° set.

    Attributes:
        angle: The shot's name (contract page), e.g. ``50mm BACK 3Q (Enhanced)``.
        url: Built from the media id by the server and often dead: prefer the gallery's.
        media_id: The media document; equals ``GalleryImage.image_id``. An older server gives none.
        quality: 0 to 100.
    """

    angle: str | None = None
    url: str | None = field(default=None, repr=False)
    media_id: str | None = None
    quality: float | None = None


@frozen(kw_only=True)
class PortfolioFailure:
    """One shot of a 360° set that the server could not draw.

    Attributes:
        angle: The shot's name.
        error: The server's own words. Not fit for logs: they may quote a prompt.
        attempts: How often the server tried.
    """

    angle: str | None = None
    error: str | None = field(default=None, repr=False)
    attempts: int | None = None


@frozen(kw_only=True)
class PortfolioAnswer:
    """The answer to a 360° request, in either generation of the server.

    Attributes:
        job_id: The job to wait for; ``None`` when an older server answered with the images.
        images: The images, from an older server.
        failures: The failed shots, from an older server.
        message: The server's own words.
    """

    job_id: str | None = None
    images: tuple[PortfolioImage, ...] = ()
    failures: tuple[PortfolioFailure, ...] = ()
    message: str | None = None


@frozen(kw_only=True)
class Job:
    """A 360° job as one poll, or one row of the jobs list, shows it.

    Attributes:
        job_id: The job.
        status: ``pending``, ``processing``, ``completed``, ``failed``, ``cancelled``, or newer.
        current: Shots worked on so far.
        total: Shots in all; 0 when unknown.
        percentage: 0 to 100. Says 100 for a partial failure too: read ``failures``.
        task: What the server says it is doing.
        started_at: When the server says it started; it changes while the job runs.
        completed_at: When it ended.
        created_at: When it was accepted (only in the jobs list).
        character_id: The character's ObjectId (only in the jobs list).
        job_type: ``360-set`` (only in the jobs list).
        error: Why it failed.
        message: The server's own words.
        images: The images of a completed job (only from a poll).
        failures: The shots that failed in a completed job (only from a poll).
    """

    job_id: str
    status: str
    current: int = 0
    total: int = 0
    percentage: float = 0.0
    task: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    character_id: str | None = None
    job_type: str | None = None
    error: str | None = None
    message: str | None = None
    images: tuple[PortfolioImage, ...] = ()
    failures: tuple[PortfolioFailure, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the job is ``completed`` or ``failed``.

        ``cancelled`` is not an end: cancelling is cosmetic, and the job usually goes on.
        """
        return self.status in ("completed", "failed")


@frozen(kw_only=True)
class JobPage:
    """One page of jobs, newest first.

    Attributes:
        jobs: The jobs of this page, without their images.
        total: How many match in all.
        page: The number of this page, from 1.
        pages: How many pages there are.
        has_next: Whether a further page follows.
    """

    jobs: tuple[Job, ...]
    total: int
    page: int
    pages: int
    has_next: bool


@frozen(kw_only=True)
class JobCancellation:
    """What the server says to a cancellation, which does not stop the job (contract page).

    Attributes:
        accepted: Whether the server says that it cancelled a running job.
        message: The server's own words.
    """

    accepted: bool
    message: str | None = None


@frozen(kw_only=True)
class SceneImage:
    """A generated scene image. At least one of ``url`` and ``media_id`` is there.

    Attributes:
        url: Where the file is served: ``publicUrl``, else ``imageUrl``, else ``url``.
        media_id: The media document.
        scene_id: The server's id of the scene.
        scene_type: The scene type that the server recorded.
        quality_score: 0 to 100.
    """

    url: str | None = field(default=None, repr=False)
    media_id: str | None = None
    scene_id: str | None = None
    scene_type: str | None = None
    quality_score: float | None = None


@frozen(kw_only=True)
class ReferenceShot:
    """A shot that the server draws sets from.

    Attributes:
        shot: Its name, lens and camera.
        angle: The server's coarse angle, e.g. ``3q_right``.
        pack: ``core`` for the shots of a 360° set.
        prompt_template: The prompt, with places such as ``{CHARACTER}``.
    """

    shot: Shot
    angle: str | None = None
    pack: str | None = None
    prompt_template: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class GalleryImage:
    """One image of the remote gallery.

    Attributes:
        image_id: The media document.
        url: Where the file is served; ``None`` when URLs were not asked for.
        category: ``master``, ``core``, ``scene``, ``ondemand`` or ``relationship``.
        angle: The server's coarse angle, e.g. ``3q_right``. Not the shot's name.
        lens: E.g. ``50mm``.
        prompt: The server's own prompt, where it tells one.
        quality_score: 0 to 100.
        consistency_score: 0 to 100.
        shot: Lens and camera of a core image, where the server tells them.
        tags: Of a scene ``scene,<type>,<mood>``.
    """

    image_id: str
    category: str
    url: str | None = field(default=None, repr=False)
    angle: str | None = None
    lens: str | None = None
    prompt: str | None = field(default=None, repr=False)
    quality_score: float | None = None
    consistency_score: float | None = None
    shot: Shot | None = None
    tags: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Gallery:
    """The images that the Character Library holds of one character.

    Attributes:
        character_id: The character's ObjectId.
        character_name: The character's name.
        total: How many images the server counts; filters change it.
        master: The master reference image.
        core: The 360° set, as the last job left it.
        scenes: The scene images.
        on_demand: Images asked for one by one.
        relationships: Images with other characters.
    """

    character_id: str
    character_name: str | None = None
    total: int = 0
    master: GalleryImage | None = None
    core: tuple[GalleryImage, ...] = ()
    scenes: tuple[GalleryImage, ...] = ()
    on_demand: tuple[GalleryImage, ...] = ()
    relationships: tuple[GalleryImage, ...] = ()


@frozen(kw_only=True)
class LibraryMedia:
    """A media document of the Character Library.

    Attributes:
        id: The media id.
        url: Where the file is served.
        filename: The server's name; its extension lies (contract page).
        mime_type: The server's claim; it lies too.
        size: Bytes, as the server says.
        width: Pixels, as the server says.
        height: Pixels, as the server says.
        created_at: When the document was made, by the server's clock.
        processing: Whether the features were read: ``processing``, ``validation_success``,
            ``error``, …
    """

    id: str
    url: str | None = field(default=None, repr=False)
    filename: str | None = None
    mime_type: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    created_at: datetime | None = None
    processing: str | None = None


@frozen(kw_only=True)
class LibraryMediaPage:
    """One page of media documents, newest first.

    Attributes:
        media: The documents of this page.
        total: How many match in all.
        page: The number of this page, from 1.
        pages: How many pages there are.
        has_next: Whether a further page follows.
    """

    media: tuple[LibraryMedia, ...]
    total: int
    page: int
    pages: int
    has_next: bool
