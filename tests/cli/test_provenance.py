"""``--provenance``, what ``charimg show`` tells of it, and the round trip of ``charimg doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg import Provenance
from charimg._ingest.label import NotLabelled
from charimg._ingest.xmp import TRAINED
from charimg._signing import ContentSigner
from charimg.cli.tables import details
from charimg.models import CharacterImage, ImageMetrics

from ..signing.certificates import Authority, authority
from ..signing.reading import valid


def _doctor(world: Any) -> tuple[int, str, str]:
    answer = world.run("doctor", "--json")
    named = {each["name"]: each for each in answer.json["findings"]}
    found = named.get("provenance") or named["configuration"]
    return answer.code, found["level"], found["message"]


def _signing(host: Authority, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write(folder)
    monkeypatch.setenv("CHARIMG_PROVENANCE", "sign")
    monkeypatch.setenv("CHARIMG_PROVENANCE_CERTIFICATE", str(folder / "chain.pem"))
    monkeypatch.setenv("CHARIMG_PROVENANCE_KEY", str(folder / "key.pem"))


def _stored(world: Any, image: dict[str, Any]) -> bytes:
    url: str = image["media"]["url"]
    return Path(url.removeprefix("file://")).read_bytes()


def test_a_command_labels(world: Any) -> None:
    answer = world.run("generate", "reference", "mara", "--provenance", "label", "--json")
    image = answer.json["image"]
    assert image["metrics"]["provenance"]["marked"] == "label"
    assert TRAINED.encode() in _stored(world, image)
    shown = world.read("show", "mara", image["id"])
    for words in ("trainedAlgorithmicMedia", "made with charimg", "label by charimg"):
        assert words in " ".join(shown.out.split())


def test_whoever_fetches_again_hears_of_what_is_not_marked(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(*_: Any) -> Any:
        raise NotLabelled("its XMP cannot be read")

    monkeypatch.setattr("charimg._ingest.label.Labelling.edits", no)
    world.reference()
    for way in ([], ["--json"]):
        world.switch(html_files=3, shots=3)
        assert world.run("generate", "portfolio", "mara").code == 7
        answer = world.run("retry", "mara", "--all", "--provenance", "label", *way)
        assert answer.err.count("stored without the mark that was asked for") == 1
        assert "3 stored, 0 failed again." in answer.err
    assert [each["code"] for each in answer.json["warnings"]] == ["NOT_MARKED"]


def test_a_command_signs(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("c2pa")
    host = authority()
    _signing(host, tmp_path, monkeypatch)
    image = world.run("generate", "reference", "mara", "--json").json["image"]
    assert image["metrics"]["provenance"]["marked"] == "sign"
    valid(_stored(world, image), image["media"]["mimeType"], host)
    # What was damaged cannot be made again: no two signatures are the same.
    Path(image["media"]["url"].removeprefix("file://")).unlink()
    repaired = world.run("verify", "--repair", "--json")
    assert "other bytes" in repaired.out


def test_all_is_told_of_an_image() -> None:
    found = Provenance(
        digital_source_type=TRAINED,
        tool="Painter",
        credentials=True,
        generator="a1111",
        marked="sign",
    )
    metrics = ImageMetrics(provenance=found)
    image = CharacterImage(
        key="k", character_id="c", kind="scene", status="succeeded", metrics=metrics
    )
    cells = list(details(image).columns[1].cells)
    assert (
        "trainedAlgorithmicMedia, made with Painter, content credentials, parameters of a1111, "
        "sign by charimg"
    ) in map(str, cells)
    plain = evolve(image, metrics=ImageMetrics())
    assert "provenance" not in map(str, details(plain).columns[0].cells)


# charimg doctor


@pytest.mark.parametrize(
    ("mode", "words"), [("read", "files stay as they come"), ("label", "files are labelled")]
)
def test_the_doctor_tells_the_mode(
    mode: str, words: str, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARIMG_PROVENANCE", mode)
    code, level, message = _doctor(world)
    assert (code, level) == (0, "ok")
    assert words in message


def test_the_doctor_signs_a_probe(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("c2pa")
    _signing(authority(), tmp_path, monkeypatch)
    code, level, message = _doctor(world)
    assert (code, level) == (0, "ok")
    assert "a probe was read back, and the certificate of CN=Images" in message
    _signing(authority(days=20), tmp_path, monkeypatch)
    assert _doctor(world)[:2] == (0, "warning")


@pytest.mark.parametrize("wrong", ["ended", "key", "missing", "invalid"])
def test_the_doctor_finds_what_cannot_sign(
    wrong: str, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("c2pa")
    _signing(authority(ended=wrong == "ended"), tmp_path, monkeypatch)
    if wrong == "key":
        (tmp_path / "key.pem").write_text(authority().key)
    if wrong == "missing":
        (tmp_path / "chain.pem").unlink()
    if wrong == "invalid":
        prove = ContentSigner.prove

        def broken(self: ContentSigner, *args: Any) -> Any:
            return evolve(prove(self, *args), problems=("claimSignature.mismatch",))

        monkeypatch.setattr(ContentSigner, "prove", broken)
    code, level, message = _doctor(world)
    assert (code, level) == (2, "error")
    words = {"missing": "cannot be read", "invalid": "claimSignature.mismatch"}
    assert words.get(wrong, "Nothing can be signed") in message
