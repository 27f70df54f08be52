"""Prompts that a model writes through BAML, checked against the character's data (extra ``baml``).

The model writes one paragraph, the person's looks; opening and rules of the photograph are those of
the built-in template. Whatever goes wrong, the template's prompt is returned with the reason.
"""

from __future__ import annotations

from .suggester import AsyncBamlPromptSuggester, BamlPromptSuggester

__all__ = ["AsyncBamlPromptSuggester", "BamlPromptSuggester"]
