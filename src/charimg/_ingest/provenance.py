"""What a file says of where it comes from: content credentials, IPTC source type, parameters.

All of it is read as found, from parts that the walk has named, and so much of each only.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from attrs import define, field

from ..models import Provenance
from .parts import Part, Role
from .sniff import JPEG, PNG
from .values import ImageType
from .xmp import Packet, Unreadable, read_packet

__all__ = ["A1111", "COMFYUI", "Evidence", "Xmp"]

A1111, COMFYUI = "a1111", "comfyui"

_MOST_XMP = 1024 * 1024
_MOST_EXIF = 64 * 1024
_MOST_CREDENTIALS = 1024 * 1024
_MOST_ENTRIES = 200
_MOST_GENERATORS = 16
_HEADERS = {"PNG": 8, "JPEG": 4, "WEBP": 8}
"""What stands before the data of a part."""

XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
XMP_PNG = b"XML:com.adobe.xmp\0"

# A text of 24 to 255 bytes in CBOR tells its length first.
_SOURCE_TYPE = re.compile(
    rb"\x78(.)(?=https?://(?:cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/)", re.DOTALL
)
_TIFF = re.compile(rb"II\*\0|MM\0\*")
_PARAMETERS = re.compile(rb"\bSteps: ?\d+, ?\w")
_EXIF_FOR_MORE, _MAKE, _MODEL, _COMMENT = 0x8769, 0x010F, 0x0110, 0x9286


class Xmp(NamedTuple):
    """The XMP of a file.

    Attributes:
        part: Where it is.
        data: The packet; nothing where it is too long, or compressed and broken.
        packet: What it says, if it can be read.
    """

    part: Part
    data: bytes
    packet: Packet | None


@define
class Evidence:
    """Collects what the parts of one file say.

    Attributes:
        file: Seekable; left where it is.
        kind: Its type.
        xmp: The first packet.
    """

    file: IO[bytes]
    kind: ImageType
    xmp: Xmp | None = None
    _generators: list[tuple[Part, str]] = field(factory=list)
    _credentials: bool = False
    _signed_type: str | None = None
    _searched: int = 0

    def take(self, part: Part) -> None:
        """Look at the next part."""
        if part.role not in (Role.METADATA, Role.ORIENTATION, Role.CREDENTIALS):
            return
        place = self.file.tell()
        try:
            if part.role is Role.CREDENTIALS:
                self._take_credentials(part)
            elif part.name == "EXIF":
                self._note(part, _generator_in_exif(self._read(part, _MOST_EXIF)))
            elif part.name in ("tEXt chunk", "zTXt chunk", "iTXt chunk"):
                self._take_text(part)
            elif part.name == "XMP" and self.xmp is None:
                self._take_xmp(part)
        finally:
            self.file.seek(place)

    def leave_out(self, goes: Callable[[int], object]) -> None:
        """Forget what parts say that go.

        Args:
            goes: Tells by its place whether a part does.
        """
        if self.xmp is not None and goes(self.xmp.part.offset):
            self.xmp = None
        self._generators = [each for each in self._generators if not goes(each[0].offset)]

    def provenance(self) -> Provenance | None:
        """Return what is said, or ``None`` if nothing is."""
        packet = None if self.xmp is None else self.xmp.packet
        said = Packet() if packet is None else packet
        generator = next((name for _, name in self._generators), None)
        found = Provenance(
            digital_source_type=said.source_type or self._signed_type,
            tool=said.tool or None,
            credentials=self.signed,
            generator=generator,
        )
        return None if found == Provenance() else found

    @property
    def signed(self) -> bool:
        """Whether there are content credentials, in the file or elsewhere."""
        packet = None if self.xmp is None else self.xmp.packet
        return self._credentials or (packet is not None and packet.signed_elsewhere)

    def _read(self, part: Part, most: int) -> bytes:
        """Return the data of a part behind its header, or the beginning of them."""
        header = _HEADERS.get(self.kind.name, 0)
        self.file.seek(part.offset + header)
        length = part.length - header - (4 if self.kind == PNG else 0)
        return self.file.read(min(length, most))

    def _note(self, part: Part, generator: str | None) -> None:
        if generator is not None and len(self._generators) < _MOST_GENERATORS:
            self._generators.append((part, generator))

    def _take_credentials(self, part: Part) -> None:
        self._credentials = True
        data = self._read(part, max(0, _MOST_CREDENTIALS - self._searched))
        self._searched += len(data)
        for found in _SOURCE_TYPE.finditer(data):
            # Those of ingredients come first: the last one is the file's own.
            text = data[found.end() : found.end() + found[1][0]]
            self._signed_type = text.decode("ascii", "replace")

    def _take_text(self, part: Part) -> None:
        head = self._read(part, 96)
        keyword, _, rest = head.partition(b"\0")
        if keyword == b"parameters":
            self._note(part, A1111)
        elif keyword in (b"prompt", b"workflow") and (
            part.name != "tEXt chunk" or rest.lstrip().startswith(b"{")
        ):
            self._note(part, COMFYUI)
        elif head.startswith(XMP_PNG) and part.name == "iTXt chunk" and self.xmp is None:
            whole = part.length - 12 <= _MOST_XMP
            self._keep(part, _international(self._read(part, _MOST_XMP)) if whole else b"")

    def _take_xmp(self, part: Part) -> None:
        data = self._read(part, _MOST_XMP + 1)
        if self.kind == JPEG:
            if not data.startswith(XMP_JPEG):
                # More of a packet that has no room in one segment.
                return
            data = data.removeprefix(XMP_JPEG)
        self._keep(part, data if len(data) <= _MOST_XMP else b"")

    def _keep(self, part: Part, data: bytes) -> None:
        packet = None
        if data:
            try:
                packet = read_packet(data)
            except Unreadable:
                packet = None
        self.xmp = Xmp(part, data, packet)


def _international(data: bytes) -> bytes:
    """Return the text of an iTXt chunk; nothing where it cannot be had."""
    _, _, rest = data.partition(b"\0")
    compressed, method, texts = rest[:1], rest[1:2], rest[2:]
    # A language and a translated keyword come first.
    text = texts.partition(b"\0")[2].partition(b"\0")[2]
    if compressed == b"\0":
        return text
    if method != b"\0":
        return b""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(text, _MOST_XMP)
    except zlib.error:
        return b""
    return text if unpacking.eof else b""


def _generator_in_exif(data: bytes) -> str | None:
    header = _TIFF.search(data[:32])
    if header is None:
        return None
    tiff = data[header.start() :]
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        for tag, value in _entries(tiff, order, *struct.unpack_from(order + "I", tiff, 4)):
            if tag in (_MAKE, _MODEL) and value.startswith((b"prompt:{", b"workflow:{")):
                return COMFYUI
            # Often in UTF-16.
            if tag == _COMMENT and _PARAMETERS.search(value.replace(b"\0", b"")):
                return A1111
    except struct.error:
        # It points beyond its end.
        return None
    return None


def _entries(
    tiff: bytes, order: str, start: int, *, more: bool = True
) -> Iterator[tuple[int, bytes]]:
    """Yield tag and text of the entries of a directory, and of the one that it leads to."""
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for place in range(start + 2, start + 2 + 12 * min(count, _MOST_ENTRIES), 12):
        tag, _, length, at = struct.unpack_from(order + "HHII", tiff, place)
        if tag == _EXIF_FOR_MORE and more:
            yield from _entries(tiff, order, at, more=False)
        elif tag in (_MAKE, _MODEL, _COMMENT):
            yield tag, tiff[at : at + length]
