"""What a host may set of the routes and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

from attrs import field, frozen

from ..errors import ConfigurationError
from .texts import TEXTS

__all__ = ["Csrf", "Settings", "WorkspaceOptions", "settings"]


_PLURALS = ("zero", "one", "two", "few", "many", "other")
"""The plural categories of Unicode (CLDR)."""


@frozen(kw_only=True)
class Csrf:
    """A token that the host's framework wants with every write.

    Attributes:
        header: The request header that carries it, e.g. ``X-CSRFToken``.
        token: Its value for this session.
    """

    header: str
    token: str = field(repr=False)


class WorkspaceOptions(TypedDict, total=False):
    """Options of the workspace, all of them with a default.

    Attributes:
        site_url: Where browsers find the host, e.g. ``https://studio.example``: what hosts keep in
            ``SITE_URL``. Absolute links are built from it, and its pages may write. Without one,
            links are relative.
        trusted_origins: Other origins whose pages may write.
        character_url: The host's own page of a character, ``{id}`` standing for the character's
            id: ``/characters/{id}``. The page's "Back" leads there. Where a proxy has put a prefix
            before all of the host's paths, it follows it.
        templates: A directory of the host's own templates; ``images.html`` in it overrides or
            extends (``{% extends "charimg/images.html" %}``) the page's.
        texts: The page's texts in another language, by key (see ``charimg.web.texts.TEXTS``), or a
            function of the framework's request that returns them.
        lang: The language of the texts, for the page's ``lang``.
        csp: Whether the page carries a Content-Security-Policy; ``False`` when the host sends its
            own.
        nonce: Returns the nonce of the host's own Content-Security-Policy for a request.
        csrf: Returns the token that the host wants with writes, for a request.
        page_size: How many images the page asks for at once.
        max_body: Bytes that a request's body may have.
        heartbeat: Seconds after which a silent event stream says that it is still there.
        authorize_timeout: Seconds that ``authorize`` has.
        stale_after: Seconds after which an unfinished operation that nobody wrote to counts as
            interrupted.
        after_thread: Sync workspace only: called at the end of a thread of ours.
    """

    site_url: str | None
    trusted_origins: Sequence[str]
    character_url: str | None
    templates: str | PathLike[str] | None
    texts: Mapping[str, str] | Callable[[Any], Mapping[str, str]] | None
    lang: str
    csp: bool
    nonce: Callable[[Any], str | None] | None
    csrf: Callable[[Any], Csrf | None] | None
    page_size: int
    max_body: int
    heartbeat: float
    authorize_timeout: float
    stale_after: float
    after_thread: Callable[[], None] | None


@frozen(kw_only=True)
class Settings:
    """`WorkspaceOptions` with every default filled in."""

    site_url: str | None
    trusted_origins: frozenset[str]
    character_url: str | None = None
    templates: str | PathLike[str] | None = None
    texts: Mapping[str, str] | Callable[[Any], Mapping[str, str]] | None = None
    lang: str = "en"
    csp: bool = True
    nonce: Callable[[Any], str | None] | None = None
    csrf: Callable[[Any], Csrf | None] | None = None
    page_size: int = 60
    max_body: int = 256 * 1024
    heartbeat: float = 15.0
    authorize_timeout: float = 10.0
    stale_after: float = 3600.0
    after_thread: Callable[[], None] | None = None


def settings(options: WorkspaceOptions) -> Settings:
    """Check the options and fill in the defaults.

    Raises:
        ConfigurationError: A URL is none, or a number is out of range.
    """
    given: dict[str, Any] = dict(options)
    site_url = given.pop("site_url", None) or None
    trusted = {_origin(each, "trusted_origins") for each in given.pop("trusted_origins", ())}
    if site_url is not None:
        trusted.add(_origin(site_url, "site_url"))
        site_url = site_url.rstrip("/")
    unknown = given.keys() - WorkspaceOptions.__annotations__.keys()
    if unknown:
        raise ConfigurationError(f"The workspace has no option {', '.join(sorted(unknown))}.")
    result = Settings(site_url=site_url, trusted_origins=frozenset(trusted), **given)
    if not 1 <= result.page_size <= 1000:
        raise ConfigurationError(f"page_size must be 1 to 1,000, not {result.page_size}.")
    for name in ("max_body", "heartbeat", "authorize_timeout", "stale_after"):
        if not getattr(result, name) > 0:
            raise ConfigurationError(f"{name} must be more than 0, not {getattr(result, name)}.")
    if result.character_url is not None and "{id}" not in result.character_url:
        raise ConfigurationError("character_url must hold {id}, for example /characters/{id}.")
    if result.templates is not None and not Path(result.templates).is_dir():
        raise ConfigurationError(f"templates: {str(result.templates)!r} is not a directory.")
    if isinstance(result.texts, Mapping):
        wrong = sorted(key for key in result.texts if not _is_text(key))
        if wrong:
            raise ConfigurationError(
                f"texts: the page has no text {', '.join(map(repr, wrong[:5]))}; see "
                "charimg.web.texts.TEXTS."
            )
    return result


def _is_text(key: str) -> bool:
    # A language may have plural forms that English has not.
    stem, _, form = key.rpartition("_")
    return key in TEXTS or (form in _PLURALS and f"{stem}_other" in TEXTS)


def _origin(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise ConfigurationError(f"{name} must be like https://studio.example, not {url!a:.80}.")
    return f"{parts.scheme}://{parts.netloc.lower()}"
