"""Media, records and characters in a host's Payload CMS.

Payload keeps no ledger: use that of SQLite on one machine, or of PostgreSQL on several.
"""

from .aio import (
    AsyncPayloadCharacterDirectory,
    AsyncPayloadMediaStore,
    AsyncPayloadMetadataRepository,
)
from .client import AsyncPayloadClient, PayloadClient
from .options import PayloadOptions
from .sync import PayloadCharacterDirectory, PayloadMediaStore, PayloadMetadataRepository

__all__ = [
    "AsyncPayloadCharacterDirectory",
    "AsyncPayloadClient",
    "AsyncPayloadMediaStore",
    "AsyncPayloadMetadataRepository",
    "PayloadCharacterDirectory",
    "PayloadClient",
    "PayloadMediaStore",
    "PayloadMetadataRepository",
    "PayloadOptions",
]
