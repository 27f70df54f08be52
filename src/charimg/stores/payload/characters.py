"""The steps of a character directory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..._http.cms import CmsRequest
from ...errors import CharacterNotFound, ConfigurationError, StorageError
from ...models import CharacterReference
from . import wire
from .answers import created_in, documents_in, object_of
from .steps import Site, Steps

__all__ = ["get", "link", "linked", "list_all"]


def get(site: Site, character_id: str) -> Steps[CharacterReference | None]:
    """See `CharacterDirectory.get`."""
    what = f"read the character {character_id[:100]!r}"
    document = yield from site.get(_slug(site), character_id, what=what)
    return None if document is None else wire.read_character(document, site.options)


def link(
    site: Site, character_id: str, library_db_id: str, library_character_id: str | None
) -> Steps[CharacterReference]:
    """See `LinkableCharacterDirectory.link`."""
    options, what = site.options, f"link the character {character_id[:100]!r}"
    known = yield from get(site, character_id)
    if known is None:
        raise CharacterNotFound(f"Payload has no character {character_id[:100]!r}.")
    document: dict[str, Any] = {}
    # Payload passes over what the collection has no field for, and keeps the rest of a group.
    for paths, value in (
        (options.library_db_id, library_db_id),
        (options.library_character_id, library_character_id),
    ):
        for path in paths:
            wire.put(document, path, value)
    answer = yield CmsRequest(
        method="PATCH",
        url=site.url(_slug(site), known.id) + "?depth=0",
        what=what,
        body=json.dumps(document),
    )
    linked = wire.read_character(created_in(answer, what), options)
    if linked.library_db_id != library_db_id:
        raise StorageError(
            f"Could not {what}: the collection has none of the fields "
            f"{', '.join(options.library_db_id)}, or the key may not write them. Name the field "
            "in PayloadOptions.library_db_id."
        )
    return linked


def linked(site: Site, library_db_id: str) -> Steps[tuple[CharacterReference, ...]]:
    """See `SearchableCharacterDirectory.linked`."""
    options, what = site.options, "look for who is linked"
    found: dict[str, CharacterReference] = {}
    known = False
    for path in options.library_db_id:
        query = (*wire.flatten({path: {"equals": library_db_id}}), ("limit", "0"), ("depth", "0"))
        answer = yield CmsRequest(
            method="POST", url=site.url(_slug(site)), what=what, query=tuple(query)
        )
        # Payload answers so where it knows no such field, or cannot look into it.
        if answer.status != 400:
            known = True
            for document in documents_in(object_of(answer, what), what):
                character = wire.read_character(document, options)
                found[character.id] = character
    every = found.values() if known else (yield from list_all(site))
    return _sorted(each for each in every if each.library_db_id == library_db_id)


def list_all(site: Site) -> Steps[tuple[CharacterReference, ...]]:
    """See `ListableCharacterDirectory.list_all`."""
    documents = yield from site.all(_slug(site))
    return _sorted(wire.read_character(each, site.options) for each in documents)


def _sorted(characters: Iterable[CharacterReference]) -> tuple[CharacterReference, ...]:
    return tuple(sorted(characters, key=lambda character: character.id))


def _slug(site: Site) -> str:
    if site.options.characters is None:
        raise ConfigurationError("The Payload options name no collection of characters.")
    return site.options.characters
