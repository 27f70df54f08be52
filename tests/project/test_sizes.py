"""No file grows past what one reads at a sitting."""

from __future__ import annotations

from .tools import ROOT

LIMITS = {"src": 450, "tests": 600}


def test_no_file_is_too_long() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for folder in LIMITS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(lengths) > 100
    assert {
        path: length for path, length in lengths.items() if length > LIMITS[path.partition("/")[0]]
    } == {}
