"""The steps of a metadata repository."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from ..._http.cms import CmsAnswer, CmsRequest
from ...errors import ImageNotFound, InvalidArgument, StorageError
from ...models import CharacterImage, ImagePage
from .._pages import check_limit, decode_cursor, encode_cursor
from . import wire
from .answers import created_in, documents_in, nonsense, object_of, older, refused_fields
from .steps import Site, Steps
from .wire import Id

__all__ = ["add", "character_ids", "check", "delete", "get", "list_page", "update"]


def add(site: Site, image: CharacterImage) -> Steps[CharacterImage]:
    """See `MetadataRepository.add`."""
    first = yield from _first(site, image)
    if first is not None:
        return first
    what = f"add the record {image.key!r}"
    request = CmsRequest(
        method="POST",
        url=site.url(site.options.metadata) + "?depth=1",
        what=what,
        body=json.dumps((yield from _document(site, image, what))),
    )
    answer = yield request
    if answer.status in (400, 500):
        # Someone else may have added the key meanwhile, if the database refuses a second one.
        first = yield from _first(site, image)
        if first is not None:
            return first
    answer = yield from _without_creator(site, request, answer)
    created = created_in(answer, what)
    site.learn(site.options.metadata, created)
    return wire.read_image(created, site.options, site.base_url)


def check(site: Site, image: CharacterImage) -> Steps[None]:
    """See `CheckingMetadataRepository.check`."""
    slug = site.options.characters
    if slug is None:
        return
    what = f"look for the character {image.character_id[:100]!r}"
    if (yield from site.get(slug, image.character_id, what=what)) is None:
        raise _no_character(site, image, "keep a record")


def _no_character(site: Site, image: CharacterImage, what: str) -> StorageError:
    return StorageError(
        f"Could not {what}: Payload has no character {image.character_id[:100]!r} in "
        f"{site.options.characters!r}. Add it there, or name the collection that it is in."
    )


def _created_by(site: Site, image: CharacterImage) -> Steps[Id | None]:
    """Return who made the image as the field takes it: a user's id, where it is a relation."""
    path = site.options.called("createdBy")
    if image.created_by is None or path is None:
        return image.created_by
    if path not in site.relations:
        # Only a relation has something below it that can be asked for.
        request = _finding(site, {f"{path}.id": {"exists": "true"}}, "look at the records", "1")
        site.relations[path] = (yield request).status == 200
    if not site.relations[path]:
        return image.created_by
    return (yield from site.user(image.created_by))


def _without_creator(site: Site, request: CmsRequest, answer: CmsAnswer) -> Steps[CmsAnswer]:
    """Send a refused record again without who made it, if that may be what was refused.

    An image must not be lost for that. Payload answers a user that it does not know with a 500.
    """
    path = site.options.called("createdBy")
    document = json.loads(request.body or "{}")
    if path is None or wire.at(document, path) is None:
        return answer
    if answer.status == 500 or (answer.status == 400 and path in refused_fields(answer)):
        wire.put(document, path, None)
        answer = yield evolve(request, body=json.dumps(document))
    return answer


def _first(site: Site, image: CharacterImage) -> Steps[CharacterImage | None]:
    """Return the record of the image's key: by the key's own field, or by its media."""
    key, slug = site.options.key, site.options.metadata
    what = f"look for the record {image.key!r}"
    if key is not None and site.keyed.get(key, True):
        where: dict[str, Any] = {key: {"equals": image.key}}
        request = _finding(site, where, what)
        answer = yield request
        if answer.status == 400:
            # The path cannot be queried: the host's collection has no such field.
            site.keyed[key] = False
        else:
            site.keyed[key] = True
            for document in documents_in(object_of(answer, what), what):
                site.learn(slug, document)
                return wire.read_image(document, site.options, site.base_url)
    path = str(site.options.called("media"))
    if image.media is None:
        return None
    media = yield from site.known(site.options.media, image.media.id)
    if media is None:
        return None
    answer = yield _finding(site, {path: {"equals": media}}, what)
    for document in documents_in(object_of(answer, what), what):
        found = wire.read_image(document, site.options, site.base_url)
        if found.key == image.key:
            return found
    return None


def _finding(site: Site, where: dict[str, Any], what: str, limit: str = "0") -> CmsRequest:
    # No limit: the one that is looked for may be the last of many that share their media.
    query = (*wire.flatten(where), ("sort", "createdAt,id"), ("limit", limit), ("depth", "1"))
    return CmsRequest(method="POST", url=site.url(site.options.metadata), what=what, query=query)


