"""Every store of charimg's is looked at from underneath, in each run of its contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from charimg.testing import MediaStoreContract, MetadataRepositoryContract
from charimg.testing.conformance.base import Contract

from . import test_conformance
from .payload import test_payload_conformance
from .postgres import test_postgres_conformance
from .s3 import test_s3_conformance
from .sqlite import test_sqlite_conformance

MODULES = (
    test_conformance,
    test_payload_conformance,
    test_postgres_conformance,
    test_s3_conformance,
    test_sqlite_conformance,
)


def runs(contract: type[Contract]) -> Iterator[type[Contract]]:
    """Give the classes that pytest collects for a contract."""
    for module in MODULES:
        for name, each in vars(module).items():
            if name.startswith("Test") and isinstance(each, type) and issubclass(each, contract):
                yield each


@pytest.mark.parametrize(
    ("contract", "hook", "least"),
    [(MediaStoreContract, "underneath", 15), (MetadataRepositoryContract, "rows", 15)],
)
def test_every_run_looks_underneath(contract: type[Contract], hook: str, least: int) -> None:
    found = list(runs(contract))
    blind = [each for each in found if getattr(each, hook) is getattr(contract, hook)]
    assert blind == []
    assert len(found) >= least
