"""Prompts that a server quotes stay out of messages; what it says otherwise stays in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._library import requests
from charimg._library.errors import redacted, refusal
from charimg._library.requests import LibraryAnswer
from charimg._library.values import Health
from charimg.errors import CharacterLibraryError, ErrorCode

from .helpers import DB_ID, GET

PROMPT = 'A "quiet" portrait\nof Zoë, thirty-four, auburn hair, in the café at dusk'
LONG = "SECRET " + "lorem ipsum dolor sit amet, " * 200

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json-utf8": lambda text: json.dumps(text, ensure_ascii=False),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(
    "part",
    [slice(None), slice(0, 30), slice(25, 60), slice(-20, None)],
    ids=["whole", "beginning", "middle", "end"],
)
def test_a_quoted_prompt_is_left_out(part: slice, spell: Callable[[str], str]) -> None:
    quoted = spell(PROMPT[part])
    shown = redacted(f"422 rejected <{quoted}> by the filter", PROMPT)
    assert shown.startswith("422 rejected <")
    assert shown.endswith("> by the filter")
    assert "[…]" in shown
    for word in ("portrait", "thirty-four", "auburn", "café", "caf\\u", "dusk", "Zo"):
        assert word not in shown


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("end", [None, 1900, 40], ids=["whole", "cut", "beginning"])
def test_a_long_prompt_is_left_out_before_the_words_are_cut(
    end: int | None, spell: Callable[[str], str]
) -> None:
    shown = redacted(f"Fal.ai API error: 422 - {spell(LONG[:end])}", LONG)
    assert shown.startswith("Fal.ai API error: 422 - ")
    assert "SECRET" not in shown
    assert "lorem" not in shown


def test_an_error_about_a_long_prompt_does_not_show_it() -> None:
    request = requests.initial_image(DB_ID, LONG)
    details = "Fal.ai API error: 422 - " + json.dumps({"detail": [{"input": LONG}], "x": "y"})
    document = {"error": "Image generation failed", "details": details}
    answer = LibraryAnswer(status=500, headers={}, body=json.dumps(document).encode())
    error = refusal(request, answer, document, request_id="r")
    assert error.code == ErrorCode.UPSTREAM_MODEL
    assert "422" in str(error)
    assert "SECRET" not in f"{error} {error!r}"
    assert "lorem" not in f"{error} {error!r}"


def test_every_private_text_is_left_out() -> None:
    shown = redacted("She waits at the old station, tense.", "She waits at the old", "tense")
    assert shown == "[…] station, […]."


@pytest.mark.parametrize("private", [(PROMPT, PROMPT[:30]), (PROMPT[:30], PROMPT)])
def test_the_order_of_private_texts_does_not_matter(private: tuple[str, ...]) -> None:
    assert redacted(f"422 <{json.dumps(PROMPT)}>", *private) == '422 <"[…]">'


def test_words_that_a_prompt_shares_by_chance_stay() -> None:
    said = "the image of the character could not be drawn"
    assert redacted(said, "an image of the old man by the sea") == said
    assert redacted(said, "ima", "a", "") == said


def test_words_without_a_prompt_are_one_short_line() -> None:
    assert redacted(" it\n broke ") == "it broke"
    shown = redacted("word " * 100)
    assert len(shown) == 200
    assert shown.endswith("…")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("GET http://u:SECRET@h/x?sig=SECRET#SECRET 500", "GET http://[…]@h/x?[…] 500"),
        ('at "https://SECRET@h.example:9000/p", twice', 'at "https://[…]@h.example:9000/p", twice'),
        (
            r"{\"at\": \"https:\/\/u:SECRET@h\/x?s=SECRET\"}",
            (r"{\"at\": \"https:\/\/[…]@h\/x?[…]" '"}'),
        ),
        ("https://h/x?SECRET", "https://h/x?[…]"),
        ("https://h/x#SECRET.", "https://h/x#[…]"),
        ("'/media/x.png?token=SECRET' is gone", "'/media/x.png?[…]' is gone"),
        ("postgresql://u:SEC/RET@SECRET@h:5432/db", "postgresql://[…]@h:5432/db"),
        ("no route to u:SECRET@h:5432", "no route to […]@h:5432"),
        ("X-Amz-Signature=SECRET and on", "X-Amz-Signature=[…] and on"),
        # Nothing to hide.
        ("http://h:80/x@2x.png", "http://h:80/x@2x.png"),
        ("Is it there? a=b, ask ops@h.example", "Is it there? a=b, ask ops@h.example"),
    ],
)
def test_credentials_in_urls_are_left_out(said: str, shown: str) -> None:
    assert redacted(said) == shown
    document = {"error": said}
    answer = LibraryAnswer(status=500, headers={}, body=json.dumps(document).encode())
    error = refusal(requests.initial_image(DB_ID, PROMPT), answer, document, request_id="r")
    assert "SECRET" not in f"{error} {error!r} {error.server_message}"


def test_a_prompt_with_a_url_is_left_out_whole() -> None:
    prompt = "A poster that says https://u:p@h/x?sig=1 in red letters"
    assert redacted(f"422 <{prompt}>", prompt) == "422 <[…]>"


@given(
    prompt=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=16, max_size=300),
    data=st.data(),
)
def test_no_quotation_of_sixteen_characters_is_shown(prompt: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(prompt) - 16))
    end = data.draw(st.integers(begin + 16, len(prompt)))
    shown = redacted(f"<< {prompt[begin:end]} >>", prompt)
    assert shown == "<< […] >>"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"message": 'Route not found "/api/v1/jobs/x/status"'}, ErrorCode.INVALID_RESPONSE),
        ({"message": "route NOT found"}, ErrorCode.INVALID_RESPONSE),
        ({"error": "Not Found"}, ErrorCode.NOT_FOUND),
        ({"error": "Job not found"}, ErrorCode.NOT_FOUND),
        ({"message": "There is no route to this character"}, ErrorCode.NOT_FOUND),
        ({}, ErrorCode.NOT_FOUND),
    ],
)
def test_a_missing_route_says_nothing_about_the_thing_asked_for(
    document: dict[str, str], code: str
) -> None:
    answer = LibraryAnswer(status=404, headers={}, body=json.dumps(document).encode())
    error = refusal(GET, answer, document, request_id="r")
    assert isinstance(error, CharacterLibraryError)
    assert (error.code, error.field) == (
        code,
        "$" if code == ErrorCode.INVALID_RESPONSE else None,
    )


@pytest.mark.parametrize(
    ("status", "well"),
    [("ok", True), ("healthy", True), ("degraded", True), ("", True), ("Unhealthy", False)]
    + [(each, False) for each in ("down", "ERROR", "fail", "failed", "failing")],
)
def test_only_a_server_that_says_so_is_not_well(status: str, well: bool) -> None:
    assert Health(status=status).well == well
