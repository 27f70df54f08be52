"""What the environment says of the stores and of downloads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from attrs import evolve, frozen

from .._ingest.origins import DEFAULT_PORTS, FetchPolicy
from .._library.urls import check_base_url
from ..errors import ConfigurationError, InvalidArgument
from ..policies import DownloadLimits
from . import places
from .embedded import DATABASE
from .embedded import MEDIA as MEDIA_DIRECTORY
from .places import Place, Role, parse_place

__all__ = [
    "StoreSettings",
    "allowed_origins",
    "check_directory",
    "data_directory",
    "download_limits",
    "media_url",
]

_LIMITS: dict[str, Callable[[str], Any]] = {
    "foreign": str.strip,
    "formats": str.split,
    "max_bytes": int,
    "max_pixels": int,
}
"""The limits that can refuse an image, and how each is read."""


@frozen(kw_only=True)
class StoreSettings:
    """Where everything is kept.

    Attributes:
        metadata: The records.
        media: The files.
        ledger: Operations and leases.
        characters: The character directory.
        media_url: What a web server serves the media's directory under, for files on disk.
    """

    metadata: Place
    media: Place
    ledger: Place
    characters: Place
    media_url: str | None = None

    @classmethod
    def from_env(cls, directory: Path | None = None) -> StoreSettings:
        """Read the environment.

        Records and files lie below the directory unless ``CHARIMG_METADATA`` and ``CHARIMG_MEDIA``
        say otherwise. Characters and ledger lie where the records lie, unless
        ``CHARIMG_CHARACTERS`` and ``CHARIMG_LEDGER`` say otherwise; a CMS keeps no ledger, so that
        of Payload lies below the directory.

        Args:
            directory: Instead of that of ``CHARIMG_DIR``.

        Raises:
            ConfigurationError: A variable is malformed, or they do not fit together.
        """
        directory = data_directory() if directory is None else directory
        local = Place(backend="sqlite", path=directory / DATABASE)
        metadata = _read(places.METADATA) or local
        media = _read(places.MEDIA)
        if media is None and metadata.backend == "payload":
            media = metadata
        found = cls(
            metadata=metadata,
            media=media or Place(backend="file", path=directory / MEDIA_DIRECTORY),
            ledger=_read(places.LEDGER) or (local if metadata.backend == "payload" else metadata),
            characters=_read(places.CHARACTERS) or metadata,
            media_url=media_url(),
        )
        return _fitting(found)

    @classmethod
    def embedded(cls, directory: Path) -> StoreSettings:
        """Return the embedded default below a directory, whatever the environment says."""
        local = Place(backend="sqlite", path=directory / DATABASE)
        files = Place(backend="file", path=directory / MEDIA_DIRECTORY)
        return cls(metadata=local, media=files, ledger=local, characters=local)

    def moved(
        self,
        *,
        directory: Path | None = None,
        metadata: Place | None = None,
        media: Place | None = None,
        ledger: Place | None = None,
        characters: Place | None = None,
    ) -> StoreSettings:
        """Return where everything is after a move; what nobody names stays where it is.

        Characters and ledger go along with the records, but for a ledger whose records go to a CMS.

        Args:
            directory: Where the embedded default goes, for what is not named.
            metadata: Where the records go.
            media: Where the files go.
            ledger: Where the ledger goes.
            characters: Where the directory goes.

        Raises:
            ConfigurationError: The places do not fit together.
        """
        if directory is not None:
            metadata = metadata or Place(backend="sqlite", path=directory / DATABASE)
            media = media or Place(backend="file", path=directory / MEDIA_DIRECTORY)
        if metadata is not None:
            characters = characters or metadata
            if metadata.backend != "payload":
                ledger = ledger or metadata
        moved = evolve(
            self,
            metadata=metadata or self.metadata,
            media=media or self.media,
            ledger=ledger or self.ledger,
            characters=characters or self.characters,
        )
        return _fitting(moved)

    @property
    def by_role(self) -> dict[str, Place]:
        """The four places by what they are for."""
        return {
            "metadata": self.metadata,
            "media": self.media,
            "ledger": self.ledger,
            "characters": self.characters,
        }


def _fitting(settings: StoreSettings) -> StoreSettings:
    if settings.metadata.backend == "payload" and settings.media.backend != "payload":
        raise ConfigurationError(
            "The records of Payload point to its own media, so its media must be in Payload, too: "
            "give the same payload+https URL for both."
        )
    return settings


def _read(role: Role) -> Place | None:
    text = os.environ.get(role.variable, "")
    return parse_place(text, role) if text.strip() else None


def data_directory() -> Path:
    """Return the directory named by ``CHARIMG_DIR``, else ``./charimg-data``.

    Raises:
        ConfigurationError: It exists and is no directory, or can be none.
    """
    return check_directory(Path(os.environ.get("CHARIMG_DIR") or "charimg-data"), "CHARIMG_DIR")


def check_directory(path: Path, source: str) -> Path:
    """Return the path, of a directory that is there or can be made.

    Args:
        path: The path.
        source: What to call it in a message.

    Raises:
        ConfigurationError: Something else is there, or the system refuses the path.
    """
    try:
        if S_ISDIR(path.stat().st_mode):
            return path
        reason = "which is not a directory"
    except FileNotFoundError:
        return path
    except OSError as error:
        reason = f"which cannot be used ({error.strerror})"
    raise ConfigurationError(
        f"{source} names {str(path)!r}, {reason}. Point it to a directory that charimg "
        "may write to."
    )


def site_url() -> str | None:
    """Return the host's own site, from ``SITE_URL``, without a trailing slash.

    Raises:
        ConfigurationError: It is no http or https URL.
    """
    text = os.environ.get("SITE_URL", "")
    return check_base_url(text, source="SITE_URL") if text.strip() else None


def media_url() -> str | None:
    """Return what ``CHARIMG_MEDIA_URL`` says the media are served under, if anything.

    A path is completed by ``SITE_URL``.

    Raises:
        ConfigurationError: It is a path, and there is no ``SITE_URL``.
    """
    text = os.environ.get("CHARIMG_MEDIA_URL", "").strip()
    if not text.startswith("/"):
        return text or None
    site = site_url()
    if site is None:
        raise ConfigurationError(
            f"CHARIMG_MEDIA_URL is the path {text!r}; set SITE_URL to the site that it belongs to, "
            "or give a whole URL."
        )
    return site + text


def allowed_origins() -> tuple[str, ...]:
    """Return the origins of ``CHARIMG_ALLOWED_ORIGINS``, which spaces stand between.

    Raises:
        ConfigurationError: One of them is no origin.
    """
    origins = tuple(os.environ.get("CHARIMG_ALLOWED_ORIGINS", "").split())
    try:
        FetchPolicy.checked(origins=origins, ports=DEFAULT_PORTS)
    except InvalidArgument as error:
        raise ConfigurationError(f"CHARIMG_ALLOWED_ORIGINS is wrong: {error}") from error
    return origins


def download_limits(foreign: str | None = None) -> DownloadLimits:
    """Return the limits of downloads, with what the environment says of them.

    Reads ``CHARIMG_FOREIGN``, ``CHARIMG_FORMATS`` (with spaces between them), ``CHARIMG_MAX_BYTES``
    and ``CHARIMG_MAX_PIXELS``.

    Args:
        foreign: Goes before ``CHARIMG_FOREIGN``.

    Raises:
        ConfigurationError: One of them makes no sense.
    """
    limits = DownloadLimits()
    for name, read in _LIMITS.items():
        variable = f"CHARIMG_{name.upper()}"
        text = os.environ.get(variable, "")
        if name == "foreign" and foreign is not None:
            variable, text = "--foreign", foreign
        if not text.strip():
            continue
        try:
            limits = evolve(limits, **{name: read(text)})
        except ValueError as error:
            raise ConfigurationError(f"{variable} is wrong: {error}") from error
    return limits
