"""Asking the host's ``authorize``, in both modes. Whatever goes wrong, the answer is no."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from .._plain import logger
from ..errors import ConfigurationError
from .access import AccessDenied, Action, Authorize, admitted

__all__ = ["aask", "acheck_service", "ask", "check_service"]

_log = logger("charimg.web")


def ask(
    authorize: Authorize, native: Any, action: Action, character_id: str, seconds: float
) -> str | None:
    """Ask in the caller's own thread, where the host's session is.

    Args:
        authorize: The host's.
        native: The framework's own request.
        action: What is about to be done.
        character_id: With which character.
        seconds: An answer that took longer counts for nothing.

    Returns:
        The user's name, if ``authorize`` told it.

    Raises:
        AccessDenied: It refused, raised, or did not answer in time.
    """
    started = time.monotonic()
    try:
        answer = authorize(native, action, character_id)
    except AccessDenied:
        raise
    except Exception as error:
        raise _broken(error) from error
    if isinstance(answer, Coroutine):
        answer.close()
        raise _broken(TypeError("the sync workspace cannot await an async authorize"))
    if time.monotonic() - started > seconds:
        raise _late(seconds)
    return _judged(answer)


async def aask(
    authorize: Authorize, native: Any, action: Action, character_id: str, seconds: float
) -> str | None:
    """See `ask`. A plain function is called in a thread, so that it does not hold up the loop."""
    import anyio.to_thread

    call = partial(authorize, native, action, character_id)
    try:
        with anyio.fail_after(seconds):
            if iscoroutinefunction(authorize) or iscoroutinefunction(type(authorize).__call__):
                answer = await call()
            else:
                answer = await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
                if isawaitable(answer):
                    answer = await answer
    except AccessDenied:
        raise
    except TimeoutError as error:
        raise _late(seconds) from error
    except Exception as error:
        raise _broken(error) from error
    return _judged(answer)


def _judged(answer: object) -> str | None:
    if not admitted(answer):
        raise AccessDenied
    return answer if isinstance(answer, str) else None


def _broken(error: Exception) -> AccessDenied:
    _log.error("web.authorize_failed", exc_info=error)
    return AccessDenied("Whether you may do this could not be found out.")


def _late(seconds: float) -> AccessDenied:
    _log.error("web.authorize_late", extra={"seconds": seconds})
    return AccessDenied("Whether you may do this could not be found out in time.")


def check_service(service: Any) -> None:
    """Refuse the async service where the sync one is needed, before the first request."""
    if iscoroutinefunction(getattr(service, "generate_reference", None)):
        raise ConfigurationError("Give a CharacterImageService here, not the async one.")


def acheck_service(service: Any) -> None:
    """See `check_service`, the other way round."""
    method = getattr(service, "generate_reference", None)
    if method is not None and not iscoroutinefunction(method):
        raise ConfigurationError("Give an AsyncCharacterImageService here, not the sync one.")
