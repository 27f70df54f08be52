"""Measure charimg as ratios; print the table, and write it down with a chart."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from . import call, imports, insert, listing, memory, objects, portfolio, web
from .measure import Missing, Result, run

_MODULES = (portfolio, call, imports, insert, listing, web, objects, memory)
CONTESTS = {each.name: each for module in _MODULES for each in module.CONTESTS}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=CONTESTS, help="may be repeated")
    parser.add_argument("--rounds", type=int)
    given = parser.parse_args(argv)
    results: list[Result] = []
    for name in given.only or CONTESTS:
        begun = time.perf_counter()
        try:
            measured = run(CONTESTS[name], given.rounds)
        except Missing as missing:
            print(f"{name}: left out. {missing}")
            continue
        for each in measured:
            results.append(each)
            print(
                f"{each.work:45} {each.against:36} {each.goal} {each.reach:5} {each.ratio:6.2f} ({each.low:.2f}-{each.high:.2f}) {each.ours_ms:8.1f} {each.other_ms:8.1f} {'ok' if each.reached else 'MISSED'}",
                flush=True,
            )
        print(f"  {name}: {time.perf_counter() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
