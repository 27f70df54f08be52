"""What a host calls its collections and fields, and how charimg proves who it is."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve, field, frozen

from ..._library.urls import check_base_url
from ...errors import ConfigurationError
from ...models import ImageKind, ImageStatus

__all__ = ["PayloadOptions"]

_SLUG = re.compile(r"[A-Za-z0-9_-]+")
_SCHEME = "payload+"


@frozen(kw_only=True)
class PayloadOptions:
    """Collections and fields of a Payload CMS; the defaults fit the shipped collections.

    A field is named by its path (``a.b`` for ``b`` in the group ``a``).

    Attributes:
        media: Slug of the upload collection.
        metadata: Slug of the collection of records.
        characters: Slug of the collection of characters; ``None`` if the records' character is
            plain text.
        users: Slug of the collection that the API key belongs to. Case counts.
        api: Where the REST API lies below the base URL.
        cdn: What the files are served under, when not by Payload itself.
        alt: The media's field for the alternative text; ``None`` if there is none.
        key: An optional text field of records, unique, for charimg's key. Used when the collection
            has it.
        requires_media: Whether the records' media is a required field.
        kinds: The values that the records' kind takes; ``None`` for any.
        statuses: The values that the records' status takes; ``None`` for any.
        fields: What a record's fields are called, for those that are called otherwise: the JSON
            name of `CharacterImage`'s field → the host's, or ``None`` for a field that the host
            does not have.
        name: Where a character's name is looked up; the first that is there counts.
        library_db_id: Where a character's ``library_db_id`` is looked up.
        library_character_id: Where its slug is looked up.
        traits: Where a character's data are looked up.
    """

    media: str = "media"
    metadata: str = "character-image-metadata"
    characters: str | None = "character-references"
    users: str = "users"
    api: str = "/api"
    cdn: str | None = None
    alt: str | None = "alt"
    key: str | None = "operationKey"
    requires_media: bool = True
    kinds: tuple[str, ...] | None = tuple(ImageKind)
    statuses: tuple[str, ...] | None = tuple(ImageStatus)
    fields: dict[str, str | None] = field(factory=dict, hash=False)
    name: tuple[str, ...] = ("projectCharacterName", "name")
    library_db_id: tuple[str, ...] = ("libraryDbId", "libraryIntegration.libraryDbId")
    library_character_id: tuple[str, ...] = (
        "libraryCharacterId",
        "libraryIntegration.libraryCharacterId",
    )
    traits: tuple[str, ...] = ("generationMetadata.bamlData",)

    def __attrs_post_init__(self) -> None:
        for slug in (self.media, self.metadata, self.users, self.characters):
            if slug is not None and not _SLUG.fullmatch(slug):
                raise ConfigurationError(f"{slug!r} is no slug of a Payload collection.")
        if None in (self.called("media"), self.called("characterReference")):
            raise ConfigurationError("A record needs fields for its media and its character.")
        if self.cdn is not None:
            check_base_url(self.cdn, source="cdn")

    def called(self, name: str) -> str | None:
        """Return what the host calls a record's field, or ``None`` if it has none such."""
        return self.fields.get(name, name)

    @classmethod
    def from_url(cls, url: str, options: PayloadOptions) -> tuple[str, PayloadOptions]:
        """Return the base URL and the options of ``payload+https://host?media=…&metadata=…``.

        Raises:
            ConfigurationError: It is no such URL. The message shows no part of it.
        """
        if not url.startswith(_SCHEME):
            raise ConfigurationError(
                "A Payload URL begins with payload+https:// (or payload+http:// on loopback)."
            )
        base, _, query = url[len(_SCHEME) :].partition("?")
        names = ("media", "metadata", "characters", "users", "api", "cdn")
        try:
            urlsplit(base)
            pairs: dict[str, Any] = dict(
                parse_qsl(query, strict_parsing=bool(query), max_num_fields=20)
            )
        except ValueError as error:
            raise ConfigurationError("The Payload URL is not valid.") from error
        if not set(pairs) <= set(names):
            raise ConfigurationError(
                f"A Payload URL takes {', '.join(names)} after the question mark, nothing else: "
                "give a key or token as an option."
            )
        return check_base_url(base, source="The Payload URL"), evolve(options, **pairs)
