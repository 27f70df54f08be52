"""One laboratory per process of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .laboratory import Laboratory, laboratory


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with laboratory(tmp_path_factory.mktemp("laboratory")) as lab:
        yield lab
