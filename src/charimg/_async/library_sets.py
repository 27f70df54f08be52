"""The part of the Library's client that is about 360° sets: their shots, and their jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import cast

from .._arguments import checked
from .._concurrency import asleep
from .._library import answers, requests
from .._library.jobs import JobWatch
from .._library.values import Job, JobCancellation, JobPage, PortfolioAnswer, ReferenceShot
from ..errors import CharacterLibraryError
from ..policies import JobPolicy
from .calls import AsyncCalls

__all__ = ["AsyncLibrarySets"]


@checked
class AsyncLibrarySets:
    """See `AsyncCharacterLibrary`."""

    _calls: AsyncCalls

    async def list_reference_shots(self) -> tuple[ReferenceShot, ...]:
        """List the shots that the server draws 360° sets from, in the order of drawing."""
        return await self._calls.call(requests.reference_shots(), answers.reference_shots)

    async def generate_360_set(
        self,
        db_id: str,
        *,
        style: str | None = None,
        image_count: int | None = None,
        quality_threshold: float | None = None,
        max_retries: int | None = None,
    ) -> PortfolioAnswer:
        """Ask for the 360° set. Costs money, is never repeated.

        The current server answers at once with a job to wait for (`wait_for_job`); an older one
        answers after minutes with the images. On success the remote gallery is replaced.

        Args:
            db_id: The character's ObjectId; it needs a master reference image.
            style: The server's style name.
            image_count: The current server draws 27 shots whatever this says.
            quality_threshold: 0 to 100; the current server rejects nothing.
            max_retries: How often the server tries each shot.

        Raises:
            CharacterLibraryError: ``NO_REFERENCE``, ``NOT_FOUND``, …
        """
        request = requests.portfolio(db_id, style, image_count, quality_threshold, max_retries)
        return await self._calls.call(request, answers.portfolio)

    async def get_job(self, job_id: str) -> Job:
        """Poll a job once; one that is unknown is a `JobError`, ``NOT_FOUND``."""
        return await self._calls.call(requests.get_job(job_id), answers.job)

    async def list_jobs(
        self,
        *,
        character_id: str | None = None,
        status: str | None = None,
        limit: int = 10,
        page: int = 1,
    ) -> JobPage:
        """List jobs, newest first, without their images.

        Args:
            character_id: Only this character's, by its ObjectId.
            status: Only those with this status.
            limit: Jobs per page.
            page: The page, from 1.
        """
        request = requests.list_jobs(character_id, status, limit, page)
        return await self._calls.call(request, answers.job_page)

    async def cancel_job(self, job_id: str) -> JobCancellation:
        """Ask for a job to be cancelled.

        This is cosmetic: the job goes on, costs what it costs, and ends ``completed`` or
        ``failed`` (contract page).

        Raises:
            JobError: ``JOB_NOT_CANCELLABLE`` when it has ended, ``NOT_FOUND`` when it is unknown.
        """
        return await self._calls.call(requests.cancel_job(job_id), answers.cancellation)

    async def watch_job(
        self,
        job_id: str,
        *,
        policy: JobPolicy = JobPolicy(),  # noqa: B008 - frozen
    ) -> AsyncGenerator[Job]:
        """Poll a job until it ends, and yield each poll; the last one is the completed job.

        A server that is out of reach for a while is waited for: the last poll is yielded again, and
        its ``task`` says so.

        Args:
            job_id: The job.
            policy: Intervals and deadlines.

        Raises:
            JobError: ``JOB_FAILED``, ``JOB_CANCELLED``, ``JOB_STRANDED``, or ``NOT_FOUND``.
            CharacterLibraryError: The server is out of reach until the end of the time.
        """
        watch = JobWatch(job_id, policy)
        delay: float | None
        while True:
            try:
                job = await self.get_job(job_id)
            except CharacterLibraryError as error:
                delay, job = watch.missed(error)
            else:
                delay = watch.observe(job)
            yield job
            if delay is None:
                return
            await asleep(delay)

    async def wait_for_job(
        self,
        job_id: str,
        *,
        policy: JobPolicy = JobPolicy(),  # noqa: B008 - frozen
        on_progress: Callable[[Job], object] | None = None,
    ) -> Job:
        """Wait, as `watch_job` does, until a job is completed; it may have ``failures``, too.

        Args:
            job_id: The job.
            policy: Intervals and deadlines.
            on_progress: Called with each poll, the completed one included.
        """
        last = None
        async for last in self.watch_job(job_id, policy=policy):
            if on_progress is not None:
                on_progress(last)
        return cast("Job", last)
