"""Importing charimg in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .measure import Contest, Job, Row, demand

__all__ = ["CONTESTS"]

THEIRS = "import httpx, attrs, cattrs, stamina"


def _interpreter(code: str) -> Job:
    command = [sys.executable, "-c", code]
    return lambda: demand(subprocess.run(command, check=False).returncode == 0, f"failed: {code}")


@contextmanager
def _imports() -> Iterator[Mapping[str, Job]]:
    yield {
        "package": _interpreter("import charimg"),
        "service": _interpreter("from charimg import CharacterImageService, CharacterLibrary"),
        "async service": _interpreter(
            "from charimg import AsyncCharacterImageService, AsyncCharacterLibrary"
        ),
        "theirs": _interpreter(THEIRS),
    }


CONTESTS = (
    Contest(
        name="imports",
        rounds=9,
        prepare=_imports,
        rows=(
            Row(
                work="import charimg",
                ours="package",
                other="theirs",
                against="import httpx, attrs, cattrs, stamina",
                reach=0.6,
            ),
            # Names load when they are first used; what that comes to is not hidden.
            Row(
                work="from charimg import the service",
                ours="service",
                other="theirs",
                against="import httpx, attrs, cattrs, stamina",
                reach=2,
            ),
            Row(
                work="from charimg import the async service",
                ours="async service",
                other="theirs",
                against="import httpx, attrs, cattrs, stamina",
                reach=2,
            ),
        ),
    ),
)
