"""Settings that make no sense are refused when they are made."""

from __future__ import annotations

import math
from typing import Any

import pytest

from charimg import DownloadLimits, InvalidArgument, JobPolicy, RetryPolicy, Timeouts


@pytest.mark.parametrize("policy", [DownloadLimits, JobPolicy, RetryPolicy, Timeouts])
def test_the_defaults_are_accepted(policy: Any) -> None:
    assert policy() == policy()


@pytest.mark.parametrize(
    ("policy", "setting", "words"),
    [
        (RetryPolicy, {"attempts": 0}, "RetryPolicy.attempts must be a whole number of at least 1"),
        (RetryPolicy, {"attempts": 1.5}, "must be a whole number"),
        (RetryPolicy, {"attempts": True}, "must be a whole number"),
        (RetryPolicy, {"attempts": "4"}, "not '4'"),
        (RetryPolicy, {"timeout": 0}, "must be a number above 0, not 0"),
        (RetryPolicy, {"wait_initial": -1}, "must be a number of at least 0"),
        (RetryPolicy, {"wait_max": math.nan}, "not nan"),
        (Timeouts, {"read": -1}, "Timeouts.read must be a number above 0, not -1"),
        (Timeouts, {"generation": None}, "not None"),
        (JobPolicy, {"growth": 0.5}, "must be a number of at least 1"),
        (JobPolicy, {"jitter": 1.1}, "must be a number from 0 to 1"),
        (DownloadLimits, {"max_bytes": 0.5}, "must be a whole number of at least 1"),
        (DownloadLimits, {"foreign": "drop"}, "must be one of clean, refuse, keep, not 'drop'"),
        (DownloadLimits, {"foreign": None}, "DownloadLimits.foreign must be one of"),
        (DownloadLimits, {"max_redirects": -1}, "must be a whole number of at least 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    policy: Any, setting: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        policy(**setting)
    assert words in str(caught.value)


def test_no_limit_at_all_is_a_limit() -> None:
    assert JobPolicy(deadline=math.inf).deadline == math.inf


def test_a_set_may_have_many_times_the_images_of_a_real_one() -> None:
    assert JobPolicy().max_images == 1000
    with pytest.raises(InvalidArgument, match="max_images must be"):
        JobPolicy(max_images=0)


def test_what_images_may_be() -> None:
    limits = DownloadLimits()
    assert limits.formats == {"png", "jpeg", "webp", "avif"}
    assert (limits.max_bytes, limits.max_pixels) == (64 * 1024 * 1024, 100_000_000)
    assert limits.foreign == "clean"
