"""What the tests of the disk store save, and how they look at it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from charimg.models import Upload
from charimg.stores.disk import DiskMediaStore
from charimg.testing.conformance.media import make_upload

KEY = "018f00000000aabb-000"


def image_bytes(
    width: int = 800, height: int = 400, mode: str = "RGB", kind: str = "PNG", **options: Any
) -> bytes:
    image = Image.new(mode, (width, height), 1)
    image.paste(2, (0, 0, width // 2, height))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def content_of(store: DiskMediaStore, key: str = KEY) -> bytes:
    with store.open(key) as chunks:
        return b"".join(chunks)


def files_below(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def home_of(root: Path, key: str = KEY) -> Path:
    return root / hashlib.sha256(key.encode()).hexdigest()[:2] / key


def empty_sidecar(home: Path) -> None:
    (home / "_media.json").write_bytes(b"")


class Interrupting(io.BytesIO):
    """A source during whose reading something else happens."""

    action: Callable[[], object]

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if not chunk:
            self.action()
        return chunk


def interrupted(action: Callable[[], object], content: bytes = b"slow") -> Upload:
    upload = make_upload(KEY, content, source=Interrupting)
    assert isinstance(upload.file, Interrupting)
    upload.file.action = action
    return upload
