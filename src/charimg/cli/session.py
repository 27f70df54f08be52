"""From options to an open service; headers and their values are never shown."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar, Unpack

from attrs import field, frozen

from .._assembly.provenance import provenance_policy
from .._assembly.settings import (
    StoreSettings,
    allowed_origins,
    check_directory,
    data_directory,
    download_limits,
)
from .._assembly.stores import Stores, open_stores
from .._assembly.suggesters import suggester
from .._async.library import AsyncCharacterLibrary
from .._library.urls import ENVIRONMENT_VARIABLE
from .._offers import offers
from .._sync.download import Downloader
from .._sync.library import CharacterLibrary
from .._sync.parts import ServiceOptions
from .._sync.service import CharacterImageService
from ..capabilities import LinkableCharacterDirectory
from ..errors import CharacterNotFound, ConfigurationError, InvalidArgument
from ..models import CharacterReference
from ..policies import RetryPolicy, Timeouts
from ..protocols import (
    CharacterDirectory,
    ListableCharacterDirectory,
    WritableCharacterDirectory,
)

__all__ = [
    "SHORTEST_ID",
    "Settings",
    "character_of",
    "check_known",
    "linking",
    "listed",
    "resolve_image",
    "suggesting",
    "writable",
]

HEADERS_VARIABLE = "CHARIMG_HEADERS"

_NOWHERE = "http://charimg.invalid"
"""Stands in for a Library that the command never calls; the name cannot resolve (RFC 2606)."""

SHORTEST_ID = 4
"""A shorter end of an id says too little, and none at all fits every one."""
_Client = TypeVar("_Client", CharacterLibrary, AsyncCharacterLibrary)


@frozen(kw_only=True)
class Settings:
    """Where things are, from options and environment.

    Attributes:
        given_directory: ``--directory``.
        library_url: ``--library-url``.
        given_headers: ``--header``, each ``NAME=VALUE``.
        foreign: ``--foreign``.
        provenance: ``--provenance``.
    """

    given_directory: Path | None = None
    library_url: str | None = None
    given_headers: tuple[str, ...] = field(default=(), repr=False)
    foreign: str | None = None
    provenance: str | None = None

    @classmethod
    def of(
        cls,
        directory: Path | None,
        library_url: str | None = None,
        headers: list[str] | None = None,
        foreign: str | None = None,
        provenance: str | None = None,
    ) -> Settings:
        """Take a command's options."""
        return cls(
            given_directory=directory,
            library_url=library_url,
            given_headers=tuple(headers or ()),
            foreign=foreign,
            provenance=provenance,
        )

    @property
    def directory(self) -> Path:
        """Where files and database live.

        Raises:
            ConfigurationError: It exists and is no directory, or can be none.
        """
        if self.given_directory is None:
            return data_directory()
        return check_directory(self.given_directory, "--directory")

    @property
    def places(self) -> StoreSettings:
        """Where everything is kept.

        Raises:
            ConfigurationError: A variable is malformed.
        """
        return StoreSettings.from_env(self.directory)

    @property
    def has_data(self) -> bool:
        """Whether a database is there already; one on a server is taken to be."""
        place = self.places.metadata
        # Unlike `Path.is_file`, never an error.
        return place.backend != "sqlite" or os.path.isfile(place.path)  # noqa: PTH113

    def headers(self) -> dict[str, str]:
        """Return the extra headers.

        Raises:
            InvalidArgument: One is not ``NAME=VALUE``. It is not shown.
        """
        lines = os.environ.get(HEADERS_VARIABLE, "").splitlines()
        found: dict[str, str] = {}
        for line in (*(line for line in lines if line.strip()), *self.given_headers):
            name, equals, value = line.partition("=")
            if not name.strip() or not equals:
                raise InvalidArgument(
                    f"--header and {HEADERS_VARIABLE} take NAME=VALUE; what was given is not shown."
                )
            found[name.strip()] = value.strip()
        return found

    @contextmanager
    def library(
        self, *, timeouts: Timeouts | None = None, retries: RetryPolicy | None = None
    ) -> Iterator[CharacterLibrary]:
        """Open the client of the Character Library.

        Raises:
            ConfigurationError: No URL is given, or it makes no sense.
        """
        with self._library(CharacterLibrary, timeouts, retries) as library:
            yield library

    @asynccontextmanager
    async def async_library(self) -> AsyncIterator[AsyncCharacterLibrary]:
        """Open the async client of the Character Library; see `library`."""
        async with self._library(AsyncCharacterLibrary, None, None) as library:
            yield library

    def _library(
        self, client: type[_Client], timeouts: Timeouts | None, retries: RetryPolicy | None
    ) -> _Client:
        if not self.library_url:
            raise ConfigurationError(
                "No Character Library is configured. Give --library-url or set "
                f"{ENVIRONMENT_VARIABLE} to its base URL."
            )
        headers = self.headers()
        try:
            return client(
                self.library_url,
                headers=headers,
                timeouts=timeouts or Timeouts(),
                retries=retries or RetryPolicy(),
            )
        except ConfigurationError as error:
            raise ConfigurationError(
                f"--library-url or {ENVIRONMENT_VARIABLE} is wrong: {error}"
            ) from error

    @contextmanager
    def stores(self, *, create: bool = False) -> Iterator[Stores]:
        """Open the stores alone.

        Args:
            create: Whether to make them when they are missing.
        """
        self.check_data(create=create)
        with open_stores(self.places) as stores:
            yield stores

    @contextmanager
    def service(self, **options: Unpack[ServiceOptions]) -> Iterator[CharacterImageService]:
        """Open the service for a command that may call the Character Library."""
        with (
            self.stores() as stores,
            self.library() as library,
            Downloader(
                limits=download_limits(self.foreign),
                allowed_origins=allowed_origins(),
                provenance=provenance_policy(self.provenance),
            ) as downloader,
        ):
            options["downloader"] = downloader
            with _service(stores, library, **options) as service:
                yield service

    @contextmanager
    def offline(self, **options: Unpack[ServiceOptions]) -> Iterator[CharacterImageService]:
        """Open the service for a command that only reads what is stored."""
        with (
            self.stores() as stores,
            CharacterLibrary(_NOWHERE) as library,
            _service(stores, library, **options) as service,
        ):
            yield service

    def check_data(self, *, create: bool = False) -> None:
        """Refuse to go on when nothing is there yet.

        Raises:
            ConfigurationError: There is no database.
        """
        # With characters elsewhere it is the first image that makes the database.
        if create or self.has_data or self.places.characters.backend != "sqlite":
            return
        place = self.places.metadata
        where = self.directory if place.path.parent == self.directory else place.path
        files = self.places.media
        if files.backend == "file" and _holds_something(files.path):
            raise ConfigurationError(
                f"There is no database at {str(place.path)!r}, but there are files in "
                f"{str(files.path)!r}. Keep them, and bring the database back from a backup; or "
                "give another --directory."
            )
        raise ConfigurationError(
            f"There is nothing of charimg's in {str(where)!r}. Give --directory, or begin with "
            "`charimg characters add`."
        )


