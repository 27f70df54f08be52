# Generated from src/charimg/_async/recording.py by tools/unasync.py. Do not edit.
"""The records of an operation's images: written one by one or together, made good, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime

from attrs import evolve

from .._offers import offers
from .._plain import logger
from .._stages import timed
from ..capabilities import BatchingMetadataRepository
from ..errors import ErrorCode, StorageError
from ..events import Stage, StageFinished
from ..journal import ItemState, Operation, OperationItem
from ..models import CharacterImage, ImageMetrics, ImageStatus, Media, utcnow
from .operation import Run, generation_ms
from .sources import shown_image

__all__ = ["Records"]

_log = logger("charimg.service")


class Records:
    """Writes the records of an operation's images.

    Args:
        run: The operation.
        kind: The kind of the records.
        replaced: The ``failed`` image that a retry makes good: in its record, if it has one.

    Attributes:
        master_since: Since when a reference is the master; ``None`` for everything else.
    """

    def __init__(self, run: Run, *, kind: str, replaced: CharacterImage | None) -> None:
        self.master_since: datetime | None = None
        self._run = run
        self._kind = kind
        self._replaced = replaced
        self._metadata = run.parts.metadata
        unrecorded = replaced is not None and replaced.media is None
        self._replaces_record = replaced is not None and not (
            unrecorded and self._metadata.requires_media
        )
        self._added: dict[str, str] = {}
        self._anonymous = False

    @property
    def come_together(self) -> bool:
        """Whether several new records can be written in one transaction."""
        return self._replaced is None and offers(self._metadata, BatchingMetadataRepository)

    def can_hold(self, media: Media | None) -> bool:
        """Tell whether there can be a record of an image with this media, or with none."""
        return media is not None or not self._metadata.requires_media

    def write(self, item: OperationItem, image: CharacterImage) -> CharacterImage:
        """Write one record: a new one, or the one that is made good.

        Raises:
            StorageError: It was refused; the message names the image.
            LeaseLost: It was refused, and the lease is somebody else's.
        """
        try:
            with self._run.stage(Stage.RECORD, key=item.key):
                if self._replaces_record:
                    return self._metadata.update(image)
                return self._add(image)
        except StorageError as error:
            if item.key not in str(error):
                error.args = (f"{error} The image is {item.key}.",)
            # Whoever took the lease over may have deleted the media, and with it the reason.
            self._run.renew()
            raise

    def add_many(self, images: Sequence[CharacterImage]) -> dict[str, CharacterImage]:
        """Write new records in one transaction, where the repository can.

        Returns:
            What is recorded, by key. What is left out has to be written by itself: it then tells
            which one was refused, or makes an earlier record good.
        """
        if not offers(self._metadata, BatchingMetadataRepository):
            return {}
        told: list[StageFinished] = []
        try:
            with ExitStack() as stages:
                for image in images:
                    measure = timed(Stage.RECORD, self._run.op, told.append, key=image.key)
                    stages.enter_context(measure)
                stored = self._metadata.add_many(images)
            pairs = list(zip(images, stored, strict=True))
        except Exception as error:  # noqa: BLE001 - one by one they meet it again, or they do not
            _log.warning(
                "images.not_together",
                extra={
                    "operation_id": self._run.op.id,
                    "images": len(images),
                    "error": type(error).__name__,
                },
            )
            return {}
        self._added.update((image.key, first.id) for image, first in pairs)
        recorded = {
            image.key: self._noted(image, first)
            for image, first in pairs
            if not _is_earlier(first, image)
        }
        for event in told:
            if event.key in recorded:
                self._run.observe(event)
        return recorded

    def _add(self, image: CharacterImage) -> CharacterImage:
        stored = self._metadata.add(image)
        if _is_earlier(stored, image):
            # This is the same image, or where it is.
            known = evolve(image, id=stored.id, created_at=stored.created_at)
            stored = self._metadata.update(known)
        self._added[image.key] = stored.id
        return self._noted(image, stored)

    def _noted(self, image: CharacterImage, stored: CharacterImage) -> CharacterImage:
        """Return a record as it may be shown; warn once if it does not say for whom it is."""
        if stored.created_by is None and image.created_by is not None and not self._anonymous:
            self._anonymous = True
            self._run.warn(
                ErrorCode.CREATED_BY_REFUSED,
                "The records have no created_by: their store did not keep the one that was given. "
                "Does it know this user?",
            )
        return shown_image(stored)

    def withdraw(self) -> None:
        """Take back what came in after somebody else took over and deleted the images.

        A record and its media stand or fall together, as the one that took over has left them.
        """
        parts = self._run.parts
        op = parts.ledger.get(self._run.op.id)
        if op is None or not op.finished:
            return
        for item in op.items:
            record = self._record_of(op, item)
            gone = item.state == ItemState.PENDING or parts.media.get(item.key) is None
            if record is not None and record.status == ImageStatus.SUCCEEDED and gone:
                parts.metadata.delete(record.id)
                record = None
            if record is None:
                parts.media.delete(item.key)

    def _record_of(self, op: Operation, item: OperationItem) -> CharacterImage | None:
        """Return the record of an item, under whichever id it has."""
        for image_id in (item.image_id, self._added.get(item.key), op.options.get("image_id")):
            record = None if image_id is None else self._metadata.get(str(image_id))
            # Some repositories give the id of what was deleted to something new.
            if record is not None and record.key == item.key:
                return record
        return None

    def image(
        self, item: OperationItem, *, media: Media | None, metrics: ImageMetrics
    ) -> CharacterImage:
        """Return what is to be recorded of an image."""
        op, replaced = self._run.op, self._replaced
        if media is not None:
            metrics = evolve(
                metrics,
                bytes=media.size,
                sha256=media.sha256,
                width=media.width,
                height=media.height,
            )
        status = ImageStatus.FAILED if media is None else ImageStatus.SUCCEEDED
        if replaced is not None:
            kept = replaced.metrics
            made_good = evolve(
                replaced,
                status=status,
                media=media,
                error=item.error,
                source_url=item.source_url or replaced.source_url,
                metrics=evolve(
                    metrics,
                    generation_ms=kept.generation_ms,
                    shot=kept.shot,
                    scene=kept.scene,
                    prompt_origin=kept.prompt_origin,
                    master_since=kept.master_since,
                ),
                updated_at=utcnow(),
            )
            return shown_image(made_good)
        image = CharacterImage(
            key=item.key,
            character_id=op.character_id,
            kind=self._kind,
            status=status,
            media=media,
            prompt=item.prompt,
            source_url=item.source_url,
            external_id=item.external_id,
            error=item.error,
            metrics=evolve(
                metrics,
                generation_ms=generation_ms(op),
                shot=item.shot,
                scene=op.scene,
                prompt_origin=item.prompt_origin,
                master_since=self.master_since,
            ),
            created_by=op.created_by,
        )
        return shown_image(image)


def _is_earlier(stored: CharacterImage, image: CharacterImage) -> bool:
    """Tell whether a record is that of an earlier failure, not of the image that was added."""
    return stored.media is None and (image.media, image.source_url) != (None, stored.source_url)
