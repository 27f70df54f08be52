"""What to do about an error of the operating system."""

from __future__ import annotations

import errno
import os

import pytest

from charimg.stores._advice import advice


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "raise the quota"),
        (errno.EIO, "look into the system's log"),
        (errno.EROFS, "can be written to"),
        (errno.ENAMETOOLONG, "Choose a shorter path."),
        (errno.ENOTDIR, "choose another path"),
        (errno.EBADF, "Check the disk and the directory."),
    ],
)
def test_each_error_has_a_next_step(number: int, told: str) -> None:
    assert told in advice(OSError(number, os.strerror(number)))


def test_an_error_without_number() -> None:
    assert advice(OSError()) == "Check the disk and the directory."
