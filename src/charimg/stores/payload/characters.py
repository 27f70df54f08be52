"""The steps of a character directory."""

from __future__ import annotations

from ...errors import ConfigurationError
from ...models import CharacterReference
from . import wire
from .steps import Site, Steps

__all__ = ["get", "list_all"]


def get(site: Site, character_id: str) -> Steps[CharacterReference | None]:
    """See `CharacterDirectory.get`."""
    what = f"read the character {character_id[:100]!r}"
    document = yield from site.get(_slug(site), character_id, what=what)
    return None if document is None else wire.read_character(document, site.options)


def list_all(site: Site) -> Steps[tuple[CharacterReference, ...]]:
    """See `ListableCharacterDirectory.list_all`."""
    documents = yield from site.all(_slug(site))
    found = (wire.read_character(each, site.options) for each in documents)
    return tuple(sorted(found, key=lambda character: character.id))


def _slug(site: Site) -> str:
    if site.options.characters is None:
        raise ConfigurationError("The Payload options name no collection of characters.")
    return site.options.characters
