"""The settings URL."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ...errors import ConfigurationError, InvalidArgument
from .names import check_prefix

__all__ = [
    "check_base",
    "check_bucket",
    "check_environment",
    "check_number",
    "check_region",
    "parse_url",
]

_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
# The longest that a service signs for.
WEEK = 7 * 24 * 3600


def check_bucket(name: str) -> str:
    """Return a bucket's name.

    Raises:
        InvalidArgument: It is none.
    """
    if _BUCKET.fullmatch(name):
        return name
    raise InvalidArgument(f"{ascii(name)[:80]} is no name of a bucket.")


def check_base(url: str | None, what: str) -> str | None:
    """Return an http or https URL without a slash at its end.

    Raises:
        InvalidArgument: It is none, or holds user info, a query or a fragment. It is not shown.
    """
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        # Both are looked at only when they are asked for.
        host, _ = parts.hostname, parts.port
    except ValueError:
        # Its message quotes the URL.
        raise InvalidArgument(f"{what} must be an http or https URL.") from None
    plain = url.isascii() and url.isprintable() and " " not in url
    if not host or not plain or parts.scheme not in ("http", "https"):
        raise InvalidArgument(f"{what} must be an http or https URL.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidArgument(f"{what} must not hold a user, a password, a query or a fragment.")
    return url.rstrip("/")


def check_region(region: str, what: str) -> str:
    """Return a region's name.

    Raises:
        InvalidArgument: It is none.
    """
    if _REGION.fullmatch(region):
        return region
    raise InvalidArgument(f"{what} must be a name such as eu-central-1 or auto.")


def check_environment(environ: Mapping[str, str]) -> None:
    """Check what obstore reads from the environment by itself, and would stumble over.

    Raises:
        InvalidArgument: A variable makes no sense. It is named, and not shown.
    """
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        check_base(environ.get(name) or None, name)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if environ.get(name):
            check_region(environ[name], name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        value = environ.get(name, "")
        if not (value.isascii() and value.isprintable()):
            raise InvalidArgument(f"{name} holds a line break or another character of no key.")


def check_number(value: float, what: str, least: float, most: float) -> None:
    """Check that a number is in its range.

    Raises:
        InvalidArgument: It is not.
    """
    if not (least <= value <= most and math.isfinite(value)):
        raise InvalidArgument(f"{what} must be {least:g} to {most:g}, not {value:g}.")


_PARAMETERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "endpoint": ("endpoint", str),
    "region": ("region", str),
    "public": ("public_url", str),
    "checksum": ("checksum", str),
    "cache_control": ("cache_control", str),
    "url_ttl": ("url_ttl", float),
    "thumbnail_px": ("thumbnail_px", int),
    "timeout": ("timeout", float),
    "retries": ("retries", int),
}


def parse_url(url: str) -> tuple[str, dict[str, Any]]:
    """Return the bucket and the other arguments of the store.

    Raises:
        ConfigurationError: It is no such URL. No part of it that may be secret is shown.
    """
    try:
        parts = urlsplit(url.strip())
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        # Its message quotes the URL.
        raise ConfigurationError("The S3 URL cannot be read.") from None
    if parts.scheme != "s3" or not parts.netloc:
        raise ConfigurationError("An S3 URL is such as s3://bucket/prefix?region=eu-central-1.")
    if "@" in parts.netloc:
        raise ConfigurationError(
            "The S3 URL must not hold credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if parts.fragment:
        raise ConfigurationError("The S3 URL must not hold a fragment.")
    arguments: dict[str, Any] = {}
    for number, (name, text) in enumerate(pairs, 1):
        if name not in _PARAMETERS:
            # It may be a secret that was pasted in the wrong place, so it is counted, not shown.
            meant = "".join(
                f" Is {each} meant?" for each in get_close_matches(name, _PARAMETERS, 1)
            )
            raise ConfigurationError(
                f"Parameter {number} of the S3 URL is none of {', '.join(sorted(_PARAMETERS))}."
                f"{meant}"
            )
        argument, convert = _PARAMETERS[name]
        if argument in arguments:
            raise ConfigurationError(f"The S3 URL gives {name} twice.")
        try:
            arguments[argument] = convert(text)
        except ValueError:
            raise ConfigurationError(f"{name} in the S3 URL must be a number.") from None
    try:
        check_base(arguments.get("public_url"), "public")
        arguments["prefix"] = check_prefix(unquote(parts.path))
        return check_bucket(parts.netloc), arguments
    except InvalidArgument as error:
        raise ConfigurationError(f"The S3 URL is wrong: {error}") from error
