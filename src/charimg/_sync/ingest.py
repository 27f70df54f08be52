# Generated from src/charimg/_async/ingest.py by tools/unasync.py. Do not edit.
"""Bringing received images in: download in workers, then media, then record, then the ledger."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import cast

from attrs import evolve, field, frozen

from .._concurrency import Outcome, run_bounded
from .._ingest.naming import alt_text, filename
from .._ingest.values import Download
from .._plain import logger
from .._stages import Stages
from ..errors import (
    DownloadError,
    ErrorCode,
    IngestionError,
    LeaseLost,
)
from ..events import Stage
from ..journal import ItemState, OperationItem
from ..models import (
    CharacterImage,
    CharacterReference,
    ImageKind,
    ImageMetrics,
    Media,
    Upload,
    utcnow,
)
from .marking import as_found, as_stored
from .master import next_mastery
from .operation import Run
from .recording import Records
from .sources import source_by_id, source_of
from .sparing import Sparing

__all__ = ["Ingested", "ingest"]

_log = logger("charimg.service")


@frozen(kw_only=True)
class Ingested:
    """What became of an operation's images.

    Attributes:
        images: Every settled image, in the server's order, stored or failed.
        errors: The error of each failed download, by item key.
    """

    images: tuple[CharacterImage, ...]
    errors: dict[str, IngestionError] = field(factory=dict)


@frozen(kw_only=True)
class _Fetched:
    """What a worker brings: a checked download, and its media if the store saves in workers."""

    url: str
    download: Download
    media: Media | None = None
    storing_ms: float | None = None

    def close(self) -> None:
        self.download.close()


@frozen(kw_only=True)
class _Arrived:
    """What is to be recorded of an item: it is stored, or it failed."""

    item: OperationItem
    media: Media | None = None
    metrics: ImageMetrics = field(factory=ImageMetrics)


def ingest(
    run: Run,
    *,
    kind: str,
    character: CharacterReference | None,
    replaced: CharacterImage | None = None,
    resume: bool = False,
) -> Ingested:
    """Bring every item of the operation in; one that fails becomes a ``failed`` record.

    Args:
        run: The operation; its items are already written down.
        kind: The kind of the records.
        character: For alternative texts; ``None`` if the host no longer knows the character.
        replaced: The ``failed`` image that a retry makes good: in its record, if it has one.
        resume: Whether media may already be stored under the keys (after a crash).

    Raises:
        StorageError: A store refused at least one; those stay pending for recovery, the others are
            settled.
    """
    work = _Ingestion(run, kind=kind, character=character, replaced=replaced)
    if kind == ImageKind.REFERENCE and replaced is None:
        now = run.op.received_at or utcnow()
        work.records.master_since = next_mastery(run.parts, run.op.character_id, now)
    for item in run.op.items:
        if item.state == ItemState.FAILED and item.image_id is None:
            # The server itself could not draw it: there is nothing to download.
            undrawn = IngestionError(item.error or "", code=ErrorCode.NOT_DRAWN)
            work.sparing.run(partial(work.settle_failed, item, undrawn))
    pending = [item for item in run.op.items if item.state == ItemState.PENDING]
    if resume:
        # What cannot even be looked at is neither stored nor fetched anew.
        pending = [
            item for item in pending if work.sparing.run(partial(work.settle_stored, item)) is False
        ]
    try:
        run_bounded(
            work.fetch,
            pending,
            limit=run.parts.concurrency,
            handle=work.handle,
            settle=work.settle,
            discard=_Fetched.close,
        )
    except LeaseLost:
        work.records.withdraw()
        raise
    finally:
        work.close()
    work.sparing.end()
    work.warn_of_unmarked()
    order = {item.key: item.index for item in run.op.items}
    images = sorted(work.images, key=lambda image: order[image.key])
    return Ingested(images=tuple(images), errors=work.errors)


class _Ingestion:
    def __init__(
        self,
        run: Run,
        *,
        kind: str,
        character: CharacterReference | None,
        replaced: CharacterImage | None,
    ) -> None:
        self.run = run
        self.kind = kind
        self.character = character
        self.records = Records(run, kind=kind, replaced=replaced)
        self.images: list[CharacterImage] = []
        self.errors: dict[str, IngestionError] = {}
        self.total = len(run.op.items)
        self.waiting: list[tuple[OperationItem, _Fetched | IngestionError]] = []
        self.settled: list[tuple[OperationItem, CharacterImage]] = []
        self.sparing = Sparing()
        self.unmarked: dict[str, str] = {}
        self.stages = Stages(run.op, run.observe)

    def fetch(self, item: OperationItem) -> _Fetched:
        """Run in a worker: find the source, download and check it."""
        with self.stages.timed(Stage.DOWNLOAD, item.key) as measure:
            url, download = self._download(item)
            measure.bytes = download.size
        if not self.run.parts.media.concurrent_safe:
            return _Fetched(url=url, download=download)
        try:
            media, storing_ms = self._save(item, download)
        except BaseException:
            download.close()
            raise
        return _Fetched(url=url, download=download, media=media, storing_ms=storing_ms)

    def _download(self, item: OperationItem) -> tuple[str, Download]:
        """Fetch the image; where its URL no longer leads to it, ask for another one by its id."""
        parts = self.run.parts
        fetch = partial(
            parts.downloader.fetch,
            library_url=parts.library.base_url,
            prompt=item.prompt,
            thumbnail_px=parts.thumbnail_px,
        )
        url = source_of(parts, item)
        try:
            return url, fetch(url)
        except DownloadError:
            other = source_by_id(parts, item)
            if other is None or other == url:
                raise
            return other, fetch(other)

    def handle(self, item: OperationItem, outcome: Outcome[_Fetched]) -> None:
        """Run in the caller's own thread or task: take what a worker brought."""
        error = outcome.error
        if isinstance(error, IngestionError):
            self.waiting.append((item, error))
        elif isinstance(error, Exception):
            # A store that saves in workers has refused it.
            self.sparing.note(error)
        else:
            self.waiting.append((item, outcome.unwrap()))

    def settle(self) -> None:
        """Run in the caller's own thread or task: store and record all that was taken.

        The lease is renewed and the operation written once for them all: each costs a flush to the
        disk. What of it a crash prevents, recovery makes good.
        """
        if not self.waiting:
            return
        # Whoever took the lease over has settled this, and perhaps deleted it since.
        self.run.renew()
        try:
            self._settle_together()
            while self.waiting:
                item, brought = self.waiting[0]
                self.stages.tell(item.key)
                self.sparing.run(partial(self._settle_one, item, brought))
                del self.waiting[0]
                if isinstance(brought, _Fetched):
                    brought.close()
        finally:
            self._write_settled()
        if self.sparing.exhausted:
            self.sparing.end()

    def _settle_together(self) -> None:
        """Record at once all that needs no more than that; what is refused stays waiting."""
        ready = [(item, brought) for item, brought in self.waiting if self._is_stored(brought)]
        if len(ready) < 2 or self.sparing.exhausted or not self.records.come_together:
            return
        for item, _ in ready:
            self.stages.tell(item.key)
        arrived = [self._arrived(item, brought) for item, brought in ready]
        recorded = self.records.add_many([self._image(each) for each in arrived])
        for each in arrived:
            if (image := recorded.get(each.item.key)) is not None:
                self._settled(each, image)
        self.waiting = [each for each in self.waiting if each[0].key not in recorded]

    def _is_stored(self, brought: _Fetched | IngestionError) -> bool:
        """Tell whether a record is all that an image still needs."""
        if isinstance(brought, IngestionError):
            return self.records.can_hold(None)
        return brought.media is not None

    def _settle_one(self, item: OperationItem, brought: _Fetched | IngestionError) -> None:
        if isinstance(brought, _Fetched) and brought.media is None:
            media, storing_ms = self._save(item, brought.download)
            self.stages.tell(item.key)
            # That may have taken long; see `settle`.
            self.run.renew()
            brought = evolve(brought, media=media, storing_ms=storing_ms)
        self._record(self._arrived(item, brought))

    def close(self) -> None:
        """Dispose of what was taken and not stored, and tell what was measured of the rest."""
        for _, brought in self.waiting:
            if isinstance(brought, _Fetched):
                brought.close()
        self.stages.tell_all()

    def _arrived(self, item: OperationItem, brought: _Fetched | IngestionError) -> _Arrived:
        if isinstance(brought, IngestionError):
            return self._failed(item, brought)
        # Room on the disk for the next one.
        brought.close()
        download = brought.download
        provenance, unmarked = as_stored(download, cast("Media", brought.media))
        metrics = ImageMetrics(
            download_ms=download.download_ms,
            inspection_ms=download.inspection_ms,
            storing_ms=brought.storing_ms,
            source_sha256=download.source_sha256,
            cleaned=download.cleaned,
            provenance=provenance,
        )
        if unmarked is not None:
            self.unmarked[item.key] = unmarked
        item = evolve(item, source_url=brought.url)
        return _Arrived(item=item, media=brought.media, metrics=metrics)

    def _failed(self, item: OperationItem, error: IngestionError) -> _Arrived:
        if item.key not in self.errors:
            _log.warning(
                "image.failed",
                extra={"operation_id": self.run.op.id, "key": item.key, "code": error.code},
            )
        self.errors[item.key] = error
        failed = evolve(item, state=ItemState.FAILED, error=str(error) or "not drawn")
        return _Arrived(item=failed)

    def settle_stored(self, item: OperationItem) -> bool:
        """Settle an item whose media an earlier try had stored; tell whether it was so."""
        media = self.run.parts.media.get(item.key)
        if media is None:
            # What a save left that was broken off goes now, whatever becomes of the next one.
            self.run.parts.media.delete(item.key)
            return False
        metrics = as_found(self.run.parts.media, media)
        self._record(_Arrived(item=item, media=media, metrics=metrics))
        self._write_settled()
        return True

    def settle_failed(self, item: OperationItem, error: IngestionError) -> None:
        """Write a failed record, so that nothing paid for stays unseen."""
        self._record(self._failed(item, error))
        self._write_settled()

    def warn_of_unmarked(self) -> None:
        """Tell of the images that do not say, as they should, that a model has drawn them."""
        for reason, count in Counter(self.unmarked.values()).items():
            what = "One image is" if count == 1 else f"{count} images are"
            self.run.warn(
                ErrorCode.NOT_MARKED,
                f"{what} stored without the mark that was asked for: {reason}.",
            )

    def _save(self, item: OperationItem, download: Download) -> tuple[Media, float]:
        shot = None if item.shot is None else item.shot.name
        name = "" if self.character is None else self.character.name
        upload = Upload(
            key=item.key,
            file=download.file,
            filename=filename(self.kind, item.key, download.extension),
            mime_type=download.mime_type,
            size=download.size,
            sha256=download.sha256,
            width=download.width,
            height=download.height,
            alt=alt_text(name, self.kind, shot),
            thumbnail=download.thumbnail,
        )
        with self.stages.timed(Stage.STORE, item.key) as measure:
            measure.bytes = download.size
            media = self.run.parts.media.save(upload)
        return media, measure.duration_ms

    def _image(self, arrived: _Arrived) -> CharacterImage:
        return self.records.image(arrived.item, media=arrived.media, metrics=arrived.metrics)

    def _record(self, arrived: _Arrived) -> None:
        image = self._image(arrived)
        if self.records.can_hold(arrived.media):
            image = self.records.write(arrived.item, image)
        elif (since := self.records.master_since) is not None:
            # No record can hold it.
            options = {**self.run.op.options, "master_since": since.isoformat()}
            self.run.write(options=options)
        self._settled(arrived, image)

    def _settled(self, arrived: _Arrived, image: CharacterImage) -> None:
        item = arrived.item
        state = ItemState.FAILED if arrived.media is None else ItemState.STORED
        self.settled.append((evolve(item, state=state, image_id=image.id), image))
        error = self.errors.get(item.key)
        if error is None:
            return
        # Where no record can be written, the key stands for one: the ledger knows it.
        error.image_id = image.id
        if item.source_url or item.external_id:
            said = f"{error} It is paid for, and kept as the failed image {image.id}:"
            error.args = (f"{said} retry_ingestion() repeats its download and draws nothing.",)

    def _write_settled(self) -> None:
        """Write down which images are recorded, and tell of them."""
        if not self.settled:
            return
        settled, self.settled = self.settled, []
        self.run.write_items([item for item, _ in settled])
        for _, image in settled:
            if image.media is not None:
                image = image.with_media(self.run.parts.media.locate(image.media))
            self.images.append(image)
            error = self.errors.get(image.key)
            self.run.emit_image(image, done=len(self.images), total=self.total, error=error)
