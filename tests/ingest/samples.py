"""Image files for the tests: made by hand, and drawn with Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from random import Random

MANY = 40_000_000


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def ihdr(width: int = 3, height: int = 2, *tail: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">II5B", width, height, *(tail or (8, 2, 0, 0, 0))))


def png(width: int = 3, height: int = 2, *, noise: int = 0) -> bytes:
    """A whole PNG of RGB pixels; ``noise`` is how many random bytes an extra chunk carries."""
    rows = (b"\0" + bytes([255, 0, 128]) * width) * height
    extra = chunk(b"teSt", Random(1).randbytes(noise)) if noise else b""
    body = ihdr(width, height) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + body


def segment(code: int, data: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def sof(width: int = 3, height: int = 2, *, code: int = 0xC0) -> bytes:
    return segment(code, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")


SOS = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
SCAN = b"\x12\xff\x00\x34\xff\xd0\x56" * 20


def jpeg(width: int = 3, height: int = 2) -> bytes:
    """The container of a JPEG: every marker in its place, and data that mean nothing."""
    thumbnail = segment(0xE1, b"Exif\0\0" + b"\xff\xd8\xff\xd9" * 3)
    return b"\xff\xd8" + thumbnail + sof(width, height) + SOS + SCAN + b"\xff\xff\xd9"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP"
    for name, data in chunks:
        body += struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8(width: int = 3, height: int = 2, size: int = 40) -> tuple[bytes, bytes]:
    """A lossy bitmap whose first partition takes all of its data."""
    tag = (size - 10) << 5 | 0x10
    head = tag.to_bytes(3, "little") + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return (b"VP8 ", head + b"\x55" * (size - 10))


def vp8l(width: int = 3, height: int = 2, size: int = 21) -> tuple[bytes, bytes]:
    bits = (height - 1) << 14 | (width - 1)
    return (b"VP8L", b"\x2f" + struct.pack("<I", bits) + b"\x55" * (size - 5))


def vp8x(width: int = 3, height: int = 2) -> tuple[bytes, bytes]:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return (b"VP8X", b"\0" * 4 + size)


def flagged(flags: int, width: int = 3, height: int = 2) -> tuple[bytes, bytes]:
    """The header of an extended WebP with flags: 0x02 animation, 0x04 XMP, 0x08 EXIF, 0x20 ICC."""
    name, data = vp8x(width, height)
    return (name, bytes([flags]) + data[1:])


def anmf(
    *chunks: tuple[bytes, bytes], left: int = 0, top: int = 0, wide: int = 3, high: int = 2
) -> tuple[bytes, bytes]:
    """A frame of an animated WebP."""
    placed = b"".join(n.to_bytes(3, "little") for n in (left // 2, top // 2, wide - 1, high - 1))
    inside = riff(*chunks)[12:]
    return (b"ANMF", placed + (100).to_bytes(3, "little") + b"\0" + inside)


def frame(left: int = 0, top: int = 0, wide: int = 3, high: int = 2, *, bits: int = 2) -> bytes:
    """A frame of a GIF."""
    placed = struct.pack("<HHHHB", left, top, wide, high, 0)
    return b"\x2c" + placed + bytes([bits]) + b"\x02\x44\x01\x00"


FRAME = frame()


def gif(*blocks: bytes, width: int = 3, height: int = 2, flags: int = 0x80) -> bytes:
    screen = struct.pack("<HHBBB", width, height, flags, 0, 0)
    return b"GIF89a" + screen + bytes(6 if flags & 0x80 else 0) + b"".join(blocks) + b";"


def gif_extension(label: int, *blocks: bytes) -> bytes:
    parts = b"".join(bytes([len(block)]) + block for block in blocks)
    return bytes([0x21, label]) + parts + b"\0"


def box(name: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", len(data) + 8, name) + data


def ispe(width: int = 3, height: int = 2) -> bytes:
    return box(b"ispe", bytes(4), struct.pack(">II", width, height))


FTYP = box(b"ftyp", b"avif", bytes(4), b"avifmif1")
HANDLER = box(b"hdlr", bytes(8), b"pict", bytes(13))
PIXELS = b"\x12\x00pixels"


def infe(item: int, kind: bytes, rest: bytes = b"\0") -> bytes:
    return box(b"infe", b"\2\0\0\0", struct.pack(">HH", item, 0), kind, rest)


def iinf(*entries: bytes) -> bytes:
    return box(b"iinf", bytes(4), struct.pack(">H", len(entries)), *entries)


def iloc(*places: tuple[int, int, int]) -> bytes:
    """Where items lie: item, offset, length."""
    listed = [struct.pack(">HHHII", item, 0, 1, *place) for item, *place in places]
    return box(b"iloc", bytes(4), b"\x44\0", struct.pack(">H", len(places)), *listed)


COLOUR_ITEM = iinf(infe(1, b"av01"))


def meta(
    *properties: bytes,
    handler: bytes = HANDLER,
    items: bytes = COLOUR_ITEM,
    located: bytes | None = None,
    more: bytes = b"",
) -> bytes:
    """The description of an AVIF; the one item of its pixels follows at once, in ``mdat``."""
    listed = box(b"iprp", box(b"ipco", *properties), box(b"ipma", bytes(4)))
    pitm = box(b"pitm", bytes(6))

    def made(place: bytes) -> bytes:
        return box(b"meta", bytes(4), handler, pitm, place, items, listed, more)

    if located is None:
        start = len(FTYP) + len(made(iloc((1, 0, 0)))) + 8
        located = iloc((1, start, len(PIXELS)))
    return made(located)


MDAT = box(b"mdat", PIXELS)


def avif(*properties: bytes) -> bytes:
    return FTYP + meta(*(properties or (ispe(),))) + MDAT


HAND_MADE = {
    "png": png(),
    "png-noise": png(noise=200_000),
    "jpeg": jpeg(),
    "webp-lossy": riff(vp8()),
    "webp-lossless": riff(vp8l()),
    "webp-animated": riff(
        flagged(0x02), (b"ANIM", bytes(6)), anmf(vp8()), anmf((b"ALPH", b"a"), vp8l())
    ),
    "avif": avif(),
    "webp-extended": riff(vp8x(), (b"ICCP", b"abc"), vp8(), (b"EXIF", b"x" * 9)),
}


def drawn(kind: str, size: tuple[int, int] = (61, 47), **options: object) -> bytes:
    """Return a real image, drawn with Pillow."""
    from PIL import Image

    image = Image.effect_noise(size, 60).convert("RGB")
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
