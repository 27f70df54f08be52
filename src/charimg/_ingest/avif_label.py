"""Adds XMP to an AVIF: an item of the description, and behind everything its bytes.

The description grows, so all that lies behind it moves, and the places of the items say so. Only a
description in which that is plain is touched.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

from attrs import define

from .avif_items import Box
from .rewrite import Edit
from .sniff import HEAD, brands

__all__ = ["Intricate", "label_avif"]

_TYPE = b"application/rdf+xml\0"
_IN_FILE, _IN_DESCRIPTION = 0, 1
_SHORT = 0xFFFF


class Intricate(Exception):
    """The file is such that this module leaves it alone."""


def label_avif(file: IO[bytes], grows: int, packet: bytes) -> list[Edit]:
    """Return the changes that add a packet to a file that the walk has passed.

    Args:
        file: Seekable; left anywhere.
        grows: By how much what goes changes its size; less than 0, and behind the last item.
        packet: The XMP.

    Raises:
        Intricate: It is not done with this file.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if b"avis" in brands(file.read(HEAD)):
        # The tracks of a sequence have places of their own.
        raise Intricate
    meta = next(box for box in _outermost(file) if box.name == b"meta")
    if meta.content - meta.start != 8:
        raise Intricate
    file.seek(meta.start)
    try:
        changes = _Description(file.read(meta.end - meta.start), meta.start).changes(
            size + grows, len(packet)
        )
    except (struct.error, OverflowError, KeyError) as error:
        raise Intricate from error
    data = struct.pack(">I4s", 8 + len(packet), b"mdat") + packet
    return [*changes, Edit(size, 0, data)]


def _outermost(file: IO[bytes]) -> Iterator[Box]:
    at = 0
    while True:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:
            length, header = int.from_bytes(file.read(8)), 16
        yield Box(name, at, at + header, at + length)
        at += max(length, header)


