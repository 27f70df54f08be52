"""What can be known before an image is paid for."""

from __future__ import annotations

from .._ingest.naming import item_key
from .._offers import offers
from ..capabilities import AsyncCheckingMetadataRepository
from ..models import CharacterImage, ImageStatus
from .operation import AsyncRun

__all__ = ["check_stores"]


async def check_stores(run: AsyncRun, kind: str) -> None:
    """Raise if an image could not come in: what is drawn now would have nowhere to go."""
    run.parts.downloader.check()
    key = item_key(run.op.id, 0)
    await run.parts.media.get(key)
    metadata = run.parts.metadata
    await metadata.get(key)
    if offers(metadata, AsyncCheckingMetadataRepository):
        await metadata.check(
            CharacterImage(
                key=key,
                character_id=run.op.character_id,
                kind=kind,
                status=ImageStatus.SUCCEEDED,
                prompt=run.op.prompt,
                created_by=run.op.created_by,
            )
        )
