"""``charimg generate``: reference, portfolio, scene."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .._sync.parts import ServiceOptions
from .._sync.sources import has_source
from ..errors import ErrorCode, InvalidArgument
from ..models import GenerationResult, ReferencePolicy, SceneType
from ..policies import JobPolicy
from .exit_codes import ExitCode
from .options import (
    CharacterArgument,
    CreatedByOption,
    DirectoryOption,
    ForeignOption,
    HeaderOption,
    JsonOption,
    LibraryUrlOption,
    ProvenanceOption,
)
from .progress import ProgressView
from .report import Report, reporting
from .session import Settings, resolve_image, suggesting
from .tables import image_line, image_table

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="Generate images: each costs money, and none is ever requested twice by itself.",
    no_args_is_help=True,
)


def _text(given: str | None, file: str | None, what: str) -> str | None:
    """Return a text given by option or by file (``-`` is stdin), byte for byte."""
    if file is None:
        return given
    if given is not None:
        # A scene's context is an argument, and no option.
        raise InvalidArgument(f"Give the {what} itself or --{what}-file, not both.")
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise InvalidArgument(f"--{what}-file {file!r} cannot be read.") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"--{what}-file {file!r} is not UTF-8 text.") from error


def _tell(report: Report, result: GenerationResult) -> None:
    if result.removed:
        report.say(f"{result.removed} earlier images removed.")
    report.data(result, lambda: image_line(result.image))


@app.command("reference")
def reference(
    character: CharacterArgument,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", help="The exact prompt. Default: the suggested one."),
    ] = None,
    prompt_file: Annotated[
        str | None,
        typer.Option("--prompt-file", help="A UTF-8 file, used byte for byte; - is stdin."),
    ] = None,
    policy: Annotated[
        ReferencePolicy, typer.Option("--policy", help="What becomes of earlier local images.")
    ] = ReferencePolicy.DELETE_ALL,
    created_by: CreatedByOption = None,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    foreign: ForeignOption = None,
    provenance: ProvenanceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a new master reference image."""
    with reporting(as_json, character=character) as report:
        exact = _text(prompt, prompt_file, "prompt")
        options: ServiceOptions = suggesting() if exact is None else {}
        with (
            Settings.of(directory, library_url, header, foreign, provenance).service(
                **options
            ) as service,
            ProgressView(report, "Drawing the reference") as progress,
        ):
            result = service.generate_reference(
                character,
                prompt=exact,
                policy=policy,
                created_by=created_by,
                on_progress=progress,
            )
        _tell(report, result)


@app.command("portfolio")
def portfolio(
    character: CharacterArgument,
    reference_id: Annotated[
        str | None,
        typer.Option("--reference", help="The reference to draw from. Default: the current one."),
    ] = None,
    style: Annotated[str | None, typer.Option("--style", help="The server's style name.")] = None,
    quality_threshold: Annotated[
        int | None, typer.Option("--quality-threshold", min=0, max=100, help="Told to the server.")
    ] = None,
    max_retries: Annotated[
        int | None, typer.Option("--max-retries", min=0, help="Per shot, told to the server.")
    ] = None,
    poll: Annotated[
        float, typer.Option("--poll", min=0.01, help="Seconds before the job's second poll.")
    ] = 2.0,
    deadline: Annotated[
        float, typer.Option("--deadline", min=1, help="Seconds to wait for the job.")
    ] = 3600.0,
    created_by: CreatedByOption = None,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    foreign: ForeignOption = None,
    provenance: ProvenanceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the 360° portfolio; earlier images stay. Exit code 7 when some shots failed."""
    with reporting(as_json, character=character) as report:
        job_policy = JobPolicy(interval=poll, deadline=deadline)
        settings = Settings.of(directory, library_url, header, foreign, provenance)
        with settings.service(job_policy=job_policy) as service:
            if reference_id is not None:
                reference_id = resolve_image(service, character, reference_id)
            with ProgressView(report, "Drawing the portfolio") as progress:
                result = service.generate_portfolio(
                    character,
                    reference_id=reference_id,
                    style=style,
                    quality_threshold=quality_threshold,
                    max_retries=max_retries,
                    created_by=created_by,
                    on_progress=progress,
                )
        report.data(result, lambda: image_table((*result.images, *result.failures)))
        if result.failures:
            told = f"{len(result.images)} shots stored, {len(result.failures)} failed."
            if any(map(has_source, result.failures)):
                told += " `charimg retry --all CHARACTER` downloads those again that were drawn."
            if any(warning.code == ErrorCode.JOB_STRANDED for warning in result.warnings):
                told += " `charimg recover CHARACTER` brings in what is drawn later."
            report.say(told, style="yellow")
            raise typer.Exit(ExitCode.PARTIAL)
        report.say(f"{len(result.images)} shots stored.")


@app.command("scene")
def scene(
    character: CharacterArgument,
    context: Annotated[
        str | None, typer.Argument(help="What happens in the scene.", show_default=False)
    ] = None,
    context_file: Annotated[
        str | None,
        typer.Option("--context-file", help="A UTF-8 file, used byte for byte; - is stdin."),
    ] = None,
    scene_type: Annotated[SceneType, typer.Option("--type")] = SceneType.DIALOGUE,
    mood: Annotated[str | None, typer.Option("--mood", help="E.g. tense.")] = None,
    lighting: Annotated[str | None, typer.Option("--lighting", help="E.g. low key.")] = None,
    environment: Annotated[str | None, typer.Option("--environment", help="Where.")] = None,
    others: Annotated[
        list[str] | None, typer.Option("--with", help="Another in the scene; repeatable.")
    ] = None,
    created_by: CreatedByOption = None,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    foreign: ForeignOption = None,
    provenance: ProvenanceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw one scene; earlier images stay."""
    with reporting(as_json, character=character) as report:
        exact = _text(context, context_file, "context")
        if exact is None:
            raise InvalidArgument("Give the scene's context, or --context-file.")
        with (
            Settings.of(directory, library_url, header, foreign, provenance).service() as service,
            ProgressView(report, "Drawing the scene") as progress,
        ):
            result = service.generate_scene(
                character,
                exact,
                scene_type=scene_type,
                mood=mood,
                lighting=lighting,
                environment=environment,
                additional_characters=tuple(others or ()),
                created_by=created_by,
                on_progress=progress,
            )
        _tell(report, result)
