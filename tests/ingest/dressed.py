"""Whole images that are, or hold, something else besides: each foreign thing in each place."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from .samples import box, chunk, gif_extension, riff, segment


def archive() -> bytes:
    """A ZIP file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("classes.dex", "hidden")
    return out.getvalue()


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
FOREIGN: dict[str, bytes] = {
    "page": b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>",
    "property list": b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD"><plist/>',
    "drawing": b"a prompt about <svg onload=alert(1)> and more",
    "namespace": b"<x xmlns:svg='http://www.w3.org/2000/svg'/>",
    "handler": b"<img src=x onerror=alert(1)>",
    "frame": b"<iframe src=//evil.test></iframe>",
    "application": b"<hta:application id=x>",
    "PHP": b"<?php system($_GET['c']); ?>",
    "Phar": b"stub __HALT_COMPILER(); ?>",
    "PDF": b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>endobj\n%%EOF",
    "ZIP": archive(),
    "RAR": b"Rar!\x1a\x07\x01\x00" + bytes(20),
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(20),
}


@frozen
class Dressed:
    """An image, and the same image with something foreign.

    Attributes:
        kind: Pillow's name of its format.
        place: Where the foreign thing is.
        what: What it is.
        plain: The file without it.
        data: The file with it.
        gone: Bytes that no cleaned file may hold.
    """

    kind: str
    place: str
    what: str
    plain: bytes
    data: bytes
    gone: bytes

    @property
    def name(self) -> str:
        return f"{self.what} in {self.kind}, {self.place}"


def _image(size: tuple[int, int] = (23, 17), mode: str = "RGB", seed: int = 1) -> Any:
    """A picture of blotches, cheap to code and different for each seed."""
    from PIL import Image

    low = Image.frombytes("RGB", (4, 3), bytes((n * 37 * seed) % 251 for n in range(36)))
    return low.resize(size, Image.Resampling.BICUBIC).convert(mode)


def _profile() -> bytes:
    from PIL import ImageCms

    made: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made


def _exif(text: bytes = b"") -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    # XPComment: bytes as they are.
    exif[40092] = text
    return exif.tobytes()


def saved(kind: str, image: Any = None, **options: Any) -> bytes:
    out = io.BytesIO()
    (image or _image()).save(out, kind, **options)
    return out.getvalue()


def _animated(kind: str, **options: Any) -> bytes:
    mode = "P" if kind == "GIF" else "RGB"
    first, *more = (_image(mode=mode, seed=seed) for seed in (1, 2, 3))
    return saved(kind, first, save_all=True, append_images=more, duration=50, loop=3, **options)


def plain_images(kind: str) -> list[bytes]:
    """Images without anything foreign, of every way in which a format is used."""
    icc, exif = _profile(), _exif(b"words")
    if kind == "PNG":
        return [
            saved(kind, icc_profile=icc, exif=exif, dpi=(72, 72)),
            saved(kind, _image(mode="P"), transparency=3),
            saved(kind, _image(mode="RGBA")),
            saved(kind, _image(mode="I;16")),
            _animated(kind),
        ]
    if kind == "JPEG":
        return [
            saved(kind, icc_profile=icc, exif=exif),
            saved(kind, progressive=True, quality=30),
            saved(kind, _image(mode="CMYK")),
            saved(kind, _image(mode="L"), comment=b"words"),
            saved(kind, restart_marker_blocks=1),
        ]
    if kind == "WEBP":
        return [
            saved(kind, icc_profile=icc, exif=exif, xmp=XMP),
            saved(kind, lossless=True),
            saved(kind, _image(mode="RGBA")),
            _animated(kind),
        ]
    if kind == "GIF":
        return [saved(kind), _animated(kind), saved(kind, _image(mode="P"), transparency=2)]
    return [
        saved(kind, icc_profile=icc, exif=exif, xmp=XMP),
        saved(kind, _image(mode="RGBA")),
        saved(kind, quality=100, subsampling="4:4:4"),
    ]


# Places


def _text(keyword: bytes, payload: bytes) -> bytes:
    return keyword + b"\0" + payload


