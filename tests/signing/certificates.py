"""A certificate authority for the tests, and a certificate of its own that signs images."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import frozen

__all__ = ["KEYS", "Authority", "authority"]

KEYS = ("P-256", "P-384", "P-521", "Ed25519", "RSA")


@frozen
class Authority:
    """A root, and what it vouches for, as PEM.

    Attributes:
        root: The root's certificate, which a reader trusts.
        chain: The certificate that signs, then the root's.
        key: Its private key.
        private_key: The same, to sign with.
    """

    root: str
    chain: str
    key: str
    private_key: Any

    def write(self, folder: Path) -> None:
        """Write ``chain.pem`` and ``key.pem``."""
        (folder / "chain.pem").write_text(self.chain)
        (folder / "key.pem").write_text(self.key)


def authority(kind: str = "P-256", *, ended: bool = False, days: int = 90) -> Authority:
    """Make a root and a certificate.

    Args:
        kind: One of `KEYS`.
        ended: Whether the certificate has ended yesterday.
        days: For how long it is valid.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.now(UTC)

    def name(text: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Studio"),
                x509.NameAttribute(NameOID.COMMON_NAME, text),
            ]
        )

    def usage(**wanted: bool) -> x509.KeyUsage:
        every = (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        )
        return x509.KeyUsage(**{each: wanted.get(each, False) for each in every})

    root_key, own_key = ec.generate_private_key(ec.SECP256R1()), _key(kind)
    began = now - timedelta(days=10)
    root = (
        x509.CertificateBuilder()
        .subject_name(name("Test Root"))
        .issuer_name(name("Test Root"))
        .public_key(root_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    own = (
        x509.CertificateBuilder()
        .subject_name(name("Images"))
        .issuer_name(name("Test Root"))
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(now + timedelta(days=-1 if ended else days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(digital_signature=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return Authority(
        root=root.public_bytes(pem).decode(),
        chain=(own.public_bytes(pem) + root.public_bytes(pem)).decode(),
        key=own_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private_key=own_key,
    )


def _key(kind: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256K1())
