"""Any sequence of calls: the PostgreSQL stores answer as a plain model does, in both modes.

Few sequences in the suite; with ``CHARIMG_SOAK`` as many as of the embedded stores.
"""

from __future__ import annotations

import os

from charimg.stores import (
    AsyncPostgresGenerationLedger,
    AsyncPostgresMetadataRepository,
    PostgresGenerationLedger,
    PostgresMetadataRepository,
)
from charimg.testing import GenerationLedgerMachine, MetadataRepositoryMachine

from .test_postgres_conformance import _Postgres

EXAMPLES = 100 if os.environ.get("CHARIMG_SOAK") else 25


class TestMetadata(_Postgres, MetadataRepositoryMachine):
    examples = EXAMPLES
    store = PostgresMetadataRepository


class TestMetadataOnAsyncio(TestMetadata):
    backend = "asyncio"
    store = AsyncPostgresMetadataRepository


class TestLedger(_Postgres, GenerationLedgerMachine):
    examples = EXAMPLES
    store = PostgresGenerationLedger


class TestLedgerOnAsyncio(TestLedger):
    backend = "asyncio"
    store = AsyncPostgresGenerationLedger
