"""Signs content credentials (C2PA) into the file of an image, by the library of its makers.

It reads the container in this process, and fetches nothing: neither a manifest that a file names
nor the state of a certificate.
"""

from __future__ import annotations

import importlib.util
import io
from datetime import UTC, datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO, Any, Self

from attrs import frozen

from ._ingest.xmp import TRAINED
from ._surely import unbroken
from .errors import ConfigurationError
from .policies import SIGN, ProvenancePolicy

__all__ = ["AsyncContentSigner", "ContentSigner", "Signature", "SigningFailed"]

_SETTINGS = {
    "version": 1,
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_PARENT = "as-sent"


class SigningFailed(Exception):
    """A file was not signed; the text says why."""


@frozen(kw_only=True)
class Signature:
    """What was read back from a file that was signed.

    Attributes:
        subject: Whose certificate it is.
        expires: When that ends.
        problems: What the reader finds wrong; nothing if the signature holds.
    """

    subject: str
    expires: datetime
    problems: tuple[str, ...]


class ContentSigner:
    """Signs files with a host's certificate.

    Args:
        policy: Whose certificate, and what signs.
        version: Of charimg.

    Raises:
        ConfigurationError: The library is not installed, or certificate or key cannot be read.
    """

    def __init__(self, policy: ProvenancePolicy, version: str) -> None:
        if importlib.util.find_spec("c2pa") is None:
            raise ConfigurationError(
                "To sign needs c2pa-python. Install it with: pip install 'charimg[c2pa]'"
            )
        self._policy = policy
        self._agent = {"name": "charimg", "version": version}
        try:
            _algorithm(_first(self._files()[0]).public_key())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"Nothing can be signed: {_words(error)}.") from error

    @classmethod
    def chosen(cls, policy: ProvenancePolicy, version: str) -> Self | None:
        """Return a signer, or ``None`` where nothing is signed."""
        return cls(policy, version) if policy.mode == SIGN else None

    def sign(
        self, file: IO[bytes], mime_type: str, into: IO[bytes], *, parent: IO[bytes] | None = None
    ) -> None:
        """Write a signed copy of a file.

        Args:
            file: Seekable; left anywhere.
            mime_type: Its type.
            into: Empty and seekable; left at its beginning.
            parent: The file with credentials that it was made from, if there is one.

        Raises:
            SigningFailed: Whatever the reason.
        """
        failed: list[Exception] = []
        try:
            self._sign(file, mime_type, into, parent, failed)
        except Exception as error:
            # Whatever it is, the image was paid for and is kept.
            words = f"the signer failed ({type(failed[0]).__name__})" if failed else _words(error)
            raise SigningFailed(words) from error
        into.seek(0)

    def prove(self, image: bytes, mime_type: str) -> Signature:
        """Sign an image, read it back, and tell what a reader finds.

        Raises:
            SigningFailed: It could not be signed or read back.
        """
        import c2pa

        signed = io.BytesIO()
        self.sign(io.BytesIO(image), mime_type, signed)
        context = c2pa.Context.from_dict(_SETTINGS)
        with c2pa.Reader(mime_type, signed, context=context) as reader:
            told = reader.get_validation_results() or {}
        failures = told.get("activeManifest", {}).get("failure", [])
        certificate = _first(self._files()[0])
        return Signature(
            subject=certificate.subject.rfc4514_string(),
            expires=certificate.not_valid_after_utc.astimezone(UTC),
            # Whom a reader trusts is the reader's own affair.
            problems=tuple(
                each["code"] for each in failures if each["code"] != "signingCredential.untrusted"
            ),
        )

    def _sign(
        self,
        file: IO[bytes],
        mime_type: str,
        into: IO[bytes],
        parent: IO[bytes] | None,
        failed: list[Exception],
    ) -> None:
        import c2pa

        action: dict[str, Any] = {
            "action": "c2pa.created",
            "digitalSourceType": TRAINED,
            "softwareAgent": self._agent,
        }
        if parent is not None:
            # What has a source was opened: it was created where that says.
            action["action"] = "c2pa.opened"
            action["parameters"] = {"ingredientIds": [_PARENT]}
        manifest = {
            "claim_generator_info": [self._agent],
            "format": mime_type,
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
        }
        context = c2pa.Context.from_dict(_SETTINGS)
        with c2pa.Builder(manifest, context=context) as builder, self._signer(failed) as signer:
            if parent is not None:
                parent.seek(0)
                ingredient = {"relationship": "parentOf", "label": _PARENT}
                builder.add_ingredient(ingredient, mime_type, parent)
            file.seek(0)
            builder.sign(signer, mime_type, file, into)

    def _signer(self, failed: list[Exception]) -> Any:
        """Return the library's signer, which notes how the host's own fails: it hides that."""
        import c2pa

        certificates, key = self._files()
        algorithm, stamps = (
            _algorithm(_first(certificates).public_key()),
            self._policy.timestamp_url,
        )
        own = self._policy.signer
        if own is not None:

            def sign(data: bytes) -> bytes:
                try:
                    return own(data)
                except Exception as error:  # noqa: BLE001 - whatever a key service raises
                    failed.append(error)
                    return b""

            known = c2pa.C2paSigningAlg[algorithm.upper()]
            return c2pa.Signer.from_callback(sign, known, certificates, stamps)
        told = (algorithm, certificates.encode(), key.encode(), stamps)
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(*told))

    def _files(self) -> tuple[str, str]:
        """Read certificates and key, anew each time: both are replaced before they end."""
        policy = self._policy
        return _text(policy.certificate or ""), "" if policy.key is None else _text(policy.key)


class AsyncContentSigner(ContentSigner):
    """The async twin of `ContentSigner`: a thread signs."""

    async def sign(  # type: ignore[override]
        self, file: IO[bytes], mime_type: str, into: IO[bytes], *, parent: IO[bytes] | None = None
    ) -> None:
        """See `ContentSigner.sign`. A cancellation arrives when the file is signed."""
        from anyio.to_thread import run_sync

        sign = partial(super().sign, file, mime_type, into, parent=parent)
        await unbroken(lambda: run_sync(sign))


def _text(path: str | PathLike[str]) -> str:
    # Comments between the certificates may be in any encoding.
    return Path(path).read_text("utf-8", errors="replace")


def _first(certificates: str) -> Any:
    """Return the certificate that signs: the first one."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificates.encode())


def _algorithm(key: Any) -> str:
    """Return the name of the algorithm that belongs to a public key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPublicKey):
        return "ps256"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    raise ValueError("the certificate's key is none of P-256, P-384, P-521, Ed25519 and RSA")


def _words(error: Exception) -> str:
    """Return what an error says, without the name of a file's content or a line of its own."""
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} cannot be read ({error.strerror or error})"
    return " ".join(str(error).split())[:300] or type(error).__name__
