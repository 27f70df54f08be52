"""What must hold of the stores, the ledger and the server's counters, whatever happened before.

`read_facts` (or `aread_facts`) reads everything that is stored; `violations` judges it, and names
each broken rule in words. `Bounds` judges what the server counted.

The rules, always:

- every listed ``succeeded`` record has media, whose bytes match the recorded hash and size;
- a record without media is ``failed``, and says why, with the URL or media id if it was drawn;
- no two records share a key, and no two references of a character became master at one moment;
- every image that an operation received is a record, or is still to be brought in by recovery, or
  is a failed record with its source and prompt, or was removed by a later operation.

After `recover`, with ``settled=True``:

- every stored file belongs to a record (no orphan media), unless it is declared foreign;
- no temporary file is left;
- what a finished generation of a reference was to replace is gone;
- what is unfinished is ``unknown`` with its prompt, or waits for a remote job or for the server.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from charimg import (
    AsyncCharacterImageService,
    CharacterImage,
    CharacterImageService,
    ImageKind,
    ImageStatus,
    ItemState,
    Operation,
    OperationItem,
    OperationKind,
    OperationState,
    ReferencePolicy,
    StorageError,
)
from charimg.testing import Simulator

__all__ = [
    "Bounds",
    "Facts",
    "StoredFile",
    "aread_facts",
    "changes",
    "counts_of",
    "read_facts",
    "violations",
]


@frozen(kw_only=True)
class StoredFile:
    """One file as the media store gives it out."""

    size: int
    sha256: str


@frozen(kw_only=True)
class Facts:
    """Everything that is stored.

    Attributes:
        images: Every record of the characters asked for, newest first.
        operations: Every operation of them, newest first.
        media: Every file of the media store, by key, whoever it belongs to.
        leftovers: What lies in the media store and belongs to no file.
    """

    images: tuple[CharacterImage, ...]
    operations: tuple[Operation, ...]
    media: Mapping[str, StoredFile] = field(hash=False)
    leftovers: tuple[str, ...] = ()


def _keys_of(media: Any) -> tuple[set[str], tuple[str, ...]]:
    """Return the keys of a memory or disk store (sync or async), and what else lies there."""
    inner = getattr(media, "_store", media)
    layout = getattr(inner, "_layout", None)
    if layout is None:
        return set(inner.keys()), ()
    root: Path = layout.root
    left = tuple(sorted(path.name for path in layout.incoming.glob("*")))
    homes = {path for path in root.glob("*/*") if path.parent != layout.incoming}
    stray = tuple(str(path.relative_to(root)) for path in homes if not path.is_dir())
    return {path.name for path in homes if path.is_dir()}, left + stray


def _stored(chunks: Iterable[bytes]) -> StoredFile:
    data = b"".join(chunks)
    return StoredFile(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def read_facts(service: CharacterImageService, characters: Iterable[str]) -> Facts:
    """Read everything through the service, as a host would see it."""
    images: list[CharacterImage] = []
    operations: list[Operation] = []
    for character_id in characters:
        images += service.iter_images(character_id)
        cursor: str | None = None
        while True:
            page = service.ledger.list(character_id, limit=500, cursor=cursor)
            operations += page.operations
            cursor = page.next_cursor
            if cursor is None:
                break
    keys, leftovers = _keys_of(service.media)
    media: dict[str, StoredFile] = {}
    broken: list[str] = []
    for key in keys:
        try:
            with service.media.open(key) as chunks:
                media[key] = _stored(chunks)
        except StorageError:
            broken.append(f"{key} (not whole)")
    return Facts(
        images=tuple(images),
        operations=tuple(operations),
        media=media,
        leftovers=(*leftovers, *broken),
    )


async def aread_facts(service: AsyncCharacterImageService, characters: Iterable[str]) -> Facts:
    """See `read_facts`."""
    images: list[CharacterImage] = []
    operations: list[Operation] = []
    for character_id in characters:
        images += [image async for image in service.iter_images(character_id)]
        cursor: str | None = None
        while True:
            page = await service.ledger.list(character_id, limit=500, cursor=cursor)
            operations += page.operations
            cursor = page.next_cursor
            if cursor is None:
                break
    keys, leftovers = _keys_of(service.media)
    media: dict[str, StoredFile] = {}
    broken: list[str] = []
    for key in keys:
        try:
            async with service.media.open(key) as chunks:
                media[key] = _stored([chunk async for chunk in chunks])
        except StorageError:
            broken.append(f"{key} (not whole)")
    return Facts(
        images=tuple(images),
        operations=tuple(operations),
        media=media,
        leftovers=(*leftovers, *broken),
    )


def violations(
    facts: Facts,
    *,
    settled: bool = True,
    foreign: Collection[str] = (),
    one_reference: bool = False,
) -> list[str]:
    """Return every broken rule, in words; none when all is well.

    Args:
        facts: What is stored.
        settled: Whether `recover` has run and nothing runs now.
        foreign: Keys in the media store that are nobody's of ours.
        one_reference: Whether every reference was generated under ``DELETE_ALL``, so that a
            character has one reference record at most.
    """
    found = [wrong for image in facts.images for wrong in _judge_record(image, facts)]
    found += _judge_references(facts, one_reference=one_reference)
    for name in ("id", "key"):
        counted = Counter(getattr(image, name) for image in facts.images)
        found += [
            f"{number} records share the {name} {it}"
            for it, number in counted.items()
            if number > 1
        ]
    found += [wrong for op in facts.operations for wrong in _judge_operation(op, facts)]
    if settled:
        owned = {image.media.key for image in facts.images if image.media is not None}
        found += [
            f"orphan media {key}" for key in sorted(facts.media.keys() - owned - set(foreign))
        ]
        found += [f"temporary file {name}" for name in facts.leftovers]
        found += [wrong for op in facts.operations for wrong in _judge_rest(op)]
        found += [wrong for op in facts.operations for wrong in _judge_replaced(op, facts)]
    return found


def _judge_record(image: CharacterImage, facts: Facts) -> list[str]:
    who = f"record {image.id} ({image.kind}, {image.status})"
    if image.status != ImageStatus.SUCCEEDED:
        found = [] if image.media is None else [f"{who} has media"]
        return found if image.error else [*found, f"{who} does not say why"]
    if image.media is None:
        return [f"{who} has no media"]
    stored = facts.media.get(image.media.key)
    if stored is None:
        return [f"{who}: its media {image.media.key} is not there"]
    told = {(image.media.size, image.media.sha256), (image.metrics.bytes, image.metrics.sha256)}
    if told != {(stored.size, stored.sha256)}:
        return [f"{who}: its media {image.media.key} holds other bytes than recorded"]
    return []


def _judge_references(facts: Facts, *, one_reference: bool) -> list[str]:
    found = []
    references = [image for image in facts.images if image.kind == ImageKind.REFERENCE]
    since = Counter(
        (image.character_id, image.metrics.master_since)
        for image in references
        if image.metrics.master_since is not None
    )
    found += [
        f"{number} references of {character} became master at one moment"
        for (character, _), number in since.items()
        if number > 1
    ]
    if one_reference:
        each = Counter(image.character_id for image in references)
        found += [f"{character} has {n} references" for character, n in each.items() if n > 1]
    return found


def _judge_operation(op: Operation, facts: Facts) -> list[str]:
    """Judge whether everything that the operation received is still known."""
    who = f"operation {op.id} ({op.kind}, {op.state})"
    found = []
    for item in op.items:
        record = next((image for image in facts.images if image.key == item.key), None)
        if record is not None:
            drawn = record.external_id is not None or record.source_url is not None
            if record.status == ImageStatus.FAILED and not drawn and item.external_id:
                found.append(f"{who}: the failed record of {item.key} lost its source")
            if item.prompt and not record.prompt:
                found.append(f"{who}: the record of {item.key} lost its prompt")
        elif op.finished:
            if not _removed_later(op, item, facts):
                found.append(f"{who}: item {item.key} ({item.state}) has no record")
        elif item.state == ItemState.PENDING and not (item.source_url or item.external_id):
            found.append(f"{who}: item {item.key} cannot be brought in any more")
    return found


def _removed_later(op: Operation, item: OperationItem, facts: Facts) -> bool:
    """Tell whether a later operation may have removed the image."""
    return any(
        _may_remove(later, item)
        for later in facts.operations
        if later.character_id == op.character_id and later.id > op.id
    )


def _may_remove(later: Operation, item: OperationItem) -> bool:
    if later.kind == OperationKind.DELETE:
        image_id = later.options.get("image_id")
        return image_id is None or item.image_id is None or image_id == item.image_id
    if later.kind == OperationKind.REFERENCE:
        return later.options.get("policy") != ReferencePolicy.KEEP_HISTORY.value
    # Under DELETE_AFTER_SUCCESS, the retry of the new reference removes the old ones.
    return later.kind == OperationKind.RETRY


def _judge_rest(op: Operation) -> list[str]:
    """Judge what an operation may look like once recovery has run."""
    who = f"operation {op.id} ({op.kind}, {op.state})"
    if op.finished:
        return []
    if op.doomed:
        return [f"{who} still has tombstones"]
    if op.state == OperationState.UNKNOWN:
        paid = op.kind in (OperationKind.REFERENCE, OperationKind.SCENE)
        return [f"{who} does not tell its prompt"] if paid and not op.prompt else []
    if op.state in (OperationState.RECEIVED, OperationState.POSTING):
        # Legal only while the Character Library is out of reach, or the job runs.
        return []
    return [f"{who} was not finished"]


def _judge_replaced(op: Operation, facts: Facts) -> list[str]:
    """Judge whether the images that a finished reference replaces are gone."""
    policy = op.options.get("policy")
    if op.state != OperationState.DONE or op.kind != OperationKind.REFERENCE:
        return []
    if policy == ReferencePolicy.DELETE_AFTER_SUCCESS:
        own = {image.key for image in facts.images if image.status == ImageStatus.SUCCEEDED}
        open_retries = any(
            later.kind == OperationKind.RETRY and not later.finished for later in facts.operations
        )
        if open_retries or not own & {item.key for item in op.items} or _overtaken(op, facts):
            return []
    elif policy != ReferencePolicy.DELETE_ALL:
        return []
    mine = {item.key for item in op.items}
    return [
        f"operation {op.id} ({policy}) left record {image.id} ({image.kind})"
        for image in facts.images
        if image.character_id == op.character_id
        and image.created_at < op.created_at
        and image.key not in mine
    ]


def _overtaken(op: Operation, facts: Facts) -> bool:
    """Tell whether another reference has become the master since the operation's own did.

    Its own may be the master again: a portfolio can be drawn from any.
    """
    keys = {item.key for item in op.items}
    own = {item.image_id for item in op.items}
    for other in facts.operations:
        if other.kind == OperationKind.RESTORE and other.id > op.id:
            return other.options.get("image_id") not in own
    masters = [
        (image.metrics.master_since or image.created_at, image.key in keys)
        for image in facts.images
        if image.character_id == op.character_id and image.kind == ImageKind.REFERENCE
    ]
    return not max(masters)[1]


def counts_of(simulator: Simulator) -> dict[str, int]:
    """Return what the server counted of everything that costs or destroys."""
    counters = simulator.counters
    return {
        "reference POSTs": counters.initial_image_posts,
        "reference DELETEs": counters.reference_deletes,
        "set POSTs": counters.set360_posts,
        "scene POSTs": counters.scene_posts,
    }


@frozen(kw_only=True)
class Bounds:
    """How often, at most, an operation may have sent what costs or destroys."""

    reference_posts: int = 0
    reference_deletes: int = 0
    set_posts: int = 0
    scene_posts: int = 0

    def violations(self, counts: Mapping[str, int]) -> list[str]:
        """Return what was sent too often."""
        most = {
            "reference POSTs": self.reference_posts,
            "reference DELETEs": self.reference_deletes,
            "set POSTs": self.set_posts,
            "scene POSTs": self.scene_posts,
        }
        return [
            f"{counts[name]} {name} arrived, at most {limit} may"
            for name, limit in most.items()
            if counts[name] > limit
        ]


def changes(before: Facts, after: Facts) -> list[str]:
    """Return what a second recovery changed, which must be nothing."""
    return [
        f"the second recovery changed the {name}"
        for name in ("images", "operations", "media", "leftovers")
        if getattr(before, name) != getattr(after, name)
    ]
