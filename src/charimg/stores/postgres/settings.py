"""Where a database is, without what is secret about it."""

from __future__ import annotations

import os
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from ..._library.urls import is_ambiguous
from ...errors import ConfigurationError, InvalidArgument
from .failures import driver

__all__ = ["DEFAULT_SCHEMA", "check_schema", "conninfo_of", "place_of", "quoted", "split_url"]

DEFAULT_SCHEMA = "charimg"
_MAX_NAME = 63


def check_schema(name: str) -> str:
    """Return the schema's name, or refuse one that PostgreSQL would cut or read otherwise.

    Raises:
        InvalidArgument: It is empty, too long, or holds a NUL character.
    """
    if not name or len(name.encode()) > _MAX_NAME or "\0" in name:
        raise InvalidArgument(f"schema must be a name of 1 to {_MAX_NAME} bytes, not {name!a:.80}.")
    return name


def quoted(name: str) -> str:
    """Return the name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def check_url(url: str) -> SplitResult:
    """Return the parts of a ``postgresql://`` URL.

    Raises:
        ConfigurationError: It is no such URL, or a password in it is not percent-encoded. The
            message does not show it.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError as error:
        raise ConfigurationError("The PostgreSQL URL is not a valid URL.") from error
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigurationError("A PostgreSQL URL begins with postgresql://.")
    if is_ambiguous(parts):
        raise ConfigurationError(
            "The PostgreSQL URL has an @, a / or a port where none belongs. Percent-encode them in "
            "user and password: %40, %2F and %3A."
        )
    return parts


def split_url(url: str) -> tuple[str, str]:
    """Return a ``postgresql://`` URL without ``schema=``, and what stood there.

    Raises:
        ConfigurationError: It is no such URL. The message does not show it.
    """
    parts = check_url(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(pairs).get("schema", DEFAULT_SCHEMA)
    rest = urlencode([pair for pair in pairs if pair[0] != "schema"])
    return urlunsplit(parts._replace(query=rest)), schema


def conninfo_of(conninfo: str, connect_timeout: float) -> str:
    """Return what to connect with: UTF-8, and a limit on connecting unless one is given.

    The variables of libpq give it, too.

    Raises:
        ConfigurationError: libpq cannot read it. The message does not show it.
    """
    psycopg = driver()
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    if "://" in conninfo:
        check_url(conninfo)
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        # Not `from`: libpq's message quotes parts of it.
        raise ConfigurationError(
            "The PostgreSQL URL or conninfo cannot be read (schema= is for from_url alone); see "
            "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING."
        ) from None
    defaults: dict[str, tuple[str, str | int]] = {
        "connect_timeout": ("PGCONNECT_TIMEOUT", max(2, round(connect_timeout))),
        "application_name": ("PGAPPNAME", "charimg"),
    }
    missing = {
        name: value
        for name, (variable, value) in defaults.items()
        if name not in given and not os.environ.get(variable)
    }
    return make_conninfo(conninfo, client_encoding="UTF8", **missing)


def place_of(conninfo: str) -> str:
    """Return database and host for messages."""
    from psycopg.conninfo import conninfo_to_dict

    given = conninfo_to_dict(conninfo)
    database = given.get("dbname") or "the default database"
    host = given.get("host") or given.get("hostaddr") or "the local socket"
    port = given.get("port")
    return f"{database} on {host}" + (f":{port}" if port else "")
