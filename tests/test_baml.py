"""Prompts from BAML: the real runtime, asking a server on loopback."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import baml_py
import baml_py.logging
import pytest

from charimg import (
    AsyncBamlPromptSuggester,
    AsyncCharacterImageService,
    BamlPromptSuggester,
    CharacterImageService,
    CharacterReference,
    ConfigurationError,
    InvalidArgument,
    PromptSuggestion,
    to_json,
)
from charimg.prompts import DESCRIBED, TEMPLATE, suggest_prompt
from charimg.protocols import AsyncPromptSuggester, PromptSuggester

from .servers.model import KEY, ModelServer
from .servers.model import model as model

LENA = CharacterReference(
    id="lena",
    name="Lena Marlow",
    traits={
        "age": 34,
        "eye_color": "green",
        "generationMetadata": {"bamlData": {"hair": {"color": "auburn"}, "build": "N/A"}},
        "wardrobe": ["grey wool coat"],
        "backstory": "Born in Prague, hunts for a diamond",
    },
)
TEXT = "Lena Marlow is 34. Her eyes are green, her hair is auburn. She wears a grey wool coat."
NOT_REACHED = "The model's server could not be reached, or failed."
NO_DESCRIPTION = "The model's answer held no description."
MODES = ("sync", "asyncio", "trio")

Suggest = Callable[..., PromptSuggestion]


@pytest.fixture(params=MODES)
def suggest(request: pytest.FixtureRequest, model: ModelServer) -> Suggest:
    """Ask in each mode: the sync suggester, and the async one on both of its backends."""

    def suggest(character: CharacterReference = LENA, **options: Any) -> PromptSuggestion:
        settings = {"model": "stub-1", "base_url": model.url, "api_key": KEY, **options}
        if request.param == "sync":
            return BamlPromptSuggester(**settings).suggest(character)
        suggester = AsyncBamlPromptSuggester(**settings)
        return anyio.run(suggester.suggest, character, backend=request.param)

    return suggest


def fallen_back(suggestion: PromptSuggestion) -> bool:
    """Return whether the template's own prompt was given, with a reason."""
    plain = suggest_prompt(LENA)
    assert suggestion.prompt == plain.prompt
    assert suggestion.template == TEMPLATE
    assert suggestion.facts == plain.facts
    return bool(suggestion.reason)


def test_the_model_describes_the_person_of_the_templates_photograph(
    suggest: Suggest, model: ModelServer
) -> None:
    model.describes(TEXT)
    suggestion = suggest()
    template = suggest_prompt(LENA)
    opening = template.prompt.partition(" Age: ")[0]
    assert suggestion.prompt.startswith(f"{opening} {TEXT} Authentic skin texture")
    assert suggestion.prompt.endswith(template.prompt.partition("Authentic")[2])
    assert suggestion.template == DESCRIBED
    assert suggestion.facts == template.facts
    assert suggestion.reason is None
    assert suggestion.unsupported == ()


