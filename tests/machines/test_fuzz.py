"""Inputs that nobody thought of: URLs, files, answers and characters, mended and broken at random.

Each example is a seed, from which a batch of inputs follows by changing good ones a few times.
``CHARIMG_FUZZ=30`` tries thirty times as many.
"""

from __future__ import annotations

import copy
import io
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from charimg import CharacterReference
from charimg._ingest.addresses import fits
from charimg._ingest.inspect import inspect
from charimg._ingest.origins import FetchPolicy
from charimg._ingest.sniff import HEAD, sniff
from charimg._ingest.urls import next_url, redact
from charimg._library import answers
from charimg.errors import CharacterLibraryError, DownloadError, ImageRejected, InvalidPrompt
from charimg.prompts import check_prompt, facts_of, suggest_prompt, unsupported_terms
from charimg.testing import Simulator

from ..figures import Figure
from ..guard.vectors import direct
from ..ingest.samples import HAND_MADE, drawn
from ..library.helpers import GET, POST, exchange

MORE = int(os.environ.get("CHARIMG_FUZZ", "1"))
BATCH = 50
PIXELS = 40_000_000


def fuzz(examples: int, check: Callable[[random.Random], None]) -> int:
    """Run a check on batches of inputs; return how many it was given."""
    tried = 0

    @settings(max_examples=examples * MORE, derandomize=MORE == 1, deadline=None, database=None)
    @given(st.integers(0, 2**64))
    def batch(seed: int) -> None:
        nonlocal tried
        chance = random.Random(seed)
        for _ in range(BATCH):
            check(chance)
            tried += 1

    batch()
    return tried


# URLs

BITS = [
    *"/\\@:?#%[].-_ \t\n\x000123456789afxABZ",
    *("//", "http:", "https:", "%2e", "%00", "::", "::1", "::ffff:", "0x7f", "0177", "127.0.0.1"),
    *(
        "169.254.169.254",
        "[::]",
        "localhost",
        "example.org",
        "xn--",
        "ⓛ",
        "１",
        "。",
        "\u212a",
        "ß",
    ),
    *("\u202e", "\ud800", "65536", ":0", ":80", ":443", "user:pw@", "/../", "fe80::1%25eth0"),
]
POLICY = FetchPolicy.checked(origins=["http://10.0.0.5:9000"], ports=(80, 443))


def broken_text(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 4)):
        at, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
        match chance.randrange(4):
            case 0:
                text = text[:at] + chance.choice(BITS) + text[at:]
            case 1:
                text = text[:at] + text[min(end, at + 3) :]
            case 2:
                text = text[:at] + chance.choice(BITS) + text[at + 1 :]
            case _:
                text = text[:at] + text[at:end] * 2 + text[end:]
    return text


def test_no_url_gets_past_the_policy(figure: Figure) -> None:
    good = [*direct(80, 443, 80), "https://cdn.example.org/a.png?sig=1", "http://10.0.0.5:9000/a"]
    passed = 0

    def check(chance: random.Random) -> None:
        nonlocal passed
        url = broken_text(chance, chance.choice(good))
        assert redact(url).isascii()
        try:
            hop = POLICY.first(url)
            assert POLICY.first(hop.url) == hop
            assert POLICY.redirected(hop, next_url(hop.url, hop.url)) == hop
        except DownloadError:
            return
        passed += 1
        parts = urlsplit(hop.url)
        assert hop.exempt == (parts.scheme == "http" and parts.netloc == "10.0.0.5:9000")
        if not hop.exempt:
            assert (parts.port or 80) in (80, 443)
            host = parts.hostname or ""
            if ":" in host or host.replace(".", "").isdigit():
                assert fits(host, exempt=False)

    tried = fuzz(300, check)
    assert 0 < passed < tried
    figure("fuzzing, URL policy", f"{tried} URLs tried, {passed} passed, each of them plain")


# Files


