# Generated from src/charimg/_async/library.py by tools/unasync.py. Do not edit.
"""The client of the Character Library."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .._arguments import Unpicklable, checked
from .._library import answers, requests
from .._library.urls import ENVIRONMENT_VARIABLE, check_base_url, resolve
from .._library.values import (
    CharacterPage,
    Gallery,
    Health,
    InitialImage,
    LibraryCharacter,
    LibraryMedia,
    LibraryMediaPage,
    ReferenceDeletion,
    ReferenceState,
    SceneImage,
)
from ..errors import ConfigurationError
from ..models import SceneType
from ..policies import RetryPolicy, Timeouts
from .calls import Calls
from .library_sets import LibrarySets

if TYPE_CHECKING:
    import httpx

__all__ = ["CharacterLibrary"]


@checked
class CharacterLibrary(LibrarySets, Unpicklable):
    """A client of one Character Library server.

    Reads are repeated as ``retries`` says. Everything that changes something (generations, the
    reference DELETE, create, update, delete, cancel) is attempted exactly once; when such a call
    ends with ``outcome_unknown``, the server may have acted nevertheless.

    Every method that talks to the server raises `CharacterLibraryError`, and refuses malformed ids
    and arguments with `InvalidArgument` before anything is sent.

    Args:
        base_url: Where the server is; may have a path prefix. No user info.
        headers: Sent with every request, for deployments that need a key.
        timeouts: Seconds per kind of call.
        retries: How reads are repeated; ``RetryPolicy.off()`` switches that off.
        client: An httpx client to use instead of an own one. It is never closed by this object;
            its own time-outs and redirect settings are not used.
        request_id_factory: Gives the ``X-Request-Id`` of each call, for example the host's own
            request id. Default: 32 random hex digits.

    Raises:
        ConfigurationError: The base URL or a header makes no sense.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        client: httpx.Client | None = None,
        request_id_factory: Callable[[], str] | None = None,
    ) -> None:
        self._base_url = check_base_url(base_url)
        self._timeouts = timeouts
        self._calls = Calls(
            self._base_url,
            headers=headers,
            timeouts=timeouts,
            retries=retries,
            client=client,
            request_id_factory=request_id_factory,
        )

    @classmethod
    def from_env(
        cls,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        client: httpx.Client | None = None,
        request_id_factory: Callable[[], str] | None = None,
    ) -> Self:
        """Make a client for the server that ``CHARACTER_LIBRARY_API_URL`` names.

        Raises:
            ConfigurationError: The variable is not set, or is no http or https URL.
        """
        base_url = os.environ.get(ENVIRONMENT_VARIABLE, "")
        if not base_url.strip():
            raise ConfigurationError(
                f"{ENVIRONMENT_VARIABLE} is not set. Set it to the Character Library's base URL."
            )
        return cls(
            check_base_url(base_url, source=ENVIRONMENT_VARIABLE),
            headers=headers,
            timeouts=timeouts,
            retries=retries,
            client=client,
            request_id_factory=request_id_factory,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base_url!r})"

    @property
    def server_time(self) -> datetime | None:
        """What the server's clock says: a little behind, never ahead; ``None`` if not known.

        It is the server's own where its health has told it, else the ``Date`` of its last answer.
        """
        return self._calls.clock.now()

    def learn_time(self) -> bool:
        """Ask for the server's own clock, unless its health was asked within five minutes.

        Returns:
            Whether it is known. A server that does not answer, or does not tell it, is no error.
        """
        self._calls.learn_time()
        return self._calls.clock.own

    @property
    def base_url(self) -> str:
        """The base URL, without a trailing slash."""
        return self._base_url

    @property
    def _in_one_loop(self) -> bool:
        return self._calls.in_one_loop

    @property
    def timeouts(self) -> Timeouts:
        """The time-outs that this client was made with."""
        return self._timeouts

    def check(self) -> None:
        """Raise `ConfigurationError` if the client is closed, before anything is deleted."""
        self._calls.check()

    def close(self) -> None:
        """Close the connections, unless the httpx client was injected. Idempotent."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def resolve_url(self, url: str) -> str:
        """Return a URL of the server's as an absolute one, resolved against the base URL."""
        return resolve(self._base_url, url)

    def health(self) -> Health:
        """Ask the server whether it is well."""
        return self._calls.health()

    # Characters

    def create_character(
        self,
        name: str,
        *,
        character_id: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> LibraryCharacter:
        """Create a character.

        The server derives a ``characterId`` from the name, and refuses the second character with
        an equal name, or with any non-Latin one (contract page). So one is always sent: yours,
        or one made from the name with a random end.

        Args:
            name: The name; need not be unique.
            character_id: The readable, unique slug.
            fields: Further fields of the document, e.g. ``{"age": 34}``.

        Raises:
            CharacterLibraryError: ``SERVER_ERROR`` for every refusal, a taken ``character_id``
                included: the server gives no reason.
        """
        request = requests.create_character(name, character_id, fields)
        return self._calls.call(request, answers.character)

    def get_character(self, db_id: str) -> LibraryCharacter:
        """Read a character by its ObjectId.

        Raises:
            CharacterLibraryError: ``NOT_FOUND`` (the server answers 500 for an unknown id).
        """
        return self._calls.call(requests.get_character(db_id), answers.character)

    def find_characters(
        self,
        *,
        name: str | None = None,
        character_id: str | None = None,
        limit: int = 10,
        page: int = 1,
    ) -> CharacterPage:
        """List characters, or find them by exact name or ``characterId``.

        Args:
            name: The exact name.
            character_id: The exact slug.
            limit: Characters per page.
            page: The page, from 1.
        """
        request = requests.find_characters(name, character_id, limit, page)
        return self._calls.call(request, answers.character_page)

    def update_character(self, db_id: str, fields: Mapping[str, Any]) -> LibraryCharacter:
        """Change fields of a character; the others stay.

        Raises:
            CharacterLibraryError: ``NOT_FOUND`` for an unknown id, and for a field that the
                server refuses: it does not tell them apart.
        """
        return self._calls.call(requests.update_character(db_id, fields), answers.character)

    def delete_character(self, db_id: str) -> None:
        """Delete a character. Deleting it twice is ``NOT_FOUND``."""
        self._calls.call(requests.delete_character(db_id), answers.nothing)

    # The master reference image

    def generate_initial_image(self, db_id: str, prompt: str) -> InitialImage:
        """Draw the master reference image. Costs money, may take minutes, is never repeated.

        Args:
            db_id: The character's ObjectId.
            prompt: Sent unmodified.

        Raises:
            InvalidPrompt: The prompt is empty or blank; nothing was sent.
            CharacterLibraryError: ``ALREADY_HAS_REFERENCE``, ``UPSTREAM_MODEL``,
                ``UPSTREAM_STORAGE``, ``NOT_FOUND``, … With ``outcome_unknown`` the server may
                still set the reference: `get_reference_image` shows it later.
        """
        return self._calls.call(requests.initial_image(db_id, prompt), answers.initial_image)

    def get_reference_image(self, db_id: str) -> ReferenceState:
        """Read the master reference image; ``exists`` is false when there is none."""
        return self._calls.call(requests.get_reference(db_id), answers.reference_state)

    def set_reference_image(self, db_id: str, media_id: str) -> ReferenceState:
        """Make an image that the server already holds the master reference image."""
        request = requests.set_reference(db_id, media_id)
        return self._calls.call(request, answers.reference_state)

    def delete_reference_image(self, db_id: str) -> ReferenceDeletion:
        """Delete the master reference image, once, without a retry.

        This also clears the character's 360° set, gallery and scene images on the server. It
        succeeds when there was no reference image, too.
        """
        return self._calls.call(requests.delete_reference(db_id), answers.reference_deletion)

    # Scenes, gallery, media

    def generate_scene_image(
        self,
        db_id: str,
        scene_context: str,
        *,
        scene_type: str = SceneType.DIALOGUE,
        mood: str | None = None,
        lighting_style: str | None = None,
        environment_context: str | None = None,
        additional_characters: Sequence[str] = (),
        reference_image_asset_id: str | None = None,
    ) -> SceneImage:
        """Draw the character in a scene. Costs money, may take minutes, is never repeated.

        Args:
            db_id: The character's ObjectId; it needs a master reference image.
            scene_context: What happens. Sent unmodified.
            scene_type: A `SceneType`; others are refused here, as the server would draw and
                charge first.
            mood: E.g. ``tense``.
            lighting_style: E.g. ``low key``.
            environment_context: E.g. ``1920s bar``.
            additional_characters: Names of others in the scene.
            reference_image_asset_id: Another reference than the master; unknown ones are ignored
                by the server.

        Raises:
            InvalidPrompt: The scene context is empty or blank; nothing was sent.
            CharacterLibraryError: ``NO_REFERENCE``, ``UPSTREAM_MODEL``, ``UPSTREAM_STORAGE``, …
        """
        request = requests.scene_image(
            db_id,
            scene_context,
            scene_type=scene_type,
            mood=mood,
            lighting_style=lighting_style,
            environment_context=environment_context,
            additional_characters=additional_characters,
            reference_image_asset_id=reference_image_asset_id,
        )
        return self._calls.call(request, answers.scene_image)

    def list_images(
        self,
        db_id: str,
        *,
        category: str | None = None,
        include_urls: bool = True,
        min_quality: float | None = None,
    ) -> Gallery:
        """List what the server holds of a character, with the camera of each core shot.

        Args:
            db_id: The character's ObjectId.
            category: ``core``, ``scene``, ``ondemand`` or ``relationship``; the master reference
                is there in any case.
            include_urls: Whether to ask for URLs.
            min_quality: Leave out images that the server scored lower (0 to 100).
        """
        request = requests.list_images(db_id, category, include_urls, min_quality)
        return self._calls.call(request, answers.gallery)

    def list_media(self, filename: str, *, limit: int = 50, page: int = 1) -> LibraryMediaPage:
        """List media documents, newest first, by a part of the files' names (``<db id>_scene_``).

        There are ``limit`` on a page, pages count from 1. Images that no gallery shows are here.
        """
        request = requests.list_media(filename, limit, page)
        return self._calls.call(request, answers.media_page)

    def get_media(self, media_id: str) -> LibraryMedia:
        """Read a media document: it has the true URL of a job's image."""
        return self._calls.call(requests.get_media(media_id), answers.media)