def _png(image: bytes, payload: bytes) -> Iterator[tuple[str, bytes]]:
    def behind_header(name: bytes, data: bytes) -> bytes:
        return image[:33] + chunk(name, data) + image[33:]

    yield "trailer", image + payload
    yield "trailer after zeros", image + bytes(9) + payload
    yield "tEXt", behind_header(b"tEXt", _text(b"prompt", payload))
    yield "iTXt", behind_header(b"iTXt", _text(b"XML:com.adobe.xmp", bytes(4) + payload))
    if b"\0" not in payload:
        yield "zTXt", behind_header(b"zTXt", _text(payload, b"\0" + zlib.compress(b"words")))
    yield "unknown chunk", behind_header(b"prVt", payload)
    yield "overlong chunk", behind_header(b"gAMA", struct.pack(">I", 45_455) + payload)
    yield "after the pixels", image[:-12] + chunk(b"tEXt", _text(b"Comment", payload)) + image[-12:]
    if b"eXIf" not in image:
        tiff = _exif(payload).removeprefix(b"Exif\0\0")
        yield "EXIF", behind_header(b"eXIf", tiff)


def _jpeg(image: bytes, payload: bytes) -> Iterator[tuple[str, bytes]]:
    def first(data: bytes) -> bytes:
        return image[:2] + data + image[2:]

    scan = image.index(b"\xff\xda")
    xmp = b"http://ns.adobe.com/xap/1.0/\0"
    more = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", 9, 0)
    photoshop = b"Photoshop 3.0\0" + b"8BIM\x04\x25\0\0" + struct.pack(">I", len(payload))
    yield "trailer", image + payload
    yield "line break and more", image + b"\r\n" + payload
    behind = 4 + int.from_bytes(image[4:6])
    yield "between segments", image[:behind] + payload + image[behind:]
    yield (
        "between segments, with a fill byte",
        image[:behind] + b"\xff\0" + payload + image[behind:],
    )
    yield "before the scan", image[:scan] + payload + image[scan:]
    yield "comment", first(segment(0xFE, payload))
    yield "comment before the scan", image[:scan] + segment(0xFE, payload) + image[scan:]
    yield "XMP", first(segment(0xE1, xmp + payload))
    yield "XMP of two", first(segment(0xE1, xmp + b"<x/>") + segment(0xE1, more + payload))
    yield "Photoshop", first(segment(0xED, photoshop + payload))
    yield "APP5", first(segment(0xE5, payload))
    yield "JFXX", first(segment(0xE0, b"JFXX\0" + payload))
    if b"Adobe" not in image:
        yield (
            "JFIF with a thumbnail",
            _replaced(image, 0xE0, lambda data: data[:12] + b"\x01\x01abc" + payload),
        )
    else:
        yield "overlong Adobe", _replaced(image, 0xEE, lambda data: data + payload)
    if b"Exif" not in image:
        yield "EXIF", first(segment(0xE1, _exif(payload)))


def _replaced(image: bytes, code: int, change: Callable[[bytes], bytes]) -> bytes:
    """Return a JPEG in which the first segment of a code has other data."""
    start = image.index(bytes([0xFF, code]))
    end = start + 2 + int.from_bytes(image[start + 2 : start + 4])
    return image[:start] + segment(code, change(image[start + 4 : end])) + image[end:]


