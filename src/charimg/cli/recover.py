"""``charimg recover``: finish what crashes and outages left behind."""

from __future__ import annotations

from typing import Annotated

import typer

from .._sync.service import CharacterImageService
from ..errors import CharacterLibraryError
from ..journal import Candidate
from .exit_codes import ExitCode
from .options import (
    DirectoryOption,
    ForeignOption,
    HeaderOption,
    JsonOption,
    LibraryUrlOption,
    ProvenanceOption,
)
from .report import reporting, table
from .session import Settings, check_known
from .tables import brief, short_ids

__all__ = ["recover"]


def recover(
    character: Annotated[
        str | None, typer.Argument(help="Only this character's.", show_default=False)
    ] = None,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    foreign: ForeignOption = None,
    provenance: ProvenanceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Finish what crashes and outages left behind; never a new generation.

    Exit code 8 when something is still open: unknown, waiting, stranded or in progress.
    """
    with reporting(as_json, character=character) as report:
        with Settings.of(directory, library_url, header, foreign, provenance).service() as service:
            report.say("Looking at what was left unfinished …")
            done = service.recover(character)
            if character is not None and not done.operations:
                check_known(service, character)
            candidates = {
                each.operation_id: _candidates(service, each.operation_id)
                for each in done.operations
                if each.outcome == "unknown"
            }
        short = short_ids([each.operation_id for each in done.operations])
        open_ones = len(done.unresolved)
        report.data(
            {
                "operations": list(done.operations),
                "unresolved": open_ones,
                "candidates": candidates,
            },
            lambda: table(
                ("operation", "kind", "character", "outcome", "images", "prompt", "message"),
                [
                    (
                        short[each.operation_id],
                        each.kind,
                        each.character_id,
                        each.outcome,
                        len(each.images),
                        # What is open a person decides, and knows it by its prompt.
                        brief(each.prompt) if each in done.unresolved else "",
                        report.told(
                            each.message,
                            CHARACTER=each.character_id,
                            OPERATION=short[each.operation_id],
                        ),
                    )
                    for each in done.operations
                ],
            ),
        )
        for operation_id, found in candidates.items():
            name = short[operation_id]
            told = f"{len(found)} images may be those" if found else "No image is known to be"
            report.say(f"{told} of operation {name}; look with `charimg settle {name}`.")
        report.say(f"{len(done.operations)} operations looked at, {open_ones} still open.")
        if open_ones:
            raise typer.Exit(ExitCode.UNRESOLVED)


def _candidates(service: CharacterImageService, operation_id: str) -> list[Candidate]:
    try:
        return list(service.candidates(operation_id))
    except CharacterLibraryError:
        # The table says that it is open; who settles it looks again.
        return []
