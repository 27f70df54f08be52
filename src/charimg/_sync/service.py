# Generated from src/charimg/_async/service.py by tools/unasync.py. Do not edit.
"""The service: everything that a host does with a character's images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._arguments import checked
from .._concurrency import suggest
from .._library import requests
from ..journal import OperationKind
from ..models import (
    CharacterImage,
    DeleteResult,
    GenerationResult,
    ImagePage,
    PortfolioResult,
    ReferencePolicy,
    SceneType,
)
from ..prompts import check_prompt
from ..protocols import ProgressCallback
from .base import ServiceBase, chosen_policy
from .generate import generate_portfolio, generate_reference, generate_scene
from .listing import list_page
from .manage import delete_all_images, delete_image, restore_reference, retry_ingestion
from .operation import Run

__all__ = ["CharacterImageService"]


@checked
class CharacterImageService(ServiceBase):
    """Generates, ingests, lists and deletes the images of characters.

    Every operation holds the character's lease: a second one on the same character raises
    `GenerationInProgress` and sends nothing; different characters do not wait for each other.
    Operations that pay for an image are written to the ledger before each step that cannot be
    undone, so `recover` can finish what a crash left behind, with the host's user as `created_by`.

    Args:
        library: The client of the Character Library. Closed by the caller.
        directory: Where characters are looked up.
        media: Where files go.
        metadata: Where records go.
        ledger: The journal and the leases.
        downloader: How images are fetched; by default one with default limits, closed with the
            service. An injected one is closed by the caller.
        suggester: Builds prompts; by default the photorealistic template.
        hooks: Told of started, finished and failed operations; a `DetailedHook` of every event.
        job_policy: How 360° jobs are watched.
        concurrency: How many images of a portfolio are downloaded at once.
        media_documents: Whether the Library's media documents (``/api/media``) may be looked at.
        lease_seconds: How long a lease lives without renewal. By default five minutes more than the
            longest generation may take.
        max_prompt_bytes: How long a prompt may be, in UTF-8; a scene's with all that is said of it.
    """

    # Generations

    def generate_reference(
        self,
        character_id: str,
        *,
        prompt: str | None = None,
        policy: str = ReferencePolicy.DELETE_ALL,
        created_by: str | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> GenerationResult:
        """Draw a new master reference image.

        Before anything is deleted, the prompt, the link and the Library's health are checked. Then
        earlier images go as ``policy`` says, the remote reference is deleted (once, no retry; a
        failure becomes a warning), and the prompt is posted exactly once, byte for byte. Only if
        the server still says that the character already has a reference is it deleted once more
        and the prompt posted once more.

        Args:
            character_id: The host's id of the character.
            prompt: The exact prompt; ``None`` takes the suggestion.
            policy: A `ReferencePolicy`: what happens to the character's earlier local images.
            created_by: The host's user, for the record.
            on_progress: Told of every step.

        Raises:
            CharacterNotFound: No such character.
            CharacterNotLinked: It has no valid ``library_db_id``.
            InvalidPrompt: The prompt is empty or blank.
            InvalidArgument: The prompt is too long, or there is no such policy.
            GenerationInProgress: Another operation on the character is running.
            CharacterLibraryError: The generation failed; no record was written. When its
                ``outcome_unknown`` is true the image may exist: `recover` looks for it.
            IngestionError: The image was drawn but could not be brought in; ``image_id`` names its
                ``failed`` record for `retry_ingestion`.
            StorageError: A store failed; `recover` goes on from there.
        """
        character, db_id = self._linked(character_id)
        if prompt is None:
            prompt = (suggest(self._parts.suggester, character)).prompt
        check_prompt(prompt, most=self._parts.max_prompt_bytes)
        policy = chosen_policy(policy)

        def work(run: Run) -> GenerationResult:
            return generate_reference(run, character, db_id, policy)

        return self._operate(
            OperationKind.REFERENCE,
            character_id,
            work,
            db_id=db_id,
            prompt=prompt,
            options={"policy": policy.value},
            created_by=created_by,
            on_progress=on_progress,
        )

    def generate_portfolio(
        self,
        character_id: str,
        *,
        reference_id: str | None = None,
        style: str | None = None,
        quality_threshold: int | None = None,
        max_retries: int | None = None,
        created_by: str | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> PortfolioResult:
        """Draw the 360° portfolio. Appends to the character's images, never deletes.

        Args:
            character_id: The host's id of the character.
            reference_id: The local reference to draw from, by default the current one. One that is
                not the remote master is made it first.
            style: Passed to the server.
            quality_threshold: Passed to the server.
            max_retries: How often the server retries a shot, passed to it.
            created_by: The host's user, for the records.
            on_progress: Told of every step, from the job's progress to the last record.

        Returns:
            Stored shots and failed ones. Failed ones that the server had drawn can be retried with
            `retry_ingestion`.

        Raises:
            CharacterNotFound: No such character.
            CharacterNotLinked: It has no valid ``library_db_id``.
            ImageNotFound: No such reference.
            ImageMismatch: ``reference_id`` is not a reference of this character.
            GenerationInProgress: Another operation on the character is running.
            CharacterLibraryError: The generation failed; with ``NO_REFERENCE`` there is no master.
            JobError: The job failed, or is stranded; `recover` looks at a stranded one again.
            StorageError: A store failed; `recover` goes on from there.
        """
        character, db_id = self._linked(character_id)
        asked = {
            "style": style,
            "quality_threshold": quality_threshold,
            "max_retries": max_retries,
        }
        options = {name: value for name, value in asked.items() if value is not None}
        # Checked before anything is written down; built again when it is sent.
        requests.portfolio(db_id, style, None, quality_threshold, max_retries)

        def work(run: Run) -> PortfolioResult:
            return generate_portfolio(run, character, db_id, reference_id, options)

        return self._operate(
            OperationKind.PORTFOLIO,
            character_id,
            work,
            db_id=db_id,
            options={**options, "reference_id": reference_id},
            created_by=created_by,
            on_progress=on_progress,
        )

    def generate_scene(
        self,
        character_id: str,
        scene_context: str,
        *,
        scene_type: str = SceneType.DIALOGUE,
        mood: str | None = None,
        lighting: str | None = None,
        environment: str | None = None,
        additional_characters: Sequence[str] = (),
        created_by: str | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> GenerationResult:
        """Draw one scene. The scene context becomes the record's prompt.

        Args:
            character_id: The host's id of the character.
            scene_context: What happens; sent byte for byte.
            scene_type: A `SceneType`.
            mood: For example ``tense``.
            lighting: For example ``low key``.
            environment: Where it happens.
            additional_characters: Names of others in the scene.
            created_by: The host's user, for the record.
            on_progress: Told of every step.

        Raises:
            InvalidArgument: An unlisted scene type: the server would draw it, be paid, and fail.
            CharimgError: As `generate_reference`.
        """
        character, db_id = self._linked(character_id)
        beside = (mood, lighting, environment, *additional_characters)
        check_prompt(scene_context, most=self._parts.max_prompt_bytes, beside=beside)
        options: dict[str, Any] = {
            "scene_type": str(scene_type),
            "mood": mood,
            "lighting_style": lighting,
            "environment_context": environment,
            "additional_characters": additional_characters,
        }
        # Checked before anything is written down; built again when it is sent.
        requests.scene_image(db_id, scene_context, reference_image_asset_id=None, **options)

        def work(run: Run) -> GenerationResult:
            return generate_scene(run, character, db_id, options)

        return self._operate(
            OperationKind.SCENE,
            character_id,
            work,
            db_id=db_id,
            prompt=scene_context,
            options={**options, "additional_characters": list(additional_characters)},
            created_by=created_by,
            on_progress=on_progress,
        )

    # Reading

    def list_images(
        self,
        character_id: str,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ImagePage:
        """Return one page of the character's images, newest first, with media URLs.

        A character without images, or one that nobody knows, has an empty page. Failed images are
        among the others even where the repository keeps no record of them, because it requires
        media: the ledger knows them.

        Args:
            character_id: The host's id of the character.
            kind: Only this `ImageKind`, or a newer one.
            status: Only this `ImageStatus`, or a newer one.
            limit: 1 to 1,000 images.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidArgument: The limit is out of range, or the cursor is not one of ours.
        """
        page = list_page(
            self._parts, character_id, kind=kind, status=status, limit=limit, cursor=cursor
        )
        images = tuple(self._located(image) for image in page.images)
        return ImagePage(images=images, next_cursor=page.next_cursor, total=page.total)

    def iter_images(
        self,
        character_id: str,
        *,
        kind: str | None = None,
        status: str | None = None,
        page_size: int = 200,
    ) -> Iterator[CharacterImage]:
        """Go through all the character's images, newest first, page by page."""
        cursor: str | None = None
        while True:
            page = self.list_images(
                character_id, kind=kind, status=status, limit=page_size, cursor=cursor
            )
            for image in page.images:
                yield image
            cursor = page.next_cursor
            if cursor is None:
                return

    def get_image(self, character_id: str, image_id: str) -> CharacterImage:
        """Return one image with its media URLs.

        Raises:
            ImageNotFound: No such image.
            ImageMismatch: It belongs to another character.
        """
        return self._image(character_id, image_id)

    # Deleting, restoring, retrying

    def delete_image(
        self,
        character_id: str,
        image_id: str,
        *,
        created_by: str | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> DeleteResult:
        """Delete one image: its record, then its media.

        If it is the character's current reference, drawn by the Character Library, one remote
        DELETE follows; its failure becomes a warning. It also clears the remote gallery. Deleting a
        kept earlier reference leaves the remote master alone.

        Raises:
            ImageNotFound: No such image, or it was deleted before.
            ImageMismatch: It belongs to another character.
            GenerationInProgress: Another operation on the character is running.
        """
        self.get_image(character_id, image_id)

        def work(run: Run) -> DeleteResult:
            return delete_image(run, image_id)

        return self._operate(
            OperationKind.DELETE,
            character_id,
            work,
            db_id=self._db_id(character_id),
            options={"image_id": image_id},
            created_by=created_by,
            on_progress=on_progress,
        )

    def delete_all_images(
        self,
        character_id: str,
        *,
        created_by: str | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> DeleteResult:
        """Delete every image of the character, and the remote reference if there was one.

        Works for a character that the directory no longer knows; the remote is left alone then.

        Raises:
            GenerationInProgress: Another operation on the character is running.
        """

        def work(run: Run) -> DeleteResult:
            return delete_all_images(run)

        return self._operate(
            OperationKind.DELETE,
            character_id,
            work,
            db_id=self._db_id(character_id),
            created_by=created_by,
            on_progress=on_progress,
        )

    def restore_reference(
        self,
        character_id: str,
        image_id: str,
        *,
        created_by: str | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> CharacterImage:
        """Make a kept earlier reference the remote master again.

        Raises:
            ImageNotFound: No such image.
            ImageMismatch: It is not a reference of this character that the Library drew, or failed.
            CharacterNotLinked: The character has no valid ``library_db_id``.
            CharacterLibraryError: The Library refused.
        """
        _, db_id = self._linked(character_id)
        self.get_image(character_id, image_id)

        def work(run: Run) -> CharacterImage:
            return self._located(restore_reference(run, db_id, image_id))

        return self._operate(
            OperationKind.RESTORE,
            character_id,
            work,
            db_id=db_id,
            options={"image_id": image_id},
            created_by=created_by,
            on_progress=on_progress,
        )

    def retry_ingestion(
        self,
        character_id: str,
        image_id: str,
        *,
        created_by: str | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> GenerationResult:
        """Repeat the download of a ``failed`` image from its source URL; never the generation.

        The record keeps its id and becomes ``succeeded``.

        Raises:
            ImageNotFound: No such image.
            ImageMismatch: It belongs to another character, is not failed, or was never drawn.
            IngestionError: It failed again; the record holds the new error.
        """
        image = self.get_image(character_id, image_id)

        def work(run: Run) -> GenerationResult:
            character = run.parts.directory.get(character_id)
            return retry_ingestion(run, image_id, character)

        return self._operate(
            OperationKind.RETRY,
            character_id,
            work,
            db_id=self._db_id(character_id),
            prompt=image.prompt,
            options={"image_id": image_id},
            created_by=created_by,
            on_progress=on_progress,
        )
