"""``charimg prompt``: the suggested prompt of a character."""

from __future__ import annotations

import sys

from .. import _plain
from .options import CharacterArgument, DirectoryOption, JsonOption
from .report import plain, reporting, writing
from .session import Settings, suggesting

__all__ = ["prompt"]


def prompt(
    character: CharacterArgument, directory: DirectoryOption = None, as_json: JsonOption = False
) -> None:
    """Print the suggested prompt of a master reference.

    Into a pipe or file goes the exact prompt, without a line end: what --prompt-file then reads.
    """
    with reporting(as_json, character=character) as report:
        with Settings.of(directory).offline(**suggesting()) as service:
            suggestion = service.suggest_prompt(character)
        if as_json:
            report.json(suggestion)
        else:
            shown = suggestion.prompt
            if _has_terminal():
                shown = _plain.plain(shown, keep="\n\t") + "\n"
            # UTF-8 whatever the terminal's encoding: --prompt-file reads UTF-8.
            with writing():
                sys.stdout.flush()
                sys.stdout.buffer.write(shown.encode())
                sys.stdout.buffer.flush()
        used = ", ".join(plain(name) for name in suggestion.facts)
        report.say(f"Template {suggestion.template}; facts used: {used or 'none'}.")
        if suggestion.reason is not None:
            report.say(f"The template's own, because: {suggestion.reason}", style="yellow")


def _has_terminal() -> bool:
    return sys.stdout.isatty()
