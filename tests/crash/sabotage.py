"""The service with one mistake each, to show that the laboratory would notice it.

Every mistake is one that a change could make in good faith. Each is a context manager that patches
the sync half in this process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg._ingest.naming import filename, item_key
from charimg._json import from_json, to_json
from charimg._sync import generate, ingest, manage, recovery, removal
from charimg._sync.adoption import Doubt, Found
from charimg.errors import IngestionError
from charimg.journal import Operation, OperationItem, OperationState
from charimg.models import Media, Upload
from charimg.stores.disk import DiskMediaStore
from charimg.stores.sqlite import SqliteGenerationLedger

__all__ = ["BUGS"]


@contextmanager
def row_before_media() -> Iterator[None]:
    """Write the record, and store the file then."""

    real = ingest._Ingestion._settle_one

    def settle(self: Any, item: Any, fetched: Any) -> None:
        if isinstance(fetched, IngestionError):
            real(self, item, fetched)
            return
        download = fetched.download
        media = Media(
            id=item.key,
            key=item.key,
            filename=filename(self.kind, item.key, download.extension),
            mime_type=download.mime_type,
            size=download.size,
            width=download.width,
            height=download.height,
            sha256=download.sha256,
            alt="",
        )
        self._record(ingest._Arrived(item=item, media=media))
        self._save(item, download)
        fetched.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DiskMediaStore, "concurrent_safe", False)
        patch.setattr(ingest._Ingestion, "_settle_one", settle)
        yield


@contextmanager
def media_before_row() -> Iterator[None]:
    """Remove the files, and their records then."""

    def sweep(run: Any, *, images: Any = ()) -> None:
        for doomed in run.op.doomed:
            run.parts.media.delete(doomed.media_key)
        removed = sum(run.parts.metadata.delete(doomed.image_id) for doomed in run.op.doomed)
        run.write(doomed=(), removed=run.op.removed + removed)

    with pytest.MonkeyPatch.context() as patch:
        for module in (removal, manage, recovery):
            patch.setattr(module, "sweep", sweep)
        yield


@contextmanager
def no_tombstone() -> Iterator[None]:
    """Remove without writing down first what is going to be removed."""
    write = SqliteGenerationLedger.write

    def forgetful(self: Any, operation: Operation, /, *, lease: Any) -> None:
        write(self, evolve(operation, doomed=()), lease=lease)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteGenerationLedger, "write", forgetful)
        yield


@contextmanager
def non_atomic_write() -> Iterator[None]:
    """Write a file where it is read, and believe in whatever is found there."""

    def save(self: Any, upload: Upload, home: Path) -> Media:
        home.mkdir(parents=True, exist_ok=True)
        media = Media(
            id=upload.key,
            key=upload.key,
            filename=upload.filename,
            mime_type=upload.mime_type,
            size=upload.size,
            width=upload.width,
            height=upload.height,
            sha256=upload.sha256,
            alt=upload.alt,
        )
        (home / "_media.json").write_text(json.dumps(to_json(media)))
        upload.file.seek(0)
        with (home / upload.filename).open("wb") as file:
            file.write(upload.file.read())
        return media

    def read(self: Any, key: str) -> Media | None:
        sidecar = self._layout.home(key) / "_media.json"
        if not sidecar.exists() or not (text := sidecar.read_text()):
            return None
        return from_json(Media, json.loads(text), what="the sidecar")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DiskMediaStore, "_save", save)
        patch.setattr(DiskMediaStore, "_read", read)
        yield


@contextmanager
def no_received() -> Iterator[None]:
    """Keep the answer in mind alone until its image is stored."""

    def received(run: Any, *, url: str | None, media_id: str | None) -> None:
        item = OperationItem(
            key=item_key(run.op.id, 0),
            index=0,
            prompt=run.op.prompt,
            source_url=url,
            external_id=media_id,
        )
        run.op = evolve(run.op, state=OperationState.RECEIVED, items=(item,))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "received", received)
        yield


@contextmanager
def blind_repost() -> Iterator[None]:
    """Post again what recovery cannot find."""
    find = generate.find

    def find_or_post(parts: Any, op: Any) -> Any:
        found = find(parts, op)
        if isinstance(found, Doubt):
            answer = parts.library.generate_scene_image(op.library_db_id, op.prompt)
            return Found(url=answer.url, media_id=answer.media_id)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "find", find_or_post)
        yield


BUGS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "row before media": row_before_media,
    "media before row on delete": media_before_row,
    "no tombstone": no_tombstone,
    "non-atomic write": non_atomic_write,
    "no received": no_received,
    "blind re-POST": blind_repost,
}
