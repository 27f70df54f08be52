"""A listing from records as they are stored: their JSON goes into the answer as it stands.

The answer is, byte for byte, the one that `page_json` makes of the same page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from attrs import define, evolve

from .. import __version__
from .._ingest.urls import public
from .._offers import offers
from .._spelling import Written, recognised
from ..capabilities import PermanentMediaStore, StoredPage
from ..models import CharacterReference, Media
from ..protocols import AsyncMediaStore, MediaStore
from ..stores._documents import load_image
from .exchange import WebResponse, bytes_response
from .wire import character_json, image_json

__all__ = ["StoredListing"]

_dumps = json.JSONEncoder(separators=(",", ":")).encode
_TAG = re.compile(r'"([!#-~]*)"')
_VERSION = re.compile(r"[A-Za-z0-9_-]{1,100}")


class StoredListing:
    """One request for a page, and its answer.

    The tag of an answer holds the version of the listing and a hash of all else that the answer
    depends on. Where URLs end one day there is none: an old answer must be fetched anew.

    Args:
        media: Tells where files are.
        asked: Filters, limit and cursor, as `list_stored` takes them.
        if_none_match: The request's header of that name.
    """

    def __init__(
        self, media: MediaStore | AsyncMediaStore, asked: Mapping[str, Any], if_none_match: str
    ) -> None:
        self._media = media
        self._asked = dict(asked)
        self._known = _TAG.findall(if_none_match)
        self._any = if_none_match.strip() == "*"
        self._urls_by = media.urls_by() if offers(media, PermanentMediaStore) else None
        self._head = ""

    def wanted(self, character: CharacterReference) -> dict[str, Any]:
        """Return what `list_stored` is to be given: no page that the client has is read."""
        if self._urls_by is None:
            return self._asked
        # The same in both modes: workers of either may stand behind one address.
        place = f"{type(self._media).__name__.removeprefix('Async')} {self._urls_by}"
        parts = [__version__, place, character_json(character), self._asked]
        self._head = blake2b(_dumps(parts).encode(), digest_size=12).hexdigest()
        known = [tag.partition(".") for tag in self._known]
        return {**self._asked, "unless": [end for head, _, end in known if head == self._head]}

    def answer(self, character: CharacterReference, page: StoredPage) -> WebResponse:
        """Return the page, or that nothing has changed."""
        tag = None
        if self._urls_by is not None and _VERSION.fullmatch(page.version):
            tag = f'"{self._head}.{page.version}"'
        if page.records is None or (tag is not None and self._any):
            return bytes_response(304, b"", tag)
        images = ",".join([self._shown(*each) for each in page.records])
        body = (
            f'{{"success":true,"count":{page.total},"images":[{images}],'
            f'"nextCursor":{_dumps(page.next_cursor)},'
            f'"character":{_dumps(character_json(character))}}}'
        )
        return bytes_response(200, body.encode("ascii"), tag)

    def _shown(self, image_id: str, text: str) -> str:
        form = _form(text) if len(text) <= _SHORT else _form.__wrapped__(text)
        if form is None:
            image = load_image(image_id, text)
            if image.source_url:
                image = evolve(image, source_url=public(image.source_url))
            if image.media is not None:
                image = image.with_media(self._media.locate(image.media))
            return _dumps(image_json(image))
        if form.media is None:
            return form.before
        if self._urls_by is None:
            return form.located(self._media.locate(form.media))
        by = (type(self._media), self._urls_by)
        went_by, shown = form.shown
        if went_by != by:
            shown = form.located(self._media.locate(form.media))
            # Kept for the next one; a thread with another store may do so at the same time.
            form.shown = by, shown
        return shown


_SHORT = 16 * 1024
"""Characters of a record of which is remembered how it is shown: 512 of them take some 25 MB."""


@define(eq=False)
class _Form:
    """A record that nothing but its URLs changes in.

    Attributes:
        before: What stands before the URLs.
        after: What follows them.
        media: Whose URLs; without any, all stands in `before`.
        shown: The whole, with URLs that last, and what they went by.
    """

    before: str
    after: str
    media: Media | None
    shown: tuple[object, str] = (None, "")

    def located(self, media: Media) -> str:
        """Return the whole with these URLs."""
        urls = f'"url":{_dumps(media.url)},"thumbnailURL":{_dumps(media.thumbnail_url)}'
        return f"{self.before}{urls}{self.after}"


@lru_cache(maxsize=512)
def _form(text: str) -> _Form | None:
    """Return how a record is shown, unless it has to be read for that."""
    # The newest pages are asked for again and again, and a text means the same for ever.
    found: Written | None = recognised(text)
    if found is None or (found.source_url and public(found.source_url) != found.source_url):
        return None
    if found.media is None:
        return _Form(found.before, "", None)
    return _Form(f'{found.before}"filesize"{found.between}', found.after, found.media)
