"""The steps of all stores, as generators: each yields requests and is sent their answers.

So the sync and the async stores do the same, and neither hides an event loop or a thread.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from attrs import evolve, field, frozen

from ..._http.cms import CmsAnswer, CmsRequest
from ...errors import StorageError
from . import wire
from .answers import NO_KEY, Document, documents_in, object_of, older, origin
from .options import PayloadOptions
from .wire import Id

__all__ = ["PAGE", "Site", "Steps"]

T = TypeVar("T")
Steps = Generator[CmsRequest, CmsAnswer, T]

PAGE = 500


@frozen(kw_only=True)
class Site:
    """One Payload CMS, and what has been learnt of it.

    Attributes:
        base_url: Without a trailing slash.
        options: Collections and fields.
        authorization: The header's value; empty without credentials.
        kinds: What the ids of each collection are, once a document of it was seen.
        keyed: Whether the records have the field for charimg's key, once it was asked.
        relations: Whether a field of the records is a relation, once it was asked.
    """

    base_url: str
    options: PayloadOptions
    authorization: str = field(default="", repr=False)
    kinds: dict[str, wire.IdKind] = field(factory=dict, eq=False)
    keyed: dict[str, bool] = field(factory=dict, eq=False)
    relations: dict[str, bool] = field(factory=dict, eq=False)

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers of a request; credentials go to the CMS alone, never to a CDN."""
        headers = {"Accept": "application/json, */*"}
        if self.authorization and origin(url) == origin(self.base_url):
            headers["Authorization"] = self.authorization
        return headers

    def marked(self, answer: CmsAnswer) -> CmsAnswer:
        """Return an answer that tells whether it was asked for without credentials."""
        return answer if self.authorization else evolve(answer, keyless=True)

    def url(self, *parts: str) -> str:
        """Return a URL of the REST API."""
        return "/".join(
            (self.base_url + self.options.api, *(quote(each, safe="") for each in parts))
        )

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

    def user(self, identity: str) -> Steps[Id | None]:
        """Return a user's id as the JSON type that users have, or ``None`` if it can be none."""
        slug = self.options.users
        if slug not in self.kinds:
            # Whoever may not list the users may read itself.
            answer = yield CmsRequest(
                method="GET", url=self.url(slug, "me"), what="look at the users"
            )
            me = object_of(answer, "look at the users").get("user")
            if not isinstance(me, Mapping) or wire.relation_id(me) is None:
                return identity
            self.learn(slug, me)
        return wire.parse_id(self.kinds[slug], identity)

    def learn(self, slug: str, document: Document) -> None:
        """Remember what the ids of a collection are."""
        identity = wire.relation_id(document)
        if identity is not None:
            self.kinds[slug] = wire.kind_of(identity)

    def all(self, slug: str, *select: str) -> Steps[list[Document]]:
        """Return every document of a collection, in keyset pages."""
        documents: list[Document] = []
        where: dict[str, Any] = {}
        what = f"list {slug!r}"
        chosen = {f"select[{name}]": "true" for name in (*select, "createdAt") if select}
        while True:
            page = yield from self.find(
                slug, where, what=what, sort="-createdAt,-id", limit=PAGE, depth=0, **chosen
            )
            found = documents_in(page, what)
            documents += found
            if len(found) < PAGE:
                return documents
            last = found[-1]
            where = older(last["createdAt"], wire.relation_id(last))

    def check(self) -> Steps[None]:
        """Check that the credentials are accepted: a public collection answers without any.

        Raises:
            StorageError: They are not.
        """
        what = "sign in to Payload"
        answer = yield CmsRequest(method="GET", url=self.url(self.options.users, "me"), what=what)
        if not isinstance(object_of(answer, what).get("user"), Mapping):
            if answer.keyless:
                raise StorageError(f"Could not {what}: {NO_KEY}")
            raise StorageError(
                "Payload does not accept the API key or token. Check it, and the slug of the "
                f"collection that it belongs to ({self.options.users!r}; case counts)."
            )