def _document(site: Site, image: CharacterImage, what: str) -> Steps[dict[str, Any]]:
    slug = site.options.characters
    character: Id | None = image.character_id
    if slug is not None:
        character = yield from site.known(slug, image.character_id)
    if character is None:
        raise _no_character(site, image, what)
    media: Id | None = None
    if image.media is not None:
        media = yield from site.known(site.options.media, image.media.id)
    if media is None and (image.media is not None or site.options.requires_media):
        raise StorageError(
            f"Could not {what}: its media is not in the collection {site.options.media!r}. "
            "Records in Payload need media in Payload."
        )
    created_by = yield from _created_by(site, image)
    return wire.write_image(
        image, site.options, character=character, media=media, created_by=created_by
    )


def get(site: Site, image_id: str) -> Steps[CharacterImage | None]:
    """See `MetadataRepository.get`."""
    what = f"read the record {image_id[:100]!r}"
    document = yield from site.get(site.options.metadata, image_id, what=what, depth=1)
    return None if document is None else wire.read_image(document, site.options, site.base_url)


def delete(site: Site, image_id: str) -> Steps[bool]:
    """See `MetadataRepository.delete`."""
    what = f"delete the record {image_id[:100]!r}"
    return (yield from site.delete(site.options.metadata, image_id, what=what))


def update(site: Site, image: CharacterImage) -> Steps[CharacterImage]:
    """See `MetadataRepository.update`."""
    first = yield from get(site, image.id)
    if first is None:
        raise ImageNotFound(f"There is no record {image.id[:100]!r} to update.")
    what = f"update the record {image.id!r}"
    kept = evolve(image, key=first.key, created_at=first.created_at)
    request = CmsRequest(
        method="PATCH",
        url=site.url(site.options.metadata, image.id) + "?depth=1",
        what=what,
        body=json.dumps((yield from _document(site, kept, what))),
    )
    answer = yield from _without_creator(site, request, (yield request))
    if answer.status == 404:
        raise ImageNotFound(f"There is no record {image.id!r} to update.")
    return wire.read_image(created_in(answer, what), site.options, site.base_url)


def list_page(
    site: Site,
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
        before = yield from _before(site, cursor)
    where = yield from _listed(site, character_id, kind, status)
    if where is None:
        return ImagePage(images=(), next_cursor=None, total=0)
    slug, what = site.options.metadata, "list the character's records"
    clause = {"and": where if before is None else [*where, before]}
    # The first page counts along. One more than asked for tells whether there is a next page.
    page = yield from site.find(
        slug, clause, what=what, sort="-createdAt,-id", limit=limit + 1, depth=1
    )
    documents = documents_in(page, what)
    total = page.get("totalDocs")
    if before is not None:
        query = tuple(wire.flatten({"and": where}))
        request = CmsRequest(method="POST", url=site.url(slug, "count"), what=what, query=query)
        total = object_of((yield request), what).get("totalDocs")
    if type(total) is not int:
        raise nonsense(what)
    images = tuple(wire.read_image(each, site.options, site.base_url) for each in documents[:limit])
    following = None
    if len(documents) > limit:
        last = documents[limit - 1]
        following = encode_cursor(last["createdAt"], str(wire.relation_id(last)))
    return ImagePage(images=images, next_cursor=following, total=total)


def _before(site: Site, cursor: str) -> Steps[dict[str, Any]]:
    created, text = decode_cursor(cursor, str, str)
    identity = yield from site.known(site.options.metadata, str(text))
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
    site: Site, character_id: str, kind: str | None, status: str | None
) -> Steps[list[dict[str, Any]] | None]:
    """Return the clause of a listing, or ``None`` if nothing can match."""
    options = site.options
    character: Id | None = character_id
    if options.characters is not None:
        character = yield from site.known(options.characters, character_id)
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


def character_ids(site: Site) -> Steps[tuple[str, ...]]:
    """See `ListableMetadataRepository.character_ids`."""
    path = str(site.options.called("characterReference"))
    found: set[str] = set()
    for document in (yield from site.all(site.options.metadata, path)):
        identity = wire.relation_id(wire.at(document, path))
        if identity is not None:
            found.add(str(identity))
    return tuple(sorted(found))
