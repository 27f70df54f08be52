"""Which store a settings URL stands for."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from attrs import field, frozen

from .._library.urls import is_ambiguous
from ..errors import ConfigurationError
from .identity import identity_of, schema_of

__all__ = ["CHARACTERS", "LEDGER", "MEDIA", "METADATA", "Place", "Role", "parse_place", "shown"]

_EXAMPLES = {
    "sqlite": "sqlite:///charimg.sqlite",
    "postgresql": "postgresql://user@host/database",
    "payload": "payload+https://cms.example.org",
    "file": "file:///var/lib/charimg/media",
    "s3": "s3://bucket/prefix",
}
_SCHEMES = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "payload+https": "payload",
    "payload+http": "payload",
    "file": "file",
    "s3": "s3",
}


@frozen(kw_only=True)
class Role:
    """What a URL is for.

    Attributes:
        variable: The environment variable that gives it.
        backends: What may stand there.
    """

    variable: str
    backends: tuple[str, ...]


METADATA = Role(variable="CHARIMG_METADATA", backends=("sqlite", "postgresql", "payload"))
MEDIA = Role(variable="CHARIMG_MEDIA", backends=("file", "s3", "payload"))
LEDGER = Role(variable="CHARIMG_LEDGER", backends=("sqlite", "postgresql"))
CHARACTERS = Role(variable="CHARIMG_CHARACTERS", backends=("sqlite", "postgresql", "payload"))


@frozen(kw_only=True)
class Place:
    """One store's whereabouts.

    Attributes:
        backend: ``sqlite``, ``postgresql``, ``payload``, ``file`` or ``s3``.
        url: As it was given. It may hold a password.
        path: The file or directory, for ``sqlite`` and ``file``.
    """

    backend: str
    url: str = field(default="", repr=False)
    path: Path = Path()

    def is_at(self, other: Place) -> bool:
        """Tell whether both are one place, however it is spelled."""
        if self.backend != other.backend:
            return False
        if self.url:
            return identity_of(self.backend, self.url) == identity_of(other.backend, other.url)
        return self.path.resolve() == other.path.resolve()

    @property
    def identity(self) -> str:
        """One text for one place, however it is spelled; nothing in it is secret."""
        if not self.url:
            return str(self.path.resolve())
        known = repr(identity_of(self.backend, self.url))
        return f"{self.backend}:{sha256(known.encode()).hexdigest()[:16]}"

    def holds(self, other: Place) -> bool:
        """Tell whether the other place is below this one's directory."""
        if self.backend != "file" or other.backend != "file":
            return False
        return self.path.resolve() in other.path.resolve().parents

    def __str__(self) -> str:
        if not self.url:
            return str(self.path)
        schema = schema_of(self.url) if self.backend == "postgresql" else ""
        return shown(self.url) + (f"?schema={quote(schema)}" if schema else "")


def parse_place(text: str, role: Role, *, source: str | None = None) -> Place:
    """Return what a URL stands for.

    ``sqlite:///name`` is relative to the working directory and ``sqlite:////name`` absolute, as in
    SQLAlchemy; ``file:///name`` is absolute (RFC 8089).

    Args:
        text: The URL.
        role: What it is for.
        source: What to call it in a message; the variable unless given.

    Raises:
        ConfigurationError: It is no such URL. The message shows no part of it that may be secret.
    """
    source = source or role.variable
    try:
        parts = urlsplit(text.strip())
    except ValueError as error:
        raise ConfigurationError(f"{source} is not a valid URL.") from error
    backend = _SCHEMES.get(parts.scheme.lower())
    if backend not in role.backends:
        examples = " or ".join(_EXAMPLES[each] for each in role.backends)
        raise ConfigurationError(f"{source} must be a URL such as {examples}.")
    if backend not in ("sqlite", "file"):
        if is_ambiguous(parts):
            raise ConfigurationError(
                f"{source} has an @ or a / where none belongs. Percent-encode them in user and "
                "password: %40 and %2F."
            )
        return Place(backend=backend, url=text.strip())
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{source} must name a local path with three slashes and no query, "
            f"such as {_EXAMPLES[backend]}."
        )
    path = url2pathname(parts.path)
    if backend == "sqlite":
        path = path[1:]
    if not path.strip("/\\"):
        raise ConfigurationError(f"{source} names no path; give one such as {_EXAMPLES[backend]}.")
    return Place(backend=backend, path=Path(path))


def shown(url: str) -> str:
    """Return a URL without what may be secret in it: user info, query and fragment."""
    try:
        parts = urlsplit(url)
        if is_ambiguous(parts):
            return f"{parts.scheme}://…"
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return "a URL that cannot be read"
