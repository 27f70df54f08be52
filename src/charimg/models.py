"""Frozen values of the host's side: characters, images, media, pages, results.

Field names are snake_case; the JSON form that routes, command line and records share is camelCase.
Times are timezone-aware UTC, durations are milliseconds, sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, Any

from attrs import Factory, evolve, field, frozen

__all__ = [
    "PROVIDER",
    "CharacterImage",
    "CharacterReference",
    "DeleteResult",
    "GenerationResult",
    "ImageKind",
    "ImageMetrics",
    "ImagePage",
    "ImageStatus",
    "Media",
    "PortfolioResult",
    "PromptSuggestion",
    "Provenance",
    "ReferencePolicy",
    "SceneDetails",
    "SceneType",
    "Shot",
    "Upload",
    "OperationWarning",
    "utcnow",
]

PROVIDER = "character-library"
"""The default ``provider`` of a record: the image was drawn by the Character Library."""


def utcnow() -> datetime:
    """Return the present in UTC, cut to milliseconds (the precision that every backend keeps)."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class ImageKind(StrEnum):
    """What an image is. Open: a repository may hold newer kinds, which are kept as they are."""

    REFERENCE = "reference"
    PORTFOLIO_ITEM = "portfolioItem"
    SCENE = "scene"


class ImageStatus(StrEnum):
    """Whether the image is here. Open, like `ImageKind`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


class SceneType(StrEnum):
    """The scene types that the Character Library accepts.

    An unlisted one is drawn, paid for and then answered with a 500, so charimg refuses it first.
    """

    DIALOGUE = "dialogue"
    ACTION = "action"
    EMOTIONAL = "emotional"
    ESTABLISHING = "establishing"


class ReferencePolicy(StrEnum):
    """What happens to a character's earlier local images when a new reference is generated.

    The remote reference is deleted before the new one in every case: the Character Library refuses
    a second one.
    """

    DELETE_ALL = "delete-all"
    """Every local image of the character goes before the new reference is requested (default)."""
    DELETE_AFTER_SUCCESS = "delete-after-success"
    """Every earlier local image goes once the new reference is stored."""
    KEEP_HISTORY = "keep-history"
    """Nothing local goes; earlier references can be made current again."""


@frozen(kw_only=True)
class CharacterReference:
    """A character of the host's CMS, as far as charimg needs it.

    Attributes:
        id: The host's own id.
        name: The character's name.
        library_db_id: The 24-hex MongoDB ObjectId of the character on the Character Library. It
            stands in every URL path.
        library_character_id: The Character Library's readable slug. Never usable in a path.
        traits: The character's own data (age, hair, wardrobe, BAML-generated fields, …), from which
            prompts are suggested. Nested mappings and lists are allowed.
    """

    id: str
    name: str
    library_db_id: str | None = None
    library_character_id: str | None = None
    traits: Mapping[str, Any] = field(factory=dict, hash=False)


@frozen(kw_only=True)
class Shot:
    """The camera of one portfolio image, from the gallery's ``referenceShot`` (contract page).

    Attributes:
        name: The shot's name, e.g. ``50mm 25° RIGHT MCU (Enhanced)``.
        slug: The shot's slug, when the server gives one.
        lens_mm: Focal length in millimetres.
        crop: ``cu``, ``mcu``, ``3q``, ``full``, ``hands``, …
        expression: ``neutral``, ``thoughtful``, …
        camera_azimuth_deg: -180 to 180; positive is the character's right.
        camera_elevation_deg: Positive looks down on the character.
        camera_distance_m: Distance to the character in metres.
        sort_order: The server's own order; not unique.
    """

    name: str
    slug: str | None = None
    lens_mm: float | None = None
    crop: str | None = None
    expression: str | None = None
    camera_azimuth_deg: float | None = None
    camera_elevation_deg: float | None = None
    camera_distance_m: float | None = None
    sort_order: int | None = None


@frozen(kw_only=True)
class SceneDetails:
    """What a scene was asked for with, beside its text.

    Attributes:
        type: A `SceneType`, or a newer string.
        mood: For example ``tense``.
        lighting: For example ``low key``.
    """

    type: str | None = None
    mood: str | None = field(default=None, repr=False)
    lighting: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Provenance:
    """What a stored file says of where it comes from, as found: nobody has proved it.

    Attributes:
        digital_source_type: The IPTC term, whole, such as
            ``http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia``: that of its
            XMP, else that of its content credentials.
        tool: The program that the XMP names (``xmp:CreatorTool``).
        credentials: Whether there are content credentials (C2PA).
        generator: Whose parameters there are: ``a1111`` or ``comfyui``.
        marked: What charimg has added: ``label`` or ``sign``.
    """

    digital_source_type: str | None = None
    tool: str | None = None
    credentials: bool = False
    generator: str | None = None
    marked: str | None = None


@frozen(kw_only=True)
class ImageMetrics:
    """How an image came in. Every field may be absent.

    Attributes:
        generation_ms: From the POST to the answer (for a portfolio, to the end of the job).
            ``None`` where what was drawn was found later.
        download_ms: Fetching the bytes.
        inspection_ms: Sniffing and checking the bytes.
        storing_ms: ``MediaStore.save``.
        bytes: Size of the file.
        sha256: Lower-case hex digest of the file.
        source_sha256: That of what the server sent. Another one where the file was changed.
        cleaned: What was left out of that, because it was no part of the image, such as
            ``trailer (2,340 bytes)``. The pixels are the same.
        provenance: What the file says of where it comes from.
        width: Pixels.
        height: Pixels.
        shot: Lens and camera of a portfolio image.
        scene: Type, mood and lighting of a scene.
        prompt_origin: ``"reference"`` where the image's ``prompt`` is that of the reference from
            which its set was drawn: the Character Library does not tell the shot's own (contract
            page, second part). ``None`` where it is the prompt of the image itself.
        master_since: When this reference became the remote master. The current reference of a
            character is the one with the latest.
    """

    generation_ms: float | None = None
    download_ms: float | None = None
    inspection_ms: float | None = None
    storing_ms: float | None = None
    bytes: int | None = None
    sha256: str | None = None
    source_sha256: str | None = None
    cleaned: tuple[str, ...] = ()
    provenance: Provenance | None = None
    width: int | None = None
    height: int | None = None
    shot: Shot | None = None
    scene: SceneDetails | None = None
    prompt_origin: str | None = None
    master_since: datetime | None = None


@frozen(kw_only=True)
class Media:
    """One stored file.

    Attributes:
        id: The media store's own id.
        key: charimg's key of the file, unique per image of an operation; every port call uses it.
        filename: The stored file's name, made by charimg, never by a server.
        mime_type: From the bytes.
        size: Bytes.
        width: Pixels.
        height: Pixels.
        sha256: Lower-case hex digest of the bytes as stored.
        alt: Alternative text.
        url: Where a browser gets the file. Derived when read (``MediaStore.locate``), never stored.
        thumbnail_url: The same for a smaller rendition, when there is one.
    """

    id: str
    key: str
    filename: str
    mime_type: str
    size: int
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    alt: str = ""
    url: str | None = None
    thumbnail_url: str | None = None


@frozen(kw_only=True)
class Upload:
    """A checked file on its way into a media store.

    Attributes:
        key: Unique; saving the same key again returns the first media.
        file: A seekable binary file at position 0. The caller owns and closes it.
        filename: A unique, safe name such as ``reference-<key>.png``.
        mime_type: From the bytes.
        size: Bytes in ``file``.
        sha256: Lower-case hex digest of ``file``.
        width: Pixels.
        height: Pixels.
        alt: Alternative text.
        thumbnail: A smaller WebP, upright and in sRGB, for a store that has asked for one by its
            ``thumbnail_px``; empty if none could be drawn; ``None`` if nobody has tried.
    """

    key: str
    file: IO[bytes] = field(eq=False, repr=False)
    filename: str
    mime_type: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None
    alt: str = ""
    thumbnail: bytes | None = field(default=None, repr=False)


@frozen(kw_only=True)
class CharacterImage:
    """The metadata record of one image.

    Attributes:
        id: The repository's id; until one assigned its own, the key.
        key: charimg's key, unique per image of an operation.
        character_id: The host's id of the character (``characterReference`` in JSON).
        kind: An `ImageKind`, or a newer string.
        status: An `ImageStatus`, or a newer string.
        media: The stored file; ``None`` for a failed image.
        provider: Who drew it.
        prompt: The exact prompt used. For a scene the scene context; for a portfolio shot the
            server's own prompt if it told one, else the prompt of the reference it was drawn from.
        source_url: Where the Character Library served it, without user info, query and fragment:
            the signature that may open it is kept in the ledger alone.
        external_id: The Character Library's media id.
        error: Why it failed, in plain text.
        metrics: Durations, size, hash, camera.
        created_by: The host's user, when given.
        created_at: When charimg first wrote the record.
        updated_at: When it last changed.
    """

    key: str
    character_id: str
    kind: str
    status: str
    id: str = Factory(lambda self: self.key, takes_self=True)
    media: Media | None = None
    provider: str = PROVIDER
    prompt: str = field(default="", repr=False)
    source_url: str | None = field(default=None, repr=False)
    external_id: str | None = None
    error: str | None = None
    metrics: ImageMetrics = ImageMetrics()
    created_by: str | None = None
    created_at: datetime = field(factory=utcnow)
    updated_at: datetime = Factory(lambda self: self.created_at, takes_self=True)

    def with_media(self, media: Media | None) -> CharacterImage:
        """Return the same record with its media replaced (used to fill in URLs when read)."""
        return evolve(self, media=media)


@frozen(kw_only=True)
class ImagePage:
    """One page of a listing, newest first.

    Attributes:
        images: The records, media joined in.
        next_cursor: Give it to the next call; ``None`` on the last page. Opaque.
        total: How many records match the filters in all.
    """

    images: tuple[CharacterImage, ...]
    next_cursor: str | None
    total: int


@frozen(kw_only=True)
class PromptSuggestion:
    """A suggested prompt.

    Attributes:
        prompt: The text, ready to be posted unmodified.
        template: Name and version of the template, e.g. ``photoreal-master/1``.
        facts: The facts of the character that were used, by name.
        reason: Why the built-in template stands in for the prompt of a model; ``None`` if it does
            not.
        unsupported: What a refused prompt of a model held that no data stands behind: proper
            nouns, numbers and colours.
    """

    prompt: str = field(repr=False)
    template: str
    facts: Mapping[str, str] = field(repr=False, hash=False)
    reason: str | None = None
    unsupported: tuple[str, ...] = field(default=(), repr=False)


@frozen(kw_only=True)
class OperationWarning:
    """Something went wrong without stopping the operation.

    Attributes:
        code: An `ErrorCode` or a newer string.
        message: What happened and what it means.
    """

    code: str
    message: str


@frozen(kw_only=True)
class GenerationResult:
    """What `generate_reference`, `generate_scene` and `retry_ingestion` return.

    Attributes:
        operation_id: The operation in the ledger.
        image: The stored image.
        prompt: The exact prompt that was posted.
        removed: How many earlier local images went.
        retried: Whether the server said "already has a master reference image" and the POST was
            repeated after one more DELETE.
        warnings: For example a remote DELETE that failed.
        duration_ms: From start to end.
    """

    operation_id: str
    image: CharacterImage
    prompt: str = field(repr=False)
    removed: int = 0
    retried: bool = False
    warnings: tuple[OperationWarning, ...] = ()
    duration_ms: float = 0.0


@frozen(kw_only=True)
class PortfolioResult:
    """What `generate_portfolio` returns.

    Attributes:
        operation_id: The operation in the ledger.
        images: The stored shots, in the server's order.
        failures: The shots that failed, as ``failed`` records. Those with a ``source_url`` can be
            retried with `retry_ingestion`.
        job_id: The remote job; ``None`` when the server answered with the images at once.
        reference_id: The local reference that the portfolio was drawn from, when known.
        warnings: What went wrong without stopping the operation.
        duration_ms: From start to end.
    """

    operation_id: str
    images: tuple[CharacterImage, ...]
    failures: tuple[CharacterImage, ...] = ()
    job_id: str | None = None
    reference_id: str | None = None
    warnings: tuple[OperationWarning, ...] = ()
    duration_ms: float = 0.0


@frozen(kw_only=True)
class DeleteResult:
    """What `delete_image` and `delete_all_images` return.

    Attributes:
        operation_id: The operation in the ledger.
        removed: How many records went, with their media.
        remote_deleted: Whether the remote reference was deleted: ``None`` when that was not due.
        warnings: For example a remote DELETE that failed.
        duration_ms: From start to end.
    """

    operation_id: str
    removed: int
    remote_deleted: bool | None = None
    warnings: tuple[OperationWarning, ...] = ()
    duration_ms: float = 0.0
