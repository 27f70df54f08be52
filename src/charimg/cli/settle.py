"""``charimg settle``: what nobody can tell, a person does."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from .._sync.service import CharacterImageService
from .._sync.sets import is_unfinished
from ..errors import InvalidArgument
from ..journal import Candidate
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .report import reporting, table
from .session import SHORTEST_ID, Settings

__all__ = ["candidate_lines", "settle"]


def settle(
    operation: Annotated[
        str,
        typer.Argument(help="The operation's id, or the end of it as `charimg recover` shows it."),
    ],
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            help="The media id of what it has drawn; for a set, once for each image.",
            show_default=False,
        ),
    ] = None,
    nothing: Annotated[
        bool,
        typer.Option(
            "--nothing", "--give-up", help="There is nothing (more) to bring in; gives a job up."
        ),
    ] = False,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what an operation of unknown outcome has drawn; without an answer, show what it may be.

    Nothing is asked for anew, and nothing is deleted.
    """
    with reporting(as_json) as report:
        if images and nothing:
            raise InvalidArgument("Either --image or --nothing, not both.")
        with Settings.of(directory, library_url, header).service() as service:
            operation_id = _resolved(service, operation)
            if not images and not nothing:
                found = service.candidates(operation_id)
                report.data(
                    {"operationId": operation_id, "candidates": list(found)},
                    lambda: table(("media", "drawn", "url", "evidence"), candidate_lines(found)),
                )
                report.say(_next(service, operation_id, len(found)))
                return
            done = service.settle(operation_id, images or None, settled_by=getpass.getuser())
        report.data(done, lambda: done.message)
        report.say(f"Operation {operation_id} is settled: {done.message}")


def _next(service: CharacterImageService, operation_id: str, found: int) -> str:
    op = service.ledger.get(operation_id)
    if op is not None and op.finished:
        return f"Operation {operation_id} is {op.state}: there is nothing to settle."
    if found:
        return f"{found} images may be its. Settle it with --image MEDIA or --nothing."
    if op is not None and op.items and not is_unfinished(op):
        return "What it has drawn is known: `charimg recover` brings it in."
    return "No image fits now. `charimg recover` looks again, --nothing closes it."


def candidate_lines(found: tuple[Candidate, ...]) -> list[tuple[object, ...]]:
    """Return the rows of a table of candidates."""
    return [
        (
            each.media_id,
            "" if each.drawn_at is None else f"{each.drawn_at:%Y-%m-%d %H:%M:%S}",
            each.url or "",
            " ".join(each.evidence),
        )
        for each in found
    ]


def _resolved(service: CharacterImageService, ending: str) -> str:
    if len(ending) < SHORTEST_ID:
        return ending
    open_ones = [each.id for each in service.ledger.unfinished() if each.id.endswith(ending)]
    if len(open_ones) > 1:
        raise InvalidArgument(f"{len(open_ones)} open operations end with {ending!a:.80}.")
    # A whole id may be one that was settled before.
    return open_ones[0] if open_ones else ending