@define
class _Description:
    """The box ``meta`` as it is.

    The walk has seen to it that its boxes, items and places can be read.

    Attributes:
        data: All of it, its header too.
        start: Where it begins.
    """

    data: bytes
    start: int

    def changes(self, end: int, length: int) -> list[Edit]:
        """Return what changes in it.

        Args:
            end: Where the new bytes begin, but for what the description grows.
            length: How many they are.
        """
        listed = list(self._boxes())
        boxes = {box.name: box for box in listed}
        if len(boxes) != len(listed) or b"grpl" in boxes:
            # Groups have ids like items.
            raise Intricate
        item = self._free_item(boxes[b"iinf"], boxes[b"iloc"])
        entry = _box(b"infe", b"\2\0\0\0", struct.pack(">HH4s", item, 0, b"mime"), b"\0", _TYPE)
        reference = self._reference(boxes, item)
        places = boxes[b"iloc"]
        # As long wherever its bytes are.
        located = len(self._located(item, 0, length))
        grows = len(entry) + len(reference) + located
        edits = [
            self._longer(Box(b"meta", 0, 8, len(self.data)), grows),
            self._longer(boxes[b"iinf"], len(entry)),
            self._counted(boxes[b"iinf"].content + 4, self._wide(boxes[b"iinf"])),
            Edit(self.start + boxes[b"iinf"].end, 0, entry),
            self._longer(places, located),
            self._counted(places.content + 6, self.data[places.content] == 2),
            *self._moved(places, grows),
            Edit(self.start + places.end, 0, self._located(item, end + grows + 8, length)),
        ]
        known = boxes.get(b"iref")
        if known is not None:
            edits.append(self._longer(known, len(reference)))
        place = len(self.data) if known is None else known.end
        return [*edits, Edit(self.start + place, 0, reference)]

    def _boxes(self) -> Iterator[Box]:
        at = 12
        while at < len(self.data):
            length, name = struct.unpack_from(">I4s", self.data, at)
            yield Box(name, at, at + 8, at + length)
            at += length
        self._ends(at, len(self.data))

    def _ends(self, at: int, end: int) -> None:
        """See to it that a list ends where its box does, and something can be added there."""
        if at != end:
            raise Intricate

    def _wide(self, box: Box) -> bool:
        """Whether numbers of a box have four bytes instead of two."""
        return self.data[box.content] != 0

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self.data[at : at + size])

    def _longer(self, box: Box, by: int) -> Edit:
        length = struct.pack(">I", box.end - box.start + by)
        return Edit(self.start + box.start, 4, length)

    def _counted(self, at: int, wide: bool) -> Edit:
        size = 4 if wide else 2
        more = self._number(at, size) + 1
        return Edit(self.start + at, size, more.to_bytes(size))

    def _free_item(self, box: Box, places: Box) -> int:
        """Return an id that no item has."""
        at = box.content + (8 if self._wide(box) else 6)
        highest = max((item for item, *_ in self._extents(places)), default=0)
        while at < box.end:
            length = self._number(at, 4)
            version = self._number(at + 8, 1)
            if version not in (2, 3):
                raise Intricate
            highest = max(highest, self._number(at + 12, 4 if version == 3 else 2))
            at += length
        self._ends(at, box.end)
        if highest >= _SHORT:
            raise Intricate
        return highest + 1

    def _reference(self, boxes: dict[bytes, Box], item: int) -> bytes:
        """Return what says that the item describes the image."""
        primary = boxes[b"pitm"]
        image = self._number(primary.content + 4, 4 if self._wide(primary) else 2)
        known = boxes.get(b"iref")
        wide = known is not None and self._wide(known)
        entry = _box(b"cdsc", struct.pack(">IHI" if wide else ">HHH", item, 1, image))
        return entry if known is not None else _box(b"iref", bytes(4), entry)

    def _sizes(self) -> tuple[int, int, int, int, int]:
        """Return version, and sizes of offset, length, base and index, of the places."""
        box = next(box for box in self._boxes() if box.name == b"iloc")
        version, sizes = self.data[box.content], self.data[box.content + 4 : box.content + 6]
        offset, length, base, index = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4, sizes[1] & 15
        if offset not in (4, 8) or length not in (4, 8) or version > 2:
            raise Intricate
        return version, offset, length, base, index if version else 0

    def _located(self, item: int, place: int, length: int) -> bytes:
        """Return the entry of an item whose bytes lie in one piece."""
        version, offset_size, length_size, base, index = self._sizes()
        entry = item.to_bytes(4 if version == 2 else 2) + (bytes(2) if version else b"")
        # All of the place in the base, if there is one: whoever moves an item moves one of the two,
        # but the library of C2PA both of them where neither is 0 and the base was.
        begun, place = (place, 0) if base else (0, place)
        entry += bytes(2) + begun.to_bytes(base) + struct.pack(">H", 1) + bytes(index)
        return entry + place.to_bytes(offset_size) + length.to_bytes(length_size)

    def _moved(self, box: Box, by: int) -> Iterator[Edit]:
        """Yield the changes to the places of what lies behind the description."""
        offset_size = self._sizes()[1]
        for _, method, base, at in self._extents(box):
            place = self._number(at, offset_size)
            if method == _IN_DESCRIPTION:
                continue
            if method != _IN_FILE or self.start < base + place < self.start + len(self.data):
                # What lies within the description itself moves by as much as comes before it.
                raise Intricate
            if base + place > self.start:
                yield Edit(self.start + at, offset_size, (place + by).to_bytes(offset_size))

    def _extents(self, box: Box) -> Iterator[tuple[int, int, int, int]]:
        """Yield item, method, base, and where the place stands, of each piece of an item."""
        version, offset_size, length_size, base_size, index = self._sizes()
        wide = 4 if version == 2 else 2
        at = box.content + 6
        count, at = self._number(at, wide), at + wide
        for _ in range(count):
            item, at = self._number(at, wide), at + wide
            method = self._number(at, 2) & 15 if version else _IN_FILE
            at += 4 if version else 2
            base, at = self._number(at, base_size), at + base_size
            extents, at = self._number(at, 2), at + 2
            for _ in range(extents):
                at += index
                if not self._number(at + offset_size, length_size):
                    # Up to the end, where something is added.
                    raise Intricate
                yield item, method, base, at
                at += offset_size + length_size
        self._ends(at, box.end)


def _box(name: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", len(data) + 8, name) + data
