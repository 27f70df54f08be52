"""The steps of a media store."""

from __future__ import annotations

import json
from collections.abc import Collection

from attrs import evolve

from ..._http.cms import CmsRequest
from ..._ingest.naming import TRIAL
from ..._library.urls import resolve
from ...errors import StorageConflict, StorageError
from ...models import Media, Upload
from . import wire
from .answers import LOST, Document, created_in, documents_in, missing, older, refused
from .steps import PAGE, Site, Steps
from .wire import Id

__all__ = [
    "delete",
    "get",
    "has_renditions",
    "key_page",
    "open_file",
    "replace",
    "save",
    "sha256_of",
]


def _media_of(site: Site, key: str) -> Steps[tuple[Document, ...]]:
    """Return the media documents of a key, the first one first."""
    page = yield from site.find(
        site.options.media,
        {"filename": {"in": ",".join(wire.candidates(key))}},
        what=f"look for media {key!r}",
        sort="createdAt,id",
        limit=PAGE,
        depth=0,
    )
    return tuple(documents_in(page, f"look for media {key!r}"))


def save(site: Site, upload: Upload) -> Steps[Media]:
    """See `MediaStore.save`."""
    first = yield from get(site, upload.key)
    if first is not None:
        return first
    # Payload may have died between the document and its file.
    yield from delete(site, upload.key)
    return (yield from _send(site, upload, None))


def replace(site: Site, upload: Upload) -> Steps[Media]:
    """See `RepairableMediaStore.replace`. The document stays, and the records that name it."""
    wire.check_key(upload.key)
    found = yield from _media_of(site, upload.key)
    if not found:
        return (yield from _send(site, upload, None))
    taken = {str(document.get("filename")) for document in found}
    return (yield from _send(site, upload, wire.relation_id(found[0]), taken))


def sha256_of(site: Site, upload: Upload) -> Steps[str]:
    """See `RepairableMediaStore.sha256_of`. What Payload makes of a file, only it can tell."""
    trial = evolve(upload, key=upload.key + TRIAL)
    yield from delete(site, trial.key)
    media = yield from save(site, trial)
    yield from delete(site, trial.key)
    return media.sha256 or ""


def _send(
    site: Site, upload: Upload, identity: Id | None, taken: Collection[str] = ()
) -> Steps[Media]:
    """Send a file into a new document, or into one that is there; under no name that is taken."""
    what = f"save media {upload.key!r}"
    # A name that no other upload has: at once, they would overwrite each other's bytes.
    upload = evolve(upload, filename=wire.stored_name(upload, taken))
    fields = {} if site.options.alt is None else {site.options.alt: upload.alt}
    place = () if identity is None else (str(identity),)
    answer = yield CmsRequest(
        method="POST" if identity is None else "PATCH",
        url=site.url(site.options.media, *place) + "?depth=0",
        what=what,
        body=json.dumps(fields),
        upload=upload,
    )
    document = created_in(answer, what)
    site.learn(site.options.media, document)
    media = yield from _digested(site, document, upload.key)
    if media is None:
        raise StorageError(f"Could not {what}: Payload does not give the file back.")
    return media


def get(site: Site, key: str) -> Steps[Media | None]:
    """See `MediaStore.get`. A document whose file is lost counts as absent."""
    wire.check_key(key)
    for document in (yield from _media_of(site, key)):
        media = yield from _digested(site, document, key)
        if media is not None:
            return media
    return None


def has_renditions(site: Site, media: Media) -> Steps[bool]:
    """See `RepairableMediaStore.has_renditions`."""
    for document in (yield from _media_of(site, media.key)):
        url = wire.thumbnail_url(document, site.options, site.base_url)
        if url is not None and str(wire.relation_id(document)) == media.id:
            what = f"read the thumbnail of media {media.key!r}"
            answer = yield CmsRequest(method="GET", url=url, what=what, digest=True)
            if answer.status in LOST:
                return False
    return True


def key_page(site: Site, last: Document | None) -> Steps[tuple[list[str], Document | None]]:
    """Return the keys of one page of `ListableMediaStore.list_keys`, and what the next follows."""
    what = f"list {site.options.media!r}"
    where = {} if last is None else older(last["createdAt"], wire.relation_id(last))
    page = yield from site.find(
        site.options.media, where, what=what, sort="-createdAt,-id", limit=PAGE, depth=0
    )
    found = documents_in(page, what)
    names = [str(each.get("filename")) for each in found]
    return [wire.listed_key(name) for name in names], found[-1] if found else None


def _digested(site: Site, document: Document, key: str) -> Steps[Media | None]:
    media = wire.read_media(document, site.options, site.base_url, key=key)
    request = _file_of(site, document, key, digest=True)
    answer = yield request
    if answer.status in LOST:
        return None
    if answer.status != 200:
        raise refused(answer, request.what)
    return evolve(media, sha256=answer.sha256, size=answer.size, url=None, thumbnail_url=None)


def _file_of(site: Site, document: Document, key: str, *, digest: bool = False) -> CmsRequest:
    """Return the request for a file: where Payload says it is, which may be a CDN."""
    url = document.get("url")
    name = str(document.get("filename"))
    if not isinstance(url, str) or not url:
        url = wire.file_url(name, site.options, site.base_url)
    return CmsRequest(
        method="GET",
        url=resolve(site.base_url, url),
        what=f"read the file of media {key!r}",
        digest=digest,
    )


def open_file(site: Site, key: str) -> Steps[CmsRequest]:
    """Return the request for the file of a key.

    Raises:
        MediaNotFound: There is none.
    """
    wire.check_key(key)
    for document in (yield from _media_of(site, key)):
        return _file_of(site, document, key)
    raise missing(key)


def delete(site: Site, key: str) -> Steps[bool]:
    """See `MediaStore.delete`.

    Raises:
        StorageConflict: A record still names it. Payload would delete the file and then fail.
    """
    wire.check_key(key)
    found = False
    for document in (yield from _media_of(site, key)):
        identity = wire.relation_id(document)
        what = f"delete media {key!r}"
        named = yield from _named_by(site, identity)
        if named is not None:
            raise StorageConflict(
                f"Could not {what}: the record {named!r} names it. Delete the record first."
            )
        found = (yield from site.delete(site.options.media, str(identity), what=what)) or found
    return found


def _named_by(site: Site, media: Id | None) -> Steps[Id | None]:
    path = str(site.options.called("media"))
    page = yield from site.find(
        site.options.metadata,
        {path: {"equals": media}},
        what=f"look for records of media {str(media)!r}",
        limit=1,
        depth=0,
    )
    for document in documents_in(page, "look for records"):
        return wire.relation_id(document)
    return None
