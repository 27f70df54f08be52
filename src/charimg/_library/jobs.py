"""Watching a 360° job: a state machine without I/O; clock and chance are handed in."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from attrs import evolve

from .._masks import masked
from ..errors import CharacterLibraryError, ErrorCode, JobError
from ..policies import JobPolicy
from .values import Job

__all__ = ["AWAY", "JobWatch"]

AWAY = "Waiting for the connection to the Character Library"


class JobWatch:
    """Decides after each poll of a job: done, poll again in so many seconds, or give up.

    Intervals grow by ``policy.growth`` up to ``policy.interval_max``, each with a random part, and
    are cut so that a last poll falls on the deadline.
    """

    def __init__(
        self,
        job_id: str,
        policy: JobPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._job_id = job_id
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._interval = min(policy.interval, policy.interval_max)
        self._started = self._moved = clock()
        self._cancelled: float | None = None
        self._seen: tuple[object, ...] | None = None
        self._last = Job(job_id=job_id, status="pending")

    def observe(self, job: Job) -> float | None:
        """Take in one poll.

        Returns:
            Seconds until the next poll; ``None`` when the job is completed.

        Raises:
            JobError: ``JOB_FAILED``; ``JOB_CANCELLED`` after ``policy.cancel_grace``;
                ``JOB_STRANDED`` after ``policy.deadline``, or ``policy.stall`` without progress.
        """
        now = self._clock()
        self._last = job
        if job.status == "completed":
            return None
        if job.status == "failed":
            raise self._error(
                ErrorCode.JOB_FAILED,
                f"failed at {job.current} of {job.total}; server_message says why. What it had "
                "drawn by then is paid for, and no gallery shows it.",
                job,
            )
        self._note(job, now)
        policy = self._policy
        limits = [self._started + policy.deadline, self._moved + policy.stall]
        if self._cancelled is not None:
            believed = self._cancelled + policy.cancel_grace
            if now >= believed:
                raise self._error(
                    ErrorCode.JOB_CANCELLED,
                    f"has said for {policy.cancel_grace:g} s that it is cancelled. It may go on "
                    "all the same; look at get_job before you start a new one.",
                    job,
                )
            limits.append(believed)
        if now >= limits[0]:
            raise self._stranded(f"did not end within {policy.deadline:g} s", job)
        if now >= limits[1]:
            raise self._stranded(f"has not moved for {policy.stall:g} s", job)
        return min(self._next_interval(), min(limits) - now)

    def missed(self, error: CharacterLibraryError) -> tuple[float, Job]:
        """Take in that a poll did not come through.

        Returns:
            Seconds until the next poll, and the last one, which says what is waited for.

        Raises:
            CharacterLibraryError: That one, when waiting makes no sense (any more).
        """
        now = self._clock()
        left = min(self._started + self._policy.deadline, self._moved + self._policy.stall) - now
        if not error.retryable or left <= 0:
            raise error
        return min(self._next_interval(), left), evolve(self._last, task=AWAY)

    def _note(self, job: Job, now: float) -> None:
        """Remember when the job last moved, and since when it says that it is cancelled."""
        state = (job.status, job.current, job.total, job.percentage, job.task)
        if state != self._seen:
            self._seen = state
            self._moved = now
        if job.status != "cancelled":
            self._cancelled = None
        elif self._cancelled is None:
            self._cancelled = now

    def _next_interval(self) -> float:
        policy = self._policy
        interval = self._interval
        self._interval = min(interval * policy.growth, policy.interval_max)
        return interval * (1 - policy.jitter * self._chance())

    def _stranded(self, what: str, job: Job) -> JobError:
        return self._error(
            ErrorCode.JOB_STRANDED,
            f"{what} ({job.status}, {job.current} of {job.total}). A restart of the server leaves "
            "jobs behind like this; look at get_job before you start a new one.",
            job,
        )

    def _error(self, code: ErrorCode, what: str, job: Job) -> JobError:
        return JobError(
            f"Job {self._job_id} {what}",
            job_id=self._job_id,
            code=code,
            server_message=masked(job.error or job.message or "") or None,
            # A job that is given up may still end well on the server, a cancelled one, too.
            outcome_unknown=code != ErrorCode.JOB_FAILED,
        )