def test_only_looks_are_sent_once_to_the_model_that_was_named(
    suggest: Suggest, model: ModelServer
) -> None:
    model.describes(TEXT)
    suggest(options={"temperature": 0.5})
    question = model.question()
    for fact in ("name: Lena Marlow", "age: 34", "eyes: green", "hair: color auburn"):
        assert fact in question
    for foreign in ("Prague", "diamond", "N/A", "build", "lena"):
        assert foreign not in question
    [body], [headers] = model.questions, model.headers
    assert (body["model"], body["temperature"]) == ("stub-1", 0.5)
    assert headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Lena Marlow is 35.", ("35",)),
        ("Lena Marlow is thirty-five.", ("thirty", "five")),
        ("Her hair is auburn and her eyes are blue.", ("blue",)),
        ("She has blue-green eyes.", ("blue",)),
        ("Black boots, green eyes.", ("Black",)),
        ("She stands in Paris with Anna.", ("Paris", "Anna")),
        ("Paris is behind her.", ("Paris",)),
        # The photograph's own numbers are no facts of the person.
        ("She is 35, and 200 cm tall.", ("35", "200")),
    ],
)
def test_a_value_that_is_not_in_the_data_is_flagged(
    suggest: Suggest, model: ModelServer, text: str, terms: tuple[str, ...]
) -> None:
    model.describes(text)
    suggestion = suggest()
    assert fallen_back(suggestion)
    assert suggestion.unsupported == terms
    assert suggestion.reason == (
        "The model's text holds proper nouns, numbers or colours that the character's data does "
        f"not hold: {len(terms)} in all."
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The model's text is empty."),
        (" ... ", "The model's text is empty."),
        ('""', "The model's text is empty."),
        ("Her build is null.", "The model's text holds an empty value, such as null."),
        ("Her build is None.", "The model's text holds an empty value, such as null."),
        ("Her build is unknown.", "The model's text holds an empty value, such as null."),
        ("Her build is N/A.", "The model's text holds an empty value, such as null."),
        ("{she: tall}", "The model's text holds markup."),
        ("**Lena** is 34", "The model's text holds markup."),
        ("She is tall. " * 100, "The model's text is longer than 1,200 characters."),
    ],
)
def test_a_text_that_breaks_a_rule_is_refused(
    suggest: Suggest, model: ModelServer, text: str, reason: str
) -> None:
    model.describes(text)
    suggestion = suggest()
    assert fallen_back(suggestion)
    assert (suggestion.reason, suggestion.unsupported) == (reason, ())


def test_quotes_and_line_ends_are_taken_out(suggest: Suggest, model: ModelServer) -> None:
    model.describes("“Lena Marlow”\nis\t34!  She's \"auburn\"-haired, with Lena's green eyes!")
    prompt = suggest().prompt
    assert "Lena Marlow is 34! She's auburn-haired, with Lena's green eyes. Authentic" in prompt


@pytest.mark.parametrize(
    "reply", ["", "I would rather not.", "{}", '{"description": null}', '{"looks": "tall"}']
)
def test_an_answer_without_a_description(suggest: Suggest, model: ModelServer, reply: str) -> None:
    model.reply = reply
    suggestion = suggest()
    assert fallen_back(suggestion)
    # BAML reads the last one leniently, as a text that looks like markup.
    lenient = "The model's text holds markup."
    assert suggestion.reason == (lenient if "looks" in reply else NO_DESCRIPTION)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_a_refused_request(suggest: Suggest, model: ModelServer, status: int) -> None:
    model.status, model.body = status, f'{{"error": "wrong key {KEY}"}}'
    suggestion = suggest()
    assert fallen_back(suggestion)
    assert suggestion.reason == f"The model's server refused the request with HTTP {status}."
    assert len(model.questions) == 1


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails(suggest: Suggest, model: ModelServer, status: int) -> None:
    model.status, model.body = status, "no"
    suggestion = suggest()
    assert fallen_back(suggestion)
    assert suggestion.reason == NOT_REACHED
    assert len(model.questions) == 1


def test_an_answer_that_is_no_completion(suggest: Suggest, model: ModelServer) -> None:
    model.body = "<html>Welcome</html>"
    suggestion = suggest()
    assert fallen_back(suggestion)
    assert suggestion.reason == NOT_REACHED


def test_a_connection_that_is_closed(suggest: Suggest, model: ModelServer) -> None:
    model.drops = True
    suggestion = suggest()
    assert fallen_back(suggestion)
    assert suggestion.reason == NOT_REACHED


def test_a_server_that_is_not_there(suggest: Suggest) -> None:
    suggestion = suggest(base_url="http://127.0.0.1:1/v1")
    assert fallen_back(suggestion)
    assert suggestion.reason == NOT_REACHED


def test_a_model_that_is_late(suggest: Suggest, model: ModelServer) -> None:
    model.gate.clear()
    suggestion = suggest(timeout=0.25)
    assert fallen_back(suggestion)
    assert suggestion.reason == "The model did not answer within 0.25 s."


