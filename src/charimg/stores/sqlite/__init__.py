"""One SQLite file for records, characters and the ledger, safe with several threads and processes.

Everything that is written is on the disk when a call returns (WAL, ``synchronous=FULL``).
"""

from __future__ import annotations

from .aio import (
    AsyncSqliteCharacterDirectory,
    AsyncSqliteGenerationLedger,
    AsyncSqliteMetadataRepository,
)
from .database import SqliteDatabase
from .directory import SqliteCharacterDirectory
from .ledger import SqliteGenerationLedger
from .metadata import SqliteMetadataRepository

__all__ = [
    "AsyncSqliteCharacterDirectory",
    "AsyncSqliteGenerationLedger",
    "AsyncSqliteMetadataRepository",
    "SqliteCharacterDirectory",
    "SqliteDatabase",
    "SqliteGenerationLedger",
    "SqliteMetadataRepository",
]
