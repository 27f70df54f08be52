# Generated from src/charimg/_async/base.py by tools/unasync.py. Do not edit.
"""What the service is made of, and how it runs one operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from typing import Any, Self, TypeVar, Unpack

from .._arguments import Unpicklable, check_texts, checked
from .._concurrency import suggest
from .._ingest.naming import new_operation_id
from .._ingest.values import Download
from .._library.ids import check_character_id, check_object_id
from .._offers import offers
from ..errors import (
    CharacterNotFound,
    CharacterNotLinked,
    ConfigurationError,
    GenerationInProgress,
    InvalidArgument,
)
from ..journal import (
    Candidate,
    Operation,
    OperationKind,
    OperationPage,
    Recovered,
    RecoveryReport,
)
from ..models import CharacterReference, PromptSuggestion, ReferencePolicy
from ..policies import JobPolicy
from ..prompts import MOST_BYTES, TemplatePromptSuggester
from ..protocols import (
    CharacterDirectory,
    GenerationLedger,
    MediaStore,
    MetadataRepository,
    OperationHook,
    ProgressCallback,
    PromptSuggester,
    WritableCharacterDirectory,
)
from .download import Downloader
from .leases import leased
from .library import CharacterLibrary
from .links import check_unshared
from .operation import Run, operation
from .parts import CONCURRENCY, Parts, ServiceOptions
from .recovery import Settled, recover, settle
from .settlement import candidates, fetch_candidate, settle_by_hand
from .sources import shown_operations
from .underway import Underway
from .verifying import Verifying

__all__ = ["ServiceBase", "chosen_policy"]

_Result = TypeVar("_Result")

_REPLACING = (OperationKind.REFERENCE, OperationKind.PORTFOLIO)
"""They replace what a running 360° job of the character works on, or what it brings."""
_REMOTE = (*_REPLACING, OperationKind.SCENE, OperationKind.RESTORE)
"""They change the Library's side, and with it the traces of what an earlier one has drawn."""


