"""What the reader of C2PA's makers finds in a file, trusting one root."""

from __future__ import annotations

import io
import json
from typing import Any

from attrs import frozen

from charimg._ingest.xmp import TRAINED

from .certificates import Authority

__all__ = ["Manifest", "read", "valid"]


@frozen
class Manifest:
    """The active manifest of a file.

    Attributes:
        state: ``Trusted``, ``Valid`` or ``Invalid``.
        failures: The codes of what is wrong.
        actions: What was done.
        ingredients: From what it was made.
        number: How many manifests the file has.
        generator: Which program made it.
        successes: The codes of what holds.
    """

    state: str | None
    failures: tuple[str, ...]
    actions: tuple[dict[str, Any], ...]
    ingredients: tuple[dict[str, Any], ...]
    number: int
    generator: dict[str, Any]
    successes: tuple[str, ...]


def read(
    data: bytes, mime_type: str, trusted: Authority | None = None, *, also: str = ""
) -> Manifest:
    """Read the manifest of a file. ``also`` is one more root to trust, as PEM."""
    import c2pa

    settings: dict[str, Any] = {
        "version": 1,
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    }
    if trusted is not None:
        settings["trust"] = {"trust_anchors": trusted.root + also}
    context = c2pa.Context.from_dict(settings)
    with c2pa.Reader(mime_type, io.BytesIO(data), context=context) as reader:
        told = json.loads(reader.json())
        results = reader.get_validation_results() or {}
        state = reader.get_validation_state()
    active = told["manifests"][told["active_manifest"]]
    assertions = {each["label"]: each["data"] for each in active["assertions"]}
    return Manifest(
        state=state,
        failures=tuple(each["code"] for each in results["activeManifest"]["failure"]),
        actions=tuple(assertions["c2pa.actions.v2"]["actions"]),
        ingredients=tuple(active.get("ingredients", ())),
        number=len(told["manifests"]),
        generator=active["claim_generator_info"][0],
        successes=tuple(each["code"] for each in results["activeManifest"]["success"]),
    )


def valid(data: bytes, mime_type: str, trusted: Authority) -> Manifest:
    """Read a manifest that must hold, and say that a model has drawn the image."""
    found = read(data, mime_type, trusted)
    assert (found.state, found.failures) == ("Trusted", ())
    assert [each["digitalSourceType"] for each in found.actions] == [TRAINED]
    assert found.generator["name"] == "charimg"
    return found
