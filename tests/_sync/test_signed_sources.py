# Generated from tests/_async/test_signed_sources.py by tools/unasync.py. Do not edit.
"""A URL with a signature opens its image, so nobody sees it who is only shown the image."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from charimg import IngestionError
from charimg._json import to_json
from charimg.testing.simulator.exchange import SimulatedResponse

from .mishaps import Crash, Rigged, break_once
from .world import LENA, World

SIGNED = "?X-Amz-Signature=SECRET"


class Signing(Rigged):
    """A Library whose files lie in a bucket: only a signed URL opens one."""

    def __init__(self) -> None:
        super().__init__()
        self.switches.dead_result_urls = False

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        path, signature, _ = url.partition(SIGNED)
        if "/media/" in path and "/api/" not in path and not signature:
            return SimulatedResponse(status=403)
        answer = super().handle(method, path, headers, body)
        if not answer.body.startswith(b"{"):
            return answer
        signed = re.sub(rb'(/media/[^"?]+)"', rb"\1" + SIGNED.encode() + b'"', answer.body)
        return evolve(answer, body=signed)


def signing() -> tuple[World, Signing]:
    simulator = Signing()
    world = World(simulator)
    world.link()
    return world, simulator


def told(world: World, *more: object) -> str:
    """Return everything that callers, hooks and readers of records are given, as JSON."""
    records = world.metadata.list(LENA)
    operations = world.service.list_operations(LENA)
    given: list[Any] = [*world.images(), *records.images, operations, *more]
    return json.dumps([to_json(each) for each in (*given, *world.told, *world.progress)])


def test_no_signature_of_a_source_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    world, _ = signing()
    with caplog.at_level(logging.DEBUG, "charimg"):
        for drawn in (
            world.service.generate_reference(LENA, on_progress=world.progress.append),
            world.service.generate_portfolio(LENA, on_progress=world.progress.append),
            world.service.generate_scene(LENA, "She waits."),
        ):
            assert "SECRET" not in told(world, drawn)
    assert all("SECRET" not in str(vars(each)) for each in caplog.records)
    images = world.images()
    assert all(re.fullmatch(r"http://\S+/media/\S+\.\w+", str(each.source_url)) for each in images)
    assert (world.service.get_image(LENA, images[0].id)).source_url == images[0].source_url


def test_a_retry_takes_the_whole_url_that_nobody_is_shown() -> None:
    world, simulator = signing()
    simulator.switches.change({"file_errors": 1, "media_errors": 9})
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA)
    (failed,) = world.images()
    assert "SECRET" not in told(world, failed) + str(caught.value)
    assert "/media/" in str(failed.source_url)
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        world.service.retry_ingestion(LENA, failed.id)
    retried = world.service.retry_ingestion(LENA, failed.id)
    assert retried.image.status == "succeeded"
    assert "SECRET" not in told(world, retried)
    world.check()


def test_what_a_crash_left_is_brought_in_by_the_whole_url() -> None:
    world, simulator = signing()
    world.service.generate_reference(LENA)
    simulator.switches.media_errors = 9
    break_once(world.media, "save", 2)
    with pytest.raises(Crash):
        world.service.generate_portfolio(LENA)
    world.service.recover()
    assert {image.status for image in world.images()} == {"succeeded"}


def test_an_earlier_row_is_shown_without_its_signature_and_retried_with_it() -> None:
    world, _ = signing()
    image = (world.service.generate_reference(LENA)).image
    whole = f"{image.source_url}{SIGNED}"
    old = world.record(key="old", kind="scene", status="failed", error="-", source_url=whole)
    assert [each.source_url for each in world.images()] == [image.source_url] * 2
    assert (world.service.get_image(LENA, old.id)).source_url == image.source_url
    retried = (world.service.retry_ingestion(LENA, old.id)).image
    assert (retried.id, retried.status) == (old.id, "succeeded")
    assert "SECRET" not in told(world, retried)