def _holds_something(directory: Path) -> bool:
    with suppress(OSError):
        return any(directory.iterdir())
    return False


def _service(
    stores: Stores, library: CharacterLibrary, **options: Unpack[ServiceOptions]
) -> CharacterImageService:
    return CharacterImageService(
        library=library,
        directory=stores.directory,
        media=stores.media,
        metadata=stores.metadata,
        ledger=stores.ledger,
        **options,
    )


def suggesting() -> ServiceOptions:
    """Return the options of a command that may suggest a prompt.

    Raises:
        ConfigurationError: The environment names a suggester that cannot be had.
    """
    named = suggester()
    return {} if named is None else {"suggester": named}


def writable(stores: Stores) -> WritableCharacterDirectory:
    """Return the directory, if characters can be put into it.

    Raises:
        ConfigurationError: The host keeps them elsewhere.
    """
    directory = stores.directory
    if not offers(directory, WritableCharacterDirectory):
        raise ConfigurationError(
            f"{type(directory).__name__} takes no characters in. Add them where the host keeps "
            "them."
        )
    return directory


def linking(stores: Stores) -> Callable[[CharacterReference], CharacterReference]:
    """Return what keeps a character's ids of the Character Library.

    Raises:
        ConfigurationError: The directory keeps none.
    """
    directory = stores.directory
    if offers(directory, LinkableCharacterDirectory):
        return partial(_link, directory)
    if offers(directory, WritableCharacterDirectory):
        return partial(_put, directory)
    raise ConfigurationError(
        f"{type(directory).__name__} keeps no links, so nothing was sent. Store the id of the "
        "Character Library as library_db_id where the host keeps its characters."
    )


def _link(
    directory: LinkableCharacterDirectory, character: CharacterReference
) -> CharacterReference:
    return directory.link(
        character.id,
        library_db_id=character.library_db_id or "",
        library_character_id=character.library_character_id,
    )


def _put(
    directory: WritableCharacterDirectory, character: CharacterReference
) -> CharacterReference:
    directory.put(character)
    return character


def listed(stores: Stores) -> tuple[CharacterReference, ...]:
    """Return every character of the directory.

    Raises:
        ConfigurationError: It cannot list them.
    """
    directory = stores.directory
    if not offers(directory, ListableCharacterDirectory):
        raise ConfigurationError(
            f"{type(directory).__name__} cannot list its characters. Look at them where the host "
            "keeps them."
        )
    return directory.list_all()


def character_of(stores: Stores, character_id: str) -> CharacterReference:
    """Return a character of the local directory.

    Raises:
        CharacterNotFound: There is none.
    """
    character = stores.directory.get(character_id)
    if character is None:
        raise _unknown(stores.directory, character_id)
    return character


def _unknown(directory: CharacterDirectory, character_id: str) -> CharacterNotFound:
    how = "where the host keeps its characters"
    if offers(directory, WritableCharacterDirectory):
        how = "with `charimg characters add`"
    return CharacterNotFound(f"There is no character {character_id!r}. Add it {how}.")


def check_known(service: CharacterImageService, character_id: str) -> None:
    """Refuse a character of whom nothing is here, most likely a slip of the pen.

    Raises:
        CharacterNotFound: The directory does not have it, and there is no image of it either.
    """
    if service.directory.get(character_id) is None and not _has_images(service, character_id):
        raise _unknown(service.directory, character_id)


def _has_images(service: CharacterImageService, character_id: str) -> bool:
    return service.list_images(character_id, limit=1).total > 0


def resolve_image(service: CharacterImageService, character_id: str, given: str) -> str:
    """Return the whole id of an image that may be given by the end of its id.

    What fits none comes back as it is, for the service to refuse.

    Raises:
        CharacterNotFound: Nothing of the character is here.
        InvalidArgument: It fits several images.
    """
    check_known(service, character_id)
    if len(given) < SHORTEST_ID or service.metadata.get(given) is not None:
        return given
    fitting = [image.id for image in service.iter_images(character_id) if image.id.endswith(given)]
    if len(fitting) > 1:
        raise InvalidArgument(
            f"{given!r} fits {len(fitting)} images of {character_id!r}; give more of the id."
        )
    return fitting[0] if fitting else given
