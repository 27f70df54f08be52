"""Options that many commands share, as annotated types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._library.urls import ENVIRONMENT_VARIABLE

__all__ = [
    "CharacterArgument",
    "CreatedByOption",
    "DirectoryOption",
    "ForeignOption",
    "HeaderOption",
    "ImageArgument",
    "JsonOption",
    "LibraryUrlOption",
    "ProvenanceOption",
    "YesOption",
    "directory_of",
]


def directory_of(text: str) -> Path:
    """Return the directory that an option names; an empty text would be the present one."""
    if not text.strip():
        raise typer.BadParameter("it is empty; give a directory, or . for the present one")
    return Path(text)


CharacterArgument = Annotated[str, typer.Argument(help="Your own id of the character.")]

ImageArgument = Annotated[
    str, typer.Argument(help="The image's id, or the end of it as `charimg list` shows it.")
]

DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        "-d",
        envvar="CHARIMG_DIR",
        parser=directory_of,
        metavar="DIRECTORY",
        help="Where files and database live. Default: ./charimg-data",
        show_default=False,
    ),
]

LibraryUrlOption = Annotated[
    str | None,
    typer.Option(
        "--library-url",
        envvar=ENVIRONMENT_VARIABLE,
        help="Base URL of the Character Library.",
        show_default=False,
    ),
]

HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="NAME=VALUE",
        help="Sent with every request; repeatable. Keys are better kept out of the process list: "
        "CHARIMG_HEADERS takes one NAME=VALUE per line.",
        show_default=False,
    ),
]

ForeignOption = Annotated[
    str | None,
    typer.Option(
        "--foreign",
        envvar="CHARIMG_FOREIGN",
        metavar="clean|refuse|keep",
        help="What becomes of what is no image in an image's file: it is left out, or the image is "
        "refused, or the file is kept as it was sent. Default: clean",
        show_default=False,
    ),
]

ProvenanceOption = Annotated[
    str | None,
    typer.Option(
        "--provenance",
        envvar="CHARIMG_PROVENANCE",
        metavar="read|label|sign",
        help="Whether files are labelled or signed, so that they tell that a model has drawn them. "
        "Default: read",
        show_default=False,
    ),
]

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")
]

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

CreatedByOption = Annotated[
    str | None, typer.Option("--created-by", help="Your user, for the record.", show_default=False)
]