def broken_bytes(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(changed))
        match chance.randrange(6):
            case 0:
                del changed[at:]
            case 1:
                del changed[at : at + chance.randint(1, 8)]
            case 2:
                changed[at : at + 1] = chance.randbytes(1)
            case 3:
                changed[at:at] = chance.choice([b"\0", b"\xff", b"\xff\xd9", b"IEND", b"<svg>"])
            case 4:
                changed[at : at + 4] = chance.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
            case _:
                changed += chance.randbytes(chance.randint(1, 9))
    return bytes(changed)


def test_no_file_upsets_the_inspector(figure: Figure) -> None:
    good = [*HAND_MADE.values(), *(drawn(kind) for kind in ("PNG", "JPEG", "WEBP"))]
    passed = 0

    def check(chance: random.Random) -> None:
        nonlocal passed
        data = broken_bytes(chance, chance.choice(good))
        try:
            found = inspect(io.BytesIO(data), max_pixels=PIXELS)
        except ImageRejected:
            return
        passed += 1
        assert found.type == sniff(data[:HEAD])
        assert 0 < found.width * found.height <= PIXELS

    tried = fuzz(300, check)
    figure("fuzzing, inspector", f"{tried} files tried, {passed} passed, none broke it")


# Answers

SCALARS = [None, True, False, 0, -1, 7, 1e308, "", "x", "../a", "\ud800", [], {}, [[]], {"id": 1}]
READERS = [
    *(answers.health, answers.character, answers.character_page, answers.nothing),
    *(answers.initial_image, answers.reference_state, answers.reference_deletion),
    *(answers.portfolio, answers.job, answers.job_page, answers.cancellation),
    *(answers.scene_image, answers.gallery, answers.media),
]


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


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from spots(value[key])


def broken_document(chance: random.Random, document: Any) -> Any:
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 4)):
        places = list(spots(document))
        if not places:
            break
        holder, key = chance.choice(places)
        match chance.randrange(4):
            case 0:
                del holder[key]
            case 1:
                other, name = chance.choice(places)
                with_it = other[name] if other is not holder else None
                holder[key] = copy.deepcopy(with_it)
            case 2:
                holder[key] = {key: holder[key]} if chance.random() < 0.5 else [holder[key]]
            case _:
                holder[key] = copy.deepcopy(chance.choice(SCALARS))
    return document


def test_no_answer_upsets_the_reader(figure: Figure) -> None:
    good = documents()
    passed = 0

    def check(chance: random.Random) -> None:
        nonlocal passed
        document = broken_document(chance, chance.choice(good))
        status = chance.choice([200, 200, 200, 201, 202, 400, 404, 500, 502])
        request = chance.choice([GET, POST])
        try:
            chance.choice(READERS)(exchange(document, status=status, request=request))
        except CharacterLibraryError:
            return
        passed += 1

    tried = fuzz(100, check)
    assert 0 < passed < tried
    figure("fuzzing, answer parser", f"{tried} answers tried, {passed} could be read")


# Characters

TRAITS: Any = {
    "age": 34,
    "gender": "female",
    "ethnicity": ["Irish"],
    "physicalDescription": "tall, {braces} and %s",
    "hair": {"color": "auburn", "length": "long"},
    "generationMetadata": {"bamlData": {"eye_color": "green", "height": "N/A", "clothing": [None]}},
}


def test_no_character_upsets_the_prompt(figure: Figure) -> None:
    def check(chance: random.Random) -> None:
        traits = broken_document(chance, TRAITS)
        name = broken_text(chance, "Lena Marlow") if chance.random() < 0.5 else "Lena Marlow"
        character = CharacterReference(id="lena", name=name, traits=traits)
        suggestion = suggest_prompt(character)
        assert suggestion == suggest_prompt(character)
        assert check_prompt(suggestion.prompt) == suggestion.prompt
        assert suggestion.facts == facts_of(character)
        assert isinstance(unsupported_terms(suggestion.prompt, character), tuple)
        text = broken_text(chance, suggestion.prompt[: chance.randint(0, 60)])
        with suppress(InvalidPrompt):
            assert check_prompt(text) == text

    tried = fuzz(25, check)
    figure("fuzzing, prompt builder", f"{tried} characters tried, 0 without a prompt")
