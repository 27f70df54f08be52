"""What to do about an error of the operating system."""

from __future__ import annotations

import errno

__all__ = ["advice"]

_ACCESS = "Let this process read and write there."
_ADVICE = {
    errno.ENOSPC: "Free some space and try again.",
    errno.EDQUOT: "Free some space or raise the quota, and try again.",
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: "Choose a directory that can be written to.",
    errno.EMFILE: "Close files or raise the limit of open files.",
    errno.EIO: "The disk or its connection fails: look into the system's log, save what is "
    "readable, and use another disk.",
    errno.ENAMETOOLONG: "Choose a shorter path.",
    errno.ENOTDIR: "A part of the path is a file; choose another path.",
}


def advice(error: OSError) -> str:
    """Return one sentence, also for an error that nobody foresaw."""
    return _ADVICE.get(error.errno or 0, "Check the disk and the directory.")
