"""``charimg characters``: the local character directory, and its links to the Library."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import evolve

from .._library.ids import check_object_id, unique_character_id
from .._sync.links import check_unshared
from ..errors import InvalidArgument, PreconditionError
from ..models import CharacterReference
from .hints import instead
from .options import (
    CharacterArgument,
    DirectoryOption,
    HeaderOption,
    JsonOption,
    LibraryUrlOption,
)
from .report import Report, plain, reporting, table
from .session import Settings, character_of, linking, listed, writable

__all__ = ["app"]

app: typer.Typer = typer.Typer(help="Add, list and link characters.", no_args_is_help=True)

_CANDIDATES = 20
_LOOK = "`charimg characters link --find CHARACTER` looks whether it was made."
_NOT_SLUG = re.compile(r"[^a-z0-9]+")

_DbIdOption = Annotated[
    str | None,
    typer.Option(
        "--library-db-id",
        help="The 24-hex ObjectId of the character on the Character Library.",
        show_default=False,
    ),
]
_SlugOption = Annotated[
    str | None,
    typer.Option(
        "--library-character-id",
        help="The Character Library's readable slug; kept, never used in a path.",
        show_default=False,
    ),
]


def _id_from(name: str) -> str:
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NOT_SLUG.sub("-", latin).strip("-") or unique_character_id(name)


def _traits(pairs: list[str] | None, file: Path | None) -> dict[str, Any]:
    traits: dict[str, Any] = {}
    if file is not None:
        try:
            loaded = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise InvalidArgument(
                f"--traits-file {str(file)!r} is not a readable JSON file."
            ) from error
        if not isinstance(loaded, dict):
            raise InvalidArgument(f"--traits-file {str(file)!r} must hold one JSON object.")
        traits.update(loaded)
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not name.strip() or not equals:
            raise InvalidArgument(f"--trait takes NAME=VALUE, not {pair!r}.")
        traits[name.strip()] = value
    return traits


def _link_text(character: CharacterReference) -> str:
    return character.library_db_id or "not linked"


def _tell(report: Report, character: CharacterReference) -> None:
    report.data(
        {"character": character},
        lambda: f"{plain(character.id)}  {plain(character.name)}  {_link_text(character)}",
    )


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The character's name.")],
    character_id: Annotated[
        str | None,
        typer.Option("--id", help="Your own id. Default: made from the name.", show_default=False),
    ] = None,
    trait: Annotated[
        list[str] | None,
        typer.Option("--trait", metavar="NAME=VALUE", help="E.g. hair=auburn; repeatable."),
    ] = None,
    traits_file: Annotated[
        Path | None, typer.Option("--traits-file", help="A JSON object of traits.")
    ] = None,
    library_db_id: _DbIdOption = None,
    library_character_id: _SlugOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a character that is already there.")
    ] = False,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a character to the local directory."""
    with reporting(as_json) as report:
        if not name.strip():
            raise InvalidArgument("The name is empty.")
        if library_db_id is not None:
            check_object_id(library_db_id)
        character = CharacterReference(
            id=character_id or _id_from(name),
            name=name,
            library_db_id=library_db_id,
            library_character_id=library_character_id,
            traits=_traits(trait, traits_file),
        )
        with Settings.of(directory).stores(create=True) as stores:
            if not replace and stores.directory.get(character.id) is not None:
                raise PreconditionError(
                    f"There is already a character {character.id!r}. Give another --id, or "
                    "--replace."
                )
            put = writable(stores).put
            check_unshared(stores.directory, character)
            put(character)
        _tell(report, character)


@app.command("list")
def list_(directory: DirectoryOption = None, as_json: JsonOption = False) -> None:
    """List the characters of the local directory."""
    with reporting(as_json) as report:
        with Settings.of(directory).stores() as stores:
            characters = listed(stores)
        report.data(
            {"characters": list(characters), "total": len(characters)},
            lambda: table(
                ("id", "name", "library_db_id", "traits"),
                [(each.id, each.name, _link_text(each), len(each.traits)) for each in characters],
            ),
        )


@app.command("link")
def link(
    character: CharacterArgument,
    library_db_id: _DbIdOption = None,
    library_character_id: _SlugOption = None,
    create: Annotated[
        bool, typer.Option("--create", help="Create it on the Character Library and link it.")
    ] = False,
    find: Annotated[
        bool, typer.Option("--find", help="Find it on the Character Library by its exact name.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a link that is already there.")
    ] = False,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Link a character to its document on the Character Library.

    Give the id, or --create, or --find.
    """
    with reporting(as_json, interrupted=_LOOK, character=character) as report:
        if (library_db_id is not None) + create + find != 1:
            raise InvalidArgument("Give exactly one of --library-db-id, --create and --find.")
        settings = Settings.of(directory, library_url, header)
        with settings.stores() as stores:
            known = character_of(stores, character)
            # First: a character that was made on the Library cannot be unmade.
            keep = linking(stores)
            if known.library_db_id is not None and not replace:
                raise PreconditionError(
                    f"Character {character!r} is already linked to {known.library_db_id}. Give "
                    "--replace to link it anew; its images stay."
                )
            if create:
                db_id, slug = _created(settings, known, library_character_id)
            elif find:
                db_id, slug = _found(settings, known, library_character_id)
            else:
                db_id, slug = check_object_id(library_db_id), library_character_id
            linked = evolve(known, library_db_id=db_id, library_character_id=slug)
            check_unshared(stores.directory, linked)
            _tell(report, keep(linked))


def _created(
    settings: Settings, known: CharacterReference, slug: str | None
) -> tuple[str, str | None]:
    # The server's own slug collides for equal and for non-Latin names (contract page).
    slug = slug or unique_character_id(known.name)
    with settings.library() as library, instead(_LOOK):
        made = library.create_character(known.name, character_id=slug)
    return made.id, made.character_id or slug


def _found(
    settings: Settings, known: CharacterReference, slug: str | None
) -> tuple[str, str | None]:
    with settings.library() as library:
        page = library.find_characters(
            name=None if slug else known.name, character_id=slug, limit=_CANDIDATES
        )
    asked = f"with characterId {slug!r}" if slug else f"named {known.name!r}"
    if not page.characters:
        raise PreconditionError(
            f"The Character Library knows no character {asked}. Create it with --create."
        )
    if page.total > 1:
        listed = ", ".join(f"{each.id} ({each.character_id})" for each in page.characters)
        raise PreconditionError(
            f"There are {page.total} characters {asked} on the Character Library: {listed}. Give "
            "one of the ids as --library-db-id."
        )
    return page.characters[0].id, page.characters[0].character_id
