"""Fill a character: a master reference, the 360° portfolio and a scene, with progress.

Against a simulated Character Library, in a temporary directory::

    python examples/fill_character.py

Against a real one, keeping what it draws. Each run pays for one reference, one portfolio and one
scene, and by default the new reference REPLACES every earlier image of the character::

    python examples/fill_character.py --library-url https://library.example \
        --directory images --name "Mara Voss" --policy keep-history

A run that was interrupted is picked up by the next one: nothing that was paid for is drawn again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from charimg import (
    CharacterImageService,
    CharacterReference,
    CharimgError,
    ImageFailed,
    ImageStored,
    IngestionError,
    JobProgressed,
    ProgressEvent,
    ReferencePolicy,
)

TRAITS = {"age": 34, "hair": "auburn, shoulder-length", "eyes": "grey-green"}
SCENE = "The character reads a letter at a rain-streaked window and does not look up."


def show(event: ProgressEvent) -> None:
    """Print one line about an event of an operation."""
    match event:
        case JobProgressed(status=status, current=current, total=total):
            say(f"  the server's job is {status}: {current} of {total}")
        case ImageStored(image=image, done=done, total=total):
            say(f"  {done} of {total}: {image.kind} stored")
        case ImageFailed(image=image, done=done, total=total):
            say(f"  {done} of {total}: {image.kind} failed: {image.error}")


def say(text: str) -> None:
    """Print a message beside the data."""
    print(text, file=sys.stderr)


def add_character(service: CharacterImageService, name: str) -> str:
    """Create the character on the Library and link it, unless an earlier run did; return its id."""
    character_id = "-".join(name.lower().split())
    if service.directory.get(character_id) is None:
        remote = service.library.create_character(name)
        service.put_character(
            CharacterReference(id=character_id, name=name, library_db_id=remote.id, traits=TRAITS)
        )
    return character_id


def fill(service: CharacterImageService, name: str, policy: ReferencePolicy) -> None:
    """Draw everything, then print what there is."""
    for each in service.recover().operations:
        say(f"An earlier {each.kind} was {each.outcome}. {each.message}")
    character_id = add_character(service, name)

    say("The reference")
    reference = service.generate_reference(character_id, policy=policy, on_progress=show)
    if reference.removed:
        say(f"  {reference.removed} earlier images removed")

    say("The portfolio")
    portfolio = service.generate_portfolio(character_id, on_progress=show)
    for failure in portfolio.failures:
        if failure.source_url is None and failure.external_id is None:
            continue  # The server could not draw it: there is nothing to download.
        try:
            service.retry_ingestion(character_id, failure.id, on_progress=show)
        except IngestionError as error:
            say(f"  failed again: {error}")

    say("The scene")
    service.generate_scene(character_id, SCENE, mood="quiet", on_progress=show)

    for image in service.iter_images(character_id):
        print(image.kind, image.status, image.media.url if image.media else image.error)


@contextmanager
def opened(library_url: str | None, directory: str | None) -> Iterator[CharacterImageService]:
    """Open the service; without a URL, in front of a simulator."""
    with tempfile.TemporaryDirectory() as temporary:
        where = directory or temporary
        if library_url is not None:
            with CharacterImageService.local(where, library=library_url) as service:
                yield service
            return
        # Needs the extra `local`, which a program for a real Library does not.
        from charimg.testing import serve

        with (
            serve() as server,
            CharacterImageService.local(where, library=server.url) as service,
        ):
            yield service


def main() -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(description="Fill a character with images.")
    parser.add_argument("--library-url", help="default: a simulated Character Library")
    parser.add_argument("--directory", help="default: a temporary one")
    parser.add_argument("--name", default="Mara Voss")
    parser.add_argument(
        "--policy",
        type=ReferencePolicy,
        default=ReferencePolicy.DELETE_ALL,
        help="what becomes of earlier images: delete-all, delete-after-success or keep-history",
    )
    given = parser.parse_args()
    try:
        with opened(given.library_url, given.directory) as service:
            fill(service, given.name, given.policy)
    except CharimgError as error:
        say(f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
