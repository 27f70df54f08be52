"""Recovery touches nothing that the ledger does not know: a host's files, a host's new records."""

from __future__ import annotations

from pathlib import Path

import pytest

from charimg import CharacterImage, ImageMetrics
from charimg.stores.disk import DiskMediaStore
from charimg.stores.sqlite import SqliteDatabase, SqliteMetadataRepository
from charimg.testing.conformance.media import make_upload

from ..figures import Figure
from .invariants import read_facts, violations
from .laboratory import Laboratory
from .steps import Steps, stepping
from .works import LENA, open_service

FILES = 1_000
CONTENT = b"the host's own file"


def foreign_files(root: Path) -> tuple[set[str], list[Path]]:
    """Put a host's files into the store: most of them through it, some past it."""
    store = DiskMediaStore(root / "media", thumbnail_px=0)
    keys = {f"host-{number:04}" for number in range(FILES - 200)}
    with stepping(Steps(), root):
        for key in keys:
            store.save(make_upload(key, CONTENT))
    paths = [root / "media" / f"host-{number}.txt" for number in range(100)]
    # As another process's save that is under way.
    under_way = root / "media" / ".incoming"
    paths += [under_way / f"host-{number}~0123" / "image.png" for number in range(100)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    return keys, paths


class Inserting(Steps):
    """Inserts a host's record before every exchange with the Library and every change of a file."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        self._inside = False
        self.keys: list[str] = []

    def moment(self, when: str, what: str) -> None:
        if when == "before" and what.startswith(("http", "rename", "unlink")) and not self._inside:
            self._inside = True
            self._insert(f"inserted-{len(self.keys)}")
            self._inside = False

    def _insert(self, key: str) -> None:
        media = DiskMediaStore(self._root / "media", thumbnail_px=0).save(make_upload(key, CONTENT))
        image = CharacterImage(
            key=key,
            character_id=LENA,
            kind="reference",
            status="succeeded",
            provider="host",
            media=media,
            metrics=ImageMetrics(bytes=media.size, sha256=media.sha256),
        )
        with SqliteDatabase(self._root / "charimg.sqlite") as database:
            SqliteMetadataRepository(database).add(image)
        self.keys.append(key)


@pytest.mark.parametrize("name", ["recover what was posted", "recover a removal"])
def test_recovery_touches_nothing_that_is_not_its_own(
    lab: Laboratory, name: str, figure: Figure
) -> None:
    root = lab.begin(name)
    keys, paths = foreign_files(root)
    inserting = Inserting(root)
    with open_service(root, lab.url) as service:
        with stepping(inserting, root):
            report = service.recover()
        facts = read_facts(service, [LENA])
        assert service.recover().operations == ()
    assert report.unresolved == ()
    assert len(report.operations) == 1
    records = {image.key for image in facts.images}
    assert len(inserting.keys) >= 5
    assert records >= set(inserting.keys), "a record inserted while it ran survives"
    assert keys <= facts.media.keys()
    assert all(path.read_bytes() == CONTENT for path in paths)
    stray = {path.parent.name for path in paths}
    found = violations(facts, foreign=keys, one_reference=False)
    assert [each for each in found if each.rpartition(" ")[2] not in stray] == []
    figure(
        f"foreign to the ledger, {name}",
        f"{len(keys) + len(paths)} files and {len(inserting.keys)} records inserted meanwhile "
        "survive",
    )
