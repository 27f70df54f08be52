"""Measure charimg as ratios; print the table, and write it down with a chart."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import (
    bulk,
    call,
    flat,
    imports,
    insert,
    listing,
    memory,
    objects,
    orm,
    page,
    portfolio,
    web,
)
from .machine import describe
from .measure import Missing, Result, run
from .report import table, write
from .units import measure_units

_MODULES = (portfolio, bulk, call, imports, insert, flat, listing, orm, web, page, objects, memory)
CONTESTS = {each.name: each for module in _MODULES for each in module.CONTESTS}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the contests one after the other; return the exit code."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=CONTESTS, help="may be repeated")
    parser.add_argument("--rounds", type=int, help="rounds per contest, at least 2")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="JSON, table and chart")
    given = parser.parse_args(argv)
    if given.rounds is not None and given.rounds < 2:
        parser.error("--rounds must be at least 2")
    begun = time.perf_counter()
    results: list[Result] = []
    skipped: dict[str, str] = {}
    for name in given.only or CONTESTS:
        started = time.perf_counter()
        try:
            results += run(CONTESTS[name], given.rounds)
        except Missing as error:
            skipped[name] = str(error)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(table(results))
    for name, why in skipped.items():
        print(f"left out, {name}: {why}")
    print(f"{time.perf_counter() - begun:.0f} s in all")
    if given.write is not None:
        write(given.write, results, skipped, describe(), measure_units())
    return 0


if __name__ == "__main__":
    sys.exit(main())
