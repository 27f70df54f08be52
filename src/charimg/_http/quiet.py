"""Keeps query strings out of the lines that httpx and httpcore log about our requests.

httpx logs the whole URL of every request at INFO, httpcore the headers of every answer at DEBUG, a
redirect's target among them. Ours may carry a character's name or the signature of an image's
address, so they are cut there. Other requests are left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx

__all__ = ["quiet"]

_ours: ContextVar[bool] = ContextVar("charimg_quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Mark what is sent within as ours."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


class _WithoutQuery(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if _ours.get() and isinstance(record.args, tuple):
            record.args = tuple(
                each.copy_with(query=None) if isinstance(each, httpx.URL) else each
                for each in record.args
            )
        return True


class _WithoutHeaders(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if _ours.get() and not record.args:
            record.msg = str(record.msg).partition(" return_value=")[0]
        return True


# stamina warns of every retry. charimg logs its own, so a host that has not configured logging is
# not to hear of them on stderr; one that has still gets them.
logging.getLogger("stamina").addHandler(logging.NullHandler())
logging.getLogger("httpx").addFilter(_WithoutQuery())
for _name in ("httpcore.http11", "httpcore.http2"):
    logging.getLogger(_name).addFilter(_WithoutHeaders())
