"""The demo's story, step by step, with the public service against the simulator."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from .._assembly.embedded import embedded
from .._library.ids import unique_character_id
from .._sync.download import Downloader
from .._sync.library import CharacterLibrary
from .._sync.service import CharacterImageService
from ..models import CharacterReference, SceneType
from ..policies import JobPolicy, RetryPolicy
from .progress import ProgressView
from .report import Report
from .tables import image_brief

if TYPE_CHECKING:
    from ..testing.server import SimulatorServer

__all__ = ["CHARACTER", "add_character", "simulated", "tell_story"]

CHARACTER = CharacterReference(
    id="mara-voss",
    name="Mara Voss",
    traits={
        "age": 34,
        "gender": "woman",
        "ethnicity": "Northern European",
        "physicalDescription": "lean, angular face, a small scar through the left eyebrow",
        "hair": "auburn, shoulder-length, loosely tied",
        "eyes": "grey-green",
        "wardrobe": "charcoal wool coat over a cream roll-neck",
    },
)

_JOB = JobPolicy(interval=0.1, growth=1.2, interval_max=0.3)
_JOB_SECONDS = 1.5
_SECOND_PROMPT = (
    "Photorealistic master reference of Mara Voss, chest to mid-thigh, neutral studio background, "
    "no text."
)
_SCENE = "Mara reads a letter at a rain-streaked café window and does not look up."


def simulated(seed: int) -> AbstractContextManager[SimulatorServer]:
    """Serve a fresh simulator over HTTP on a free port of the loopback address."""
    from ..testing import Simulator, serve

    return serve(Simulator(seed=seed))


def tell_story(report: Report, server: SimulatorServer, directory: Path) -> None:
    """Run the main job.

    Raises:
        CharimgError: A step that should work failed.
    """
    switches = server.simulator.switches
    switches.change({"job_seconds": _JOB_SECONDS})
    report.say(f"Simulated Character Library at {server.url}")
    with (
        CharacterLibrary(server.url) as library,
        # Without retries, so that the one failing download is seen to fail.
        Downloader(retries=RetryPolicy.off()) as downloader,
        CharacterImageService.local(
            directory, library=library, downloader=downloader, job_policy=_JOB
        ) as service,
    ):
        add_character(report, library, directory)
        _reference(report, service, None, "1. A reference, from the suggested prompt")
        # The first remote DELETE fails, so the server still has its master when the prompt arrives.
        switches.change({"reference_delete_errors": 1})
        title = "2. A second reference, which replaces it; the first remote DELETE fails"
        _reference(report, service, _SECOND_PROMPT, title)
        switches.change({"file_errors": 1})
        _portfolio(report, service)
        _scene(report, service)


def add_character(report: Report, library: CharacterLibrary, directory: Path) -> None:
    """Make the demo's character in the Library, and link it in the directory's database."""
    slug = unique_character_id(CHARACTER.name)
    made = library.create_character(CHARACTER.name, character_id=slug)
    linked = evolve(CHARACTER, library_db_id=made.id, library_character_id=made.character_id)
    stores = embedded(directory)
    try:
        stores.directory.put(linked)
    finally:
        stores.database.close()
    report.say(f"Character {linked.id}, linked to {made.id}")


def _reference(
    report: Report, service: CharacterImageService, prompt: str | None, title: str
) -> None:
    with ProgressView(report, title) as progress:
        result = service.generate_reference(CHARACTER.id, prompt=prompt, on_progress=progress)
    replaced = f"; earlier images removed: {result.removed}" if result.removed else ""
    report.say(f"  {image_brief(result.image)}{replaced}")


def _portfolio(report: Report, service: CharacterImageService) -> None:
    with ProgressView(report, "3. The 360° portfolio; one download fails") as progress:
        result = service.generate_portfolio(CHARACTER.id, on_progress=progress)
    report.say(f"  {len(result.images)} shots stored, {len(result.failures)} failed")
    for failure in result.failures:
        title = "4. The failed download again, not the generation"
        with ProgressView(report, title, draws=False) as progress:
            again = service.retry_ingestion(CHARACTER.id, failure.id, on_progress=progress)
        report.say(f"  {image_brief(again.image)}")


def _scene(report: Report, service: CharacterImageService) -> None:
    with ProgressView(report, "5. A scene") as progress:
        result = service.generate_scene(
            CHARACTER.id,
            _SCENE,
            scene_type=SceneType.EMOTIONAL,
            mood="quiet",
            on_progress=progress,
        )
    report.say(f"  {image_brief(result.image)}")
