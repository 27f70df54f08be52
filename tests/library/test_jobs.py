from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from charimg._library.jobs import JobWatch
from charimg._library.values import Job
from charimg.errors import CharacterLibraryError, ErrorCode, JobError
from charimg.policies import JobPolicy

from .helpers import JOB_ID

AWAY = "Waiting for the connection to the Character Library"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def watching(chance: float = 0.0, **policy: float) -> tuple[JobWatch, Clock]:
    clock = Clock()
    return JobWatch(JOB_ID, JobPolicy(**policy), clock=clock, chance=lambda: chance), clock


def polled(status: str = "processing", current: int = 0, **more: object) -> Job:
    return Job(job_id=JOB_ID, status=status, current=current, total=27, **more)  # type: ignore[arg-type]


def error_of(watch: JobWatch, job: Job) -> JobError:
    with pytest.raises(JobError) as caught:
        watch.observe(job)
    error = caught.value
    assert error.job_id == JOB_ID
    assert JOB_ID in str(error)
    assert not error.retryable
    return error


def test_intervals_grow_up_to_their_cap() -> None:
    watch, _ = watching(interval=2, growth=2, interval_max=10)
    assert [watch.observe(polled(current=n)) for n in range(5)] == [2, 4, 8, 10, 10]
    watch, _ = watching(interval=50, interval_max=10)
    assert watch.observe(polled()) == 10


def test_a_share_of_each_interval_is_random() -> None:
    assert watching(chance=1.0, interval=8, jitter=0.25)[0].observe(polled()) == 6
    assert watching(chance=0.5, interval=8, jitter=0.25)[0].observe(polled()) == 7
    assert watching(chance=1.0, interval=8, jitter=0)[0].observe(polled()) == 8


def test_chance_differs_by_default() -> None:
    delays = {JobWatch(JOB_ID, JobPolicy()).observe(polled()) for _ in range(5)}
    assert len(delays) > 1


def test_a_completed_job_ends_the_watch() -> None:
    watch, clock = watching(deadline=5)
    clock.now += 100
    assert watch.observe(polled("completed")) is None


def test_a_failed_job_says_why() -> None:
    error = error_of(watching()[0], polled("failed", error="no credit", message="m"))
    assert error.code == ErrorCode.JOB_FAILED
    assert error.server_message == "no credit"
    assert not error.outcome_unknown
    assert error_of(watching()[0], polled("failed", message="m")).server_message == "m"
    signed = polled("failed", error="no file http://u:p@h/x?sig=SECRET")
    assert error_of(watching()[0], signed).server_message == "no file http://[…]@h/x?[…]"


def test_the_deadline_strands_a_job_that_still_moves() -> None:
    watch, clock = watching(deadline=60, stall=50, interval=20)
    clock.now += 45
    assert watch.observe(polled(current=1)) == 15
    clock.now += 15
    error = error_of(watch, polled(current=2))
    assert error.code == ErrorCode.JOB_STRANDED
    assert error.outcome_unknown
    assert "did not end within 60 s" in str(error)
    assert "2 of 27" in str(error)


def test_a_job_that_does_not_move_is_stranded() -> None:
    watch, clock = watching(deadline=600, stall=30, interval=20)
    assert watch.observe(polled(current=1)) == 20
    clock.now += 20
    assert watch.observe(polled(current=1)) == 10
    clock.now += 9
    assert watch.observe(polled(current=2)) == 20
    clock.now += 30
    error = error_of(watch, polled(current=2))
    assert error.code == ErrorCode.JOB_STRANDED
    assert "has not moved for 30 s" in str(error)


@pytest.mark.parametrize(
    "change", [{"percentage": 4.0}, {"task": "drawing"}, {"current": 1}, {"status": "pending"}]
)
def test_any_sign_of_life_counts(change: dict[str, object]) -> None:
    watch, clock = watching(deadline=600, stall=30)
    watch.observe(polled())
    clock.now += 29
    watch.observe(Job(**{"job_id": JOB_ID, "status": "processing", "total": 27, **change}))  # type: ignore[arg-type]
    clock.now += 29
    assert watch.observe(polled()) is not None


