"""``charimg list``, ``show``, ``delete``, ``retry``."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from .._sync.service import CharacterImageService
from .._sync.sources import has_source
from ..errors import CharimgError, InvalidArgument, PreconditionError
from ..models import CharacterImage, DeleteResult, GenerationResult, ImageKind, ImageStatus
from .exit_codes import ExitCode, error_code
from .options import (
    CharacterArgument,
    DirectoryOption,
    ForeignOption,
    HeaderOption,
    ImageArgument,
    JsonOption,
    LibraryUrlOption,
    ProvenanceOption,
    YesOption,
)
from .progress import ProgressView
from .report import Report, plain, reporting
from .session import Settings, check_known, resolve_image
from .tables import details, image_line, image_table

__all__ = ["delete", "list_", "retry", "show"]

_PAGE = 500

_OptionalImage = Annotated[
    str | None,
    typer.Argument(
        help="The image's id, or the end of it as `charimg list` shows it.", show_default=False
    ),
]


def list_(
    character: CharacterArgument,
    kind: Annotated[ImageKind | None, typer.Option("--kind")] = None,
    status: Annotated[ImageStatus | None, typer.Option("--status")] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="At most so many. Default: all.", show_default=False),
    ] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a character's images, newest first."""
    with reporting(as_json, character=character) as report:
        with Settings.of(directory).offline() as service:
            check_known(service, character)
            images, total = _collect(service, character, kind, status, limit)
        report.data({"images": images, "total": total}, lambda: image_table(images))
        report.say(f"{len(images)} of {total} images.")


def _collect(
    service: CharacterImageService,
    character: str,
    kind: str | None,
    status: str | None,
    limit: int | None,
) -> tuple[list[CharacterImage], int]:
    images: list[CharacterImage] = []
    cursor: str | None = None
    while True:
        wanted = _PAGE if limit is None else min(_PAGE, limit - len(images))
        page = service.list_images(character, kind=kind, status=status, limit=wanted, cursor=cursor)
        images.extend(page.images)
        cursor = page.next_cursor
        if cursor is None or len(images) == limit:
            return images, page.total


def show(
    character: CharacterArgument,
    image: ImageArgument,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one image's record."""
    with reporting(as_json, character=character, image=image) as report:
        with Settings.of(directory).offline() as service:
            found = service.get_image(character, resolve_image(service, character, image))
        report.data({"image": found}, lambda: details(found))


def delete(
    character: CharacterArgument,
    image: _OptionalImage = None,
    everything: Annotated[bool, typer.Option("--all", help="Every image.")] = False,
    yes: YesOption = False,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete an image, or all of a character's: records, files, and the remote reference."""
    with reporting(as_json, character=character) as report:
        _one_of(image, everything)
        with Settings.of(directory, library_url, header).service() as service:
            result = _deleted(service, character, image, yes)
        report.warnings(result.warnings)
        report.data(result, lambda: _deletion(result))


def _deleted(
    service: CharacterImageService,
    character: str,
    image: str | None,
    yes: bool,
) -> DeleteResult:
    if image is None:
        check_known(service, character)
        total = service.list_images(character, limit=1).total
        _confirm(f"Delete all {total} images of {plain(character)}?", yes)
        return service.delete_all_images(character)
    found = service.get_image(character, resolve_image(service, character, image))
    _confirm(f"Delete {found.kind} {found.id} of {plain(character)}?", yes)
    return service.delete_image(character, found.id)


def _confirm(question: str, yes: bool) -> None:
    """Ask on a terminal; without one only ``--yes`` will do."""
    if yes:
        return
    if not _has_terminal():
        raise InvalidArgument(
            "Nothing was deleted: there is no terminal to ask on, so deletion needs --yes."
        )
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:
        # The message that follows begins a line of its own.
        typer.echo(err=True)
        raise
    if not sure:
        raise PreconditionError("Nothing was deleted: the answer was no.")


def _has_terminal() -> bool:
    return sys.stdin.isatty()


def _deletion(result: DeleteResult) -> str:
    remote = {
        None: "was not touched",
        True: "was deleted",
        False: "was NOT deleted, as far as is known",
    }
    return f"{result.removed} removed; the remote reference {remote[result.remote_deleted]}."


def retry(
    character: CharacterArgument,
    image: _OptionalImage = None,
    everything: Annotated[bool, typer.Option("--all", help="Every failed image.")] = False,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    foreign: ForeignOption = None,
    provenance: ProvenanceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download failed images again from where they were drawn; never a new generation.

    With --all, exit code 7 when some failed again.
    """
    with reporting(as_json, character=character, image=image) as report:
        _one_of(image, everything)
        with Settings.of(directory, library_url, header, foreign, provenance).service() as service:
            if image is not None:
                _retry_one(report, service, character, image)
            else:
                _retry_all(report, service, character)


def _retry_one(report: Report, service: CharacterImageService, character: str, image: str) -> None:
    image_id = resolve_image(service, character, image)
    with ProgressView(report, "The failed download again", draws=False) as progress:
        result = service.retry_ingestion(character, image_id, on_progress=progress)
    report.data(result, lambda: image_line(result.image))


def _retry_all(report: Report, service: CharacterImageService, character: str) -> None:
    check_known(service, character)
    every = list(service.iter_images(character, status=ImageStatus.FAILED))
    failed = [image for image in every if has_source(image)]
    not_drawn = [image.id for image in every if not has_source(image)]
    results: list[GenerationResult] = []
    failures: list[dict[str, Any]] = []
    with ProgressView(report, "The failed downloads again", draws=False) as progress:
        for done, image in enumerate(failed, start=1):
            try:
                results.append(service.retry_ingestion(character, image.id))
            except CharimgError as error:
                report.say(f"  Failed again: {image.id}: {error}", style="yellow")
                failures.append(
                    {"imageId": image.id, "code": error_code(error), "message": str(error)}
                )
            progress.settled(done, len(failed))
    # Each of them would say the same.
    warnings = list(dict.fromkeys(warning for result in results for warning in result.warnings))
    report.warnings(warnings)
    report.data(
        {
            "retried": [result.image for result in results],
            "failures": failures,
            "notDrawn": not_drawn,
            "warnings": warnings,
        },
        lambda: image_table([result.image for result in results]),
    )
    report.say(f"{len(results)} stored, {len(failures)} failed again.")
    if not_drawn:
        report.say(f"Nothing to download of {len(not_drawn)}: the Library did not draw them.")
    if failures:
        raise typer.Exit(ExitCode.PARTIAL)


def _one_of(image: str | None, everything: bool) -> None:
    if (image is None) != everything:
        raise InvalidArgument("Give either the id of an image, or --all.")
