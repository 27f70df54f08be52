"""Signed files hold for an independent reader, and no longer once they are touched."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from charimg import ConfigurationError, ProvenancePolicy
from charimg import _signing as signing
from charimg._ingest.inspect import coded_pixels
from charimg._signing import ContentSigner, SigningFailed

from ..figures import AddUp
from ..ingest.dressed import KINDS as FORMATS
from ..ingest.dressed import plain_images
from ..ingest.samples import PIXELS, png
from ..ingest.test_avif_labels import locations, placed
from ..ingest.test_labels import pixels, said, written
from .certificates import KEYS, Authority, authority
from .reading import read, valid
from .stamps import stamps

c2pa = pytest.importorskip("c2pa")

TYPES = {kind: f"image/{kind.lower()}" for kind in FORMATS}


@pytest.fixture(scope="module")
def host() -> Authority:
    return authority()


def signer_of(host: Authority, folder: Path, **options: Any) -> ContentSigner:
    host.write(folder)
    files = {"certificate": folder / "chain.pem", "key": folder / "key.pem"}
    return ContentSigner(ProvenancePolicy(mode="sign", **{**files, **options}), "1.2.3")


def signed(signer: ContentSigner, data: bytes, mime_type: str = "image/png", **more: Any) -> bytes:
    into = io.BytesIO()
    signer.sign(io.BytesIO(data), mime_type, into, **more)
    assert into.tell() == 0
    return into.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_signed_and_keeps_its_pixels(
    kind: str, host: Authority, tmp_path: Path, add_up: AddUp
) -> None:
    pytest.importorskip("PIL")
    signer = signer_of(host, tmp_path)
    for data in plain_images(kind):
        stored = signed(signer, data, TYPES[kind])
        valid(stored, TYPES[kind], host)
        assert pixels(stored) == pixels(data)
        add_up("signed files that C2PA's reader validates", 1)


@pytest.mark.parametrize("sizes", [(4, 4, 4), (4, 4, 0)])
def test_a_labelled_avif_stays_whole(
    sizes: tuple[int, int, int], host: Authority, tmp_path: Path
) -> None:
    start = len(placed(locations(3, 0, sizes))) - len(PIXELS)
    data = written(placed(locations(start, 0, sizes)))
    stored = signed(signer_of(host, tmp_path), data, "image/avif")
    assert coded_pixels(io.BytesIO(stored)) == coded_pixels(io.BytesIO(data))
    told = said(stored)
    assert told is not None
    assert told.tool == "charimg 1.2.3"


@pytest.mark.parametrize("kind", KEYS)
def test_the_key_of_the_certificate_decides_the_algorithm(kind: str, tmp_path: Path) -> None:
    host = authority(kind)
    assert valid(signed(signer_of(host, tmp_path), png()), "image/png", host).actions


def test_words_between_the_certificates_may_be_in_any_encoding(
    host: Authority, tmp_path: Path
) -> None:
    signer = signer_of(host, tmp_path)
    for name in ("chain.pem", "key.pem"):
        path = tmp_path / name
        path.write_bytes("Für die Bilder\n".encode("latin-1") + path.read_bytes())
    valid(signed(signer, png()), "image/png", host)


def test_a_key_that_c2pa_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="P-256"):
        signer_of(authority("secp256k1"), tmp_path)


@pytest.mark.parametrize("form", ["DER", "P1363"])
def test_a_key_service_signs(form: str, host: Authority, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    def sign(data: bytes) -> bytes:
        signature: bytes = host.private_key.sign(data, ec.ECDSA(hashes.SHA256()))
        if form == "DER":
            return signature
        r, s = utils.decode_dss_signature(signature)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    signer = signer_of(host, tmp_path, key=None, signer=sign)
    (tmp_path / "key.pem").unlink()
    valid(signed(signer, png()), "image/png", host)


def test_what_was_touched_is_found_out(host: Authority, tmp_path: Path, add_up: AddUp) -> None:
    signer = signer_of(host, tmp_path)
    stored = signed(signer, png(40, 30, noise=500))
    noise = stored.index(b"teSt")
    for place in (20, noise + 10, noise + 400):
        touched = bytearray(stored)
        touched[place] ^= 1
        found = read(bytes(touched), "image/png", host)
        assert found.state == "Invalid"
        assert "assertion.dataHash.mismatch" in found.failures
        add_up("signed files that were touched, and found out", 1)


def test_an_authority_confirms_the_time(host: Authority, tmp_path: Path) -> None:
    with stamps(tmp_path) as authority:
        stored = signed(signer_of(host, tmp_path, timestamp_url=authority.url), png())
        assert authority.asked == ["application/timestamp-query"]
    found = read(stored, "image/png", host, also=authority.root)
    assert (found.state, found.failures) == ("Trusted", ())
    assert {"timeStamp.validated", "timeStamp.trusted"} <= set(found.successes)
    with pytest.raises(SigningFailed, match="http"):
        signed(signer_of(host, tmp_path, timestamp_url=authority.url), png())


def test_another_root_is_not_trusted(host: Authority, tmp_path: Path) -> None:
    found = read(signed(signer_of(host, tmp_path), png()), "image/png", authority())
    assert found.failures == ("signingCredential.untrusted",)


def test_a_source_is_named(host: Authority, tmp_path: Path) -> None:
    signer = signer_of(host, tmp_path)
    first = signed(signer, png())
    second = signed(signer, png(), parent=io.BytesIO(first))
    manifest = valid(second, "image/png", host)
    assert manifest.actions[0]["action"] == "c2pa.opened"
    (ingredient,) = manifest.ingredients
    assert ingredient["relationship"] == "parentOf"
    results = ingredient["validation_results"]["activeManifest"]
    assert [each["code"] for each in results["failure"]] in ([], ["signingCredential.untrusted"])


# What goes wrong


def test_another_key_than_the_certificates_signs_nothing(host: Authority, tmp_path: Path) -> None:
    signer = signer_of(host, tmp_path)
    (tmp_path / "key.pem").write_text(authority().key)
    with pytest.raises(SigningFailed):
        signed(signer, png())


def test_what_is_no_image_is_not_signed(host: Authority, tmp_path: Path) -> None:
    with pytest.raises(SigningFailed):
        signed(signer_of(host, tmp_path), b"no image")


def test_a_service_that_fails_is_named_without_its_words(host: Authority, tmp_path: Path) -> None:
    def fail(_: bytes) -> bytes:
        raise RuntimeError("token=secret")

    with pytest.raises(SigningFailed) as caught:
        signed(signer_of(host, tmp_path, key=None, signer=fail), png())
    assert str(caught.value).startswith("the signer failed (RuntimeError)")
    assert "secret" not in str(caught.value)


def test_files_that_are_gone_are_told(host: Authority, tmp_path: Path) -> None:
    signer = signer_of(host, tmp_path)
    (tmp_path / "key.pem").unlink()
    with pytest.raises(SigningFailed, match=r"key\.pem cannot be read"):
        signed(signer, png())


def test_an_interrupt_goes_through(
    host: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = signer_of(host, tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(signer, "_sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        signed(signer, png())


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text(text)
    (tmp_path / "key.pem").write_text("")
    policy = ProvenancePolicy(
        mode="sign", certificate=tmp_path / "chain.pem", key=tmp_path / "key.pem"
    )
    with pytest.raises(ConfigurationError, match="Nothing can be signed"):
        ContentSigner(policy, "1")


def test_without_the_library_it_is_said_how_to_get_it(
    host: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"charimg\[c2pa\]"):
        signer_of(host, tmp_path)


def test_nothing_is_signed_unasked() -> None:
    assert ContentSigner.chosen(ProvenancePolicy(), "1") is None
    assert ContentSigner.chosen(ProvenancePolicy(mode="label"), "1") is None


# The round trip of `charimg doctor`


def test_a_probe_proves_certificate_and_key(host: Authority, tmp_path: Path) -> None:
    found = signer_of(host, tmp_path).prove(png(), "image/png")
    assert found.problems == ()
    assert "CN=Images" in found.subject
    assert timedelta(days=89) < found.expires - datetime.now(UTC) < timedelta(days=91)


def test_a_probe_that_does_not_hold_is_told(
    host: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = signer_of(host, tmp_path)
    real = signer.sign

    def spoiled(file: Any, mime_type: str, into: Any) -> None:
        real(file, mime_type, into)
        data = into.getvalue()
        into.seek(data.index(b"teSt") + 8)
        into.write(b"!")
        into.seek(0)

    monkeypatch.setattr(signer, "sign", spoiled)
    found = signer.prove(png(noise=50), "image/png")
    assert found.problems == ("assertion.dataHash.mismatch",)


def test_nothing_is_fetched_to_sign_or_to_read() -> None:
    assert signing._SETTINGS["verify"] == {"remote_manifest_fetch": False, "ocsp_fetch": False}


def test_a_certificate_that_has_ended_is_found(tmp_path: Path) -> None:
    with pytest.raises(SigningFailed, match="not valid at time of signing"):
        signer_of(authority(ended=True), tmp_path).prove(png(), "image/png")
