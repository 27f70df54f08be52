# Generated from tests/_async/test_library_repeats.py by tools/unasync.py. Do not edit.
"""Paid and destructive calls happen once, and reads are repeated."""

from __future__ import annotations

import logging

import httpx
import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from charimg import CharacterLibraryError, ErrorCode, RetryPolicy

from ..http.scripted import Reply, Scripted, failing, html, reply
from .canned import READS, WRITES, client_of, error_of

# Paid and destructive calls happen once

ONCE: list[tuple[Reply, str, bool]] = [
    (reply(status=500, body=b""), "INVALID_RESPONSE", True),
    (html(502), "UNAVAILABLE", True),
    (html(503), "UNAVAILABLE", True),
    (reply({"error": "x"}, status=429, headers={"retry-after": "0"}), "RATE_LIMITED", False),
    (reply({"error": "x"}, status=408), "TIMEOUT", False),
    (reply(body=b'{"success": true, "da'), "INVALID_RESPONSE", True),
    (html(200), "INVALID_RESPONSE", True),
    (failing(httpx.ReadTimeout("x")), "TIMEOUT", True),
    (failing(httpx.WriteTimeout("x")), "TIMEOUT", True),
    (failing(httpx.ReadError("x")), "UNAVAILABLE", True),
    (failing(httpx.RemoteProtocolError("x")), "UNAVAILABLE", True),
    (failing(httpx.ConnectError("x")), "UNAVAILABLE", False),
    (failing(httpx.ConnectTimeout("x")), "UNAVAILABLE", False),
    (failing(httpx.PoolTimeout("x")), "TIMEOUT", False),
]


@pytest.mark.parametrize("answer", ONCE, ids=range(len(ONCE)))
@pytest.mark.parametrize("name", WRITES)
def test_a_write_is_attempted_exactly_once(name: str, answer: tuple[Reply, str, bool]) -> None:
    failure, code, unknown = answer
    with stamina.set_testing(True, attempts=5):  # not even stamina's test mode repeats it
        error = error_of(WRITES[name][0], failure, retries=RetryPolicy(attempts=9))
    assert error.code == code
    assert error.outcome_unknown == unknown
    assert ("may have taken effect" in str(error)) == unknown


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_the_server_failed_at_is_attempted_exactly_once(name: str) -> None:
    failure = reply({"error": "boom"}, status=500)
    with stamina.set_testing(True, attempts=5):
        error = error_of(WRITES[name][0], failure, retries=RetryPolicy(attempts=9))
    assert (error.code, error.retryable) == ("SERVER_ERROR", False)
    # Only what draws may have been paid for.
    assert error.outcome_unknown == name.startswith("generate")
    assert ("may have been paid for" in str(error)) == error.outcome_unknown


# Reads are repeated

PASSING: list[Reply] = [
    reply({"error": "boom"}, status=500),
    html(502),
    reply(status=429, body=b""),
    reply(body=b'{"status": "o'),
    failing(httpx.ReadTimeout("x")),
    failing(httpx.ConnectError("x")),
    failing(httpx.RemoteProtocolError("x")),
]


@pytest.mark.parametrize("failure", PASSING, ids=range(len(PASSING)))
def test_a_read_is_repeated_until_it_succeeds(
    failure: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    server = Scripted(failure, failure, reply({"status": "ok"}))
    with caplog.at_level(logging.INFO, "charimg"):
        assert (client_of(server).health()).status == "ok"
    assert len(server.requests) == 3
    assert len({each.headers["x-request-id"] for each in server.requests}) == 1
    told = [vars(each) for each in caplog.records if each.message == "library.retry"]
    assert [each["attempt"] for each in told] == [2, 3]
    assert {each["path"] for each in told} == {"/api/health"}
    assert {each["request_id"] for each in told} == {server.requests[0].headers["x-request-id"]}


@pytest.mark.parametrize("name", READS)
def test_a_read_is_given_up_after_its_attempts(name: str) -> None:
    failure = html(502)
    error = error_of(READS[name][0], failure, failure, failure)
    assert (error.code, error.status_code) == (ErrorCode.UNAVAILABLE, 502)
    assert error.retryable
    assert not error.outcome_unknown


def test_retries_can_be_switched_off() -> None:
    with stamina.set_testing(True, attempts=5):
        error_of(READS["health"][0], html(502), retries=RetryPolicy.off())


def test_the_time_for_all_attempts_ends_them() -> None:
    slow = RetryPolicy(attempts=9, timeout=0.02, wait_initial=0.03, wait_max=1, wait_jitter=0)
    server = Scripted(*[html(502)] * 3)
    with pytest.raises(CharacterLibraryError):
        client_of(server, retries=slow).health()
    assert len(server.requests) < 3


def test_an_attempt_that_took_all_the_time_is_the_last() -> None:
    server = Scripted(html(502))
    with pytest.raises(CharacterLibraryError):
        client_of(server, retries=RetryPolicy(attempts=9, timeout=1e-9)).health()
    assert len(server.requests) == 1


def test_a_first_attempt_counts_among_the_attempts() -> None:
    server = Scripted(*[html(502)] * 3)
    policy = RetryPolicy(attempts=3, wait_initial=0, wait_jitter=0)
    with pytest.raises(CharacterLibraryError):
        client_of(server, retries=policy).health()
    assert len(server.requests) == 3


@pytest.mark.parametrize(("header", "wait"), [("3600", 0.01), ("0.005", 0.005), (None, 0.0)])
def test_retry_after_is_honoured_up_to_its_cap(header: str | None, wait: float) -> None:
    waits: list[float] = []

    def remember(details: RetryDetails) -> None:
        waits.append(details.wait_for)

    policy = RetryPolicy(
        attempts=3, wait_initial=0, wait_max=0, wait_jitter=0, retry_after_max=0.01
    )
    busy = reply({}, status=429, headers={} if header is None else {"retry-after": header})
    server = Scripted(busy, busy, reply({"status": "ok"}))
    set_on_retry_hooks([remember])
    try:
        client_of(server, retries=policy).health()
    finally:
        set_on_retry_hooks(None)
    assert waits == pytest.approx([wait, wait])


NOT_FOUND: list[Reply] = [
    reply({"error": "Not Found"}, status=500),
    reply({"error": "Image generation failed", "details": "Not Found"}, status=500),
    reply({"error": "Failed to fetch character"}, status=500),
]


@pytest.mark.parametrize("failure", NOT_FOUND, ids=range(len(NOT_FOUND)))
def test_a_500_that_means_not_found_is_not_repeated(failure: Reply) -> None:
    error = error_of(READS["get_character"][0], failure)
    assert error.code == ErrorCode.NOT_FOUND
    assert error.status_code == 500
    assert not error.retryable
    assert "library_db_id" in str(error)


@pytest.mark.parametrize("failure", [reply({"error": "no"}, status=401), html(200), html(404)])
def test_what_cannot_pass_is_not_repeated(failure: Reply) -> None:
    assert not (error_of(READS["health"][0], failure)).retryable
