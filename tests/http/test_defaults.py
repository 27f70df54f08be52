"""The clients that charimg makes share the certificates that httpx would read for each."""

from __future__ import annotations

from pathlib import Path

import certifi
import httpx
import pytest

from charimg import CharacterLibrary
from charimg._http.defaults import client_options, usual_tls


def test_the_certificates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = usual_tls()

    def read(**_: object) -> None:
        raise AssertionError("they are read again")

    monkeypatch.setattr(httpx, "create_ssl_context", read)
    assert usual_tls() is shared
    assert client_options()["verify"] is shared
    CharacterLibrary("https://library.test").close()


def test_the_environment_names_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = usual_tls()
    one = tmp_path / "ours.pem"
    pem = Path(certifi.where()).read_text(encoding="utf-8")
    one.write_text(pem[: pem.index("-----END") + len("-----END CERTIFICATE-----\n")])
    with monkeypatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(one))
        assert usual_tls().cert_store_stats()["x509_ca"] == 1
        assert usual_tls(trust_env=False).cert_store_stats()["x509_ca"] > 1
    assert usual_tls() is usual
