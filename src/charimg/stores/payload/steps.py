"""What the stores do, as generators: each yields requests and is sent their answers.

So the sync and the async stores do the same, and neither hides an event loop or a thread.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from attrs import evolve, field, frozen

from ..._http.cms import CmsAnswer, CmsRequest
from ..._library.urls import resolve
from ...errors import (
    ConfigurationError,
    ImageNotFound,
    InvalidArgument,
    StorageConflict,
    StorageError,
)
from ...models import CharacterImage, CharacterReference, ImagePage, Media, Upload
from .._pages import check_limit, decode_cursor, encode_cursor
from . import wire
from .answers import (
    LOST,
    Document,
    created_in,
    documents_in,
    missing,
    nonsense,
    object_of,
    older,
    origin,
    refused,
)
from .options import PayloadOptions
from .wire import Id

__all__ = ["Site", "Steps"]

T = TypeVar("T")
Steps = Generator[CmsRequest, CmsAnswer, T]

_PAGE = 500


@frozen(kw_only=True)
class Site:
    """One Payload CMS, and what has been learnt of it.

    Attributes:
        base_url: Without a trailing slash.
        options: Collections and fields.
        authorization: The header's value; empty without credentials.
        kinds: What the ids of each collection are, once a document of it was seen.
        keyed: Whether the records have the field for charimg's key, once it was asked.
    """

    base_url: str
    options: PayloadOptions
    authorization: str = field(default="", repr=False)
    kinds: dict[str, wire.IdKind] = field(factory=dict, eq=False)
    keyed: dict[str, bool] = field(factory=dict, eq=False)

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers of a request; credentials go to the CMS alone, never to a CDN."""
        headers = {"Accept": "application/json, */*"}
        if self.authorization and origin(url) == origin(self.base_url):
            headers["Authorization"] = self.authorization
        return headers

    def url(self, *parts: str) -> str:
        """Return a URL of the REST API."""
        return "/".join(
            (self.base_url + self.options.api, *(quote(each, safe="") for each in parts))
        )

    # Documents of any collection

    def find(
        self, slug: str, where: Mapping[str, Any], *, what: str, **options: Any
    ) -> Steps[Document]:
        """Find documents; return Payload's page."""
        query = [*wire.flatten(where), *((name, str(value)) for name, value in options.items())]
        request = CmsRequest(method="POST", url=self.url(slug), what=what, query=tuple(query))
        page = object_of((yield request), what)
        for document in documents_in(page, what):
            self.learn(slug, document)
        return page

    def get(self, slug: str, identity: str, *, what: str, depth: int = 0) -> Steps[Document | None]:
        """Return one document, or ``None``."""
        known = yield from self.known(slug, identity)
        if known is None:
            return None
        request = CmsRequest(
            method="GET", url=f"{self.url(slug, str(known))}?depth={depth}", what=what
        )
        answer = yield request
        return None if answer.status == 404 else object_of(answer, what)

    def delete(self, slug: str, identity: str, *, what: str) -> Steps[bool]:
        """Delete one document; tell whether it was there."""
        known = yield from self.known(slug, identity)
        if known is None:
            return False
        answer = yield CmsRequest(method="DELETE", url=self.url(slug, str(known)), what=what)
        if answer.status == 404:
            return False
        object_of(answer, what)
        return True

    def known(self, slug: str, identity: str) -> Steps[Id | None]:
        """Return an id as the JSON type that this collection gives, or ``None`` if it has none."""
        if slug not in self.kinds:
            yield from self.find(slug, {}, what=f"look at {slug!r}", limit=1, depth=0)
        kind = self.kinds.get(slug)
        return None if kind is None else wire.parse_id(kind, identity)

    def learn(self, slug: str, document: Document) -> None:
        """Remember what the ids of a collection are."""
        identity = wire.relation_id(document)
        if identity is not None:
            self.kinds[slug] = wire.kind_of(identity)

    def check(self) -> Steps[None]:
        """Check that the credentials are accepted: a public collection answers without any.

        Raises:
            StorageError: They are not.
        """
        what = "sign in to Payload"
        answer = yield CmsRequest(method="GET", url=self.url(self.options.users, "me"), what=what)
        if not isinstance(object_of(answer, what).get("user"), Mapping):
            raise StorageError(
                "Payload does not accept the API key or token. Check it, and the slug of the "
                f"collection that it belongs to ({self.options.users!r}; case counts)."
            )

    # Media

    def media_of(self, key: str) -> Steps[tuple[Document, ...]]:
        """Return the media documents of a key, the first one first."""
        page = yield from self.find(
            self.options.media,
            {"filename": {"in": ",".join(wire.candidates(key))}},
            what=f"look for media {key!r}",
            sort="createdAt,id",
            limit=_PAGE,
            depth=0,
        )
        return tuple(documents_in(page, f"look for media {key!r}"))

    def save_media(self, upload: Upload) -> Steps[Media]:
        """See `MediaStore.save`."""
        first = yield from self.get_media(upload.key)
        if first is not None:
            return first
        # Payload may have died between the document and its file.
        yield from self.delete_media(upload.key)
        what = f"save media {upload.key!r}"
        # A name that no other upload has: at once, they would overwrite each other's bytes.
        upload = evolve(upload, filename=wire.stored_name(upload))
        fields = {} if self.options.alt is None else {self.options.alt: upload.alt}
        answer = yield CmsRequest(
            method="POST",
            url=self.url(self.options.media) + "?depth=0",
            what=what,
            body=json.dumps(fields),
            upload=upload,
        )
        document = created_in(answer, what)
        self.learn(self.options.media, document)
        media = yield from self._digested(document, upload.key)
        if media is None:
            raise StorageError(f"Could not {what}: Payload does not give the file back.")
        return media

    def get_media(self, key: str) -> Steps[Media | None]:
        """See `MediaStore.get`. A document whose file is lost counts as absent."""
        wire.check_key(key)
        for document in (yield from self.media_of(key)):
            media = yield from self._digested(document, key)
            if media is not None:
                return media
        return None

    def _digested(self, document: Document, key: str) -> Steps[Media | None]:
        media = wire.read_media(document, self.options, self.base_url, key=key)
        request = self.file_of(document, key, digest=True)
        answer = yield request
        if answer.status in LOST:
            return None
        if answer.status != 200:
            raise refused(answer, request.what)
        return evolve(media, sha256=answer.sha256, size=answer.size, url=None, thumbnail_url=None)

    def file_of(self, document: Document, key: str, *, digest: bool = False) -> CmsRequest:
        """Return the request for a file: where Payload says it is, which may be a CDN."""
        url = document.get("url")
        name = str(document.get("filename"))
        if not isinstance(url, str) or not url:
            url = wire.file_url(name, self.options, self.base_url)
        return CmsRequest(
            method="GET",
            url=resolve(self.base_url, url),
            what=f"read the file of media {key!r}",
            digest=digest,
        )

    def open_media(self, key: str) -> Steps[CmsRequest]:
        """Return the request for the file of a key.

        Raises:
            MediaNotFound: There is none.
        """
        wire.check_key(key)
        for document in (yield from self.media_of(key)):
            return self.file_of(document, key)
        raise missing(key)

    def delete_media(self, key: str) -> Steps[bool]:
        """See `MediaStore.delete`.

        Raises:
            StorageConflict: A record still names it. Payload would delete the file and then fail.
        """
        wire.check_key(key)
        found = False
        for document in (yield from self.media_of(key)):
            identity = wire.relation_id(document)
            what = f"delete media {key!r}"
            named = yield from self._named_by(identity)
            if named is not None:
                raise StorageConflict(
                    f"Could not {what}: the record {named!r} names it. Delete the record first."
                )
            found = (yield from self.delete(self.options.media, str(identity), what=what)) or found
        return found

    def _named_by(self, media: Id | None) -> Steps[Id | None]:
        path = str(self.options.called("media"))
        page = yield from self.find(
            self.options.metadata,
            {path: {"equals": media}},
            what=f"look for records of media {str(media)!r}",
            limit=1,
            depth=0,
        )
        for document in documents_in(page, "look for records"):
            return wire.relation_id(document)
        return None

    # Records

    def add_image(self, image: CharacterImage) -> Steps[CharacterImage]:
        """See `MetadataRepository.add`."""
        first = yield from self._image_of(image)
        if first is not None:
            return first
        what = f"add the record {image.key!r}"
        document = yield from self._document(image, what)
        answer = yield CmsRequest(
            method="POST",
            url=self.url(self.options.metadata) + "?depth=1",
            what=what,
            body=json.dumps(document),
        )
        if answer.status == 400:
            # Someone else may have added the key meanwhile, if the database refuses a second one.
            first = yield from self._image_of(image)
            if first is not None:
                return first
        created = created_in(answer, what)
        self.learn(self.options.metadata, created)
        return wire.read_image(created, self.options, self.base_url)

    def _image_of(self, image: CharacterImage) -> Steps[CharacterImage | None]:
        """Return the record of the image's key: by the key's own field, or by its media."""
        key, slug = self.options.key, self.options.metadata
        what = f"look for the record {image.key!r}"
        if key is not None and self.keyed.get(key, True):
            where: dict[str, Any] = {key: {"equals": image.key}}
            request = self._finding(where, what)
            answer = yield request
            if answer.status == 400:
                # The path cannot be queried: the host's collection has no such field.
                self.keyed[key] = False
            else:
                self.keyed[key] = True
                for document in documents_in(object_of(answer, what), what):
                    self.learn(slug, document)
                    return wire.read_image(document, self.options, self.base_url)
        path = str(self.options.called("media"))
        if image.media is None:
            return None
        media = yield from self.known(self.options.media, image.media.id)
        if media is None:
            return None
        answer = yield self._finding({path: {"equals": media}}, what)
        for document in documents_in(object_of(answer, what), what):
            found = wire.read_image(document, self.options, self.base_url)
            if found.key == image.key:
                return found
        return None

    def _finding(self, where: dict[str, Any], what: str) -> CmsRequest:
        query = (*wire.flatten(where), ("sort", "createdAt,id"), ("limit", "100"), ("depth", "1"))
        return CmsRequest(
            method="POST", url=self.url(self.options.metadata), what=what, query=query
        )

    def _document(self, image: CharacterImage, what: str) -> Steps[dict[str, Any]]:
        slug = self.options.characters
        character: Id | None = image.character_id
        if slug is not None:
            character = yield from self.known(slug, image.character_id)
        if character is None:
            raise StorageError(
                f"Could not {what}: Payload has no character {image.character_id[:100]!r} in "
                f"{slug!r}."
            )
        media: Id | None = None
        if image.media is not None:
            media = yield from self.known(self.options.media, image.media.id)
        if media is None and (image.media is not None or self.options.requires_media):
            raise StorageError(
                f"Could not {what}: its media is not in the collection {self.options.media!r}. "
                "Records in Payload need media in Payload."
            )
        return wire.write_image(image, self.options, character=character, media=media)

    def get_image(self, image_id: str) -> Steps[CharacterImage | None]:
        """See `MetadataRepository.get`."""
        what = f"read the record {image_id[:100]!r}"
        document = yield from self.get(self.options.metadata, image_id, what=what, depth=1)
        return None if document is None else wire.read_image(document, self.options, self.base_url)

    def delete_image(self, image_id: str) -> Steps[bool]:
        """See `MetadataRepository.delete`."""
        what = f"delete the record {image_id[:100]!r}"
        return (yield from self.delete(self.options.metadata, image_id, what=what))

    def update_image(self, image: CharacterImage) -> Steps[CharacterImage]:
        """See `MetadataRepository.update`."""
        first = yield from self.get_image(image.id)
        if first is None:
            raise ImageNotFound(f"There is no record {image.id[:100]!r} to update.")
        what = f"update the record {image.id!r}"
        kept = evolve(image, key=first.key, created_at=first.created_at)
        document = yield from self._document(kept, what)
        answer = yield CmsRequest(
            method="PATCH",
            url=self.url(self.options.metadata, image.id) + "?depth=1",
            what=what,
            body=json.dumps(document),
        )
        if answer.status == 404:
            raise ImageNotFound(f"There is no record {image.id!r} to update.")
        return wire.read_image(created_in(answer, what), self.options, self.base_url)

    def list_images(
        self,
        character_id: str,
        kind: str | None,
        status: str | None,
        limit: int,
        cursor: str | None,
    ) -> Steps[ImagePage]:
        """See `MetadataRepository.list`."""
        check_limit(limit)
        before = None
        if cursor is not None:
            before = yield from self._before(cursor)
        where = yield from self._listed(character_id, kind, status)
        if where is None:
            return ImagePage(images=(), next_cursor=None, total=0)
        slug, what = self.options.metadata, "list the character's records"
        clause = {"and": where if before is None else [*where, before]}
        # The first page counts along. One more than asked for tells whether there is a next page.
        page = yield from self.find(
            slug, clause, what=what, sort="-createdAt,-id", limit=limit + 1, depth=1
        )
        documents = documents_in(page, what)
        total = page.get("totalDocs")
        if before is not None:
            query = tuple(wire.flatten({"and": where}))
            request = CmsRequest(method="POST", url=self.url(slug, "count"), what=what, query=query)
            total = object_of((yield request), what).get("totalDocs")
        if type(total) is not int:
            raise nonsense(what)
        images = tuple(
            wire.read_image(each, self.options, self.base_url) for each in documents[:limit]
        )
        following = None
        if len(documents) > limit:
            last = documents[limit - 1]
            following = encode_cursor(last["createdAt"], str(wire.relation_id(last)))
        return ImagePage(images=images, next_cursor=following, total=total)

    def _before(self, cursor: str) -> Steps[dict[str, Any]]:
        created, text = decode_cursor(cursor, str, str)
        identity = yield from self.known(self.options.metadata, str(text))
        try:
            moment = datetime.fromisoformat(str(created)).astimezone(UTC)
        except ValueError:
            moment = None
        if moment is None or identity is None:
            raise InvalidArgument(
                "The cursor is none of this listing's. Pass next_cursor of the page before "
                "unchanged, or none for the first page."
            )
        return older(created, identity)

    def _listed(
        self, character_id: str, kind: str | None, status: str | None
    ) -> Steps[list[dict[str, Any]] | None]:
        """Return the clause of a listing, or ``None`` if nothing can match."""
        options = self.options
        character: Id | None = character_id
        if options.characters is not None:
            character = yield from self.known(options.characters, character_id)
        if character is None:
            return None
        where: list[dict[str, Any]] = [
            {str(options.called("characterReference")): {"equals": character}}
        ]
        for name, value, values in (
            ("kind", kind, options.kinds),
            ("status", status, options.statuses),
        ):
            if value is not None:
                if values is not None and value not in values:
                    return None  # PostgreSQL answers a value that its enum lacks with a 500.
                where.append({str(options.called(name)): {"equals": value}})
        return where

    def character_ids(self) -> Steps[tuple[str, ...]]:
        """See `ListableMetadataRepository.character_ids`."""
        path = str(self.options.called("characterReference"))
        found: set[str] = set()
        for document in (yield from self._all(self.options.metadata, path)):
            identity = wire.relation_id(wire.at(document, path))
            if identity is not None:
                found.add(str(identity))
        return tuple(sorted(found))

    def _all(self, slug: str, *select: str) -> Steps[list[Document]]:
        """Return every document of a collection, in keyset pages."""
        documents: list[Document] = []
        where: dict[str, Any] = {}
        what = f"list {slug!r}"
        chosen = {f"select[{name}]": "true" for name in (*select, "createdAt") if select}
        while True:
            page = yield from self.find(
                slug, where, what=what, sort="-createdAt,-id", limit=_PAGE, depth=0, **chosen
            )
            found = documents_in(page, what)
            documents += found
            if len(found) < _PAGE:
                return documents
            last = found[-1]
            where = older(last["createdAt"], wire.relation_id(last))

    # Characters

    def get_character(self, character_id: str) -> Steps[CharacterReference | None]:
        """See `CharacterDirectory.get`."""
        what = f"read the character {character_id[:100]!r}"
        document = yield from self.get(self._characters, character_id, what=what)
        return None if document is None else wire.read_character(document, self.options)

    def all_characters(self) -> Steps[tuple[CharacterReference, ...]]:
        """See `ListableCharacterDirectory.list_all`."""
        documents = yield from self._all(self._characters)
        found = (wire.read_character(each, self.options) for each in documents)
        return tuple(sorted(found, key=lambda character: character.id))

    @property
    def _characters(self) -> str:
        if self.options.characters is None:
            raise ConfigurationError("The Payload options name no collection of characters.")
        return self.options.characters
