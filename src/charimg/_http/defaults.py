"""What the clients that charimg makes have in common: certificates, and connections to Node."""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any

import httpx

__all__ = ["client_options", "usual_tls"]


def client_options() -> dict[str, Any]:
    """Return the options of a client for a server that runs on Node."""
    limits = httpx.Limits(
        max_connections=20,
        max_keepalive_connections=10,
        # Node closes idle connections after 5 s. A POST sent into that moment would break with an
        # unknown outcome, so an idle connection is dropped well before.
        keepalive_expiry=3.0,
    )
    return {"limits": limits, "verify": usual_tls()}


def usual_tls(*, trust_env: bool = True) -> ssl.SSLContext:
    """Return the settings that httpx makes by itself; made once, for all clients together.

    To read the certificates takes longer than many a download.

    Args:
        trust_env: Whether ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` may name other certificates.
    """
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR") if trust_env else ()
    return _read(tuple(os.environ.get(name) for name in names))


@functools.cache
def _read(named: tuple[str | None, ...]) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=bool(named))