@checked
class ServiceBase(Verifying, Unpicklable):
    """Assembles, closes, runs operations, and finishes them; see `CharacterImageService`."""

    def __init__(
        self,
        *,
        library: CharacterLibrary,
        directory: CharacterDirectory,
        media: MediaStore,
        metadata: MetadataRepository,
        ledger: GenerationLedger,
        downloader: Downloader | None = None,
        suggester: PromptSuggester | None = None,
        hooks: Sequence[OperationHook] = (),
        job_policy: JobPolicy | None = None,
        concurrency: int = CONCURRENCY,
        lease_seconds: float | None = None,
        max_prompt_bytes: int = MOST_BYTES,
        media_documents: bool = True,
    ) -> None:
        if concurrency < 1:
            raise InvalidArgument(f"concurrency must be at least 1, not {concurrency}.")
        if max_prompt_bytes < 1:
            raise InvalidArgument(f"max_prompt_bytes must be at least 1, not {max_prompt_bytes}.")
        longest = library.timeouts.generation
        if lease_seconds is None:
            lease_seconds = longest + 300
        elif lease_seconds <= longest:
            raise InvalidArgument(
                f"lease_seconds must exceed the generation timeout of {longest:g} s, "
                "or a lease could end while its generation still runs."
            )
        owned = downloader is None
        downloader = downloader or Downloader()
        self._underway = Underway(
            # Fakes belong to none.
            in_one_loop=any(getattr(each, "_in_one_loop", False) for each in (library, downloader))
        )
        if owned:
            self._underway.owned.callback(downloader.close)
        self._assembled = Parts(
            library=library,
            directory=directory,
            media=media,
            metadata=metadata,
            ledger=ledger,
            downloader=downloader,
            suggester=TemplatePromptSuggester() if suggester is None else suggester,
            underway=self._underway,
            hooks=tuple(hooks),
            job_policy=JobPolicy() if job_policy is None else job_policy,
            lease_seconds=lease_seconds,
            concurrency=concurrency,
            max_prompt_bytes=max_prompt_bytes,
            media_documents=media_documents,
        )

    @classmethod
    def local(
        cls,
        directory: str | PathLike[str],
        *,
        library: CharacterLibrary | str,
        media_url: str | None = None,
        **options: Unpack[ServiceOptions],
    ) -> Self:
        """Assemble the embedded default: files and one SQLite database below a directory.

        Args:
            directory: Where everything goes; made if it is missing.
            library: A client (closed by the caller), or the Library's base URL.
            media_url: What a web server serves the folder ``media`` of the directory under, e.g.
                ``https://cdn.example/media``; without one, media have ``file:`` URLs.
            **options: Further arguments of the constructor.
        """
        # Only the embedded default needs disk and SQLite.
        from .._assembly.embedded import embedded

        owned = ExitStack()
        if isinstance(library, str):
            library = CharacterLibrary(library)
            owned.callback(library.close)
        stores = embedded(directory, media_url=media_url)
        owned.callback(stores.database.close)
        service = cls(
            library=library,
            directory=stores.directory,
            media=stores.media,
            metadata=stores.metadata,
            ledger=stores.ledger,
            **options,
        )
        service._underway.owned.callback(owned.close)
        return service

    @classmethod
    def from_env(cls, **options: Unpack[ServiceOptions]) -> Self:
        """Assemble client and stores from the environment.

        Reads ``CHARACTER_LIBRARY_API_URL`` (required) and, unless a downloader is given,
        ``CHARIMG_ALLOWED_ORIGINS`` (its ``allowed_origins``, with spaces between them) and its
        limits ``CHARIMG_FOREIGN``, ``CHARIMG_FORMATS``, ``CHARIMG_MAX_BYTES`` and
        ``CHARIMG_MAX_PIXELS``, and its policy ``CHARIMG_PROVENANCE``. Where things are kept is told
        by URLs: ``CHARIMG_METADATA`` (``sqlite:///…``, ``postgresql://…``, ``payload+https://…``),
        ``CHARIMG_MEDIA`` (``file:///…``, ``s3://…``, ``payload+https://…``), ``CHARIMG_LEDGER`` and
        ``CHARIMG_CHARACTERS``. What none of them tells is the embedded default of `local`, in
        ``CHARIMG_DIR`` (default ``./charimg-data``) and with ``CHARIMG_MEDIA_URL`` as its
        ``media_url``, which may be a path of ``SITE_URL``. ``CHARIMG_SUGGESTER`` names a prompt
        suggester as ``module:attribute``, unless one is given.

        Args:
            **options: Further arguments of the constructor.

        Raises:
            ConfigurationError: A variable is missing or malformed, or an extra is missing.
        """
        from .._assembly.provenance import provenance_policy
        from .._assembly.settings import StoreSettings, allowed_origins, download_limits
        from .._assembly.stores import open_stores
        from .._assembly.suggesters import suggester

        if options.get("suggester") is None and (named := suggester()) is not None:
            options["suggester"] = named
        owned = ExitStack()
        library = CharacterLibrary.from_env()
        owned.callback(library.close)
        if options.get("downloader") is None:
            downloader = Downloader(
                limits=download_limits(),
                allowed_origins=allowed_origins(),
                provenance=provenance_policy(),
            )
            owned.callback(downloader.close)
            options["downloader"] = downloader
        stores = open_stores(StoreSettings.from_env())
        owned.callback(stores.close)
        service = cls(
            library=library,
            directory=stores.directory,
            media=stores.media,
            metadata=stores.metadata,
            ledger=stores.ledger,
            **options,
        )
        service._underway.owned.callback(owned.close)
        return service

    def close(self) -> None:
        """Let nothing begin any more, and close what this service made itself. Idempotent.

        Every later call raises `ConfigurationError`. An operation that is under way in another
        thread or task goes on to its end, and what the service made is closed then, by the last
        one; the log says of which characters (``service.closing``). What was handed in stays open:
        before its owner closes it, operations must have ended.
        """
        self._underway.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def _parts(self) -> Parts:
        """What every call works with, of an open service in its own event loop."""
        self._underway.check()
        return self._assembled

    @property
    def library(self) -> CharacterLibrary:
        """The client of the Character Library."""
        return self._assembled.library

    @property
    def directory(self) -> CharacterDirectory:
        """The character directory."""
        return self._assembled.directory

    @property
    def media(self) -> MediaStore:
        """The media store."""
        return self._assembled.media

    @property
    def metadata(self) -> MetadataRepository:
        """The metadata repository."""
        return self._assembled.metadata

    @property
    def ledger(self) -> GenerationLedger:
        """The generation ledger."""
        return self._assembled.ledger

    def put_character(self, character: CharacterReference) -> None:
        """Add a character to the directory, or replace the one with its id.

        For the embedded default, and every other directory that takes characters in.

        Raises:
            InvalidArgument: The id is too long, or holds a slash, a line break or the like; or
                another character is linked to the same one of the Library.
            ConfigurationError: The directory is read-only: its characters live in the host's CMS.
        """
        directory = self._parts.directory
        check_character_id(character.id)
        if not offers(directory, WritableCharacterDirectory):
            raise ConfigurationError(
                f"{type(directory).__name__} has no put(), so character {character.id!r} was not "
                "written. Add it where the host keeps its characters."
            )
        check_unshared(directory, character)
        directory.put(character)

    def suggest_prompt(self, character_id: str) -> PromptSuggestion:
        """Suggest the prompt of a master reference from the character's existing data.

        Raises:
            CharacterNotFound: No such character.
        """
        return suggest(self._parts.suggester, self._character(character_id))

    def recover(self, character_id: str | None = None) -> RecoveryReport:
        """Finish what crashes, cancellations and outages left behind, of one or all characters.

        Never posts a generation again and touches only keys that the ledger knows. A second run
        changes nothing.
        """
        return recover(self._parts, character_id)

    def list_operations(
        self, character_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """Return one page of the character's operations, newest first.

        Args:
            character_id: The host's id of the character.
            limit: 1 to 1,000 operations.
            cursor: ``next_cursor`` of the page before.
        """
        listed = self._parts.ledger.list(character_id, limit=limit, cursor=cursor)
        return shown_operations(listed)

    def candidates(self, operation_id: str) -> tuple[Candidate, ...]:
        """Return the images that an operation of unknown outcome may have drawn, newest first.

        Of a set that a person has settled those that it may be given, too.

        Raises:
            InvalidArgument: There is no such operation.
            CharacterLibraryError: The Library could not be asked.
        """
        return candidates(self._parts, operation_id)

    def fetch_candidate(self, operation_id: str, media_id: str) -> Download:
        """Download one of the candidates to look at it. The caller closes the result.

        It is fetched and checked like an image that is brought in; nothing is stored.

        Raises:
            InvalidArgument: There is no such operation, or the image is none of its candidates.
            CharacterLibraryError: The Library could not be asked.
            IngestionError: The image did not arrive, or is none.
        """
        return fetch_candidate(self._parts, operation_id, media_id)

    def settle(
        self,
        operation_id: str,
        media_id: str | Sequence[str] | None = None,
        *,
        settled_by: str | None = None,
    ) -> Recovered:
        """Take a person's word for what an operation of unknown outcome has drawn.

        The image is brought in as the operation's own; a reference becomes the master. Without one,
        the operation is closed: nothing is asked for and nothing deleted. That also gives up a job
        that never ends; what it had drawn stays. The journal keeps who settled it and when.
        Idempotent for the same answer. A set that was settled with some of its images can be given
        more of them: what is there stays.

        Args:
            operation_id: An open operation, or one that a person has settled.
            media_id: The image, by its id on the Library (see `candidates`), or the images of a
                set, each shot once; ``None`` for nothing.
            settled_by: The host's user, for the journal.

        Raises:
            InvalidArgument: No such operation is open, or it cannot have that image.
            GenerationInProgress: Another operation on the character is running.
            CharacterLibraryError: The Library could not be asked.
        """
        return settle_by_hand(self._parts, operation_id, media_id, settled_by)

    def _operate(
        self,
        kind: OperationKind,
        character_id: str,
        work: Callable[[Run], _Result],
        *,
        db_id: str | None,
        prompt: str = "",
        options: Mapping[str, Any] | None = None,
        created_by: str | None = None,
        on_progress: ProgressCallback | None,
    ) -> _Result:
        parts = self._parts
        check_texts(created_by=created_by, **(options or {}))
        with leased(parts, character_id) as lease:
            settled = settle(parts, character_id, lease)
            _check_settled(kind, settled)
            # Only now: what was settled is older than this operation.
            op = Operation(
                id=new_operation_id(),
                kind=kind,
                character_id=character_id,
                library_db_id=db_id,
                prompt=prompt,
                options=options or {},
                created_by=created_by,
            )
            with operation(parts, op, lease, on_progress, settled.unseen) as run:
                for code, message in settled.warnings(kind):
                    run.warn(code, message)
                return work(run)

    def _known(self, character_id: str) -> CharacterReference | None:
        return self._parts.directory.get(character_id)

    def _character(self, character_id: str) -> CharacterReference:
        character = self._known(character_id)
        if character is None:
            raise CharacterNotFound(
                f"The character directory knows no character {character_id!r}. Add it there first."
            )
        return character

    def _db_id(self, character_id: str) -> str | None:
        character = self._known(character_id)
        return None if character is None else character.library_db_id

    def _linked(self, character_id: str) -> tuple[CharacterReference, str]:
        character = self._character(character_id)
        try:
            return character, check_object_id(character.library_db_id)
        except InvalidArgument as error:
            raise CharacterNotLinked(
                f"Character {character_id!r} is not linked to the Character Library: its "
                "library_db_id must be the 24-hex id that the Library gave when the character was "
                "created there (not the readable library_character_id). Create it with "
                "CharacterLibrary.create_character or look it up with find_characters, store the "
                "id as library_db_id, and try again."
            ) from error


def _check_settled(kind: OperationKind, settled: Settled) -> None:
    """Refuse to lose, or to pay for again, what an earlier operation may have drawn."""
    if settled.unseen is not None and kind in _REMOTE:
        settled.unseen.add_note("A new one was not begun; try again later.")
        raise settled.unseen
    if settled.drawing and kind in _REPLACING:
        raise GenerationInProgress(
            f"{settled.drawing[0].message} It belongs to operation "
            f"{settled.drawing[0].operation_id}. A new one was not begun; recover() brings its "
            "images in."
        )


def chosen_policy(value: str) -> ReferencePolicy:
    """Return a policy, or raise `InvalidArgument`."""
    try:
        return ReferencePolicy(value)
    except ValueError as error:
        known = ", ".join(ReferencePolicy)
        raise InvalidArgument(f"There is no policy {value!r}; choose one of: {known}.") from error
