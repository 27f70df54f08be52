"""The hosts that the tests of the routes run in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from .stages import KINDS, Stage, hosted


@pytest.fixture(scope="session")
def _stages() -> Iterator[Callable[[str], Stage]]:
    running: dict[str, Stage] = {}
    with ExitStack() as servers:

        def stage_of(kind: str) -> Stage:
            if kind not in running:
                running[kind] = servers.enter_context(hosted(kind))
            return running[kind]

        yield stage_of


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, _stages: Callable[[str], Stage]) -> Stage:
    """A host with the workspace below ``/studio``, fresh."""
    stage = _stages(request.param)
    stage.reset()
    return stage
