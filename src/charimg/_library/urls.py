"""The base URL, and the URLs that the server answers with."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from ..errors import ConfigurationError

__all__ = ["ENVIRONMENT_VARIABLE", "check_base_url", "is_ambiguous", "resolve"]

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


def is_ambiguous(parts: SplitResult) -> bool:
    """Tell whether a part of a password may stand where the host or the path belongs.

    A password that holds ``/`` or ``@`` and is not percent-encoded ends too early (RFC 3986).
    """
    hosts = parts.netloc.rpartition("@")[2]
    ports = [host.rpartition(":")[2] for host in hosts.split(",") if ":" in host.rpartition("]")[2]]
    odd_port = any(port and not port.isdecimal() for port in ports)
    return "@" in parts.path or parts.netloc.count("@") > 1 or odd_port


def resolve(base_url: str, url: str) -> str:
    """Return an absolute URL for what the server gave (contract page: it may be relative).

    Total: what cannot be resolved comes back as it is, for the download guard to refuse.
    """
    try:
        return urljoin(base_url + "/", url.strip())
    except ValueError:
        return url
