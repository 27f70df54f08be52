# Generated from src/charimg/_async/checks.py by tools/unasync.py. Do not edit.
"""What can be known before an image is paid for."""

from __future__ import annotations

from .._ingest.naming import item_key
from .._offers import offers
from ..capabilities import CheckingMetadataRepository
from ..models import CharacterImage, ImageStatus
from .operation import Run

__all__ = ["check_stores"]


def check_stores(run: Run, kind: str) -> None:
    """Raise if an image could not come in: what is drawn now would have nowhere to go."""
    run.parts.downloader.check()
    key = item_key(run.op.id, 0)
    run.parts.media.get(key)
    metadata = run.parts.metadata
    metadata.get(key)
    if offers(metadata, CheckingMetadataRepository):
        metadata.check(
            CharacterImage(
                key=key,
                character_id=run.op.character_id,
                kind=kind,
                status=ImageStatus.SUCCEEDED,
                prompt=run.op.prompt,
                created_by=run.op.created_by,
            )
        )
