"""What the environment says of the provenance that files tell of."""

from __future__ import annotations

import pytest

from charimg import ConfigurationError, ProvenancePolicy
from charimg._assembly.provenance import provenance_policy

SETTINGS = ("", "_CERTIFICATE", "_KEY", "_PROMPT", "_TIMESTAMP_URL")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(f"CHARIMG_PROVENANCE{name}", raising=False)


def test_without_variables_files_are_only_read() -> None:
    assert provenance_policy() == ProvenancePolicy()
    assert provenance_policy().mode == "read"


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ("sign", "/a/chain.pem", " /a/key.pem ", "yes", "http://stamps.example")
    for name, text in zip(SETTINGS, told, strict=True):
        monkeypatch.setenv(f"CHARIMG_PROVENANCE{name}", text)
    assert provenance_policy() == ProvenancePolicy(
        mode="sign",
        certificate="/a/chain.pem",
        key="/a/key.pem",
        prompt=True,
        timestamp_url="http://stamps.example",
    )
    # An option goes before its variable.
    assert provenance_policy("label").mode == "label"


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("CHARIMG_PROVENANCE", "brand", "CHARIMG_PROVENANCE is wrong: .* read, label, sign"),
        ("CHARIMG_PROVENANCE", "sign", "needs a certificate.*CHARIMG_PROVENANCE_CERTIFICATE"),
        ("CHARIMG_PROVENANCE_PROMPT", "perhaps", "must be 1 or 0, not 'perhaps'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    variable: str, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=words):
        provenance_policy()


def test_an_option_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="--provenance is wrong"):
        provenance_policy("brand")
    monkeypatch.setenv("CHARIMG_PROVENANCE", "brand")
    with pytest.raises(ConfigurationError, match="CHARIMG_PROVENANCE is wrong"):
        provenance_policy("brand")
