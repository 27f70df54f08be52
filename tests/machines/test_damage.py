"""Whatever happens to the files: what was well stays as it was, what can come back is the same."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from charimg import (
    CharacterImage,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    ImagePage,
    Media,
    RetryPolicy,
)
from charimg.stores import (
    DiskMediaStore,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMetadataRepository,
)
from charimg.testing import Simulator

from ..figures import AddUp
from ..patience import FAST

URL = "http://library.test"
SHOTS = 3
IMAGES = SHOTS + 2
FILES = ("delete", "cut", "flip", "grow", "thumbnail")


@frozen
class Damage:
    """What happens to one image, and whether its source is gone, too."""

    image: int
    what: str
    at: int
    sourceless: bool


DAMAGES = st.lists(
    st.builds(
        Damage,
        image=st.integers(0, IMAGES - 1),
        what=st.sampled_from(FILES),
        at=st.integers(0, 10_000),
        sourceless=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda damage: damage.image,
)
STRANGERS = st.lists(
    st.sampled_from(["holiday.png", "5b/notes.txt", "5b/" + "0" * 32 + "-000/x.png"]),
    unique=True,
)


@frozen
class Scene:
    """A service over a directory of files, with everything in it."""

    simulator: Simulator
    service: CharacterImageService
    root: Path
    images: list[CharacterImage] = field(factory=list)

    def path(self, image: CharacterImage) -> Path:
        """Return where an image's file lies."""
        assert image.media is not None
        (path,) = self.root.glob(f"*/{image.key}")
        return path / image.media.filename

    def damage(self, damage: Damage) -> None:
        image = self.images[damage.image]
        path = self.path(image)
        if damage.what == "thumbnail":
            (path.parent / "_thumbnail.webp").unlink()
        elif damage.what == "delete":
            path.unlink()
        else:
            data = path.read_bytes()
            at = damage.at % len(data)
            flipped = data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]
            path.write_bytes({"cut": data[:at], "flip": flipped, "grow": data + b"?"}[damage.what])
        if damage.sourceless:
            state = self.simulator._state
            state.media.pop(image.external_id or "")
            for name in [name for name, of in state.files.items() if of == image.external_id]:
                del state.files[name]

    def contents(self) -> dict[str, bytes]:
        """Return every file below the directory, by its path."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file()
        }


@contextmanager
def scene() -> Iterator[Scene]:
    simulator = Simulator(base_url=URL)
    simulator.switches.shots = SHOTS
    simulator.switches.width = 48
    db_id = simulator.add_character(name="Mara")
    client = httpx.Client(transport=simulator.transport())
    with tempfile.TemporaryDirectory() as work, client:
        service = CharacterImageService(
            library=CharacterLibrary(URL, client=client, retries=RetryPolicy.off()),
            downloader=Downloader(client=client, retries=RetryPolicy.off()),
            directory=MemoryCharacterDirectory(
                [CharacterReference(id="mara", name="Mara", library_db_id=db_id)]
            ),
            media=DiskMediaStore(work),
            metadata=MemoryMetadataRepository(),
            ledger=MemoryGenerationLedger(),
            job_policy=FAST,
        )
        service.generate_reference("mara", prompt="One.")
        service.generate_portfolio("mara")
        service.generate_scene("mara", "Two.")
        yield Scene(simulator, service, Path(work), list(service.iter_images("mara")))


@pytest.mark.parametrize(
    "examples", [15, pytest.param(60, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_what_was_well_stays_and_what_can_come_back_is_the_same(
    examples: int, add_up: AddUp
) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(damages=DAMAGES, strangers=STRANGERS)
    def damaged(damages: list[Damage], strangers: list[str]) -> None:
        with scene() as it:
            pristine = it.contents()
            for damage in damages:
                it.damage(damage)
            for name in strangers:
                (it.root / name).parent.mkdir(parents=True, exist_ok=True)
                (it.root / name).write_bytes(b"a stranger's")
            before = it.contents()
            posts = it.simulator.counters
            paid = (posts.initial_image_posts, posts.set360_posts, posts.scene_posts)

            told = it.service.verify()
            assert it.contents() == before, "looking changes nothing"
            report = it.service.verify(repair=True)

            lost = {
                it.images[each.image].key
                for each in damages
                if each.sourceless and each.what != "thumbnail"
            }
            after = it.contents()
            for path in pristine.keys() | before.keys() | after.keys():
                key = path.split("/")[1] if path.count("/") > 1 else path
                same = before if key in lost or path not in pristine else pristine
                if path.endswith("_thumbnail.webp") and key not in lost:
                    # Drawn anew, perhaps with other bytes.
                    assert after.get(path)
                    continue
                assert after.get(path) == same.get(path), path
            damaged = [each.image_id for each in told.findings if each.image_id is not None]
            assert sorted(damaged) == sorted(it.images[each.image].id for each in damages)
            assert (report.repaired, report.removed) == (len(damages) - len(lost), 0)
            failed = [each for each in report.findings if each.outcome == "failed"]
            assert {each.key for each in failed} == lost
            again = it.service.verify()
            assert {each.key for each in again.findings if each.image_id} == lost
            assert paid == (posts.initial_image_posts, posts.set360_posts, posts.scene_posts)
            add_up("files damaged at random", len(damages))
            add_up("files brought back of those", report.repaired)

    damaged()


class Endless:
    """Records and files of as many images as one likes, none of which is held."""

    requires_media = False
    concurrent_safe = False

    def __init__(self, images: int) -> None:
        self._images = images

    def _image(self, number: int) -> CharacterImage:
        key = f"{number:032x}-000"
        media = Media(id=key, key=key, filename="a.png", mime_type="image/png", size=1)
        return CharacterImage(
            key=key,
            character_id="mara",
            kind="scene",
            status="succeeded",
            media=media,
        )

    def character_ids(self) -> tuple[str, ...]:
        return ("mara",)

    def list(self, _: str, /, *, limit: int, cursor: str | None = None, **__: Any) -> ImagePage:
        begin = int(cursor or 0)
        end = min(begin + limit, self._images)
        return ImagePage(
            images=tuple(self._image(number) for number in range(begin, end)),
            next_cursor=str(end) if end < self._images else None,
            total=self._images,
        )

    def get(self, key: str, /) -> None:
        raise AssertionError(f"Nobody asks for {key}.")

    @contextmanager
    def open(self, _: str) -> Iterator[Iterator[bytes]]:
        yield iter([b"?"])

    save = update = add = delete = locate = get

    def list_keys(self) -> Iterator[str]:
        return (f"{number:032x}-000" for number in range(self._images))


def peak_of(service: CharacterImageService, images: int) -> int:
    """Return how many bytes are held at most while so many images are looked at."""
    endless: Any = Endless(images)
    parts = evolve(service._assembled, metadata=endless, media=endless)
    with CharacterImageService(
        library=parts.library,
        directory=parts.directory,
        media=parts.media,
        metadata=parts.metadata,
        ledger=parts.ledger,
        downloader=parts.downloader,
    ) as looking:
        looking.verify()
        tracemalloc.start()
        report = looking.verify()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (report.images, report.files, report.findings) == (images, images, ())
    return peak


def test_many_images_take_no_more_memory_than_few() -> None:
    with scene() as it:
        few, many = peak_of(it.service, 1_000), peak_of(it.service, 10_000)
        assert many < few + 100_000
