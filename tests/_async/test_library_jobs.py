"""Waiting for a job, and watching it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from charimg import CharacterLibraryError, ErrorCode, JobError, JobPolicy, RetryPolicy

from ..http.scripted import Reply, Scripted, failing, html, reply
from ..library.helpers import JOB_ID
from .canned import JOB, client_of

pytestmark = pytest.mark.anyio


def poll(status: str, current: int = 0, **more: Any) -> Reply:
    """Answer with a job."""
    progress = {"current": current, "total": 27, "percentage": 0}
    return reply({"success": True, "jobId": JOB_ID, "status": status, "progress": progress} | more)


QUICK = JobPolicy(interval=0.001, growth=2, interval_max=0.004, jitter=0, deadline=5, stall=5)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Take the place of sleeping; what was slept."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("charimg._async.library_sets.asleep", note)
    return waits


async def test_waiting_tells_of_every_poll(slept: list[float]) -> None:
    server = Scripted(
        poll("pending"), poll("processing", 3), poll("paused", 4), poll("completed", 27)
    )
    seen: list[tuple[str, int]] = []
    job = await client_of(server).wait_for_job(
        JOB_ID, policy=QUICK, on_progress=lambda job: seen.append((job.status, job.current))
    )
    assert job.finished
    assert seen == [("pending", 0), ("processing", 3), ("paused", 4), ("completed", 27)]
    assert slept == [0.001, 0.002, 0.004]
    assert server.lines == [f"GET {JOB}"] * 4


async def test_intervals_are_jittered_by_default(slept: list[float]) -> None:
    server = Scripted(*[poll("processing", n) for n in range(6)], poll("completed"))
    await client_of(server).wait_for_job(JOB_ID)
    assert len(slept) == 6
    for wait, most in zip(slept, [2, 3, 4.5, 6.75, 10.125, 15.1875], strict=True):
        assert most * 0.75 <= wait <= most
    assert slept != [2, 3, 4.5, 6.75, 10.125, 15.1875]


async def test_watching_yields_every_poll(slept: list[float]) -> None:
    server = Scripted(poll("processing", 1), poll("completed", 27))
    seen = [job.current async for job in client_of(server).watch_job(JOB_ID, policy=QUICK)]
    assert seen == [1, 27]
    assert slept == [0.001]


async def test_a_server_that_is_away_for_a_while_is_waited_for(slept: list[float]) -> None:
    server = Scripted(
        failing(httpx.ConnectError("x")), poll("processing", 3), html(502), poll("completed", 27)
    )
    client = client_of(server, retries=RetryPolicy.off())
    seen = [(job.current, job.task) async for job in client.watch_job(JOB_ID, policy=QUICK)]
    away = "Waiting for the connection to the Character Library"
    assert seen == [(0, away), (3, None), (3, away), (27, None)]
    assert slept == [0.001, 0.002, 0.004]


@pytest.mark.parametrize("answer", [reply({"error": "x"}, status=401), html(502)])
async def test_what_no_waiting_mends_ends_the_watch(answer: Reply) -> None:
    client = client_of(Scripted(poll("processing"), *[answer] * 100), retries=RetryPolicy.off())
    policy = JobPolicy(interval=0.001, interval_max=0.002, stall=0.02)
    with pytest.raises(CharacterLibraryError) as caught:
        await client.wait_for_job(JOB_ID, policy=policy)
    assert caught.value.code in (ErrorCode.UNAUTHORIZED, ErrorCode.UNAVAILABLE)


async def wait_error(*replies: Reply, **policy: float) -> JobError:
    given = {"interval": 0.001, "interval_max": 0.002, **policy}
    server = Scripted(*replies)
    with pytest.raises(JobError) as caught:
        await client_of(server).wait_for_job(JOB_ID, policy=JobPolicy(**given))
    assert caught.value.job_id == JOB_ID
    return caught.value


async def test_a_job_that_fails() -> None:
    error = await wait_error(poll("processing"), poll("failed", error="All shots failed"))
    assert error.code == ErrorCode.JOB_FAILED
    assert error.server_message == "All shots failed"


async def test_a_job_that_never_ends_is_stranded() -> None:
    polls = [poll("processing", n) for n in range(100)]
    error = await wait_error(*polls, deadline=0.01)
    assert error.code == ErrorCode.JOB_STRANDED
    assert "did not end within 0.01 s" in str(error)
    error = await wait_error(*[poll("processing", 3)] * 100, stall=0.01)
    assert error.code == ErrorCode.JOB_STRANDED
    assert "has not moved for 0.01 s" in str(error)


async def test_a_cancelled_job_usually_goes_on(slept: list[float]) -> None:
    server = Scripted(poll("cancelled", 1), poll("processing", 2), poll("completed", 27))
    job = await client_of(server).wait_for_job(JOB_ID, policy=QUICK)
    assert job.status == "completed"


async def test_a_job_that_stays_cancelled() -> None:
    error = await wait_error(*[poll("cancelled", 1)] * 100, cancel_grace=0.01)
    assert error.code == ErrorCode.JOB_CANCELLED


async def test_an_unknown_job_is_no_failed_job() -> None:
    unknown = reply({"success": False, "status": "failed", "error": "Job not found"}, status=404)
    error = await wait_error(unknown)
    assert (error.code, error.status_code) == (ErrorCode.NOT_FOUND, 404)


async def test_a_poll_that_breaks_is_repeated(slept: list[float]) -> None:
    server = Scripted(
        html(502), poll("processing"), failing(httpx.ReadError("x")), poll("completed")
    )
    assert (await client_of(server).wait_for_job(JOB_ID, policy=QUICK)).finished
