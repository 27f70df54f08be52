"""Ctrl-C on a terminal: every process of the group gets it, the workers of a local cluster, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from charimg import ImageKind
from charimg.bulk import BulkOutcome

from ..cli.process import SECONDS
from ..holding import held
from ..patience import until
from .runs import Bulk, outcomes, scene
from .stage import Stage

_SCRIPT = """
import signal, sys
from functools import partial
from pathlib import Path
from distributed import Client
from charimg.bulk import DaskExecutor, run_bulk
from tests.bulk.clusters import local
from tests.bulk.runs import scene
from tests.bulk.stage import open_service

def main():
    root, url, manifest = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        local(processes=True, threads_per_worker=1) as cluster,
        Client(cluster, set_as_default=False) as client,
        # Not to be waited for.
        DaskExecutor(client, patience=24 * 3600) as executor,
    ):
        try:
            run_bulk("scene", map(scene, "abcdef"), executor=executor, in_flight=2,
                     open_service=partial(open_service, Path(root), url), manifest=manifest)
        except KeyboardInterrupt:
            print("interrupted")

if __name__ == "__main__":
    main()
"""


def test_ctrl_c_ends_the_run_and_its_workers(stage: Stage, bulk: Bulk) -> None:
    ids = stage.references(*"abcdef")
    manifest = bulk.manifest
    manifest.parent.mkdir(exist_ok=True)
    script = manifest.with_suffix(".py")
    script.write_text(_SCRIPT)
    with (
        held(stage.server.simulator, but=1),
        subprocess.Popen(
            [sys.executable, str(script), str(stage.root), stage.server.url, str(manifest)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(each or "." for each in sys.path)},
            start_new_session=True,
            text=True,
        ) as process,
    ):
        try:
            # One is done, two are at work.
            until(lambda: stage.counters.scene_posts == 3)
            os.killpg(process.pid, signal.SIGINT)
            out, _ = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert out == "interrupted\n"
    assert stage.counters.scene_posts == 3
    # The server draws on though nobody waits for it.
    until(lambda: stage.server.simulator._generations_at_once == 0)
    again = bulk("scene", map(scene, ids))
    assert outcomes(again) == dict.fromkeys(ids, BulkOutcome.DONE)
    assert again.skipped >= 1
    # What was in flight when its worker was ended is found, and not drawn again.
    drawn = sum(len(stage.images(each, ImageKind.SCENE)) for each in ids)
    assert drawn == stage.counters.scene_posts == len(ids)
