"""A media store of one's own, over an object store, proved by the conformance suite.

Prove it, then draw an image into it::

    python examples/object_store.py

Keep the objects in a directory, and look at them::

    python examples/object_store.py --keep objects

`Bucket` stands for the client of a real object store: whole objects by name, each put atomic, and
refused on demand when the name is taken. `ObjectMediaStore` needs no more than that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from attrs import asdict, evolve

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Media,
    MediaNotFound,
    StorageError,
    Upload,
)
from charimg.stores import (
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMetadataRepository,
)
from charimg.testing import MediaStoreContract, run_contract, serve

CHUNK = 64 * 1024


class Bucket:
    """Objects by name, each put and deleted whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put_new(self, name: str, body: bytes) -> bool:
        """Store an object unless there is one already; tell whether it was stored.

        A reader sees it whole or not at all. (S3 calls this a put with ``If-None-Match: *``.)
        """
        with tempfile.NamedTemporaryFile(dir=self._directory) as file:
            file.write(body)
            file.flush()
            try:
                self._path(name).hardlink_to(file.name)
            except FileExistsError:
                return False
        return True

    def get(self, name: str) -> bytes | None:
        """Return an object, or ``None``."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> bool:
        """Remove an object; tell whether it was there."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin so."""
        names = [unquote(path.name) for path in self._directory.iterdir()]
        return [name for name in names if name.startswith(prefix)]

    def _path(self, name: str) -> Path:
        return self._directory / quote(name, safe="")


class ObjectMediaStore:
    """A `charimg.MediaStore`: two objects per media, the file and, put last, its description.

    Without its description a file is not there. So a save that breaks off leaves nothing that
    anybody sees, and the next save or delete of the key clears it up.

    Args:
        bucket: Where the objects go.
        public_url: Where browsers get them.
    """

    concurrent_safe = True

    def __init__(self, bucket: Bucket, public_url: str) -> None:
        self._bucket = bucket
        self._public_url = public_url.rstrip("/")

    def save(self, upload: Upload, /) -> Media:
        """Store a file, whole or not at all; a known key returns the first media."""
        stored = self.get(upload.key)
        if stored is not None:
            return stored
        try:
            body = upload.file.read()
            # The object's name carries the digest: two saves of one key never mix their bytes.
            digest = hashlib.sha256(body).hexdigest()
            if digest != upload.sha256:
                raise StorageError(f"Media {upload.key!r} changed on its way; send it again.")
            media = Media(
                id=f"{upload.key}/{digest}",
                key=upload.key,
                filename=upload.filename,
                mime_type=upload.mime_type,
                size=upload.size,
                width=upload.width,
                height=upload.height,
                sha256=digest,
                alt=upload.alt,
            )
            self._bucket.put_new(media.id, body)
            description = json.dumps(asdict(media)).encode()
            if self._bucket.put_new(self._description(upload.key), description):
                return media
            # Somebody else saved the key meanwhile, and was first.
            first = self.get(upload.key)
            if first is None or first.id != media.id:
                self._bucket.delete(media.id)
        except OSError as error:
            raise StorageError(f"Media {upload.key!r} could not be stored; try again.") from error
        if first is None:
            raise StorageError(f"Media {upload.key!r} was deleted while it was saved; try again.")
        return first

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        """Open the stored bytes as chunks."""
        media = self.get(key)
        body = None if media is None else self._bucket.get(media.id)
        if body is None:
            raise MediaNotFound(f"There is no media under the key {key!r}.")
        yield (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))

    def get(self, key: str, /) -> Media | None:
        """Return the media, or ``None``."""
        description = self._bucket.get(self._description(key))
        return None if description is None else Media(**json.loads(description))

    def delete(self, key: str, /) -> bool:
        """Remove the media and what a broken save left; tell whether there was anything."""
        found = self._bucket.delete(self._description(key))
        for name in self._bucket.names(f"{key}/"):
            found = self._bucket.delete(name) or found
        return found

    def locate(self, media: Media, /) -> Media:
        """Fill in the URL, without I/O."""
        return evolve(media, url=f"{self._public_url}/{quote(media.id)}")

    @staticmethod
    def _description(key: str) -> str:
        return f"{key}/media.json"


class ObjectMediaStoreContract(MediaStoreContract):
    """Every sentence of the port, as a test; named Test…, it would be one for pytest."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def make(self) -> ObjectMediaStore:
        """Return a store over the directory."""
        return ObjectMediaStore(Bucket(self._directory), "https://cdn.example")

    def reopen(self, made: ObjectMediaStore) -> ObjectMediaStore:
        """Return another one over the same objects."""
        return self.make()


def prove(directory: Path) -> int:
    """Run the suite; return how many of its tests failed."""
    failures = run_contract(ObjectMediaStoreContract(directory))
    for name, error in failures.items():
        print(f"{name}: {error}")
    tests = [name for name in dir(MediaStoreContract) if name.startswith("test_")]
    print(f"{len(tests) - len(failures)} of {len(tests)} sentences of the contract hold")
    return len(failures)


def draw(directory: Path) -> None:
    """Draw a reference into the store."""
    with serve() as server, CharacterLibrary(server.url) as library:
        db_id = server.simulator.add_character("Mara Voss")
        character = CharacterReference(id="mara", name="Mara Voss", library_db_id=db_id)
        with CharacterImageService(
            library=library,
            directory=MemoryCharacterDirectory([character]),
            media=ObjectMediaStore(Bucket(directory), "https://cdn.example"),
            metadata=MemoryMetadataRepository(),
            ledger=MemoryGenerationLedger(),
        ) as service:
            media = service.generate_reference("mara").image.media
            print(media.url if media else "failed")


def main() -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(description="A media store over an object store.")
    parser.add_argument("--keep", type=Path, help="keep the objects in this directory")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryDirectory() as objects:
        failed = prove(Path(temporary))
        kept = given.keep or Path(objects)
        kept.mkdir(parents=True, exist_ok=True)
        draw(kept)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
