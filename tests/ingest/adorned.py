"""A simulated Library whose images carry more than the image."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import evolve

from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse

from .samples import chunk, riff, segment

TEXT = b"prompt\0a <svg onload=x> and more"


class Adorned(Simulator):
    """Puts a text that holds markup, and a line break behind each image."""

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        return adorn(super().handle(method, url, headers, body))


def adorn(answer: SimulatedResponse) -> SimulatedResponse:
    """Return the answer with all that in its image."""
    body = adorned(answer.body)
    if body == answer.body:
        return answer
    return evolve(answer, body=body, headers={**answer.headers, "content-length": str(len(body))})


def adorned(image: bytes) -> bytes:
    """Return the image with all that, or what is no image as it is."""
    if image.startswith(b"\x89PNG"):
        return image[:33] + chunk(b"tEXt", TEXT) + image[33:] + b"\r\n"
    if re.match(rb"\xff\xd8\xff", image):
        return image[:2] + segment(0xFE, TEXT) + image[2:] + b"\r\n"
    if image[8:12] == b"WEBP":
        body = image[8:] + riff((b"XMP ", TEXT))[12:]
        return b"RIFF" + len(body).to_bytes(4, "little") + body + b"\r\n"
    return image
