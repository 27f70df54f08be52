"""Where stores are copied from and to: options, checks, and how both sides are opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import evolve, field, frozen

from .._assembly import places
from .._assembly.places import Place, Role, parse_place
from .._assembly.settings import StoreSettings, check_directory
from .._assembly.stores import Stores, open_stores
from .._sync.migration import Migration
from ..errors import InvalidArgument
from .options import directory_of
from .report import Report
from .session import Settings

__all__ = [
    "Move",
    "ToCharactersOption",
    "ToDirectoryOption",
    "ToLedgerOption",
    "ToMediaOption",
    "ToMetadataOption",
]

_ROLES = {
    "metadata": places.METADATA,
    "media": places.MEDIA,
    "ledger": places.LEDGER,
    "characters": places.CHARACTERS,
}


def _variable(role: str) -> str:
    return f"CHARIMG_TO_{role.upper()}"


def _to(role: str, what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--to-{role}",
        envvar=_variable(role),
        metavar="URL",
        help=f"Where the {what} go. A URL with a password is better kept in the environment.",
        show_default=False,
        show_envvar=True,
    )
    return option


ToDirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--to-directory",
        parser=directory_of,
        metavar="DIRECTORY",
        help="Copy to the embedded default below this directory.",
        show_default=False,
    ),
]
ToMetadataOption = Annotated[str | None, _to("metadata", "records")]
ToMediaOption = Annotated[str | None, _to("media", "files")]
ToLedgerOption = Annotated[str | None, _to("ledger", "operations")]
ToCharactersOption = Annotated[str | None, _to("characters", "characters")]


@frozen(kw_only=True)
class Move:
    """From where to where; it pickles, and opens both sides in a worker as well as here.

    Attributes:
        settings: The source.
        directory: ``--to-directory``.
        urls: By role, what was given on the command line. What the environment says is not in it,
            but read where both sides are opened, so that no password goes to a worker.
    """

    settings: Settings
    directory: Path | None = None
    urls: Mapping[str, str] = field(factory=dict, hash=False, repr=False)

    @classmethod
    def of(cls, settings: Settings, directory: Path | None, **urls: str | None) -> Move:
        """Take a command's options."""
        given = {
            role: url
            for role, url in urls.items()
            if url and url != os.environ.get(_variable(role))
        }
        return cls(settings=settings, directory=directory, urls=given)

    @property
    def given(self) -> bool:
        """Whether the command line says where to."""
        return self.directory is not None or bool(self.urls)

    @property
    def source(self) -> StoreSettings:
        """Where everything is."""
        return self.settings.places

    def target(self) -> StoreSettings:
        """Return where everything goes.

        Raises:
            ConfigurationError: A URL or directory makes no sense.
            InvalidArgument: It is where everything is, or lies within.
        """
        source = self.source
        if self.directory is not None:
            check_directory(self.directory, "--to-directory")
        target = source.moved(
            directory=self.directory,
            metadata=self._place("metadata"),
            media=self._place("media"),
            ledger=self._place("ledger"),
            characters=self._place("characters"),
        )
        return _apart(source, target)

    def tell(self, report: Report) -> None:
        """Say what goes where."""
        here = self.source.by_role
        for role, place in self.target().by_role.items():
            if place != here[role]:
                report.say(f"{role}: {here[role]} -> {place}")

    @property
    def scope(self) -> str:
        """What a manifest calls it: from where to where, without passwords."""
        here, target = self.source.by_role, self.target().by_role
        return ", ".join(
            f"{role} from {here[role].identity} to {there.identity}"
            for role, there in target.items()
            if there != here[role]
        )

    def _place(self, role: str) -> Place | None:
        url = self.urls.get(role) or os.environ.get(_variable(role))
        known: Role = _ROLES[role]
        return parse_place(url, known, source=f"--to-{role}") if url else None

    @contextmanager
    def stores(self) -> Iterator[tuple[Stores, Migration]]:
        """Open the source, and what copies it.

        Raises:
            ConfigurationError: There is nothing to copy, or see `target`.
        """
        self.settings.check_data()
        here, there = self.source, self.target()
        with open_stores(here) as source, open_stores(there) as target:
            yield (
                source,
                Migration(
                    source=source,
                    target=target,
                    copy_ledger=there.ledger != here.ledger,
                    copy_characters=there.characters != here.characters,
                ),
            )

    @contextmanager
    def migration(self) -> Iterator[Migration]:
        """Open what copies."""
        with self.stores() as (_, migration):
            yield migration


def _apart(source: StoreSettings, target: StoreSettings) -> StoreSettings:
    here = source.by_role
    # What is only spelled differently stays where it is.
    kept: dict[str, Any] = {
        role: here[role] for role, there in target.by_role.items() if there.is_at(here[role])
    }
    target = evolve(target, **kept)
    if len(kept) == len(here):
        raise InvalidArgument(
            "There is nothing to copy, source and target are the same: give --to-directory, or "
            "where records or files go with --to-metadata and --to-media."
        )
    for outer, inner in ((here["media"], target.media), (target.media, here["media"])):
        if outer.holds(inner):
            raise InvalidArgument(
                f"Files cannot go from {here['media']} to {target.media}: {inner} lies in {outer}, "
                "and what removes one of them would remove both. Give a directory beside it."
            )
    return target
