"""The command: ``make mutants``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

from . import __doc__ as about
from .areas import AREAS, EQUIVALENT, Area
from .changes import Mutant, mutants_of
from .trial import ELSEWHERE, PASSED, Seen, exchanging, importing, load, look

P = ParamSpec("P")
T = TypeVar("T")

KILLED, ENDLESS, SURVIVED, UNSEEN = "killed", "endless", "survived", "unseen"


def numbered(area: Area, every: int) -> Iterator[tuple[int, Mutant]]:
    """Number an area's mutants, but for those that change nothing; leave out what is not tried."""
    number = 0
    for module in area.modules:
        for mutant in mutants_of(module):
            if mutant.label not in EQUIVALENT:
                if number % every == 0:
                    yield number, mutant
                number += 1


def apart(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Do something in a process of its own, that may import the package."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        return pool.submit(work, *args, **options).result()


def exchange(area: Area, seen: Seen, every: int, at_once: int) -> dict[int, int | None]:
    """Try those mutants whose functions can be exchanged."""
    wanted = (
        (number, mutant)
        for number, mutant in numbered(area, every)
        if seen.tests(mutant) and not seen.when_imported(mutant)
    )
    return exchanging(wanted, seen, area.paths, at_once)


def verdicts(area: Area, seen: Seen, every: int, at_once: int) -> Iterator[tuple[Mutant, str]]:
    """Try an area's mutants, and tell what became of each."""
    ends = apart(exchange, area, seen, every, at_once)
    elsewhere = (
        (number, mutant)
        for number, mutant in numbered(area, every)
        if seen.tests(mutant) and ends.get(number, ELSEWHERE) == ELSEWHERE
    )
    ends |= importing(elsewhere, seen, at_once)
    for number, mutant in numbered(area, every):
        if number not in ends:
            yield mutant, UNSEEN
        elif ends[number] is None:
            yield mutant, ENDLESS
        else:
            yield mutant, SURVIVED if ends[number] == PASSED else KILLED


def judge(area: Area, lines: list[str], *, every: int, at_once: int) -> bool:
    """Try an area's mutants, print the survivors and the figure; tell whether it is reached."""
    seen = apart(look, [each.partition(":")[0] for each in area.modules], area.paths)
    if not seen.ok:
        print(f"{area.name}: its tests fail without any mutant", flush=True)
        return False
    count: Counter[str] = Counter()
    for mutant, verdict in verdicts(area, seen, every, at_once):
        count[verdict] += 1
        lines.append(f"{verdict}\t{mutant.label}")
        if verdict in (SURVIVED, UNSEEN):
            print(f"  {verdict}, line {mutant.line}: {mutant.label}")
    killed = count[KILLED] + count[ENDLESS]
    percent = 100 * killed / count.total()
    print(
        f"{area.name}: {killed} of {count.total()} mutants killed ({percent:.1f} %, "
        f"at least {area.floor} %), {count[ENDLESS]} of them because their tests did not end; "
        f"no test runs {count[UNSEEN]}" + (f"; every {every}th was tried" if every > 1 else ""),
        flush=True,
    )
    return percent >= area.floor


def main() -> int:
    """Try all areas, or those named."""
    parser = argparse.ArgumentParser("mutants", description=(about or "").partition("\n")[0])
    parser.add_argument("areas", nargs="*", choices=[[], *(each.name for each in AREAS)])
    parser.add_argument("--every", type=int, default=1, help="try only every nth mutant")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="a file for what became of each mutant")
    options = parser.parse_args()
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        load(folder)
        reached = [
            judge(area, lines, every=options.every, at_once=options.processes)
            for area in AREAS
            if not options.areas or area.name in options.areas
        ]
    if options.write is not None:
        options.write.write_text("".join(f"{each}\n" for each in sorted(lines)), encoding="utf-8")
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
