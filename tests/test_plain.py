"""No text of somebody else's steers a terminal, or forges a line of the log."""

from __future__ import annotations

import ast
import io
import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import charimg
from charimg import (
    CharacterLibraryError,
    CharimgError,
    IngestionError,
    JobError,
    StorageError,
)
from charimg._library.errors import redacted
from charimg._plain import logger, plain

HOSTILE = "a\x1b]0;title\x07b\x9b31mc\x7fd\r\ne\u2028f\u202eg"
"""An escape sequence, one in C1, DEL, ends of lines, and what turns the direction around."""


def test_what_cannot_be_seen_is_a_space() -> None:
    assert plain(HOSTILE) == "a ]0;title b 31mc d  e f g"
    assert plain("Ärger, 東京, 🎬 & <b>") == "Ärger, 東京, 🎬 & <b>"
    assert plain("a\nb\tc\x1b", keep="\n\t") == "a\nb\tc "


def every_error() -> list[type[CharimgError]]:
    kinds = [CharimgError]
    for kind in kinds:
        kinds += [each for each in kind.__subclasses__() if each.__module__ == "charimg.errors"]
    return kinds


@pytest.mark.parametrize("kind", every_error())
def test_the_text_of_an_error_is_one_plain_line(kind: type[CharimgError]) -> None:
    options = {"code": "X"} if issubclass(kind, (CharacterLibraryError, IngestionError)) else {}
    if issubclass(kind, JobError):
        options["job_id"] = "j"
    error = kind(HOSTILE, **options)
    assert str(error).isprintable()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_server_s_own_words_are_plain() -> None:
    assert redacted(HOSTILE).isprintable()


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a host's plainest handler writes of charimg's log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(key)s"))
    root = logging.getLogger("charimg")
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def test_nothing_but_plain_text_reaches_the_log(written: io.StringIO) -> None:
    log = logger("charimg.stores.disk")
    assert logger("charimg.stores.disk").filters == log.filters
    log.warning("media.broken", extra={"key": HOSTILE, "size": 7})
    try:
        raise StorageError("ours") from OSError(HOSTILE)
    except StorageError:
        log.exception("operation.unwritten", extra={"key": "k"}, stack_info=True)
    lines = written.getvalue().splitlines()
    assert lines[0] == f"media.broken {plain(HOSTILE)}"
    assert lines[1] == "operation.unwritten k"
    assert "OSError: " + plain(HOSTILE, keep="\n") in written.getvalue()
    assert 'File "' in written.getvalue()
    assert all(line.isprintable() for line in lines)


def test_every_module_logs_through_it() -> None:
    """A `logging.getLogger` of one's own would let everything through."""
    source = Path(charimg.__file__).parent
    allowed = {"__init__.py", "_plain.py", "_http/quiet.py", "cli/bulk.py", "cli/pages.py"}
    found = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "getLogger"
    }
    assert found == allowed


def test_json_is_plain_text_too(capsys: pytest.CaptureFixture[str]) -> None:
    from charimg.cli.report import Report

    Report(as_json=True).json({"name": HOSTILE})
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert json.loads(out) == {"name": HOSTILE}