def test_a_cancelled_job_is_believed_after_a_while() -> None:
    watch, clock = watching(cancel_grace=10, interval=20, stall=50)
    assert watch.observe(polled("cancelled")) == 10
    clock.now += 10
    error = error_of(watch, polled("cancelled"))
    assert error.code == ErrorCode.JOB_CANCELLED
    assert error.outcome_unknown
    assert "It may go on all the same" in str(error)


def test_a_cancelled_job_that_goes_on_is_watched_on() -> None:
    watch, clock = watching(cancel_grace=10, interval=5, growth=1, stall=500)
    watch.observe(polled("cancelled"))
    clock.now += 9
    assert watch.observe(polled("processing")) == 5
    clock.now += 9
    assert watch.observe(polled("cancelled")) == 5
    clock.now += 9
    assert watch.observe(polled("cancelled")) == 1


STATUSES = st.sampled_from(["pending", "processing", "cancelled", "paused"])


@given(
    st.lists(st.tuples(STATUSES, st.integers(0, 27), st.floats(0, 50)), max_size=40),
    st.floats(0, 1),
)
def test_a_watch_never_polls_later_than_its_deadline(
    steps: list[tuple[str, int, float]], chance: float
) -> None:
    watch, clock = watching(chance=chance, deadline=100, stall=60, cancel_grace=20)
    begun = clock.now
    for delay in _delays(watch, clock, steps):
        assert 0 < delay <= 20
        assert clock.now + delay <= begun + 100 + 1e-6


def _delays(watch: JobWatch, clock: Clock, steps: list[tuple[str, int, float]]) -> Iterator[float]:
    for status, current, pause in steps:
        clock.now += pause
        try:
            delay = watch.observe(polled(status, current))
        except JobError:
            return
        assert delay is not None
        yield delay


@pytest.mark.parametrize(
    "moved", [{"current": 1}, {"total": 26}, {"percentage": 1.0}, {"task": "x"}, {"status": "new"}]
)
def test_anything_that_changes_is_movement(moved: dict[str, Any]) -> None:
    watch, clock = watching(deadline=600, stall=30)
    job = polled()
    watch.observe(job)
    clock.now += 20
    watch.observe(evolve(job, **moved))
    clock.now += 20
    assert watch.observe(evolve(job, **moved)) is not None
    clock.now += 10
    assert error_of(watch, evolve(job, **moved)).code == ErrorCode.JOB_STRANDED


def away(*, retryable: bool = True) -> CharacterLibraryError:
    return CharacterLibraryError("away", code=ErrorCode.UNAVAILABLE, retryable=retryable)


def test_a_missed_poll_is_waited_for_and_the_last_one_told_again() -> None:
    watch, clock = watching(interval=2, growth=2, interval_max=10, deadline=100, stall=30)
    assert watch.missed(away()) == (2, Job(job_id=JOB_ID, status="pending", task=AWAY))
    watch.observe(polled(current=3, task="Drawing"))
    assert watch.missed(away()) == (8, polled(current=3, task=AWAY))
    # The last look falls on the end of the time.
    clock.now += 25
    assert watch.missed(away())[0] == 5
    clock.now += 5
    with pytest.raises(CharacterLibraryError, match="away"):
        watch.missed(away())


def test_a_missed_poll_does_not_move_the_deadline() -> None:
    watch, clock = watching(interval=2, deadline=10, stall=30)
    clock.now += 9
    assert watch.missed(away())[0] == 1
    clock.now += 1
    with pytest.raises(CharacterLibraryError):
        watch.missed(away())


def test_what_waiting_does_not_mend_is_not_waited_for() -> None:
    watch, _ = watching()
    with pytest.raises(CharacterLibraryError):
        watch.missed(away(retryable=False))


def test_a_failed_job_says_how_far_it_had_come() -> None:
    error = error_of(watching()[0], polled("failed", 26, error="Image File"))
    assert error.code == ErrorCode.JOB_FAILED
    assert (
        "failed at 26 of 27; server_message says why. What it had drawn by then is paid for"
        in str(error)
    )
    assert error.server_message == "Image File"
