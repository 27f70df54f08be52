"""The base URL, and the URLs that the server answers with."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from ..errors import ConfigurationError

__all__ = ["ENVIRONMENT_VARIABLE", "check_base_url", "resolve"]

ENVIRONMENT_VARIABLE = "CHARACTER_LIBRARY_API_URL"


def check_base_url(value: str, *, source: str = "base_url") -> str:
    """Return the base URL without its trailing slash.

    Args:
        value: An http or https URL; a path prefix is kept.
        source: What to call it in a message.

    Raises:
        ConfigurationError: It is no such URL, or carries user info, a query or a fragment. The
            message does not show it.
    """
    text = value.strip()
    try:
        parts = urlsplit(text)
        port_fits = parts.port is None or parts.port > 0
    except ValueError as error:
        raise ConfigurationError(f"{source} is not a valid URL.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_fits:
        raise ConfigurationError(
            f"{source} must be an http or https URL such as https://library.example.org."
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            f"{source} must not carry user info: give the key in headers instead."
        )
    if "?" in text or "#" in text or not text.isprintable() or " " in text:
        raise ConfigurationError(f"{source} must have no query, fragment or spaces.")
    return text.rstrip("/")


def resolve(base_url: str, url: str) -> str:
    """Return an absolute URL for what the server gave (contract page: it may be relative).

    Total: what cannot be resolved comes back as it is, for the download guard to refuse.
    """
    try:
        return urljoin(base_url + "/", url.strip())
    except ValueError:
        return url
