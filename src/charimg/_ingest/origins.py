"""From where a download may come: ports, addresses written into a URL, and exempt origins. Pure.

An origin is the exact scheme, host and port. One that is exempt may be private and on any port: the
Character Library's own, and those that the host lists. The exemption holds for the URL that a
download begins with, and for redirects from one exempt origin to another; whoever else redirects to
an exempt origin is treated like anyone.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from attrs import evolve, frozen

from ..errors import DownloadError, ErrorCode, InvalidArgument
from .addresses import fits
from .urls import check_url, redact

__all__ = ["DEFAULT_PORTS", "FetchPolicy", "Hop", "address_refused"]

DEFAULT_PORTS = (80, 443)

_PORT_OF = {"http": 80, "https": 443}


@frozen
class Hop:
    """One request of a download.

    Attributes:
        url: The checked URL.
        exempt: Whether its host may be private.
    """

    url: str
    exempt: bool


@frozen(kw_only=True)
class FetchPolicy:
    """What may be asked for.

    Attributes:
        exempt: Origins as `_origin` writes them.
        ports: Those of all other origins.
    """

    exempt: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset(DEFAULT_PORTS)

    @classmethod
    def checked(cls, *, origins: Collection[str], ports: Collection[int]) -> FetchPolicy:
        """Take a host's settings.

        Args:
            origins: Each like ``https://images.internal:9000``.
            ports: Numbers from 1 to 65535.

        Raises:
            InvalidArgument: One of them makes no sense.
        """
        if isinstance(origins, str):
            raise InvalidArgument("allowed_origins takes several origins, not one text.")
        given: list[object] = list(ports)
        for port in given:
            if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
                raise InvalidArgument(
                    f"ports takes whole numbers from 1 to 65535, and {port!r} is none."
                )
        return cls(exempt=frozenset(map(_listed, origins)), ports=frozenset(ports))

    def with_library(self, base_url: str) -> FetchPolicy:
        """Return the policy under which the Character Library's own origin is exempt, too.

        Args:
            base_url: Its base URL. One that no image could have is passed over.
        """
        try:
            origin = _origin(check_url(base_url))
        except DownloadError:
            return self
        return evolve(self, exempt=self.exempt | {origin})

    def first(self, url: str) -> Hop:
        """Return what a download begins with.

        Raises:
            DownloadError: ``URL_REFUSED`` or ``ADDRESS_REFUSED``.
        """
        return self._hop(check_url(url), trusted=True)

    def redirected(self, hop: Hop, url: str) -> Hop:
        """Return where a redirect leads.

        Args:
            hop: What answered with it.
            url: The target as `next_url` gives it.

        Raises:
            DownloadError: ``URL_REFUSED`` or ``ADDRESS_REFUSED``.
        """
        return self._hop(url, trusted=hop.exempt)

    def _hop(self, url: str, *, trusted: bool) -> Hop:
        exempt = trusted and _origin(url) in self.exempt
        parts = urlsplit(url)
        port = parts.port or _PORT_OF[parts.scheme]
        if not exempt and port not in self.ports:
            raise DownloadError(
                f"The image URL {redact(url)} was refused: port {port} is not among those that may "
                "be asked. If it is right, give it in the downloader's ports, or the origin in "
                "its allowed_origins.",
                code=ErrorCode.URL_REFUSED,
            )
        host = parts.hostname or ""
        # Nothing but an address has a colon, or a number for its last label, in a checked URL.
        literal = ":" in host or host.rpartition(".")[2].isdecimal()
        if literal and not fits(host, exempt=exempt):
            raise address_refused(host)
        return Hop(url, exempt)


def address_refused(host: str) -> DownloadError:
    """Return the error for a host that leads to where no download may go."""
    return DownloadError(
        f"The image host {host} was refused: its address is not a public one. If it is "
        "your own, list its origin in the downloader's allowed_origins.",
        code=ErrorCode.ADDRESS_REFUSED,
    )


def _origin(url: str) -> str:
    """Return scheme, host and port of a checked URL, in the one form that it has."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _listed(text: str) -> str:
    try:
        url = check_url(text)
    except DownloadError as error:
        raise InvalidArgument(
            f"{redact(text)} cannot be an allowed origin: give scheme, host and port, such as "
            "https://images.internal:9000."
        ) from error
    if url != _origin(url) + "/" or "#" in text:
        raise InvalidArgument(
            f"{redact(text)} is more than an origin: give scheme, host and port alone."
        )
    return _origin(url)
