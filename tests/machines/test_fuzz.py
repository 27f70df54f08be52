"""Inputs that nobody thought of: URLs, files, answers and characters, mended and broken at random.

Each example is a seed, from which a batch of inputs follows by changing good ones a few times.
``CHARIMG_FUZZ=30`` tries thirty times as many. ``make fuzz`` lets the inputs be led by what they
reach in the code, instead.
"""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ..figures import Figure
from ..histories import same_everywhere
from ..library.helpers import GET, POST, exchange
from .oracles import (
    FILES,
    READERS,
    STATUSES,
    TRAITS,
    URLS,
    answer_is_read,
    character_has_prompt,
    documents,
    file_passes,
    prompt_passes,
    url_passes,
)

MORE = int(os.environ.get("CHARIMG_FUZZ", "1"))
BATCH = 50


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

    with same_everywhere():
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
    passed = 0

    def check(chance: random.Random) -> None:
        nonlocal passed
        passed += url_passes(broken_text(chance, chance.choice(URLS)))

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
    passed = 0

    def check(chance: random.Random) -> None:
        nonlocal passed
        passed += file_passes(broken_bytes(chance, chance.choice(FILES)))

    tried = fuzz(300, check)
    assert 0 < passed < tried
    figure("fuzzing, inspector", f"{tried} files tried, {passed} passed, none broke it")


# Answers

SCALARS = [None, True, False, 0, -1, 7, 1e308, "", "x", "../a", "\ud800", [], {}, [[]], {"id": 1}]


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
        status, request = chance.choice(STATUSES), chance.choice([GET, POST])
        answer = exchange(document, status=status, request=request)
        passed += answer_is_read(chance.choice(READERS), answer)

    tried = fuzz(100, check)
    assert 0 < passed < tried
    figure("fuzzing, answer parser", f"{tried} answers tried, {passed} could be read")


# Characters


def test_no_character_upsets_the_prompt(figure: Figure) -> None:
    def check(chance: random.Random) -> None:
        traits = broken_document(chance, TRAITS)
        name = broken_text(chance, "Lena Marlow") if chance.random() < 0.5 else "Lena Marlow"
        prompt = character_has_prompt(name, traits)
        prompt_passes(broken_text(chance, prompt[: chance.randint(0, 60)]))

    tried = fuzz(25, check)
    figure("fuzzing, prompt builder", f"{tried} characters tried, 0 without a prompt")
