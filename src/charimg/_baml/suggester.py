"""The two suggesters: facts in, a checked prompt or the template's out."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .._plain import logger
from ..models import CharacterReference, PromptSuggestion
from ..prompts import RefusedDescription, describe, facts_of, suggest_prompt
from .function import DescribePerson, NoDescription

__all__ = ["AsyncBamlPromptSuggester", "BamlPromptSuggester"]

_log = logger("charimg.prompt")


class _Suggester:
    """What both have in common."""

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str = "openai-generic",
        timeout: float = 30.0,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self._describe = DescribePerson(
            model=model,
            base_url=base_url,
            api_key=api_key,
            provider=provider,
            timeout=timeout,
            options={} if options is None else options,
        )


class BamlPromptSuggester(_Suggester):
    """A `PromptSuggester` that has a model describe the person, through BAML.

    Only what `TemplatePromptSuggester` would use is sent: the character's looks. The paragraph that
    comes back is refused if it holds a proper noun, number or colour that is not among them, or an
    empty value such as "null"; quotation marks are taken out. The rest of the prompt is the
    template's. When there is nothing to describe, when the model fails, is late or is refused, the
    result is the template's with `PromptSuggestion.reason` and ``unsupported``. `suggest` raises
    nothing for it, and asks once.

    Needs the extra ``baml``. While a call is under way, BAML's own log is off for the process, as
    it would print the prompt.

    Args:
        model: The model's name, as its server knows it.
        base_url: The server, such as ``https://host/v1``; some providers have one of their own.
        api_key: Sent to the server. The environment is not read.
        provider: A provider of BAML; the default speaks to every server that is compatible with
            OpenAI's.
        timeout: Seconds for the whole call.
        options: Further options of BAML's client, such as ``{"temperature": 0}``.

    Raises:
        ConfigurationError: The extra is missing, or BAML refuses a setting.
        InvalidArgument: The timeout is not a number above 0.
    """

    def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
        """Return the model's prompt, or the template's and why.

        Blocks for ``timeout`` at most; an interrupt (Ctrl-C) arrives only after that.
        """
        facts = facts_of(character)
        try:
            _demand_looks(facts)
            text = self._describe(facts, self._describe.controller())
        except NoDescription as error:
            return _fallen_back(character, str(error))
        return _checked(character, text)


class AsyncBamlPromptSuggester(_Suggester):
    """An `AsyncPromptSuggester`: `BamlPromptSuggester` for asyncio and trio.

    BAML is called in a worker thread, since its own async calls know asyncio only. A cancelled call
    is aborted.

    Args:
        model: The model's name, as its server knows it.
        base_url: The server, such as ``https://host/v1``; some providers have one of their own.
        api_key: Sent to the server. The environment is not read.
        provider: A provider of BAML.
        timeout: Seconds for the whole call.
        options: Further options of BAML's client.

    Raises:
        ConfigurationError: The extra is missing, or BAML refuses a setting.
        InvalidArgument: The timeout is not a number above 0.
    """

    async def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
        """Return the model's prompt, or the template's and why."""
        from anyio import to_thread

        facts = facts_of(character)
        controller = self._describe.controller()
        try:
            _demand_looks(facts)
            text = await to_thread.run_sync(
                self._describe, facts, controller, abandon_on_cancel=True
            )
        except NoDescription as error:
            return _fallen_back(character, str(error))
        finally:
            controller.abort()
        return _checked(character, text)


def _demand_looks(facts: Mapping[str, str]) -> None:
    if not facts.keys() - {"name"}:
        raise NoDescription("Nothing is known of the character's looks, so no model was asked.")


def _checked(character: CharacterReference, text: str) -> PromptSuggestion:
    try:
        return describe(character, text)
    except RefusedDescription as error:
        return _fallen_back(character, str(error), error.terms)


def _fallen_back(
    character: CharacterReference, reason: str, unsupported: tuple[str, ...] = ()
) -> PromptSuggestion:
    _log.warning("prompt.fallback", extra={"character_id": character.id, "reason": reason})
    return attrs.evolve(suggest_prompt(character), reason=reason, unsupported=unsupported)
