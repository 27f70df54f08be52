"""What PostgreSQL's errors mean and what to do about them, as errors of charimg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ..._masks import masked
from ...errors import ConfigurationError, InvalidArgument, StorageError

__all__ = ["driver", "translated"]

_NONE_GIVEN = (
    "Give one: in the URL, as PGPASSWORD, or in ~/.pgpass; or let the server's pg_hba.conf ask for "
    "none."
)
_ADVICE = {
    "08": "Is the server up and reachable, and are host, port and options right? What was under "
    "way is written whole or not at all; the call can be made again.",
    "28": "Check user, password and database, and what the server's pg_hba.conf lets in.",
    "40": "Another transaction was in the way. Run the transaction again.",
    "42501": "Grant the role the right to use the schema and its tables, and to create the schema "
    "if it is not there yet.",
    "42": "Was the schema changed by something else? Give charimg a schema of its own.",
    "53100": "Free some disk space on the server and try again.",
    "53": "The server is short of memory or connections. Try again, or raise its limits.",
    "58": "The server's disk or system fails; look into the server's log.",
    "XX": "The server found damage; look into its log, and restore from a backup if need be.",
    "55P03": "Another transaction held the lock for too long. Look for one that is left open.",
    "57P": "The server is shutting down or starting. Try again.",
}


def driver() -> ModuleType:
    """Return psycopg.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise ConfigurationError(
            "PostgreSQL needs psycopg: pip install 'charimg[postgres]'."
        ) from error
    return psycopg


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn errors of psycopg into ours.

    Args:
        where: Names the database, without a password.

    Raises:
        StorageError: PostgreSQL failed.
        InvalidArgument: A text is none that PostgreSQL can hold.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        if isinstance(error, psycopg.DataError) and error.sqlstate is None:
            # Found by the driver, before anything was sent.
            raise InvalidArgument(f"A text for {where} holds a NUL character.") from error
        raise StorageError(f"PostgreSQL {where}: {_told(error)}") from error
    except UnicodeEncodeError as error:
        # Not `from error`: it quotes the whole text, which may be anything.
        raise InvalidArgument(f"A text for {where} is not valid Unicode: {error.reason}.") from None


def _told(error: Exception) -> str:
    """Return what happened and what to do; never the details, which may quote a row."""
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error).partition("\n")[0]
    if "no password supplied" in message:
        return f"{message.rstrip('.')}. {_NONE_GIVEN}"
    # libpq gives no code for what the server said while connecting, but marks it.
    refused = "28" if "FATAL:" in message else "08"
    state = getattr(error, "sqlstate", None) or refused
    advice = next((text for code, text in _ADVICE.items() if state.startswith(code)), "")
    return f"{masked(message).rstrip('.')}. {advice}".rstrip()
