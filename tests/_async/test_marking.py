"""Downloads that are labelled or signed, and what becomes of those that cannot be."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve

from charimg import (
    AsyncDownloader,
    ConfigurationError,
    DownloadLimits,
    InvalidArgument,
    Provenance,
    ProvenancePolicy,
    __version__,
)
from charimg._async.marking import rendition
from charimg._ingest.sniff import PNG
from charimg._ingest.values import Download, Inspection
from charimg._ingest.xmp import TRAINED

from ..http.scripted import Scripted, reply
from ..ingest.samples import chunk, gif, png
from ..ingest.test_provenance import international, packet
from ..signing.certificates import Authority, authority
from ..signing.reading import read, valid

pytestmark = pytest.mark.anyio

URL = "https://cdn.test/a.png"
TOOL = f"charimg {__version__}"
PROMPT = "a lighthouse keeper"
LABELLED = Provenance(digital_source_type=TRAINED, tool=TOOL, marked="label")
SIGNED = Provenance(digital_source_type=TRAINED, tool=TOOL, credentials=True, marked="sign")
FRAME = b"\x2c" + bytes(4) + b"\3\0\2\0\0\2\2\x44\1\0"


async def fetched(data: bytes, policy: Any = "read", **options: Any) -> Download:
    """Return the download of a file."""
    client = httpx.AsyncClient(transport=Scripted(reply(body=data)).transport)
    limits = DownloadLimits(formats=frozenset({"png", "jpeg", "webp", "gif", "avif"}))
    downloader = AsyncDownloader(client=client, decode=False, limits=limits, provenance=policy)
    return await downloader.fetch(URL, **options)


def stored(download: Download) -> bytes:
    """Return the bytes; they are the announced ones, and the file is closed."""
    assert download.file.tell() == 0
    data = download.file.read()
    download.close()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (download.size, download.sha256)
    return data


async def test_by_default_a_file_is_read_and_not_touched() -> None:
    download = await fetched(png())
    assert download.provenance is None
    assert download.unmarked is None
    assert stored(download) == png()


async def test_a_label_is_written() -> None:
    download = await fetched(png(), "label", prompt=PROMPT)
    assert download.provenance == LABELLED
    assert download.unmarked is None
    assert download.source_sha256 == hashlib.sha256(png()).hexdigest()
    data = stored(download)
    assert TRAINED.encode() in data
    assert PROMPT.encode() not in data


async def test_a_label_tells_the_prompt_and_the_provider_that_it_shall() -> None:
    policy = ProvenancePolicy(mode="label", prompt=True, provider="Studio 9")
    data = stored(await fetched(png(), policy, prompt=PROMPT))
    assert PROMPT.encode() in data
    assert b">Studio 9<" in data


def test_a_thumbnail_says_what_its_image_says() -> None:
    drawn = png()
    image = Inspection(type=PNG, width=3, height=2, provenance=LABELLED)
    thumbnail = rendition(drawn, image, None)
    assert thumbnail is not None
    assert TRAINED.encode() in thumbnail
    assert rendition(drawn, evolve(image, provenance=None), None) == drawn
    assert rendition(None, image, None) is None


async def test_what_takes_no_label_is_stored_as_it_came() -> None:
    download = await fetched(gif(FRAME), "label")
    assert download.provenance is None
    assert download.unmarked == "no label is written into a GIF"
    assert stored(download) == gif(FRAME)


async def test_a_label_comes_back_as_it_was() -> None:
    first = await fetched(png() + b"trailer", "label")
    found = first.provenance
    assert found is not None
    old = Provenance(digital_source_type=TRAINED, tool="charimg 0.0.1", marked="label")
    again = await fetched(png() + b"trailer", "label", sha256=first.sha256, provenance=found)
    assert stored(again) == stored(first)
    # Also of an earlier version, and where nothing is labelled by now.
    for mode in ("label", "read"):
        earlier = stored(await fetched(png(), mode, sha256="0" * 64, provenance=old))
        assert b"charimg 0.0.1" in earlier


@pytest.mark.parametrize("found", [None, Provenance(generator="a1111")])
async def test_what_had_no_label_comes_back_without_one(found: Provenance | None) -> None:
    download = await fetched(png(), "label", sha256="0" * 64, provenance=found)
    assert stored(download) == png()


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "brand"},
        {"mode": "sign"},
        {"mode": "sign", "certificate": "a.pem"},
        {"mode": "sign", "key": "a.pem"},
        {"mode": "sign", "certificate": "a.pem", "key": "b.pem", "signer": bytes},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        ProvenancePolicy(**options)


def test_a_policy_shows_no_secret() -> None:
    policy = ProvenancePolicy(mode="sign", certificate="a.pem", key="/secret/key.pem")
    assert "secret" not in repr(policy)


def test_what_cannot_sign_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    missing = ProvenancePolicy(mode="sign", certificate=tmp_path / "no.pem", key=tmp_path / "no")
    with pytest.raises(ConfigurationError, match=r"no\.pem"):
        AsyncDownloader(provenance=missing)


# Signed


@pytest.fixture(scope="module")
def host() -> Authority:
    pytest.importorskip("c2pa")
    return authority()


def policy_of(host: Authority, folder: Path, **options: Any) -> ProvenancePolicy:
    host.write(folder)
    files = {"certificate": folder / "chain.pem", "key": folder / "key.pem"}
    return ProvenancePolicy(mode="sign", **{**files, **options})


async def test_a_file_is_labelled_and_signed(host: Authority, tmp_path: Path) -> None:
    download = await fetched(png() + b"trailer", policy_of(host, tmp_path))
    assert download.provenance == SIGNED
    assert download.unmarked is None
    assert download.cleaned == ("trailer (7 bytes)",)
    manifest = valid(stored(download), "image/png", host)
    assert [each["action"] for each in manifest.actions] == ["c2pa.created"]


async def test_what_takes_no_label_is_signed(host: Authority, tmp_path: Path) -> None:
    download = await fetched(gif(FRAME), policy_of(host, tmp_path))
    assert download.provenance == Provenance(
        digital_source_type=TRAINED, credentials=True, marked="sign"
    )
    assert download.unmarked is None
    valid(stored(download), "image/gif", host)


async def test_credentials_that_came_along_become_the_source(
    host: Authority, tmp_path: Path
) -> None:
    theirs = stored(await fetched(png(), policy_of(host, tmp_path)))
    # What is left out of it would break them; as it was sent, they hold.
    sent = theirs[:-12] + chunk(b"tEXt", b"Comment\0<script>alert(1)</script>") + theirs[-12:]
    for data in (theirs, sent):
        download = await fetched(data, policy_of(host, tmp_path))
        assert download.provenance == SIGNED
        manifest = valid(stored(download), "image/png", host)
        assert [each["action"] for each in manifest.actions] == ["c2pa.opened"]
        assert [each["relationship"] for each in manifest.ingredients] == ["parentOf"]
        assert manifest.number == 2


async def test_an_image_that_cannot_be_signed_is_stored_with_its_label(
    host: Authority, tmp_path: Path
) -> None:
    def refuse(_: bytes) -> bytes:
        raise RuntimeError("the key service rests")

    download = await fetched(png(), policy_of(host, tmp_path, key=None, signer=refuse))
    assert download.provenance == LABELLED
    assert download.unmarked is not None
    assert download.unmarked.startswith("it could not be signed: the signer failed (RuntimeError)")
    assert TRAINED.encode() in stored(download)


async def test_credentials_that_are_kept_elsewhere_are_no_obstacle(
    host: Authority, tmp_path: Path
) -> None:
    space = "xmlns:t='http://purl.org/dc/terms/'"
    there = packet(attributes=f"{space} t:provenance='https://manifests.test/1.c2pa'")
    sent = png()[:33] + international(b"XML:com.adobe.xmp", there) + png()[33:]
    download = await fetched(sent, policy_of(host, tmp_path))
    assert download.provenance == SIGNED
    valid(stored(download), "image/png", host)
    download = await fetched(sent, "label")
    assert "content credentials" in (download.unmarked or "")
    assert stored(download) == sent


@pytest.mark.parametrize(
    "broken", [png(4, 2), png()[:-4], gif(FRAME), b""], ids=["other", "cut", "type", "none"]
)
async def test_a_signature_that_breaks_the_image_is_not_taken(
    broken: bytes, host: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sign(_self: object, _file: Any, _type: str, into: Any, **_more: Any) -> None:
        into.write(broken)
        into.seek(0)

    monkeypatch.setattr("charimg._signing.AsyncContentSigner.sign", sign)
    download = await fetched(png(), policy_of(host, tmp_path))
    assert download.provenance == LABELLED
    assert "the signed file would not be the same image" in (download.unmarked or "")
    assert TRAINED.encode() in stored(download)


async def test_credentials_are_not_broken_where_signing_fails(
    host: Authority, tmp_path: Path
) -> None:
    theirs = stored(await fetched(gif(FRAME), policy_of(host, tmp_path)))
    assert theirs
    labelled = stored(await fetched(png(), policy_of(host, tmp_path)))
    plain = _unlabelled(host, tmp_path)
    (tmp_path / "key.pem").write_text(authority().key)
    policy = ProvenancePolicy(
        mode="sign", certificate=tmp_path / "chain.pem", key=tmp_path / "key.pem"
    )
    for data in (labelled, plain):
        download = await fetched(data, policy)
        assert "could not be signed" in (download.unmarked or "")
        assert download.provenance is not None
        assert download.provenance.marked is None
        assert stored(download) == data


def _unlabelled(host: Authority, folder: Path) -> bytes:
    """Return a file with content credentials and without XMP."""
    from charimg._signing import ContentSigner

    into = io.BytesIO()
    ContentSigner(policy_of(host, folder), "1").sign(io.BytesIO(png()), "image/png", into)
    return into.getvalue()


async def test_without_signing_credentials_are_left_alone(host: Authority, tmp_path: Path) -> None:
    theirs = _unlabelled(host, tmp_path)
    download = await fetched(theirs, "label")
    assert "content credentials" in (download.unmarked or "")
    assert download.provenance == Provenance(digital_source_type=TRAINED, credentials=True)
    data = stored(download)
    assert data == theirs
    assert read(data, "image/png", host).state == "Trusted"
