"""The root of the command: version, help with the exit codes, usage errors as JSON."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from . import (
    bulk,
    characters,
    demo,
    doctor,
    generate,
    images,
    migrate,
    prompt,
    recover,
    serve,
    settle,
    simulate,
    verify,
)
from .exit_codes import MEANINGS, ExitCode
from .report import Report, plain

__all__ = ["app"]

_EPILOG = (
    "Data goes to stdout, progress and messages to stderr. With --json stdout carries exactly one "
    'JSON object: the result, or {"error": {"code", "message", ...}}.\n\n'
    "Exit codes:\n\n" + "\n\n".join(f"{code:>3}  {meaning}" for code, meaning in MEANINGS.items())
)


class UsageError(Exception):
    """A wrong command line; in JSON its code is ``USAGE_ERROR``."""


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Keep what a wrong command line quotes from steering the terminal."""
    try:
        yield
    except Exception as error:
        # The base class of usage errors has no public name in every typer that is supported.
        told = getattr(error, "format_message", None)
        if told is not None:
            text = plain(told())
            error.format_message = lambda: text  # type: ignore[attr-defined]
        raise


class _Root(TyperGroup):
    """The root group; with ``--json`` a wrong command line is told as JSON, too."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _told_plainly():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _told_plainly():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        given = sys.argv[1:] if args is None else list(args)
        as_json = standalone_mode and "--json" in given
        try:
            result = super().main(
                args=given,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=standalone_mode and not as_json,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except typer.Abort:
            # Ctrl-C before or after the command's own work, where nothing catches it.
            if not as_json:
                raise
            sys.exit(ExitCode.INTERRUPTED)
        except Exception as error:
            told = getattr(error, "format_message", None)
            if told is None or not as_json:
                raise
            wrong = UsageError(str(told()))
            Report(as_json=True).fail(wrong, ExitCode.USAGE, str(wrong))
            sys.exit(ExitCode.USAGE)
        if as_json:
            sys.exit(result if isinstance(result, int) else ExitCode.OK)
        return result


app: typer.Typer = typer.Typer(
    name="charimg",
    cls=_Root,
    help="Generate, ingest, list and delete the images of fictional characters.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"charimg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Generate, ingest, list and delete the images of fictional characters."""


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("simulate")(simulate.simulate)
app.add_typer(characters.app, name="characters")
app.command("prompt")(prompt.prompt)
app.add_typer(generate.app, name="generate")
app.command("list")(images.list_)
app.command("show")(images.show)
app.command("delete")(images.delete)
app.command("retry")(images.retry)
app.command("recover")(recover.recover)
app.command("settle")(settle.settle)
app.command("verify")(verify.verify)
app.command("bulk")(bulk.bulk)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)


def _let_flow(group: typer.Typer) -> None:
    """Let each paragraph of a command's help be one line, which wraps where the terminal ends."""
    for command in group.registered_commands:
        paragraphs = (inspect.getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(each.replace("\n", " ") for each in paragraphs)
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _let_flow(inner.typer_instance)


_let_flow(app)
