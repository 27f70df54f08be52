"""Fuzz the pure parts with atheris: inputs are led by what they reach in the code.

Each target runs in a process of its own for a while, beginning with good inputs. An input that
breaks a promise (see ``tests/machines/oracles.py``), that is no error of ours, or that takes longer
than ten seconds ends it; it is kept below ``.fuzz`` for a test of its own.

Atheris runs where its wheels do (Linux and CPython 3.11 to 3.13); the suite fuzzes everywhere, by
Hypothesis (``tests/machines/test_fuzz.py``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / ".fuzz"
"""Where an input is kept that broke something."""

Check = Callable[[bytes], None]


def targets() -> dict[str, tuple[Check, list[bytes]]]:
    """Return each target with the inputs that it begins with."""
    from tests.library.helpers import GET, POST, exchange
    from tests.machines import oracles

    def url(data: bytes) -> None:
        oracles.url_passes(data.decode("utf-8", "surrogateescape"))

    def file(data: bytes) -> None:
        oracles.file_passes(data)

    def answer(data: bytes) -> None:
        reader, status, method, *_ = data[:3].ljust(3, b"\0")
        given = exchange(
            body=data[3:],
            status=oracles.STATUSES[status % len(oracles.STATUSES)],
            request=(GET, POST)[method % 2],
            headers={"content-type": "application/json"},
        )
        oracles.answer_is_read(oracles.READERS[reader % len(oracles.READERS)], given)

    def prompt(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        oracles.prompt_passes(text)
        with contextlib.suppress(ValueError, RecursionError):
            traits = json.loads(text)
            if isinstance(traits, dict):
                oracles.character_has_prompt("Lena Marlow", traits)

    answers = [json.dumps(each).encode() for each in oracles.documents()]
    return {
        "URL policy": (url, [each.encode() for each in oracles.URLS]),
        "inspector": (file, list(oracles.FILES)),
        "answer parser": (
            answer,
            [
                bytes([number, 0, number]) + text
                for number in range(len(oracles.READERS))
                for text in answers
            ],
        ),
        "prompt builder": (prompt, [json.dumps(oracles.TRAITS).encode()]),
    }


NAMES = ("URL policy", "inspector", "answer parser", "prompt builder")


def run(name: str, seconds: int) -> None:
    """Fuzz one target in this process, and end it."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["charimg"]):
        check, good = targets()[name]
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(good):
            (Path(corpus) / f"{number:04}").write_bytes(data)
        options = [
            *(f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=10"),
            *("-max_len=65536", "-rss_limit_mb=2048", f"-artifact_prefix={FOUND}/"),
        ]
        atheris.Setup([sys.argv[0], *options, corpus], check)
        atheris.Fuzz()


def attempt(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; print what came of it."""
    done = subprocess.run(
        [sys.executable, __file__, "--seconds", str(seconds), "--only", name],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = done.stdout + done.stderr
    tried = re.search(r"number_of_executed_units: (\d+)", said)
    reached = re.findall(r"\bcov: (\d+)", said)
    if done.returncode or not tried or not reached:
        print(f"{name}: broken, exit code {done.returncode}\n{said[-4000:]}", flush=True)
        return False
    print(
        f"fuzzing with atheris, {name}: {tried[1]} inputs in {seconds} s, {reached[-1]} places of "
        f"the code reached ({reached[0]} by the first ones), 0 broke a promise",
        flush=True,
    )
    return True


def main(arguments: list[str] | None = None) -> int:
    """Fuzz every target, two at a time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--only", choices=NAMES, help=argparse.SUPPRESS)
    options: Any = parser.parse_args(arguments)
    if options.only:
        run(options.only, options.seconds)
        return 0
    with ThreadPoolExecutor(2) as pool:
        return 0 if all(list(pool.map(partial(attempt, seconds=options.seconds), NAMES))) else 1


if __name__ == "__main__":
    raise SystemExit(main())
