"""Files that are not what they seem: other types under an image's name, and two types in one."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from ..ingest.dressed import archive
from ..ingest.samples import chunk, drawn, segment

HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
PDF = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF"
PHP = b"<?php system($_GET['c']); ?>"
RAR = b"Rar!\x1a\x07\x01\x00" + bytes(40)


LIES: dict[str, bytes] = {
    "nothing": b"",
    "text": b"just words",
    "html": HTML,
    "html after space": b" \n\t" + HTML,
    "svg": SVG,
    "svg with prolog": b"<?xml version='1.0'?>" + SVG,
    "xml": b"<?xml version='1.0'?><a/>",
    "pdf": PDF,
    "php": PHP,
    "script": b"alert(1)",
    "json": b'{"error": "not found"}',
    "zip": archive(),
    "rar": RAR,
    "gzip": b"\x1f\x8b\x08" + bytes(40),
    "elf": b"\x7fELF" + bytes(40),
    "exe": b"MZ\x90\0" + bytes(60),
    "bmp": b"BM" + bytes(60),
    "tiff": b"II*\0" + bytes(60),
    "ico": b"\0\0\1\0\1\0" + bytes(60),
    "psd": b"8BPS\0\1" + bytes(60),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0",
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
    "jpeg xl": b"\xff\x0a" + bytes(60),
    "heic": b"\0\0\0\x18ftypheic" + bytes(60),
    "avif sequence": b"\0\0\0\x18ftypavis" + bytes(60),
    "mp4": b"\0\0\0\x18ftypmp42" + bytes(60),
    "mp3": b"ID3\x04" + bytes(60),
    "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(60),
    "flash": b"FWS\x09" + bytes(60),
}


def pretenders() -> dict[str, bytes]:
    """Build files that begin like an image and are none."""
    gif = drawn("GIF")
    return {
        **{
            f"{name} with PNG magic": drawn("PNG")[:8] + LIES[name]
            for name in ("html", "svg", "pdf")
        },
        **{f"{name} with JPEG magic": b"\xff\xd8\xff" + LIES[name] for name in ("html", "svg")},
        "html with GIF magic": b"GIF89a" + HTML,
        "html with WebP magic": b"RIFF\xff\0\0\0WEBP" + HTML,
        "GIF that is a script": b"GIF89a/*" + gif[8:13] + b"*/=1;alert(1);" + gif[13:],
    }


def polyglots(images: Mapping[str, bytes]) -> dict[str, bytes]:
    """Build images that are something else besides, of one of each kind."""
    png, jpeg, webp, gif, avif = (images[kind] for kind in ("PNG", "JPEG", "WEBP", "GIF", "AVIF"))
    opening = segment(0xE0, b"JFIF\0" + bytes(struct.unpack(">H", b"/*")[0] - 7))

    def in_png(payload: bytes) -> bytes:
        return png[:33] + chunk(b"tEXt", b"Comment\0" + payload) + png[33:]

    def in_jpeg(payload: bytes, code: int = 0xFE) -> bytes:
        return jpeg[:2] + segment(code, payload) + jpeg[2:]

    def in_webp(payload: bytes) -> bytes:
        body = webp[8:] + struct.pack("<4sI", b"XMP ", len(payload)) + payload
        body += b"\0" * (len(payload) % 2)
        return b"RIFF" + struct.pack("<I", len(body)) + body

    return {
        **{
            f"{name} after {kind}": image + LIES[name]
            for kind, image in (
                ("PNG", png), ("JPEG", jpeg), ("WebP", webp), ("GIF", gif), ("AVIF", avif)
            )
            for name in ("zip", "html", "mp4")
        },
        "JPEG after JPEG": jpeg + jpeg,
        "PNG after PNG": png + png,
        "ZIP after zeros after JPEG": jpeg + bytes(100) + archive(),
        "script after GIF": gif + b"=1;alert(1)",
        "WebP longer than it says": webp + bytes(8),
        **{
            f"{name} in {where}": build(payload)
            for name, payload in (("PDF", PDF), ("PHP", PHP), ("SVG", SVG), ("ZIP", archive()))
            for where, build in (("PNG", in_png), ("JPEG", in_jpeg), ("WebP", in_webp))
        },
        "RAR in PNG": in_png(RAR),
        "PHP in EXIF": in_jpeg(b"Exif\0\0" + PHP, 0xE1),
        "JPEG that is a script": jpeg[:2] + opening + segment(0xFE, b"*/=alert(1);/*") + jpeg[2:],
        "AVIF with a page": avif + struct.pack(">I4s", 8 + len(HTML), b"free") + HTML,
    }  # fmt: skip
