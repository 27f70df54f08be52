from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._library.retry import RetryDecision, parse_retry_after
from charimg.errors import CharacterLibraryError
from charimg.policies import RetryPolicy

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("1e9", None),
        ("soon", None),
        ("", None),
        ("٥", None),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 99 Nov 2026 11:00:00 GMT", None),
        ("Mon, 23 Nov 99999999999999999999 12:00:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, now=NOW) == seconds


@given(st.text())
def test_any_retry_after_is_read_or_ignored(header: str) -> None:
    seconds = parse_retry_after(header, now=NOW)
    assert seconds is None or seconds >= 0


def failed(retry_after: float | None = None, *, retryable: bool = True) -> CharacterLibraryError:
    return CharacterLibraryError("x", code="X", retryable=retryable, retry_after=retry_after)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_only_our_retryable_errors_are_repeated() -> None:
    decide = RetryDecision(RetryPolicy())
    assert decide(ValueError()) is False
    assert decide(failed(retryable=False)) is False
    assert (decide.failures, decide.last) == (0, None)
    error = failed()
    assert decide(error) is True
    assert (decide.failures, decide.last) == (1, error)


def test_retry_after_is_honoured_up_to_its_cap() -> None:
    decide = RetryDecision(RetryPolicy(retry_after_max=10, timeout=60))
    assert decide(failed(3.5)) == 3.5
    assert decide(failed(3600.0)) == 10
    zero = decide(failed(0.0))
    assert zero == 0.0
    assert zero is not False


def test_no_wait_reaches_beyond_the_time_for_all_attempts() -> None:
    clock = Clock()
    decide = RetryDecision(RetryPolicy(timeout=60, retry_after_max=30), clock=clock)
    clock.now += 30
    assert decide(failed(30.0)) == 30.0
    clock.now += 0.5
    assert decide(failed(30.0)) is False
    assert decide(failed(29.0)) == 29.0