def test_a_model_that_stops_in_the_middle_of_its_answer(
    suggest: Suggest, model: ModelServer
) -> None:
    model.describes(TEXT)
    model.stalls = True
    suggestion = suggest(timeout=0.25)
    assert fallen_back(suggestion)
    assert suggestion.reason in (NOT_REACHED, "The model did not answer within 0.25 s.")


@pytest.mark.parametrize("traits", [{}, {"backstory": "Born in Prague"}, {"hair": "N/A"}])
def test_when_nothing_is_known_no_model_is_asked(
    suggest: Suggest, model: ModelServer, traits: dict[str, object]
) -> None:
    nobody = CharacterReference(id="x", name="Anna", traits=traits)
    suggestion = suggest(nobody)
    assert suggestion.prompt == suggest_prompt(nobody).prompt
    assert suggestion.reason == (
        "Nothing is known of the character's looks, so no model was asked."
    )
    assert model.questions == []


# What is never told


@pytest.mark.parametrize("failure", ["answered", "invented", "refused", "failed", "garbled"])
def test_neither_key_nor_prompt_is_printed_logged_or_told(
    suggest: Suggest,
    model: ModelServer,
    failure: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    model.describes({"invented": f"{TEXT} Paris."}.get(failure, TEXT))
    if failure in ("refused", "failed"):
        model.status, model.body = {"refused": 401, "failed": 500}[failure], f"no: {KEY}"
    if failure == "garbled":
        model.reply = TEXT
    suggestion = suggest()
    assert len(model.questions) == 1
    told = "".join(
        [*capfd.readouterr(), repr(suggestion), str(suggestion.reason)]
        + [repr(vars(record)) for record in caplog.records]
    )
    for secret in (KEY, "auburn", "grey", "Marlow", "Paris"):
        assert secret not in told
    events = [
        (record.name, record.levelname, record.character_id, record.reason)  # type: ignore[attr-defined]
        for record in caplog.records
        if record.message == "prompt.fallback"
    ]
    expected = [("charimg.prompt", "WARNING", "lena", suggestion.reason)]
    assert events == ([] if failure == "answered" else expected)


def test_bamls_own_log_is_as_loud_as_before(
    suggest: Suggest, model: ModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    level = baml_py.logging.get_log_level()
    assert level != "OFF"
    model.describes(TEXT)
    suggest()
    assert baml_py.logging.get_log_level() == level
    assert "".join(capfd.readouterr()) == ""


def test_bamls_log_is_off_until_the_last_of_several_calls_has_ended(model: ModelServer) -> None:
    level = baml_py.logging.get_log_level()
    model.describes(TEXT)
    model.gate.clear()
    suggester = BamlPromptSuggester(model="stub-1", base_url=model.url, timeout=60)
    slow = threading.Thread(target=suggester.suggest, args=(LENA,))
    slow.start()
    assert model.asked.wait(60)
    refused = BamlPromptSuggester(model="stub-1", base_url="http://127.0.0.1:1/v1")
    assert refused.suggest(LENA).reason == NOT_REACHED
    assert baml_py.logging.get_log_level() == "OFF"
    model.gate.set()
    slow.join(60)
    assert baml_py.logging.get_log_level() == level


# Settings


@pytest.mark.parametrize("kind", [BamlPromptSuggester, AsyncBamlPromptSuggester])
@pytest.mark.parametrize(
    "changes",
    [
        {"provider": "nobody"},
        {"base_url": None},
        {"base_url": "nowhere"},
        {"options": {"base_url": 5}},
    ],
)
def test_settings_that_baml_refuses(kind: Any, changes: dict[str, Any]) -> None:
    settings = {"model": "m", "base_url": "http://127.0.0.1:1/v1", "api_key": KEY, **changes}
    with pytest.raises(ConfigurationError, match=r"Check\s+provider, model, base_url") as caught:
        kind(**settings)
    assert KEY not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none(timeout: float) -> None:
    with pytest.raises(InvalidArgument, match="timeout must be a number of seconds"):
        BamlPromptSuggester(model="m", base_url="http://127.0.0.1:1/v1", timeout=timeout)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "baml_py", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'charimg\[baml\]'"):
        BamlPromptSuggester(model="m")


def test_both_are_suggesters() -> None:
    url = "http://127.0.0.1:1/v1"
    assert isinstance(BamlPromptSuggester(model="m", base_url=url), PromptSuggester)
    assert isinstance(AsyncBamlPromptSuggester(model="m", base_url=url), AsyncPromptSuggester)
    assert KEY not in repr(vars(BamlPromptSuggester(model="m", base_url=url, api_key=KEY)))


def test_the_source_is_in_the_package() -> None:
    source = files("charimg._baml").joinpath("photoreal.baml").read_text("utf-8")
    assert "function DescribePerson(facts: Fact[]) -> PersonDescription" in source


# In a service


def test_a_service_posts_what_the_model_wrote(tmp_path: Path, model: ModelServer) -> None:
    model.describes(TEXT)
    suggester = BamlPromptSuggester(model="stub-1", base_url=model.url)
    library = "http://127.0.0.1:1"
    with CharacterImageService.local(tmp_path, library=library, suggester=suggester) as service:
        service.put_character(LENA)
        suggestion = service.suggest_prompt("lena")
    assert TEXT in suggestion.prompt
    assert to_json(suggestion) == {
        "prompt": suggestion.prompt,
        "template": DESCRIBED,
        "facts": dict(suggestion.facts),
        "reason": None,
        "unsupported": [],
    }


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_event_loop_goes_on_while_the_model_thinks(
    tmp_path: Path, model: ModelServer, backend: str
) -> None:
    """The server answers only once the loop has told it to."""

    async def main() -> None:
        suggester = AsyncBamlPromptSuggester(model="stub-1", base_url=model.url, timeout=60)
        async with AsyncCharacterImageService.local(
            tmp_path, library="http://127.0.0.1:1", suggester=suggester
        ) as service:
            await service.put_character(LENA)
            async with anyio.create_task_group() as group:
                group.start_soon(open_gate)
                suggestion = await service.suggest_prompt("lena")
        assert TEXT in suggestion.prompt

    async def open_gate() -> None:
        while not model.asked.is_set():
            await anyio.sleep(0.005)
        model.gate.set()

    model.describes(TEXT)
    model.gate.clear()
    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_call_is_aborted(model: ModelServer, backend: str) -> None:
    """Its thread ends although the model never answers: BAML's log is turned back on."""
    level = baml_py.logging.get_log_level()

    async def main() -> None:
        suggester = AsyncBamlPromptSuggester(model="stub-1", base_url=model.url, timeout=600)
        async with anyio.create_task_group() as group:
            group.start_soon(suggester.suggest, LENA)
            while not model.asked.is_set():
                await anyio.sleep(0.005)
            assert baml_py.logging.get_log_level() == "OFF"
            group.cancel_scope.cancel()
        with anyio.fail_after(60):
            while baml_py.logging.get_log_level() != level:
                await anyio.sleep(0.005)

    model.gate.clear()
    anyio.run(main, backend=backend)
    assert not model.gate.is_set()


ENDING = """
import sys
import anyio
from charimg import AsyncBamlPromptSuggester, CharacterReference
person = CharacterReference(id="x", name="Anna", traits={"age": 7})
suggester = AsyncBamlPromptSuggester(model="m", base_url=sys.argv[1], timeout=600)
async def main():
    with anyio.move_on_after(0.2 if sys.argv[2] == "cancel" else 600):
        print((await suggester.suggest(person)).reason)
anyio.run(main)
"""


@pytest.mark.parametrize("how", ["answer", "cancel"])
def test_a_process_ends_cleanly_afterwards(model: ModelServer, how: str) -> None:
    model.describes("She is 7.")
    if how == "cancel":
        model.gate.clear()
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", ENDING, model.url, how],
            capture_output=True,
            text=True,
            env={**os.environ, "BAML_LOG": "debug"},
            timeout=600,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == ("None\n" if how == "answer" else "")
