"""The prompt suggester that the environment names."""

from __future__ import annotations

import inspect
import os
from pkgutil import resolve_name
from typing import Any

from ..errors import CharimgError, ConfigurationError
from ..protocols import AsyncPromptSuggester, PromptSuggester

__all__ = ["async_suggester", "suggester"]

_VARIABLE = "CHARIMG_SUGGESTER"


def suggester() -> PromptSuggester | None:
    """Return what ``CHARIMG_SUGGESTER`` names, as ``module:attribute``; ``None`` when it is unset.

    The attribute is a suggester, or a class or function that makes one without arguments.

    Raises:
        ConfigurationError: It is malformed, cannot be imported, or is no suggester for sync code.
    """
    found: PromptSuggester | None = _found()
    if found is not None and inspect.iscoroutinefunction(found.suggest):
        raise ConfigurationError(
            f"{_VARIABLE} names a suggester that is awaited; a service without await needs one "
            "whose suggest is a plain function."
        )
    return found


def async_suggester() -> AsyncPromptSuggester | None:
    """Return it for async code, which takes both kinds; see `suggester`."""
    found: AsyncPromptSuggester | None = _found()
    return found


def _found() -> Any:
    text = os.environ.get(_VARIABLE, "").strip()
    if not text:
        return None
    module, _, attribute = text.partition(":")
    names = [*module.split("."), *attribute.split(".")]
    if not all(name.isidentifier() for name in names):
        raise ConfigurationError(
            f"{_VARIABLE} must be module:attribute, such as studio.prompts:suggester."
        )
    try:
        found = resolve_name(text)
        if inspect.isclass(found) or (callable(found) and not hasattr(found, "suggest")):
            found = found()
    except CharimgError as error:
        raise ConfigurationError(f"{_VARIABLE} names {text}: {error}") from error
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{_VARIABLE} names {text}, and there is no module {error.name!r}. Install it, or put "
            "its directory on PYTHONPATH."
        ) from error
    except Exception as error:
        # Its message may quote anything, a key included.
        raise ConfigurationError(
            f"{_VARIABLE} names {text}, which cannot be had: {type(error).__name__}. Import it in "
            "Python to see why."
        ) from error
    if not callable(getattr(found, "suggest", None)):
        raise ConfigurationError(f"{_VARIABLE} names {text}, which has no method suggest.")
    return found
