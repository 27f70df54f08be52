"""A prepared process that forks one child per task: it runs an operation and dies where it is told.

Started with pipes and the URL of a Library. When it is ready, it says so; then each line on stdin
is a task in JSON, and is answered by one line on stdout when its child has ended. POSIX only. There
is no thread here, so a fork is a whole process.

A task: ``root`` (the data directory), ``url`` (the Library), ``tmp`` (for temporary files), ``do``
(``act`` or ``recover``), ``work`` (which operation), ``at`` (at which moment), ``stop`` (``kill``,
or how the call fails), ``bug`` (which part of the service is sabotaged).
"""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import ssl
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import IO, Any

import stamina

from charimg import CharacterImageService, CharimgError, RecoveryReport
from charimg._decoding import drawing
from charimg._decoding.protocol import Answer, Task
from charimg._decoding.worker import Workers
from charimg._sync import base

from ..servers.unflushed import unflushed
from . import faults, invariants, sabotage, works
from .steps import Steps, stepping

_SECONDS = 600


def main() -> None:
    stamina.set_active(False)
    # Reading the certificates takes longer than an operation, and nobody here speaks TLS.
    context = ssl.create_default_context()
    ssl.create_default_context = functools.lru_cache(lambda *_, **__: context)  # type: ignore[assignment]
    # So that an operation's keys, and with them the directories that exist, are no accident.
    base.new_operation_id = _ids().__next__
    # A process of its own for decoding, begun by each child, takes longer than an operation.
    Workers.ask = _decoded_here  # type: ignore[method-assign]
    with unflushed():
        _warm(*sys.argv[1:])
        _serve()


def _serve() -> None:
    # The children share this memory as long as nobody counts in it.
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            _child(json.loads(line), tell)
        os.close(tell)
        with os.fdopen(told) as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        answer = json.loads(said) if said else {}
        print(json.dumps({**answer, "status": status}), flush=True)


def _ids() -> Iterator[str]:
    """Return ids that are later than any of an earlier process."""
    for number in count():
        yield f"{'f' * 12}{number:020x}"


def _decoded_here(workers: Workers, task: Task, file: IO[bytes], seconds: float) -> Answer:
    return drawing.decode(file, task, lambda pixels: None)


def _warm(url: str, db_id: str) -> None:
    """Go through everything once, so that no child has to import, compile or load anything."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        with stepping(Steps(), root), works.open_service(root, url) as service:
            works.link(service, db_id)
            service.generate_reference(works.LENA, prompt="one")
            service.generate_portfolio(works.LENA)
            service.generate_scene(works.LENA, "two")
            service.delete_all_images(works.LENA)
        _recover(root, url, one_reference=True)


def _child(task: dict[str, Any], tell: int) -> None:
    gc.disable()
    signal.alarm(_SECONDS)
    try:
        said = _run(task, lambda steps: _say(tell, {"trail": steps.trail}))
        _say(tell, said)
    except BaseException:  # noqa: BLE001 - told to whoever asked
        _say(tell, {"crashed": traceback.format_exc()})
    finally:
        os._exit(0)


def _say(tell: int, said: dict[str, Any]) -> None:
    data = json.dumps(said).encode()
    while data:
        data = data[os.write(tell, data) :]


def _run(task: dict[str, Any], before_death: Callable[[Steps], None]) -> dict[str, Any]:
    tempfile.tempdir = task["tmp"]
    root = Path(task["root"])
    stop = task.get("stop")

    def kill(what: str, when: str) -> None:
        before_death(steps)
        os.kill(os.getpid(), signal.SIGKILL)

    steps = Steps(task.get("at"), kill if stop == "kill" else faults.fault(stop))
    with ExitStack() as stack:
        if task.get("bug"):
            stack.enter_context(sabotage.BUGS[task["bug"]]())
        if task["do"] == "act":
            with stepping(steps, root):
                said = _act(works.WORKS[task["work"]].act, root, task["url"])
        else:
            said = _recover(root, task["url"], one_reference=task["one_reference"])
        return {
            **said,
            "trail": steps.trail,
            "left": [path.name for path in Path(task["tmp"]).iterdir()],
        }


def _act(act: works.Act, root: Path, url: str) -> dict[str, Any]:
    error: BaseException | None = None
    result: object = None
    try:
        with works.open_service(root, url) as service:
            result = act(service)
    except Exception as caught:  # noqa: BLE001 - judged by whoever asked
        error = caught
    told = result.operations if isinstance(result, RecoveryReport) else ()
    warned = [each.message for each in getattr(result, "warnings", ())]
    return {
        "told": [each.outcome for each in told],
        # Recovery says it in its own message.
        "warned": [text for text in (*warned, *(each.message for each in told)) if "not" in text],
        "error": None if error is None else f"{type(error).__name__}: {error}",
        "ours": error is None or isinstance(error, CharimgError),
        "raised": None if error is None else "".join(traceback.format_exception(error)),
    }


def _recover(root: Path, url: str, *, one_reference: bool) -> dict[str, Any]:
    """Judge what is there, recover, judge again, and recover once more."""
    with works.open_service(root, url) as service:
        left = invariants.read_facts(service, [works.LENA])
        found = [
            f"before recovery: {wrong}"
            for wrong in invariants.violations(left, settled=False, one_reference=one_reference)
        ]
        outcomes = _recovered(service)
        facts = invariants.read_facts(service, [works.LENA])
        found += invariants.violations(facts, one_reference=one_reference)
        again = _recovered(service)
        found += invariants.changes(facts, invariants.read_facts(service, [works.LENA]))
        found += [f"recovery reported {each}" for each in outcomes if each[0] == "error"]
    if again != [each for each in outcomes if each[0] in ("unknown", "waiting")]:
        found.append(f"the second recovery told {again} after {outcomes}")
    names = sorted(path.name for path in root.iterdir())
    found += [f"{name} lies in the data directory" for name in names if name not in _EXPECTED]
    return {
        "violations": found,
        "outcomes": outcomes,
        "images": [
            [image.external_id, image.status, image.source_url, image.prompt]
            for image in facts.images
        ],
    }


_EXPECTED = ("charimg.sqlite", "media")


def _recovered(service: CharacterImageService) -> list[list[str]]:
    return [[each.outcome, each.kind, each.prompt] for each in service.recover().operations]


if __name__ == "__main__":
    main()
