"""``charimg settle``: what nobody can tell, a person does."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.console import Group

from .._sync.service import CharacterImageService
from .._sync.sets import is_unfinished
from ..errors import InvalidArgument
from ..journal import Candidate, Operation, OperationKind
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .report import reporting, table
from .session import SHORTEST_ID, Settings
from .tables import brief

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
            help="The media id of what it has drawn; for a set once for each image, all at once or "
            "one after another.",
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
    with reporting(as_json, operation=operation) as report:
        if images and nothing:
            raise InvalidArgument("Either --image or --nothing, not both.")
        with Settings.of(directory, library_url, header).service() as service:
            op = _resolved(service, operation)
            if not images and not nothing:
                found = service.candidates(op.id)
                report.data(
                    {"operationId": op.id, "prompt": op.prompt, "candidates": list(found)},
                    lambda: _shown(op, found),
                )
                report.say(_next(op, len(found)))
                return
            done = service.settle(op.id, images or None, settled_by=getpass.getuser())
        report.data(done, lambda: report.told(done.message, OPERATION=op.id))
        report.say(f"Operation {op.id} is settled: {done.message}")


def _shown(op: Operation, found: tuple[Candidate, ...]) -> Group:
    asked = (op.kind, op.character_id, f"{op.created_at:%Y-%m-%d %H:%M:%S}", brief(op.prompt))
    tables = [table(("kind", "character", "asked for (UTC)", "prompt"), [asked])]
    if found:
        tables.append(table(("media", "drawn", "url", "evidence"), candidate_lines(found)))
    return Group(*tables)


def _next(op: Operation, found: int) -> str:
    if found:
        told = f"{found} images may be its."
        if op.finished and op.items:
            told = f"{found} more images may be its."
        how = "Settle it with --image MEDIA or --nothing."
        if op.kind == OperationKind.PORTFOLIO:
            how = (
                "Settle it with --image MEDIA, given once for each image of the set, all at once "
                "or one after another"
            )
            how += "." if op.finished else "; or with --nothing, if no more is to come."
        return f"{told} {how}"
    if op.finished:
        return f"Operation {op.id} is {op.state}: there is nothing to settle."
    if op.items and not is_unfinished(op):
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


def _resolved(service: CharacterImageService, given: str) -> Operation:
    # An end names one that is open; a whole id may be one that was settled before.
    short = len(given) < SHORTEST_ID
    found = [] if short else [op for op in service.ledger.unfinished() if op.id.endswith(given)]
    if len(found) > 1:
        raise InvalidArgument(f"{len(found)} open operations end with {given!a:.80}.")
    op = found[0] if found else service.ledger.get(given)
    if op is None:
        raise InvalidArgument(
            f"There is no operation {given!a:.80}. `charimg recover` shows those that are open."
        )
    return op