def _chunks(image: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 12
    while at < len(image):
        name, length = struct.unpack_from("<4sI", image, at)
        found.append((name, image[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def _webp(image: bytes, payload: bytes) -> Iterator[tuple[str, bytes]]:
    chunks = _chunks(image)
    yield "trailer", image + payload
    yield "XMP at the end", riff(*chunks, (b"XMP ", payload))
    yield "unknown chunk", riff(*chunks, (b"abcd", payload))
    if chunks[0][0] == b"VP8X":
        yield "unknown chunk, first", riff(chunks[0], (b"abcd", payload), *chunks[1:])
        if not any(name == b"EXIF" for name, _ in chunks):
            name, data = chunks[0]
            flagged = (name, bytes([data[0] | 8]) + data[1:])
            tiff = _exif(payload).removeprefix(b"Exif\0\0")
            yield "EXIF", riff(flagged, *chunks[1:], (b"EXIF", tiff))
    if any(name == b"ANMF" for name, _ in chunks):
        hidden = riff((b"abcd", payload))[12:]
        inside = [(name, data + hidden * (name == b"ANMF")) for name, data in chunks]
        yield "unknown chunk in a frame", riff(*inside)


def _gif(image: bytes, payload: bytes) -> Iterator[tuple[str, bytes]]:
    start = 13 + (3 << (image[10] & 7) + 1 if image[10] & 0x80 else 0)

    def first(data: bytes) -> bytes:
        return b"GIF89a" + image[6:start] + data + image[start:]

    short = payload[:255]
    yield "trailer", image + payload
    yield "comment", first(gif_extension(0xFE, short))
    yield "comment of two", first(gif_extension(0xFE, b"words", short))
    yield "comment at the end", image[:-1] + gif_extension(0xFE, short) + b";"
    yield "application", first(gif_extension(0xFF, b"ACME    1.0", short))
    yield "XMP", first(gif_extension(0xFF, b"XMP DataXMP", short))
    yield "plain text", first(gif_extension(0x01, bytes(12), short))
    yield "overlong loop", first(gif_extension(0xFF, b"NETSCAPE2.0", b"\1\3\0", short))
    control = image.find(b"\x21\xf9\x04")
    if control > 0:
        longer = image[: control + 7] + bytes([len(short)]) + short + image[control + 7 :]
        yield "overlong control", longer


def moved(image: bytes, at: int, data: bytes) -> bytes:
    """Return an AVIF of Pillow's with bytes put in at a place; what its items claim moves along."""
    changed = bytearray(image)
    place = image.index(b"iloc") + 4
    assert image[place] == 0
    assert image[place + 4 : place + 6] == b"\x44\0"
    (count,) = struct.unpack_from(">H", image, place + 6)
    for each in range(count):
        entry = place + 8 + 14 * each
        _, _, extents, offset = struct.unpack_from(">HHHI", image, entry)
        assert extents == 1
        if offset >= at:
            struct.pack_into(">I", changed, entry + 6, offset + len(data))
    meta = image.index(b"meta") - 4
    (size,) = struct.unpack_from(">I", image, meta)
    if meta < at < meta + size:
        struct.pack_into(">I", changed, meta, size + len(data))
    for name in (b"hdlr", b"mdat"):
        start = image.index(name) - 4
        (size,) = struct.unpack_from(">I", image, start)
        if start < at < start + size:
            struct.pack_into(">I", changed, start, size + len(data))
    return bytes(changed[:at]) + data + bytes(changed[at:])


def _avif(image: bytes, payload: bytes) -> Iterator[tuple[str, bytes]]:
    meta, data = image.index(b"meta") - 4, image.index(b"mdat") - 4
    handler, items = image.index(b"hdlr") - 4, image.index(b"pitm") - 4
    large = struct.pack(">I4sQ", 1, b"free", 16 + len(payload)) + payload
    yield "trailer", image + payload
    yield "film behind it", image + box(b"ftyp", b"mp42", payload) + box(b"moov", payload)
    yield "padding", moved(image, data, box(b"free", payload))
    yield "padding, first", moved(image, meta, box(b"skip", payload))
    yield "padding of a large size", moved(image, data, large)
    yield "padding, last", image + box(b"free", payload)
    yield "unknown box", moved(image, data, box(b"moov", payload))
    yield "box with an id", moved(image, data, box(b"uuid", bytes(16), payload))
    yield "data of no item", moved(image, len(image), payload)[: -len(payload)] + payload
    yield "data before an item", moved(image, data + 8, payload)
    yield "box in the description", moved(image, items, box(b"uuid", bytes(16), payload))
    yield "name of the handler", moved(image, handler + 32, payload)


_PLACES = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "GIF": _gif, "AVIF": _avif}
KINDS = tuple(_PLACES)


def dressed(kind: str) -> Iterator[Dressed]:
    """Build images of one kind: every foreign thing in every place, over changing images."""
    plain = plain_images(kind)
    for number, (what, payload) in enumerate(FOREIGN.items()):
        for turn in range(2):
            image = plain[(number + turn) % len(plain)]
            for place, data in _PLACES[kind](image, payload):
                yield Dressed(kind, place, what, image, data, payload)
    for number, (what, payload) in enumerate(FOREIGN.items()):
        yield from _in_metadata(kind, number, what, payload)


def _in_metadata(kind: str, number: int, what: str, payload: bytes) -> Iterator[Dressed]:
    """Build images whose EXIF or XMP Pillow itself has written."""
    if kind == "GIF":
        return
    image, icc = _image(seed=number + 2), _profile()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + payload + b"</x:xmpmeta>"
    plain = saved(kind, image, exif=_exif(), icc_profile=icc)
    yield Dressed(
        kind, "EXIF beside a profile", what, plain,
        saved(kind, image, exif=_exif(payload), icc_profile=icc), payload,
    )  # fmt: skip
    if kind == "JPEG":
        out = io.BytesIO()
        image.save(out, "MPO", save_all=True, append_images=[_image(seed=99)])
        behind = out.getvalue() + payload
        yield Dressed(kind, "second picture", what, saved(kind, image), behind, payload)
    if kind != "PNG":
        both = saved(kind, image, exif=_exif(), icc_profile=icc, xmp=xmp)
        yield Dressed(kind, "XMP beside EXIF", what, plain, both, payload)
