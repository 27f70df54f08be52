"""PostgreSQL for records, characters and the ledger, shared by processes on several machines.

Each store's work is written once, as programs of SQL statements; a sync and an async database carry
them out. It needs psycopg: ``pip install 'charimg[postgres]'``.
"""

from __future__ import annotations

from .aio import AsyncPostgresDatabase
from .database import PostgresDatabase
from .directory import PostgresCharacterDirectory
from .ledger import PostgresGenerationLedger
from .metadata import PostgresMetadataRepository
from .stores import (
    AsyncPostgresCharacterDirectory,
    AsyncPostgresGenerationLedger,
    AsyncPostgresMetadataRepository,
)

__all__ = [
    "AsyncPostgresCharacterDirectory",
    "AsyncPostgresDatabase",
    "AsyncPostgresGenerationLedger",
    "AsyncPostgresMetadataRepository",
    "PostgresCharacterDirectory",
    "PostgresDatabase",
    "PostgresGenerationLedger",
    "PostgresMetadataRepository",
]
