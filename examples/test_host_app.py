"""How an application that uses charimg tests itself: no network, no money, every failure on demand.

Run it::

    python -m pytest examples/test_host_app.py

`CastingApp` is the application. It gets its service from outside, so that a test can hand it one in
front of the simulator. The simulator is an httpx transport here: no port is opened.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharacterLibraryError,
    CharacterReference,
    Downloader,
    ImageStatus,
    IngestionError,
    JobPolicy,
    RetryPolicy,
)
from charimg.stores import (
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing import Simulator

# The application


class CastingApp:
    """Shows a character's sheet, and orders what is missing."""

    def __init__(self, images: CharacterImageService) -> None:
        self._images = images

    def order_reference(self, character_id: str) -> str:
        """Order a reference; return what to tell the user."""
        try:
            self._images.generate_reference(character_id)
        except IngestionError:
            return "drawn, not here yet"
        except CharacterLibraryError as error:
            return "try later" if error.retryable or error.outcome_unknown else "failed"
        return "ready"

    def fetch_missing(self, character_id: str) -> int:
        """Fetch what was drawn and is not here yet; return how many images came."""
        missing = list(self._images.iter_images(character_id, status=ImageStatus.FAILED))
        for image in missing:
            self._images.retry_ingestion(character_id, image.id)
        return len(missing)

    def sheet(self, character_id: str) -> dict[str, int]:
        """Count the character's images by kind."""
        counts: dict[str, int] = {}
        for image in self._images.iter_images(character_id, status=ImageStatus.SUCCEEDED):
            counts[image.kind] = counts.get(image.kind, 0) + 1
        return counts


# Its tests


@pytest.fixture
def simulator() -> Simulator:
    """A Character Library in this process."""
    return Simulator()


@pytest.fixture
def images(simulator: Simulator) -> Iterator[CharacterImageService]:
    """A service in front of it, with everything in memory and one character."""
    db_id = simulator.add_character("Mara Voss")
    character = CharacterReference(id="mara", name="Mara Voss", library_db_id=db_id)
    with (
        httpx.Client(transport=simulator.transport()) as client,
        CharacterImageService(
            # Without retries, so that a failure shows at once.
            library=CharacterLibrary(simulator.base_url, client=client, retries=RetryPolicy.off()),
            downloader=Downloader(client=client, retries=RetryPolicy.off()),
            directory=MemoryCharacterDirectory([character]),
            media=MemoryMediaStore(),
            metadata=MemoryMetadataRepository(),
            ledger=MemoryGenerationLedger(),
            job_policy=JobPolicy(interval=0.01),
        ) as service,
    ):
        yield service


@pytest.fixture
def app(images: CharacterImageService) -> CastingApp:
    """The application under test."""
    return CastingApp(images)


def test_a_reference_is_ordered_once(app: CastingApp, simulator: Simulator) -> None:
    """One order is one paid request."""
    assert app.order_reference("mara") == "ready"
    assert app.sheet("mara") == {"reference": 1}
    assert simulator.counters.initial_image_posts == 1


def test_a_failed_download_is_fetched_later(app: CastingApp, simulator: Simulator) -> None:
    """What was paid for is not ordered again."""
    simulator.switches.file_errors = 1
    assert app.order_reference("mara") == "drawn, not here yet"
    assert app.sheet("mara") == {}
    assert app.fetch_missing("mara") == 1
    assert app.sheet("mara") == {"reference": 1}
    assert simulator.counters.initial_image_posts == 1


def test_an_outage_costs_no_image(app: CastingApp, simulator: Simulator) -> None:
    """The earlier reference stays while the server is away."""
    app.order_reference("mara")
    simulator.switches.down = True
    assert app.order_reference("mara") == "try later"
    assert app.sheet("mara") == {"reference": 1}


def test_a_refusal_of_the_model_is_told(app: CastingApp, simulator: Simulator) -> None:
    """The model may refuse; then there is no image."""
    simulator.switches.generation_errors = 1
    assert app.order_reference("mara") in ("failed", "try later")
    assert app.sheet("mara") == {}


def test_a_lost_answer_is_found_again(
    app: CastingApp, images: CharacterImageService, simulator: Simulator
) -> None:
    """The server draws, the connection breaks: recovery finds the image, and orders nothing."""
    simulator.switches.lost_answers = 1
    assert app.order_reference("mara") == "try later"
    images.recover()
    assert app.sheet("mara") == {"reference": 1}
    assert simulator.counters.initial_image_posts == 1
