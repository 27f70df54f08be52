# Generated from tests/_async/test_watching.py by tools/unasync.py. Do not edit.
"""What hooks hear of an operation, and what OpenTelemetry makes of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    ImageFailed,
    ImageStored,
    IngestionError,
    JobProgressed,
    LeaseLost,
    OperationFailed,
    OperationFinished,
    OperationStarted,
    OperationState,
    RecoveryFinished,
    RecoveryStarted,
    ReferencePolicy,
    ServiceEvent,
    Stage,
    StageFinished,
    StorageError,
)

from ..watching import Sight
from .mishaps import SCENE, Crash, Rigged, break_once, left_behind, rigged
from .world import LENA, World

STAGES = ["charimg.generation", "charimg.download", "charimg.store", "charimg.record"]


class Everything:
    """A hook that asks for every event."""

    every_event = True

    def __init__(self) -> None:
        self.told: list[ServiceEvent] = []

    def __call__(self, event: ServiceEvent) -> None:
        self.told.append(event)

    def stages(self) -> list[StageFinished]:
        return [event for event in self.told if isinstance(event, StageFinished)]

    def types(self) -> list[type]:
        return [type(event) for event in self.told]


def watched(**options: Any) -> tuple[World, Rigged, Sight, Everything]:
    """Return a world of two shots with an OpenTelemetry hook, one for every event, and a plain one.

    The plain one keeps what it hears in the world's ``told``.
    """
    sight, everything, plain = Sight(), Everything(), list[Any]()
    world, simulator = rigged(hooks=(sight.hook, everything, plain.append), **options)
    world.told = plain
    return world, simulator, sight, everything


def test_a_hook_that_asks_for_it_hears_every_event_and_another_only_begin_and_end() -> None:
    world, _, _, everything = watched()
    world.service.generate_reference(LENA, on_progress=world.progress.append)
    stages = [StageFinished] * 4
    assert everything.types() == [OperationStarted, *stages, ImageStored, OperationFinished]
    assert [type(event) for event in world.told] == [OperationStarted, OperationFinished]
    assert [type(event) for event in world.progress] == [
        OperationStarted,
        ImageStored,
        OperationFinished,
    ]


def test_a_stage_tells_what_it_was_about_and_how_long_it_took() -> None:
    world, _, _, everything = watched()
    image = (world.service.generate_reference(LENA)).image
    generation, download, store, record = everything.stages()
    assert [generation.stage, download.stage, store.stage, record.stage] == list(Stage)
    assert (generation.key, generation.bytes) == (None, None)
    assert (download.key, download.bytes) == (image.key, image.metrics.bytes)
    assert (store.key, store.bytes) == (image.key, image.metrics.bytes)
    assert (record.key, record.bytes) == (image.key, None)
    for stage in everything.stages():
        assert stage.kind == "reference"
        assert stage.character_id == LENA
        assert stage.duration_ms > 0
        assert stage.code is None
    begins = [stage.began_at for stage in everything.stages()]
    assert begins == sorted(begins)
    assert store.duration_ms == image.metrics.storing_ms


def test_the_end_is_told_in_reverse() -> None:
    heard: list[str] = []

    def first(event: object) -> None:
        heard.append(f"first {type(event).__name__}")

    def second(event: object) -> None:
        heard.append(f"second {type(event).__name__}")

    world, _ = rigged(hooks=(first, second))
    world.service.delete_all_images(LENA)
    assert heard == [
        "first OperationStarted",
        "second OperationStarted",
        "second OperationFinished",
        "first OperationFinished",
    ]


def test_a_hook_that_raises_is_logged_and_costs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Fragile:
        every_event = True

        def __call__(self, event: ServiceEvent) -> None:
            raise RuntimeError(type(event).__name__)

    everything = Everything()
    world, _ = rigged(hooks=(Fragile(), everything))
    with caplog.at_level(logging.ERROR, "charimg.service"):
        world.service.generate_reference(LENA)
    failures = [each for each in caplog.records if each.getMessage() == "listener.failed"]
    assert len(failures) == len(everything.told) == 7
    world.check()


def test_a_reference_is_a_span_with_its_stages_below_it() -> None:
    world, _, sight, _ = watched()
    result = world.service.generate_reference(LENA)
    span = sight.span("charimg.reference")
    assert span.parent is None
    assert dict(span.attributes or {}) == {
        "charimg.operation.id": result.operation_id,
        "charimg.operation.kind": "reference",
        "charimg.character.id": LENA,
        "charimg.images.stored": 1,
        "charimg.images.failed": 0,
        "charimg.images.removed": 0,
    }
    assert span.status.is_unset
    below = sight.below(span)
    assert [each.name for each in below] == STAGES
    size = result.image.metrics.bytes
    image = {"charimg.image.key": result.image.key}
    assert [dict(each.attributes or {}) for each in below] == [
        {},
        {**image, "charimg.image.size": size},
        {**image, "charimg.image.size": size},
        image,
    ]
    for each in below:
        assert each.status.is_unset
        assert span.start_time <= each.start_time <= each.end_time <= span.end_time
    assert len(sight.spans()) == 5


def test_a_reference_is_counted_and_measured() -> None:
    world, _, sight, _ = watched()
    result = world.service.generate_reference(LENA)
    assert sight.counts("charimg.operation.duration") == {("reference",): 1}
    assert sight.counts("charimg.stage.duration") == {
        ("reference", stage.value): 1 for stage in Stage
    }
    assert sight.counts("charimg.images") == {("reference", "succeeded"): 1}
    point = sight.points("charimg.image.size")[("reference",)]
    assert (point.count, point.sum) == (1, result.image.metrics.bytes)
    seconds = sight.points("charimg.operation.duration")[("reference",)].sum
    # The hook hears of the end a little before the caller does.
    assert 0 < seconds <= (result.duration_ms + 5000) / 1000
    units = {name: metric.unit for name, metric in sight.metrics().items()}
    assert units == {
        "charimg.operation.duration": "s",
        "charimg.stage.duration": "s",
        "charimg.images": "{image}",
        "charimg.image.size": "By",
    }


def test_a_portfolio_with_a_failed_image_has_not_failed_itself() -> None:
    world, simulator, sight, _ = watched()
    world.service.generate_reference(LENA)
    simulator.switches.shots = 3
    simulator.switches.dead_result_urls = False
    simulator.switches.file_errors = 1
    result = world.service.generate_portfolio(LENA)
    assert (len(result.images), len(result.failures)) == (2, 1)
    span = sight.span("charimg.portfolio")
    assert span.status.is_unset
    assert span.attributes is not None
    assert span.attributes["charimg.images.stored"] == 2
    assert span.attributes["charimg.images.failed"] == 1
    below = sight.below(span)
    names = [each.name for each in below]
    assert names.count("charimg.generation") == 1
    assert names.count("charimg.download") == 3
    assert names.count("charimg.store") == 2
    (failed,) = [each for each in below if not each.status.is_unset]
    assert failed.name == "charimg.download"
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == ErrorCode.BAD_STATUS
    assert failed.attributes["charimg.image.key"] == result.failures[0].key
    counts = sight.counts("charimg.images")
    assert counts[("portfolioItem", "succeeded")] == 2
    assert counts[("portfolioItem", "failed", "BAD_STATUS")] == 1
    stages = sight.counts("charimg.stage.duration")
    assert stages[("portfolio", "download")] == 2
    assert stages[("portfolio", "download", "BAD_STATUS")] == 1
    assert sight.counts("charimg.operation.duration")[("portfolio",)] == 1


def test_a_shot_that_was_not_drawn_is_counted_with_its_code() -> None:
    world, simulator, sight, everything = watched()
    world.service.generate_reference(LENA)
    simulator.switches.failing_shots = 1
    world.service.generate_portfolio(LENA)
    assert sight.counts("charimg.images")[("portfolioItem", "failed", "NOT_DRAWN")] == 1
    (failed,) = [event for event in everything.told if isinstance(event, ImageFailed)]
    assert failed.code == ErrorCode.NOT_DRAWN
    assert JobProgressed in everything.types()


@pytest.mark.parametrize("code", ["UPSTREAM_MODEL", "UNAVAILABLE"])
def test_a_failed_generation_is_told_by_its_code(code: str) -> None:
    world, simulator, sight, _ = watched()
    world.service.generate_reference(LENA)
    if code == "UPSTREAM_MODEL":
        simulator.switches.generation_errors = 1
    else:
        simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_scene(LENA, "A walk.")
    assert caught.value.code == code
    span = sight.span("charimg.scene")
    assert not span.status.is_ok
    assert not span.status.is_unset
    assert span.status.description == code
    assert span.attributes is not None
    assert span.attributes["error.type"] == code
    assert "charimg.images.stored" not in span.attributes
    (generation,) = sight.below(span)
    assert generation.name == "charimg.generation"
    assert generation.attributes is not None
    assert generation.attributes["error.type"] == code
    assert generation.status.description == code
    assert "http" not in sight.text()
    assert sight.counts("charimg.operation.duration")[("scene", code)] == 1
    assert sight.counts("charimg.stage.duration")[("scene", "generation", code)] == 1


def test_a_reference_that_was_there_already_is_two_generations() -> None:
    world, simulator, sight, _ = watched()
    world.service.library.generate_initial_image(world.db_id, "by hand")
    world.service.generate_reference(LENA)
    span = sight.span("charimg.reference")
    assert [event.name for event in span.events] == ["charimg.reference.retried"]
    refused, drawn = sight.spans("charimg.generation")
    assert refused.attributes is not None
    assert refused.attributes["error.type"] == ErrorCode.ALREADY_HAS_REFERENCE
    assert drawn.status.is_unset
    assert span.status.is_unset
    assert simulator.counters.initial_image_posts == 3


def test_a_warning_is_an_event_of_the_span() -> None:
    world, simulator, sight, _ = watched()
    world.service.generate_reference(LENA)
    simulator.switches.reference_delete_errors = 1
    result = world.service.delete_all_images(LENA)
    (warning,) = result.warnings
    span = sight.span("charimg.delete")
    (event,) = span.events
    assert event.name == "charimg.warning"
    assert dict(event.attributes or {}) == {"charimg.warning.code": str(warning.code)}
    assert span.attributes is not None
    assert span.attributes["charimg.images.removed"] == 1
    assert sight.below(span) == []


def test_a_retry_has_no_generation() -> None:
    world, simulator, sight, _ = watched()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA)
    assert sight.counts("charimg.operation.duration") == {("reference", "BAD_STATUS"): 1}
    assert "http" in str(caught.value)
    assert "http" not in sight.text()
    assert caught.value.image_id is not None
    world.service.retry_ingestion(LENA, caught.value.image_id)
    span = sight.span("charimg.retry")
    assert [each.name for each in sight.below(span)] == STAGES[1:]
    assert sight.counts("charimg.images") == {
        ("reference", "failed", "BAD_STATUS"): 1,
        ("reference", "succeeded"): 1,
    }


def test_a_recovery_is_a_span_of_its_own() -> None:
    world, _, sight, everything = watched()
    break_once(world.media, "save")
    with pytest.raises(Crash):
        world.service.generate_reference(LENA)
    crashed = sight.span("charimg.reference")
    assert crashed.attributes is not None
    assert crashed.attributes["error.type"] == "Crash"
    store = sight.span("charimg.store")
    assert store.attributes is not None
    assert store.attributes["error.type"] == "Crash"
    everything.told.clear()
    report = world.service.recover()
    span = sight.span("charimg.recover")
    assert dict(span.attributes or {}) == {
        "charimg.operation.id": report.operations[0].operation_id,
        "charimg.operation.kind": "reference",
        "charimg.character.id": LENA,
        "charimg.recovery.outcome": "completed",
    }
    assert span.status.is_unset
    assert [each.name for each in sight.below(span)] == STAGES[1:]
    assert sight.counts("charimg.recovery.duration") == {("reference", "completed"): 1}
    assert sight.counts("charimg.images") == {("reference", "succeeded"): 1}
    assert everything.types() == [
        RecoveryStarted,
        StageFinished,
        StageFinished,
        StageFinished,
        ImageStored,
        RecoveryFinished,
    ]
    # Plain hooks hear of operations alone.
    assert [type(event) for event in world.told] == [OperationStarted, OperationFailed]


def test_the_next_operation_of_a_character_settles_the_one_before_in_a_span_before_it() -> None:
    world, _, sight, _ = watched()
    break_once(world.media, "save")
    with pytest.raises(Crash):
        world.service.generate_reference(LENA)
    world.service.generate_scene(LENA, "A walk.")
    settled, scene = sight.span("charimg.recover"), sight.span("charimg.scene")
    assert settled.parent is None
    assert scene.parent is None
    assert settled.end_time is not None
    assert scene.start_time is not None
    assert settled.end_time <= scene.start_time


def test_a_recovery_that_must_wait_tells_why() -> None:
    world, simulator, sight, _ = watched()
    left_behind(world, state=OperationState.POSTING)
    simulator.switches.down = True
    report = world.service.recover()
    assert [each.outcome for each in report.operations] == ["waiting"]
    span = sight.span("charimg.recover")
    assert not span.status.is_unset
    assert span.attributes is not None
    assert span.attributes["charimg.recovery.outcome"] == "waiting"
    ((kind, outcome, code),) = sight.counts("charimg.recovery.duration")
    assert (kind, outcome) == ("reference", "waiting")
    assert code == span.attributes["error.type"]


def test_a_recovery_that_raises_tells_the_error() -> None:
    world, _, sight, everything = watched()
    left_behind(world)
    break_once(world.ledger, "renew", error=StorageError)
    report = world.service.recover()
    assert [each.outcome for each in report.operations] == ["error"]
    span = sight.span("charimg.recover")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "StorageError"
    assert sight.counts("charimg.recovery.duration") == {("reference", "error", "StorageError"): 1}
    assert everything.types() == [RecoveryStarted, RecoveryFinished]


def test_what_came_in_and_was_not_handled_any_more_is_told_too() -> None:
    world, _, sight, everything = watched()
    # The first one comes before the request, the second one when the image is there.
    break_once(world.ledger, "renew", 2, error=LeaseLost)
    with pytest.raises(LeaseLost):
        world.service.generate_reference(LENA)
    assert [stage.stage for stage in everything.stages()][:2] == ["generation", "download"]
    assert everything.types()[-1] is OperationFailed
    below = [each.name for each in sight.below(sight.span("charimg.reference"))]
    assert below[:2] == STAGES[:2]
    assert sight.counts("charimg.images") == {}


def test_an_error_that_is_not_ours_is_told_by_its_class_alone() -> None:
    class Coded(Exception):
        code = "whatever a host's library may put here"

    world, _, sight, _ = watched()
    break_once(world.metadata, "add", error=Coded)
    with pytest.raises(Coded):
        world.service.generate_reference(LENA, policy=ReferencePolicy.KEEP_HISTORY)
    span = sight.span("charimg.reference")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "Coded"
    assert span.status.description == "Coded"
    assert sight.counts("charimg.stage.duration")[("reference", "record", "Coded")] == 1


def test_no_metric_grows_with_characters_or_operations() -> None:
    world, _, sight, _ = watched()
    for _ in range(2):
        world.service.generate_reference(LENA)
        world.service.generate_portfolio(LENA)
    world.service.delete_all_images(LENA)
    ids = {operation.id for operation in world.operations()} | {LENA, world.db_id}
    names = set()
    for metric in sight.metrics().values():
        for point in metric.data.data_points:
            names |= set(point.attributes)
            assert not ids & set(point.attributes.values())
    assert names == {
        "charimg.operation.kind",
        "charimg.stage",
        "charimg.image.kind",
        "charimg.image.status",
    }
