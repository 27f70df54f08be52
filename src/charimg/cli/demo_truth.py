"""What the demo left behind, read back from the stores and from the simulator's own counters."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import frozen

from .._assembly.embedded import MEDIA, EmbeddedStores, embedded
from ..models import CharacterImage, ImageKind, ImageStatus

__all__ = ["EXPECTED", "Truth", "media_files", "read_back", "remote_counters"]

EXPECTED: dict[str, Any] = {
    "images": {"reference": 1, "portfolioItem": 27, "scene": 1},
    "failed": 0,
    "removed": 1,
    "remote": {
        "initialImagePosts": 3,
        "referenceDeletes": 2,
        "set360Posts": 1,
        "scenePosts": 1,
    },
    "mediaFiles": 29,
}
"""What policy ``DELETE_ALL`` must leave of the demo's story."""

_PAGE = 10
"""Small, so that the listing goes over several pages."""


def remote_counters(url: str) -> dict[str, int]:
    """Ask the simulator, over HTTP, how often each paid or destructive call arrived."""
    # No proxy of the environment stands between this process and its own loopback address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/_simulator/counters", timeout=10) as answer:
        counters = json.load(answer)
    return {name: int(counters[name]) for name in EXPECTED["remote"]}


@frozen(kw_only=True)
class Truth:
    """What was read back.

    Attributes:
        summary: The object that ``charimg demo --json`` prints.
        images: The records, newest first.
        problems: Where the result is not what the policy says; empty when all is well.
    """

    summary: dict[str, Any]
    images: tuple[CharacterImage, ...]
    problems: tuple[str, ...]


def read_back(directory: Path, character_id: str, url: str) -> Truth:
    """Read the demo's result from the files and from the simulator.

    Args:
        directory: Where the demo's stores are; they are opened anew.
        character_id: The demo's character.
        url: The simulator.
    """
    stores = embedded(directory)
    try:
        images = _records(stores, character_id)
        removed = _removed(stores, character_id)
        unfinished = len(stores.ledger.unfinished())
    finally:
        stores.database.close()
    good = Counter(image.kind for image in images if image.status == ImageStatus.SUCCEEDED)
    files = media_files(directory)
    summary = {
        "images": {kind.value: good[kind.value] for kind in ImageKind},
        "failed": sum(image.status == ImageStatus.FAILED for image in images),
        "removed": removed,
        "remote": remote_counters(url),
        "mediaFiles": len(files),
        "mediaBytes": sum(path.stat().st_size for path in files),
        "directory": str(directory.resolve()),
    }
    problems = [
        f"{name} is {json.dumps(summary[name])}, and not {json.dumps(expected)}"
        for name, expected in EXPECTED.items()
        if summary[name] != expected
    ]
    problems += _inconsistencies(images, files)
    if unfinished:
        problems.append(f"{unfinished} operations are unfinished")
    return Truth(summary=summary, images=tuple(images), problems=tuple(problems))


def media_files(directory: Path) -> list[Path]:
    """Return the original image files on the disk.

    Thumbnails and sidecars, whose names begin with an underscore, are left out; what a broken save
    might have left in ``.incoming`` is not.
    """
    found = (directory / MEDIA).rglob("*")
    return sorted(path for path in found if path.is_file() and not path.name.startswith("_"))


def _inconsistencies(images: list[CharacterImage], files: list[Path]) -> list[str]:
    """Compare the bytes on the disk with what the records say of them."""
    on_disk: Counter[str | None] = Counter(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    )
    recorded = Counter(image.media.sha256 for image in images if image.media is not None)
    problems = []
    if recorded - on_disk:
        problems.append(f"{(recorded - on_disk).total()} records have no file with their bytes")
    if on_disk - recorded:
        problems.append(f"{(on_disk - recorded).total()} files belong to no record")
    return problems


def _records(stores: EmbeddedStores, character_id: str) -> list[CharacterImage]:
    images: list[CharacterImage] = []
    cursor: str | None = None
    while True:
        page = stores.metadata.list(character_id, limit=_PAGE, cursor=cursor)
        images.extend(page.images)
        cursor = page.next_cursor
        if cursor is None:
            return images


def _removed(stores: EmbeddedStores, character_id: str) -> int:
    removed = 0
    cursor: str | None = None
    while True:
        page = stores.ledger.list(character_id, limit=_PAGE, cursor=cursor)
        removed += sum(operation.removed for operation in page.operations)
        cursor = page.next_cursor
        if cursor is None:
            return removed
