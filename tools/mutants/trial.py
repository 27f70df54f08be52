"""Runs the tests of an area against its mutants, each in a process of its own.

A process is forked when the package and the tests are there already, and only the changed functions
are exchanged in it. Where that is not enough, because the change is seen when a module is imported,
the process is forked before, and imports the changed module instead.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, FunctionType
from typing import Any, TypeAlias

import coverage
import hypothesis
import pytest
from _pytest.main import pytest_runtestloop

from .changes import PACKAGE, Mutant

ROOT = PACKAGE.parents[1]
OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "anyio.pytest_plugin"),
    *("-p", "_hypothesis_pytestplugin"),
    # The processes would share the files that everything is captured in.
    "--capture=sys",
    # `load` has imported some plugins.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
SECONDS = 5.0
TIMES = 4
"""A mutant with which a test takes more of the processor than both, and so many times what it takes
without, is killed: it never ends."""
WAITS = 60.0
SHARE = 20.0
"""So is one that waits for so long, and so many times what all its tests take of the processor."""
MEMORY = 6 * 1024**3

PASSED, FAILED, ELSEWHERE = 0, 1, 2
"""How a process ends: the mutant lives, it is killed, it cannot be tried like this."""

Job: TypeAlias = tuple[int, Callable[[], int], float]
"""The mutant's number, what tries it, and how long its tests take without it."""


@dataclass
class Seen:
    """What the tests of an area do.

    Attributes:
        ok: Whether they pass.
        seconds: How long each takes of the processor, by its id.
        lines: Which tests run a line, by module below the package and line. ``""`` is among them
            where it runs when modules are imported and tests collected.
    """

    ok: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)

    def tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that can see a mutant: the nearest and quickest first."""
        if not self.when_imported(mutant):
            return sorted(self._around(mutant), key=self._order)
        # Whoever reads a constant runs no line of the module.
        near = set[str]().union(*self.lines.get(mutant.module, {}).values())
        return sorted(self.seconds, key=lambda test: (test not in near, self._order(test)))

    def when_imported(self, mutant: Mutant) -> bool:
        """Tell whether the mutant is seen when its module is imported."""
        return not mutant.place.inside or "" in self._around(mutant)

    def together(self, tests: Iterable[str]) -> float:
        """Return how long tests take of the processor."""
        return sum(map(self.seconds.__getitem__, tests))

    def _order(self, test: str) -> tuple[float, str]:
        return self.seconds[test], test

    def _around(self, mutant: Mutant) -> set[str]:
        first, last = mutant.place.lines
        lines = self.lines.get(mutant.module, {})
        return set[str]().union(*(lines.get(each, ()) for each in range(first, last + 1)))


class _Watch:
    """Notes which test runs which line."""

    def __init__(self, modules: Iterable[str]) -> None:
        self.files = {str(PACKAGE / each): each for each in modules}
        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=[*self.files])
        self.seen = Seen()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        begun = time.process_time()
        try:
            return (yield)
        finally:
            self.seen.seconds[item.nodeid] = time.process_time() - begun
            self.coverage.switch_context("")

    def run(self, tests: Sequence[str]) -> Seen:
        self.coverage.start()
        self.seen.ok = pytest.main([*OPTIONS, *tests], plugins=[self]) == 0
        self.coverage.stop()
        data = self.coverage.get_data()
        for file in data.measured_files():
            lines = data.contexts_by_lineno(file)
            self.seen.lines[self.files[file]] = {line: set(of) for line, of in lines.items()}
        return self.seen


def look(modules: Iterable[str], tests: Sequence[str]) -> Seen:
    """Run the tests on the package as it is."""
    _quiet()
    return _Watch(modules).run(tests)


def exchanging(
    numbered: Iterable[tuple[int, Mutant]], seen: Seen, tests: Sequence[str], at_once: int
) -> dict[int, int | None]:
    """Import and collect the tests, and try mutants that are exchanged functions."""
    _quiet()
    trial = _Exchanging(numbered, seen, at_once)
    pytest.main([*OPTIONS, *tests], plugins=[trial])
    return trial.found


class _Exchanging:
    """Takes the place of the loop over the tests."""

    def __init__(self, numbered: Iterable[tuple[int, Mutant]], seen: Seen, at_once: int) -> None:
        self.numbered = numbered
        self.seen = seen
        self.at_once = at_once
        self.found: dict[int, int | None] = {}
        self.functions: dict[str, list[FunctionType]] = {}
        self.items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        # The suite has frozen what was collected.
        gc.unfreeze()
        gc.collect()
        for each in gc.get_objects():
            if type(each) is FunctionType:
                self.functions.setdefault(each.__code__.co_filename, []).append(each)
        # Else the collector of each process would write to all that they share.
        gc.freeze()
        self.found.update(in_processes(self._jobs(session), self.at_once))
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        _allow(self.seen.seconds[item.nodeid])

    def _jobs(self, session: pytest.Session) -> Iterator[Job]:
        for number, mutant in self.numbered:
            tests = self.seen.tests(mutant)
            changed = Changed(mutant)

            def work(tests: list[str] = tests, changed: Changed = changed) -> int:
                if not exchanged(self.functions.get(changed.path, []), changed.code):
                    return ELSEWHERE
                # It may be imported later, too.
                sys.meta_path.insert(0, changed)
                return _run(session, [self.items[each] for each in tests])

            yield number, work, self.seen.together(tests)


def _run(session: pytest.Session, items: list[pytest.Item]) -> int:
    session.items = items
    with suppress(session.Failed):
        pytest_runtestloop(session)
    return FAILED if session.testsfailed else PASSED


def exchanged(functions: Iterable[FunctionType], code: CodeType) -> bool:
    """Give a module's functions the code that they have in a changed one, if that is all."""
    codes: dict[tuple[str, int], CodeType] = {}
    for each in _codes(code):
        if codes.setdefault((each.co_qualname, each.co_firstlineno), each) != each:
            return False
    for function in functions:
        now = function.__code__
        other = codes.get((now.co_qualname, now.co_firstlineno))
        if other is None or other.co_freevars != now.co_freevars:
            return False
        function.__code__ = other
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def importing(
    numbered: Iterable[tuple[int, Mutant]], seen: Seen, at_once: int
) -> dict[int, int | None]:
    """Try mutants in processes that import the package and the tests anew."""
    return dict(in_processes(_importing(numbered, seen), at_once))


