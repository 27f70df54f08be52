"""When two settings URLs lead to one place, however each is spelled."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["identity_of", "schema_of"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PORTS = {"postgresql": "5432", "https": "443", "http": "80"}
_SCHEMA = "charimg"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def identity_of(backend: str, url: str) -> tuple[object, ...]:
    """Return what the URL of a server leads to: not as whom, nor how its files are shown.

    Args:
        backend: ``postgresql``, ``payload`` or ``s3``.
        url: As it was given.
    """
    if backend == "postgresql":
        return _postgresql(url)
    if backend == "s3":
        return _s3(url)
    parts = urlsplit(url.strip())
    kept = sorted(pair for pair in parse_qsl(parts.query) if pair[0] != "cdn")
    scheme = parts.scheme.lower().rpartition("+")[2]
    return (_hosts(parts.netloc, _PORTS[scheme]), _parts(parts.path), *kept)


def schema_of(url: str) -> str:
    """Return the schema that a PostgreSQL URL names; empty when it names none."""
    return dict(parse_qsl(urlsplit(url.strip()).query)).get("schema", "")


def _postgresql(url: str) -> tuple[object, ...]:
    """Read the URL as libpq does, which completes it from the environment."""
    parts = urlsplit(url.strip())
    given = dict(parse_qsl(parts.query))
    environ = os.environ
    user, _, hosts = parts.netloc.rpartition("@")
    port = given.get("port") or environ.get("PGPORT") or _PORTS["postgresql"]
    hosts = given.get("hostaddr") or given.get("host") or hosts or environ.get("PGHOST", "")
    database = (
        given.get("dbname")
        or unquote(parts.path[1:])
        or environ.get("PGDATABASE")
        or unquote(user.partition(":")[0])
        or given.get("user")
        or environ.get("PGUSER", "")
    )
    return (_hosts(hosts, port), database, given.get("schema", _SCHEMA))


def _s3(url: str) -> tuple[object, ...]:
    parts = urlsplit(url.strip())
    given = dict(parse_qsl(parts.query))
    known = (given.get("endpoint"), *(os.environ.get(name) for name in _ENDPOINTS))
    endpoint = urlsplit(next((each for each in known if each), ""))
    port = _PORTS.get(endpoint.scheme.lower(), "")
    server = (_hosts(endpoint.netloc, port), _parts(endpoint.path))
    return (*server, parts.netloc, _parts(parts.path))


def _hosts(netloc: str, default_port: str) -> tuple[tuple[str, str], ...]:
    """Return the hosts, of which PostgreSQL may have several, with their ports."""
    ports = default_port.split(",")
    found = []
    for number, each in enumerate(netloc.rpartition("@")[2].split(",")):
        address, bracket, rest = each.rpartition("]")
        # A bare IPv6 address, as `host=` takes it, has no port.
        bare = not bracket and each.count(":") > 1
        name, _, port = (each, "", "") if bare else rest.partition(":")
        name = unquote(address.lstrip("[") if bracket else name).lower()
        default = ports[min(number, len(ports) - 1)]
        found.append(("localhost" if name in _LOOPBACK else name, port or default))
    return tuple(found)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in unquote(path).split("/") if part)
