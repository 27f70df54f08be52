"""Who may do what: the actions, the host's ``authorize``, and the defence against foreign pages."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

from .exchange import WebRequest

__all__ = [
    "AccessDenied",
    "Action",
    "Authorize",
    "admitted",
    "foreign",
    "judged",
    "sign_in_first",
]


class Action(StrEnum):
    """What a request is about to do with a character."""

    VIEW = "view"
    """See the page, images, prompts and operations."""
    GENERATE = "generate"
    """Draw a reference (which may delete earlier images), a portfolio or a scene: costs money."""
    RETRY = "retry"
    """Fetch an image again that was drawn: one that failed, or whose file is gone."""
    RESTORE = "restore"
    """Make a kept reference current."""
    SETTLE = "settle"
    """Say which image an operation of unknown outcome has drawn, or that there is none."""
    DELETE = "delete"


class AccessDenied(Exception):
    """Raised by ``authorize`` to refuse with more than a plain 403.

    Args:
        message: For the user.
        status: 403, or 401 when a sign-in would help.
        sign_in_url: Where the page sends a browser that is not signed in. A path of the host's
            follows the prefix of a proxy.
        headers: For example ``WWW-Authenticate``.
    """

    def __init__(
        self,
        message: str = "You may not do this.",
        *,
        status: int = 403,
        sign_in_url: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = 401 if status == 401 else 403
        self.sign_in_url = sign_in_url
        self.headers = headers


class Authorize(Protocol):
    """The host's own sign-in and permissions, asked before anything else is done.

    Admits with ``True``, or with the user's name, which becomes the ``created_by`` of what is
    generated. Everything else refuses: ``None``, any other value, an exception, and no answer in
    time. The async workspace also takes an ``async def``.
    """

    def __call__(self, request: Any, action: Action, character_id: str, /) -> Any:
        """Return ``True`` or the user's name, or refuse.

        Args:
            request: The framework's own request.
            action: What is about to be done.
            character_id: With which character.
        """


def admitted(answer: object) -> bool:
    """Return whether an answer of ``authorize`` admits. A truthy object alone does not."""
    return answer is True or (isinstance(answer, str) and answer != "")


def foreign(request: WebRequest, trusted_origins: Collection[str]) -> bool:
    """Return whether another site's page made a browser send this request.

    By ``Sec-Fetch-Site`` where the browser sends it, else by ``Origin``, which must be scheme and
    ``Host`` of the request (OWASP, "CSRF Prevention: Fetch Metadata headers"). A client that sends
    neither is no browser and holds no cookies of the user's.

    Args:
        request: What was asked.
        trusted_origins: Other origins whose pages may write, e.g. ``https://studio.example``.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin in trusted_origins:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin is None:
        return False
    return origin.lower() != f"{request.scheme}://{request.headers.get('host', '')}".lower()


def sign_in_first(
    url: str | None,
    address: str,
    message: str = "Sign in first.",
    headers: tuple[tuple[str, str], ...] = (),
) -> AccessDenied:
    """Return the refusal of who is not signed in.

    Args:
        url: The host's sign-in, ``{next}`` in it standing for the address.
        address: Path and query of what was asked for, percent-encoded.
        message: For the user.
        headers: For example ``WWW-Authenticate``.
    """
    to = None if url is None else url.replace("{next}", quote(address, safe=""))
    return AccessDenied(message, status=401, sign_in_url=to, headers=headers)


def judged(user: Any, allowed: object, name: Callable[[Any], str] | None) -> str | bool:
    """Return what ``authorize`` answers for a user who is signed in.

    Args:
        user: As the host's framework has it.
        allowed: Anything but ``True`` refuses.
        name: Tells the user's name; by default it is a text itself, or its ``username``.

    Raises:
        AccessDenied: The user may not.
    """
    if allowed is not True:
        raise AccessDenied
    if name is not None:
        return name(user)
    told = user if isinstance(user, str) else getattr(user, "username", None)
    return told if isinstance(told, str) and told else True
