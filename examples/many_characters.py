"""Draw the references of several characters at once, with asyncio.

Against a simulated Character Library, in a temporary directory::

    python examples/many_characters.py

With names of your own, and at most two generations at a time::

    python examples/many_characters.py --at-once 2 "Mara Voss" "Tom Hale" "Nadia Brandt"

Operations on different characters do not wait for each other; a second one on the same character is
refused with `GenerationInProgress`, and costs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    CharacterReference,
    CharimgError,
    GenerationInProgress,
)
from charimg.stores import (
    AsyncDiskMediaStore,
    AsyncSqliteCharacterDirectory,
    AsyncSqliteGenerationLedger,
    AsyncSqliteMetadataRepository,
    SqliteDatabase,
)
from charimg.testing import Simulator, Switches, serve

NAMES = ("Mara Voss", "Tom Hale", "Nadia Brandt")


async def draw(service: AsyncCharacterImageService, character_id: str) -> str:
    """Draw one reference; return one line about it."""
    try:
        result = await service.generate_reference(character_id)
    except CharimgError as error:
        return f"{character_id}: {type(error).__name__}: {error}"
    media = result.image.media
    return f"{character_id}: {media.filename if media else 'failed'}"


async def draw_all(library_url: str, where: str, names: list[str], at_once: int) -> list[str]:
    """Add the characters, draw them, and ask for the first one twice at the same time."""
    async with (
        AsyncCharacterLibrary(library_url) as library,
        SqliteDatabase(f"{where}/charimg.sqlite") as database,
    ):
        directory = AsyncSqliteCharacterDirectory(database)
        async with AsyncCharacterImageService(
            library=library,
            directory=directory,
            media=AsyncDiskMediaStore(f"{where}/media"),
            metadata=AsyncSqliteMetadataRepository(database),
            ledger=AsyncSqliteGenerationLedger(database),
        ) as service:
            for name in names:
                remote = await library.create_character(name)
                await service.put_character(
                    CharacterReference(id=name, name=name, library_db_id=remote.id)
                )
            limit = asyncio.Semaphore(at_once)

            async def limited(character_id: str) -> str:
                async with limit:
                    return await draw(service, character_id)

            lines = list(await asyncio.gather(*map(limited, names)))
            lines.append(await twice(service, names[0]))
            return lines


async def twice(service: AsyncCharacterImageService, character_id: str) -> str:
    """Ask for the same character twice at once: one is drawn, the other is refused."""
    outcomes = await asyncio.gather(
        *(service.generate_scene(character_id, "A walk in the rain.") for _ in range(2)),
        return_exceptions=True,
    )
    refused = sum(isinstance(outcome, GenerationInProgress) for outcome in outcomes)
    return f"{character_id}: {len(outcomes) - refused} scene drawn, {refused} refused"


def main() -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(description="Draw several characters at once.")
    parser.add_argument("names", nargs="*", default=list(NAMES))
    parser.add_argument("--at-once", type=int, default=4, help="generations at a time")
    given = parser.parse_args()
    # Each generation takes half a second; a real one takes minutes.
    simulator = Simulator(switches=Switches(generation_seconds=0.5))
    with serve(simulator) as server, tempfile.TemporaryDirectory() as where:
        for line in asyncio.run(draw_all(server.url, where, given.names, given.at_once)):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
