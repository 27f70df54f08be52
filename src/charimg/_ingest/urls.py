"""Which URLs may be fetched, and how they are shown. Pure: no name is looked up here.

Only one plain spelling of a host passes, so that no two readers of the URL can see different hosts:
decimal, octal, hexadecimal, full-width and percent-encoded addresses and trailing dots are refused.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from ..errors import DownloadError, ErrorCode

__all__ = ["check_url", "next_url", "public", "redact"]

MAX_LENGTH = 8192
"""Longest URL in characters; signed ones reach about 2,000."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNREADABLE = "(not an http URL)"
_SHOWN = 200
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[0-9]{1,5}")
_IPV6_AND_PORT = re.compile(r"\[([0-9a-f:.]+)\](?::(.*))?", re.DOTALL)
_SAFE_IN_PATH = "!$&'()*+,/:;=@-._~%"


def check_url(url: str, base: str = "") -> str:
    """Return the normalised absolute form of an http or https URL.

    Normalised means: scheme and host in lower case, no default port, no fragment, spaces and
    non-ASCII characters of path and query percent-encoded.

    Args:
        url: Absolute, or relative to ``base`` (contract page: the Library gives both).
        base: An absolute URL; none by default.

    Raises:
        DownloadError: ``URL_REFUSED``; the message shows no user info and no query.
    """
    if not url:
        raise _refused(url, "it is empty")
    if len(url) > MAX_LENGTH:
        raise _refused(url, f"it is longer than {MAX_LENGTH} characters")
    if "\\" in url or not url.isprintable():
        raise _refused(url, "it holds a backslash or a control character")
    if url != url.strip():
        raise _refused(url, "it begins or ends with a space")
    try:
        parts = urlsplit(url)
        if not (parts.scheme and parts.netloc):
            # Never for what is absolute: joining would drop an empty parameter at the end.
            parts = urlsplit(urljoin(base, url))
        if parts.scheme not in _DEFAULT_PORTS:
            raise _refused(url, "it is not an absolute http or https URL")
        authority = _authority(url, parts)
    except ValueError as error:
        raise _refused(url, "it is malformed") from error
    path = quote(parts.path, safe=_SAFE_IN_PATH) or "/"
    query = "?" + quote(parts.query, safe=_SAFE_IN_PATH + "?") if parts.query else ""
    return f"{parts.scheme}://{authority}{path}{query}"


def next_url(current: str, location: str) -> str:
    """Return where a redirect leads, checked like any other URL.

    Args:
        current: The checked URL that answered with the redirect.
        location: The ``Location`` header.

    Raises:
        DownloadError: ``URL_REFUSED``, also for a step from https down to http.
    """
    target = check_url(location, current)
    if current.startswith("https:") and not target.startswith("https:"):
        raise _refused(target, "a redirect may not lead from https to http")
    return target


def redact(url: str) -> str:
    """Return what of any URL may stand in a message or a log: no user info, query or fragment.

    Never raises, and returns printable ASCII on one line.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return _UNREADABLE
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return _UNREADABLE
    port = re.search(r":[0-9]{1,5}\Z", parts.netloc, re.ASCII)
    shown_host = _shown(f"[{host}]" if ":" in host else host, safe="[]:.-_")
    shown_port = port.group() if port else ""
    return f"{parts.scheme}://{shown_host}{shown_port}{_shown(parts.path, safe=_SAFE_IN_PATH)}"


def public(url: str) -> str:
    """Return what of a URL everybody may see, as it is spelt: no user info, query or fragment.

    A signature stands in the query; what is left still tells which file it is. Never raises.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return _UNREADABLE
    netloc = parts.netloc.rpartition("@")[2]
    if not (parts.query or parts.fragment or netloc != parts.netloc):
        return url.rstrip("?#")
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def _shown(text: str, *, safe: str) -> str:
    text = quote(text, safe=safe, errors="replace")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _authority(url: str, parts: SplitResult) -> str:
    if not parts.netloc:
        raise _refused(url, "it has no host")
    if "@" in parts.netloc:
        raise _refused(url, "it carries user info")
    # Lower case would turn some non-ASCII letters, such as the Kelvin sign, into ASCII ones.
    netloc = parts.netloc.lower() if parts.netloc.isascii() else ""
    literal = _IPV6_AND_PORT.fullmatch(netloc)
    if literal is not None:
        host, port = f"[{IPv6Address(literal[1])}]", literal[2]
    else:
        name, colon, rest = netloc.partition(":")
        host, port = _host(url, name), rest if colon else None
    if port is None:
        return host
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise _refused(url, "its port is not a number from 1 to 65535")
    return host if int(port) == _DEFAULT_PORTS[parts.scheme] else f"{host}:{int(port)}"


def _host(url: str, host: str) -> str:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused(url, "its host is not a plain ASCII name or address")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError as error:
            raise _refused(url, "its IPv4 address is not four plain decimal numbers") from error
    return host


def _refused(url: str, why: str) -> DownloadError:
    return DownloadError(
        f"The image URL {redact(url)} was refused: {why}.", code=ErrorCode.URL_REFUSED
    )
