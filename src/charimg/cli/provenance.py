"""Whether files can be labelled and signed: tried on an image of one's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .. import __version__
from .._assembly.provenance import provenance_policy
from .._signing import ContentSigner, SigningFailed
from ..errors import ConfigurationError
from ..policies import LABEL, SIGN
from .probes import png

__all__ = ["check_provenance"]

_SIDE = 8
_SOON = timedelta(days=30)


def check_provenance() -> tuple[str, str]:
    """Return the level of what was found, and what it is.

    Raises:
        ConfigurationError: The settings make no sense, or nothing can be signed with them.
    """
    policy = provenance_policy()
    if policy.mode != SIGN:
        labelled = "are labelled as a model's" if policy.mode == LABEL else "stay as they come"
        return "ok", f"files {labelled}"
    try:
        signature = ContentSigner(policy, __version__).prove(png(_SIDE), "image/png")
    except SigningFailed as error:
        raise ConfigurationError(f"Nothing can be signed: {error}.") from error
    if signature.problems:
        raise ConfigurationError(
            f"What is signed is not valid for a reader: {', '.join(signature.problems)}. See to "
            "the certificate that CHARIMG_PROVENANCE_CERTIFICATE names."
        )
    ends = signature.expires
    level = "warning" if ends - datetime.now(UTC) < _SOON else "ok"
    whose = f"the certificate of {signature.subject} ends on {ends:%Y-%m-%d}"
    return level, f"files are signed; a probe was read back, and {whose}"
