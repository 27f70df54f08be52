"""What shares a server or a module runs on one worker."""

from __future__ import annotations

import pytest

from .sharing import share, takes_long


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tests/test_json.py::test_a", "tests/test_json.py::test_b[1]"),
        (
            "tests/stores/payload/test_a.py::TestMongo::test_a",
            "tests/stores/payload/test_b.py::test_b",
        ),
        (
            "tests/_sync/test_combinations.py::test_a__b[payload-1]",
            "tests/_sync/test_combinations.py::test_c__d[payload-long]",
        ),
    ],
)
def test_what_shares_something_is_one_share(one: str, other: str) -> None:
    assert share(one) == share(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tests/test_json.py::test_a", "tests/test_plain.py::test_a"),
        ("tests/crash/test_kills.py::test_a[1]", "tests/crash/test_kills.py::test_a[2]"),
        (
            "tests/_sync/test_combinations.py::test_a__b[payload]",
            "tests/_sync/test_combinations.py::test_a__b[disk_and_sqlite]",
        ),
        (
            "tests/_sync/test_combinations.py::test_a__b[payload]",
            "tests/_async/test_combinations.py::test_a__b[s3_and_postgres]",
        ),
    ],
)
def test_what_shares_nothing_is_apart(one: str, other: str) -> None:
    assert share(one) != share(other)


def test_what_needs_no_server_does_not_wait_for_one_worker() -> None:
    ids = [f"tests/_sync/test_combinations.py::test_a__{n}[disk_and_sqlite]" for n in range(100)]
    assert len({share(each) for each in ids}) > 3


def test_what_keeps_a_worker_busy_is_first() -> None:
    assert takes_long("tests/crash/test_kills.py::test_a[1]")
    assert takes_long("tests/_sync/test_combinations.py::test_a__b[payload]")
    assert not takes_long("tests/_sync/test_combinations.py::test_a__b[disk_and_sqlite]")
    assert not takes_long("tests/test_json.py::test_a")