def _importing(numbered: Iterable[tuple[int, Mutant]], seen: Seen) -> Iterator[Job]:
    for number, mutant in numbered:
        chosen = seen.tests(mutant)
        changed = Changed(mutant)

        def work(chosen: list[str] = chosen, changed: Changed = changed) -> int:
            sys.meta_path.insert(0, changed)
            files = dict.fromkeys(each.partition("::")[0] for each in chosen)
            passed = pytest.main([*OPTIONS, *files], plugins=[_Chosen(chosen, seen)]) == 0
            return PASSED if passed else FAILED

        yield number, work, seen.together(chosen)


class Changed(SourceFileLoader):
    """Finds a mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        path = PACKAGE / mutant.module
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        super().__init__(".".join(parts).removesuffix(".__init__"), str(path))
        self.code = compile(mutant.tree, self.path, "exec")

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Return where the module is, if it is this one."""
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """Return the changed code."""
        return self.code


class _Chosen:
    """Leaves some tests, in an order."""

    def __init__(self, tests: Sequence[str], seen: Seen) -> None:
        self._places = {test: at for at, test in enumerate(tests)}
        self._seen = seen

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        _allow(self._seen.seconds[item.nodeid])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._places]
        items.sort(key=lambda item: self._places[item.nodeid])


def in_processes(jobs: Iterator[Job], at_once: int) -> Iterator[tuple[int, int | None]]:
    """Do jobs, each in a process, and tell with which code each ended; ``None`` is never."""
    running: dict[int, tuple[int, float]] = {}
    waiting: Job | None = next(jobs, None)
    while waiting or running:
        while waiting and len(running) < at_once:
            number, work, seconds = waiting
            running[_fork(work)] = (number, time.monotonic() + WAITS + SHARE * seconds)
            waiting = next(jobs, None)
        for process, (number, ends) in [*running.items()]:
            done, status = os.waitpid(process, os.WNOHANG)
            if not done and time.monotonic() < ends:
                continue
            # What its tests have started goes with it.
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            if not done:
                _, status = os.waitpid(process, 0)
            del running[process]
            code = os.waitstatus_to_exitcode(status)
            yield number, None if code in (-signal.SIGPROF, -signal.SIGKILL) else code
        time.sleep(0.005)


def _fork(work: Callable[[], int]) -> int:
    process = os.fork()
    if process:
        return process
    code = FAILED
    try:
        os.setsid()
        _quiet()
        _allow(SECONDS)
        # Of its own, where nobody else's lie to be cleaned away.
        os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(dir=tempfile.gettempdir())
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        code = work()
    finally:
        os._exit(code)


def _allow(seconds: float) -> None:
    """End this process if what comes now takes so much more of the processor."""
    signal.setitimer(signal.ITIMER_PROF, max(SECONDS, TIMES * seconds))


def _quiet() -> None:
    silent = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(silent, each)


def load(folder: str) -> None:
    """Import, once for all, what the tests import of others; never the package.

    Args:
        folder: For all temporary files.
    """
    tempfile.tempdir = os.environ["TMPDIR"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["COVERAGE_CORE"] = "ctrace"
    os.chdir(ROOT)
    for each in ("anyio.pytest_plugin", "cattrs", "httpx", "stamina", "PIL.Image", "obstore"):
        import_module(each)
    # The same examples each time, and no search for a smaller one: failing is enough.
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    hypothesis.settings.load_profile("mutants")
