# Generated from src/charimg/_async/verifying.py by tools/unasync.py. Do not edit.
"""What the service offers to look through the stores, and to mend them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._arguments import checked
from ..errors import ImageMismatch, ImageNotFound
from ..models import CharacterImage, ImageStatus
from ..verification import VerificationCallback, VerificationReport
from .parts import Parts
from .repair import bring_back
from .sources import shown_image
from .unrecorded import find_image
from .verification import verify

__all__ = ["Verifying"]


@checked
class Verifying:
    """A part of the service; see `CharacterImageService`."""

    _assembled: Parts

    if TYPE_CHECKING:

        @property
        def _parts(self) -> Parts: ...

    def verify(
        self,
        character_id: str | None = None,
        *,
        repair: bool = False,
        on_progress: VerificationCallback | None = None,
    ) -> VerificationReport:
        """Read records, files and ledger against each other, of one or all characters.

        Finds files that are gone or altered (by SHA-256), thumbnails that are gone, files that no
        record names, and operations that are open. Takes no lease: what runs meanwhile is neither
        disturbed nor mistaken for damage. Nothing is ever generated.

        Args:
            character_id: The host's id of the character; ``None`` for all.
            repair: Whether to bring files back, each under its character's lease: only with the
                SHA-256 that the record has. A file without a record goes only if the ledger proves
                that charimg removed its image or never settled it. All else is told, not touched.
            on_progress: Told of everything that is looked at.

        Raises:
            ConfigurationError: Nothing can tell which characters there are.
        """
        return verify(self._parts, character_id, repair=repair, on_progress=on_progress)

    def bring_back(self, character_id: str, image_id: str) -> CharacterImage:
        """Bring one image's file back where it is gone or altered, as `verify` with ``repair``.

        Nothing is done if its file is well.

        Raises:
            ImageNotFound: No such image.
            ImageMismatch: It belongs to another character, or it is failed: see `retry_ingestion`.
            GenerationInProgress: Another operation on the character is running.
            IngestionError: No source gave the bytes that were stored; nothing was changed.
            StorageError: A store failed.
        """
        image = self._image(character_id, image_id)
        if image.status == ImageStatus.FAILED:
            raise ImageMismatch(
                f"Image {image_id!a:.80} never had a file. retry_ingestion() downloads it."
            )
        return self._located(bring_back(self._parts, image))

    def _image(self, character_id: str, image_id: str) -> CharacterImage:
        image = find_image(self._parts, image_id)
        if image is None:
            raise ImageNotFound(
                f"There is no image {image_id!a:.80}. List the images to see which exist."
            )
        if image.character_id != character_id:
            raise ImageMismatch(
                f"Image {image_id!a:.80} belongs to another character than {character_id}."
            )
        return self._located(image)

    def _located(self, image: CharacterImage) -> CharacterImage:
        image = shown_image(image)
        if image.media is None:
            return image
        return image.with_media(self._assembled.media.locate(image.media))
