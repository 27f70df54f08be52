"""The 360° set and its job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from attrs import evolve

from .characters import pages, parse_object
from .drawing import draw
from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .shots import SHOTS, ReferenceShot
from .state import Job, MediaFile, State, now_text, stem_of
from .switches import Switches

__all__ = ["advance", "draw_shot", "job_status", "list_jobs", "portfolio_set"]

DEAD = "http://media.invalid/media"
"""Where job results point to; ``.invalid`` never resolves (RFC 2606)."""


def portfolio_set(
    state: State, switches: Switches, base: str, request: SimulatedRequest, db_id: str, now: float
) -> SimulatedResponse:
    """``POST …/generate-360-set``."""
    if request.method != "POST":
        return SimulatedResponse(status=405)
    try:
        given = parse_object(request.body)
    except ValueError as error:
        return _failed(500, str(error))
    character = state.characters.get(db_id)
    if character is None:
        return _failed(500, "Not Found")
    reference = state.media.get(character.reference or "")
    if reference is None or not reference.read:
        return _failed(400, "Character must have a master reference image for 360° generation")
    if switches.take("set360_errors"):
        return _failed(500, "Failed to start the 360° generation")
    shots = SHOTS[: switches.shots]
    attempts = given.get("maxRetries")
    failing = tuple(shot for shot in reversed(shots) if switches.take("failing_shots"))
    # From the third on, as recorded.
    rest = [shot for shot in (*shots[2:], *shots[:2]) if shot not in failing]
    job = Job(
        id=state.new_uuid(),
        character_id=character.id,
        begun=now,
        created=now_text(switches.clock_offset),
        stem=stem_of(character.fields["name"]),
        prompt=reference.prompt,
        subject=reference.subject,
        quality=switches.quality_score,
        consistency=switches.consistency_score,
        shots=shots,
        failing=failing,
        lost=tuple(shot for shot in rest if switches.take("lost_shots")),
        attempts=attempts if type(attempts) is int else 2,
        fails=switches.fail_jobs,
    )
    if switches.set360_mode == "images":
        _finish(state, switches, job, now)
        return _at_once(state, switches, base, job)
    state.jobs[job.id] = job
    done = datetime.now(UTC) + timedelta(seconds=30 * len(shots))
    return json_response(
        202,
        {
            "success": True,
            "jobId": job.id,
            "status": "accepted",
            "message": f"360° image generation job started. Generating {len(shots)} images.",
            "estimatedCompletionTime": done.isoformat(timespec="milliseconds").replace(
                "+00:00", "Z"
            ),
            "pollUrl": f"/api/v1/jobs/{job.id}/status",
        },
    )


def _failed(status: int, error: str) -> SimulatedResponse:
    return json_response(status, {"success": False, "status": "failed", "error": error})


def _at_once(state: State, switches: Switches, base: str, job: Job) -> SimulatedResponse:
    if job.ended == "failed":
        return _failed(500, job.error or "")
    return json_response(
        200,
        {
            "success": True,
            "status": "completed",
            "images": _results(state, switches, base, job),
            "failedImages": _failures(job),
            "totalImages": len(job.images),
        },
    )


def advance(state: State, switches: Switches, now: float) -> None:
    """Carry out what every job has done by now, and the end of those whose time has come."""
    for job in state.jobs.values():
        if job.ended is not None:
            continue
        if switches.strand_jobs:
            if job.stranded is None:
                _strand(state, switches, job, now)
            continue
        job.stranded = None
        if now - job.begun >= switches.job_seconds:
            _finish(state, switches, job, now)
        else:
            _draw_until(state, switches, job, _current(job, switches, now), now)


def _current(job: Job, switches: Switches, now: float) -> int:
    """Return through how many shots a job is that is not done."""
    if job.stranded is not None:
        return job.stranded
    seconds = switches.job_seconds
    share = 0.5 if seconds == 0 else (now - job.begun) / seconds
    return min(len(job.shots) - 1, max(job.done, int(len(job.shots) * share)))


def _strand(state: State, switches: Switches, job: Job, now: float) -> None:
    """Stop a job where it is. The shot that it is at is there, too, and will not be read."""
    job.stranded = _current(job, switches, now)
    _draw_until(state, switches, job, job.stranded + 1, now)
    last = state.media.get(job.images[-1]) if job.images else None
    if last is not None and last.shot is job.shots[job.stranded]:
        state.keep(evolve(last, reading="processing"))


def _draw_until(state: State, switches: Switches, job: Job, count: int, now: float) -> None:
    """Draw the shots up to a number, each at its time."""
    for media_id in job.images:
        # What was being read when the server stopped.
        state.keep(evolve(state.media[media_id], reading="validation_success"))
    for index in range(job.done, count):
        shot = job.shots[index]
        if not (job.fails or shot in job.failing or shot in job.lost):
            due = job.begun + switches.job_seconds * (index + 1) / len(job.shots)
            # By a clock that is moved, not before it was asked for.
            created = max(job.created, now_text(switches.clock_offset - max(0.0, now - due)))
            stem = shot.file_name(job.stem, 1)
            media = draw_shot(
                state,
                switches,
                shot,
                partial(state.name, stem, created),
                created=created,
                prompt=job.prompt,
                subject=job.subject,
                quality=job.quality,
                consistency=job.consistency,
            )
            job.images.append(state.keep(media).id)
    job.done = max(job.done, count)


def _finish(state: State, switches: Switches, job: Job, now: float) -> None:
    _draw_until(state, switches, job, len(job.shots), now)
    character = state.characters.get(job.character_id)
    job.completed = now_text(switches.clock_offset)
    if character is None:
        job.error = "Not Found"
    elif job.fails or not (job.images or job.lost):
        job.error = "No images were successfully generated"
    elif job.lost:
        drawn = [shot for shot in job.shots if shot not in job.failing]
        fields = [
            f"Reference Image Gallery > Character Image Gallery {number} > Image File"
            for number, shot in enumerate(drawn, 1)
            if shot in job.lost
        ]
        these = "fields are" if len(fields) > 1 else "field is"
        job.error = f"The following {these} invalid: {', '.join(fields)}"
    else:
        # Success replaces the whole gallery: other shots, scenes and all.
        character.gallery = list(job.images)
    job.ended = "completed" if job.error is None else "failed"


def draw_shot(
    state: State,
    switches: Switches,
    shot: ReferenceShot,
    named: Callable[[str], str],
    **fields: Any,
) -> MediaFile:
    """Draw a shot, which lies nowhere yet.

    Args:
        state: What the server holds.
        switches: Its failures.
        shot: The shot.
        named: Makes the name of its file from an extension.
        **fields: Further fields of the file; ``subject`` decides the looks.
    """
    media_id = state.new_id()
    lying = switches.misnamed_files
    webp = lying and int(media_id[-1], 16) % 3 == 0
    form = "WEBP" if webp else "JPEG"
    drawing = draw(fields["subject"], shot.name, shot, form, width=switches.width)
    name = named(".png" if lying else drawing.extension)
    return MediaFile(
        id=media_id,
        name=name,
        data=drawing.data,
        mime_type="image/jpeg" if lying else drawing.mime_type,
        width=drawing.width,
        height=drawing.height,
        alt=f"Generated reference image: {name}",
        shot=shot,
        **fields,
    )


def _results(state: State, switches: Switches, base: str, job: Job) -> list[dict[str, Any]]:
    found = []
    for media_id in job.images:
        media = state.media[media_id]
        dead = f"{DEAD}/{media_id}"
        found.append(
            {
                "url": dead if switches.dead_result_urls else f"{base}/media/{media.name}",
                "angle": "" if media.shot is None else media.shot.name,
                "mediaId": media_id,
                "quality": media.quality,
                "dinoAssetId": "",
            }
        )
    return found


def _failures(job: Job) -> list[dict[str, Any]]:
    return [
        {
            "angle": shot.name,
            "error": 'Fal.ai API error: 422 - {"detail":"flagged"}',
            "attempts": job.attempts,
        }
        for shot in reversed(job.failing)
    ]


def job_status(
    state: State, switches: Switches, base: str, request: SimulatedRequest, job_id: str, now: float
) -> SimulatedResponse:
    """``GET`` and ``DELETE /api/v1/jobs/{id}/status``."""
    if request.method not in ("GET", "DELETE"):
        return SimulatedResponse(status=405)
    job = state.jobs.get(job_id)
    if request.method == "DELETE":
        return _cancel(job)
    if job is None:
        return json_response(
            404,
            {
                "success": False,
                "jobId": job_id,
                "status": "failed",
                "progress": {"current": 0, "total": 0, "percentage": 0},
                "error": "Job not found",
            },
        )
    row = _row(job, switches, now)
    status = row["status"]
    answer: dict[str, Any] = {
        "success": True,
        "jobId": job.id,
        "status": status,
        "progress": row["progress"],
        "startedAt": job.created,
    }
    task = row["progress"]["currentTask"]
    if job.ended is not None:
        answer["completedAt"] = job.completed
    if status == "completed":
        answer["results"] = {
            "success": True,
            "failedImages": _failures(job),
            "totalAttempts": len(job.images) + job.attempts * len(job.failing),
            "processingTime": 0,
            "generatedImages": _results(state, switches, base, job),
        }
        answer["message"] = f"Job completed successfully. Generated {len(job.images)} images."
    elif status == "failed":
        answer["error"] = job.error
        answer["message"] = "Job failed. Please check the error details."
    elif status == "cancelled":
        job.seen_cancelled = True
        answer["message"] = "Job was cancelled."
    elif status == "pending":
        answer["message"] = "Job is queued and will start processing soon."
    else:
        if row["progress"]["current"] and not job.cancelled_once and job.stranded is None:
            answer["estimatedCompletionAt"] = now_text()
        answer["message"] = f"Job is processing. {task}"
    return json_response(200, answer)


def _cancel(job: Job | None) -> SimulatedResponse:
    if job is None:
        return json_response(404, {"success": False, "message": "Job not found"})
    if job.ended is not None:
        return json_response(
            400, {"success": False, "message": f"Cannot cancel job with status: {job.ended}"}
        )
    if job.cancelled_once or job.stranded is not None:
        message = "Job was not actively running, but marked as cancelled"
        return json_response(200, {"success": False, "message": message})
    # Cosmetic: the next poll says "cancelled", and the job goes on.
    job.cancelled_once = True
    return json_response(200, {"success": True, "message": "Job cancelled successfully"})


def _row(job: Job, switches: Switches, now: float) -> dict[str, Any]:
    """Return how far the job has come: ``status`` and ``progress``."""
    total = len(job.shots)
    current = _current(job, switches, now)
    task = f"Generating {job.shots[current].name}"
    status = "processing"
    if job.ended == "completed":
        status, current, task = "completed", total, "Completed"
    elif job.ended == "failed":
        status, current = "failed", total - 1
        task = f"Generating {job.shots[-1].name}"
    elif job.cancelled_once and not job.seen_cancelled:
        status = "cancelled"
    elif job.done == 0 and job.stranded is None and now - job.begun < 0.02 * switches.job_seconds:
        status, current, task = "pending", 0, "Initializing..."
    return {
        "status": status,
        "progress": {
            "current": current,
            "total": total,
            "percentage": round(100 * current / total),
            "currentTask": task,
        },
    }


def list_jobs(
    state: State, switches: Switches, request: SimulatedRequest, now: float
) -> SimulatedResponse:
    """``GET /api/v1/jobs``: newest first."""
    if request.method != "GET":
        return SimulatedResponse(status=405)
    wanted, status = request.query.get("characterId"), request.query.get("status")
    found = []
    for job in reversed(state.jobs.values()):
        row = _row(job, switches, now)
        if wanted in (None, job.character_id) and status in (None, row["status"]):
            ended = {} if job.completed is None else {"completedAt": job.completed}
            found.append(
                {
                    "jobId": job.id,
                    "characterId": job.character_id,
                    "jobType": "360-set",
                    **row,
                    "createdAt": job.created,
                    "startedAt": job.created,
                    **ended,
                }
            )
    jobs, paging = pages(found, request.query)
    return json_response(200, {"success": True, "jobs": jobs, "pagination": paging})
