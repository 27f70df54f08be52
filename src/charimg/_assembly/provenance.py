"""What the environment says of the provenance that files tell of."""

from __future__ import annotations

import os

from ..errors import ConfigurationError, InvalidArgument
from ..policies import READ, ProvenancePolicy

__all__ = ["provenance_policy"]

_MODE = "CHARIMG_PROVENANCE"
_CERTIFICATE = "CHARIMG_PROVENANCE_CERTIFICATE"
_KEY = "CHARIMG_PROVENANCE_KEY"
_TIMESTAMP_URL = "CHARIMG_PROVENANCE_TIMESTAMP_URL"
_PROMPT = "CHARIMG_PROVENANCE_PROMPT"
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def provenance_policy(mode: str | None = None) -> ProvenancePolicy:
    """Return the policy that the environment tells.

    Reads ``CHARIMG_PROVENANCE`` (``read``, ``label`` or ``sign``), and of the further settings
    ``CHARIMG_PROVENANCE_CERTIFICATE`` and ``CHARIMG_PROVENANCE_KEY`` (PEM files),
    ``CHARIMG_PROVENANCE_TIMESTAMP_URL`` and ``CHARIMG_PROVENANCE_PROMPT`` (``1`` or ``0``).

    Args:
        mode: Goes before ``CHARIMG_PROVENANCE``.

    Raises:
        ConfigurationError: One of them makes no sense.
    """
    told = _value(_MODE)
    chosen = told if mode is None else mode
    # The command hands the setting over as its option.
    source = _MODE if chosen == told else "--provenance"
    prompt = _value(_PROMPT).lower()
    if prompt not in (*_YES, *_NO):
        raise ConfigurationError(f"{_PROMPT} is wrong: it must be 1 or 0, not {prompt!r}.")
    try:
        return ProvenancePolicy(
            mode=chosen.strip() or READ,
            prompt=prompt in _YES,
            certificate=_value(_CERTIFICATE) or None,
            key=_value(_KEY) or None,
            timestamp_url=_value(_TIMESTAMP_URL) or None,
        )
    except InvalidArgument as error:
        raise ConfigurationError(
            f"{source} is wrong: {error} Paths are told by {_CERTIFICATE} and {_KEY}."
        ) from error


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()
