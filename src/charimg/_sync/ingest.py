# Generated from src/charimg/_async/ingest.py by tools/unasync.py. Do not edit.
"""Bringing received images in: download in workers, then media, then record, then the ledger."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import partial

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
    StorageError,
)
from ..events import Stage
from ..journal import ItemState, Operation, OperationItem
from ..models import (
    CharacterImage,
    CharacterReference,
    ImageKind,
    ImageMetrics,
    ImageStatus,
    Media,
    Upload,
    utcnow,
)
from .marking import as_found, as_stored
from .master import next_mastery
from .operation import Run, generation_ms
from .sources import shown_image, source_by_id, source_of
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
        work.master_since = next_mastery(run.parts, run.op.character_id, now)
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
        work.withdraw()
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
        self.replaced = replaced
        self.unrecorded: bool = (
            replaced is not None and replaced.media is None and run.parts.metadata.requires_media
        )
        self.images: list[CharacterImage] = []
        self.errors: dict[str, IngestionError] = {}
        self.total = len(run.op.items)
        self.master_since: datetime | None = None
        self.added: dict[str, str] = {}
        self.waiting: list[tuple[OperationItem, _Fetched | IngestionError]] = []
        self.settled: list[tuple[OperationItem, CharacterImage]] = []
        self.sparing = Sparing()
        self.anonymous = False
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

    def _settle_one(self, item: OperationItem, brought: _Fetched | IngestionError) -> None:
        if isinstance(brought, IngestionError):
            self._record_failed(item, brought)
        else:
            self._record_fetched(item, brought)

    def close(self) -> None:
        """Dispose of what was taken and not stored, and tell what was measured of the rest."""
        for _, brought in self.waiting:
            if isinstance(brought, _Fetched):
                brought.close()
        self.stages.tell_all()

    def _record_fetched(self, item: OperationItem, fetched: _Fetched) -> None:
        media, storing_ms = fetched.media, fetched.storing_ms
        if media is None:
            media, storing_ms = self._save(item, fetched.download)
            self.stages.tell(item.key)
            # That may have taken long; see `settle`.
            self.run.renew()
        # Room on the disk for the next one.
        fetched.close()
        item = evolve(item, source_url=fetched.url)
        provenance, unmarked = as_stored(fetched.download, media)
        metrics = ImageMetrics(
            download_ms=fetched.download.download_ms,
            inspection_ms=fetched.download.inspection_ms,
            storing_ms=storing_ms,
            source_sha256=fetched.download.source_sha256,
            cleaned=fetched.download.cleaned,
            provenance=provenance,
        )
        if unmarked is not None:
            self.unmarked[item.key] = unmarked
        self._record(item, media=media, metrics=metrics)

    def withdraw(self) -> None:
        """Take back what came in after somebody else took over and deleted the images.

        A record and its media stand or fall together, as the one that took over has left them.
        """
        parts = self.run.parts
        op = parts.ledger.get(self.run.op.id)
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
        for image_id in (item.image_id, self.added.get(item.key), op.options.get("image_id")):
            record = None if image_id is None else self.run.parts.metadata.get(str(image_id))
            # Some repositories give the id of what was deleted to something new.
            if record is not None and record.key == item.key:
                return record
        return None

    def settle_stored(self, item: OperationItem) -> bool:
        """Settle an item whose media an earlier try had stored; tell whether it was so."""
        media = self.run.parts.media.get(item.key)
        if media is None:
            # What a save left that was broken off goes now, whatever becomes of the next one.
            self.run.parts.media.delete(item.key)
            return False
        self._record(item, media=media, metrics=as_found(self.run.parts.media, media))
        self._write_settled()
        return True

    def settle_failed(self, item: OperationItem, error: IngestionError) -> None:
        """Write a failed record, so that nothing paid for stays unseen."""
        self._record_failed(item, error)
        self._write_settled()

    def _record_failed(self, item: OperationItem, error: IngestionError) -> None:
        _log.warning(
            "image.failed",
            extra={"operation_id": self.run.op.id, "key": item.key, "code": error.code},
        )
        self.errors[item.key] = error
        failed = evolve(item, state=ItemState.FAILED, error=str(error) or "not drawn")
        image = self._record(failed, media=None, metrics=ImageMetrics())
        # Where no record can be written, the key stands for one: the ledger knows it.
        error.image_id = image.id
        if item.source_url or item.external_id:
            said = f"{error} It is paid for, and kept as the failed image {image.id}:"
            error.args = (f"{said} retry_ingestion() repeats its download and draws nothing.",)

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

    def _record(
        self, item: OperationItem, *, media: Media | None, metrics: ImageMetrics
    ) -> CharacterImage:
        image = shown_image(self._image(item, media=media, metrics=metrics))
        if media is not None or not self.run.parts.metadata.requires_media:
            try:
                with self.run.stage(Stage.RECORD, key=item.key):
                    image = self._store(item, image)
            except StorageError:
                # Whoever took the lease over may have deleted the media, and with it the reason.
                self.run.renew()
                raise
        elif self.master_since is not None:
            # No record can hold it.
            options = {**self.run.op.options, "master_since": self.master_since.isoformat()}
            self.run.write(options=options)
        state = ItemState.FAILED if media is None else ItemState.STORED
        self.settled.append((evolve(item, state=state, image_id=image.id), image))
        return image

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

    def _store(self, item: OperationItem, image: CharacterImage) -> CharacterImage:
        """Write the record: a new one, or the one that is made good."""
        metadata = self.run.parts.metadata
        if self.replaced is not None and not self.unrecorded:
            return metadata.update(image)
        stored = metadata.add(image)
        if stored.media is None and (image.media, image.source_url) != (None, stored.source_url):
            # There is the record of an earlier failure; this is the same image, or where it is.
            made_good = evolve(image, id=stored.id, created_at=stored.created_at)
            stored = metadata.update(made_good)
        self.added[item.key] = stored.id
        if stored.created_by is None and image.created_by is not None and not self.anonymous:
            self.anonymous = True
            self.run.warn(
                ErrorCode.CREATED_BY_REFUSED,
                "The records have no created_by: their store did not keep the one that was given. "
                "Does it know this user?",
            )
        return shown_image(stored)

    def _image(
        self, item: OperationItem, *, media: Media | None, metrics: ImageMetrics
    ) -> CharacterImage:
        op = self.run.op
        if media is not None:
            metrics = evolve(
                metrics,
                bytes=media.size,
                sha256=media.sha256,
                width=media.width,
                height=media.height,
            )
        status = ImageStatus.FAILED if media is None else ImageStatus.SUCCEEDED
        if self.replaced is not None:
            kept = self.replaced.metrics
            return evolve(
                self.replaced,
                status=status,
                media=media,
                error=item.error,
                source_url=item.source_url or self.replaced.source_url,
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
        return CharacterImage(
            key=item.key,
            character_id=op.character_id,
            kind=self.kind,
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
