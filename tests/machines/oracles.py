"""What must hold of the pure parts, whatever they are given; for both ways of fuzzing.

Each takes one input, asserts, and tells whether it passed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve

from charimg import CharacterReference
from charimg._ingest.addresses import fits
from charimg._ingest.inspect import inspect
from charimg._ingest.label import says_so
from charimg._ingest.origins import FetchPolicy
from charimg._ingest.rewrite import rewrite
from charimg._ingest.sniff import HEAD, sniff
from charimg._ingest.urls import next_url, redact
from charimg._ingest.xmp import Label
from charimg._library import answers
from charimg._library.answers import Exchange
from charimg.errors import (
    CharacterLibraryError,
    DownloadError,
    ImageRejected,
    InvalidArgument,
    InvalidPrompt,
)
from charimg.prompts import MOST_BYTES, check_prompt, facts_of, suggest_prompt, unsupported_terms
from charimg.testing import Simulator

from ..guard.vectors import direct
from ..ingest.dressed import KINDS, dressed
from ..ingest.samples import HAND_MADE, drawn

__all__ = [
    "FILES",
    "READERS",
    "STATUSES",
    "TRAITS",
    "URLS",
    "answer_is_read",
    "character_has_prompt",
    "documents",
    "file_passes",
    "prompt_passes",
    "url_passes",
]

POLICY = FetchPolicy.checked(origins=["http://10.0.0.5:9000"], ports=(80, 443))
LABEL = Label("charimg", "Library", "a <prompt>")
PIXELS = 40_000_000
FORMATS = ("png", "jpeg", "webp", "gif", "avif")
READERS = [
    *(answers.health, answers.character, answers.character_page, answers.nothing),
    *(answers.initial_image, answers.reference_state, answers.reference_deletion),
    *(answers.portfolio, answers.job, answers.job_page, answers.cancellation),
    *(answers.scene_image, answers.gallery, answers.media),
]


STATUSES = [200, 200, 200, 201, 202, 400, 404, 500, 502]

# Good inputs, to begin with.

URLS = [*direct(80, 443, 80), "https://cdn.example.org/a.png?sig=1", "http://10.0.0.5:9000/a"]
FILES = [
    *HAND_MADE.values(),
    *(drawn(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "AVIF")),
    *(each.data for kind in KINDS for each in islice(dressed(kind), 0, None, 9)),
]
TRAITS: Any = {
    "age": 34,
    "gender": "female",
    "ethnicity": ["Irish"],
    "physicalDescription": "tall, {braces} and %s",
    "hair": {"color": "auburn", "length": "long"},
    "generationMetadata": {"bamlData": {"eye_color": "green", "height": "N/A", "clothing": [None]}},
}


def documents() -> list[Any]:
    """Return what the simulated server answers."""
    simulator = Simulator()
    simulator.switches.shots = 3
    one = f"/api/v1/characters/{simulator.add_character(name='Lena')}"
    scene = {"sceneContext": "rain", "sceneType": "dialogue"}
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/api/health", None),
        ("GET", "/api/v1/characters", None),
        ("POST", f"{one}/generate-initial-image", {"prompt": "portrait"}),
        ("POST", f"{one}/generate-initial-image", {"prompt": "again"}),
        ("POST", f"{one}/generate-scene-image", scene),
        ("POST", f"{one}/generate-360-set", {}),
        ("GET", "/api/v1/jobs", None),
        ("GET", f"{one}/images", None),
        ("GET", f"{one}/reference-image", None),
        ("GET", one, None),
        ("DELETE", f"{one}/reference-image", None),
    ]
    found = []
    for method, path, body in asked:
        sent = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        answer = simulator.handle(method, f"http://library.test{path}", headers, sent)
        found.append(json.loads(answer.body))
        if isinstance(found[-1], dict) and "pollUrl" in found[-1]:
            poll = simulator.handle("GET", f"http://library.test{found[-1]['pollUrl']}", {}, b"")
            found.append(json.loads(poll.body))
    return found


def url_passes(url: str) -> bool:
    """What passes is plain and goes where it may; what is shown in a log is plain, too."""
    assert redact(url).isascii()
    try:
        hop = POLICY.first(url)
        assert POLICY.first(hop.url) == hop
        assert POLICY.redirected(hop, next_url(hop.url, hop.url)) == hop
    except DownloadError:
        return False
    parts = urlsplit(hop.url)
    assert hop.exempt == (parts.scheme == "http" and parts.netloc == "10.0.0.5:9000")
    if not hop.exempt:
        assert (parts.port or 80) in (80, 443)
        host = parts.hostname or ""
        if ":" in host or host.replace(".", "").isdigit():
            assert fits(host, exempt=False)
    return True


def file_passes(data: bytes) -> bool:
    """The inspector and the sniffer agree, the size is within the limit, one cleaning is enough.

    With a label it says what the label says, or nothing more than it said.
    """
    try:
        found = inspect(io.BytesIO(data), max_pixels=PIXELS, formats=FORMATS)
    except ImageRejected:
        return False
    assert found.type == sniff(data[:HEAD])
    assert 0 < found.width * found.height <= PIXELS
    out = io.BytesIO()
    rewrite(io.BytesIO(data), found.edits, out.write)
    assert len(out.getvalue()) == len(data) + sum(edit.grows for edit in found.edits)
    again = inspect(out, max_pixels=PIXELS, formats=FORMATS)
    assert again == evolve(found, edits=(), cleaned=())
    labelled = inspect(io.BytesIO(data), max_pixels=PIXELS, formats=FORMATS, label=LABEL)
    out = io.BytesIO()
    rewrite(io.BytesIO(data), labelled.edits, out.write)
    assert len(out.getvalue()) == len(data) + sum(edit.grows for edit in labelled.edits)
    told = inspect(out, max_pixels=PIXELS, formats=FORMATS)
    unmarked = labelled.provenance and evolve(labelled.provenance, marked=None)
    assert told == evolve(labelled, edits=(), cleaned=(), provenance=unmarked, unlabelled=None)
    assert labelled.unlabelled is not None or says_so(told.provenance)
    return True


def answer_is_read(reader: Any, exchange: Exchange) -> bool:
    """An answer is read, or refused with an error of ours."""
    try:
        reader(exchange)
    except CharacterLibraryError:
        return False
    return True


def character_has_prompt(name: str, traits: Mapping[str, Any]) -> str:
    """Whatever the traits are, there is one prompt, and it can be sent. Returns it."""
    character = CharacterReference(id="lena", name=name, traits=traits)
    suggestion = suggest_prompt(character)
    assert suggestion == suggest_prompt(character)
    assert check_prompt(suggestion.prompt) == suggestion.prompt
    assert suggestion.facts == facts_of(character)
    assert isinstance(unsupported_terms(suggestion.prompt, character), tuple)
    return suggestion.prompt


def prompt_passes(text: str) -> bool:
    """A prompt is sent as it is, or refused."""
    try:
        assert check_prompt(text) == text
    except InvalidPrompt:
        return False
    except InvalidArgument:
        assert len(text.encode()) > MOST_BYTES
        return False
    return True
