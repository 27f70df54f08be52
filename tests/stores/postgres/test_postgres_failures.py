"""Errors of PostgreSQL that no test can bring about in a real server say what to do, too."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from charimg import StorageError
from charimg.stores.postgres.failures import translated


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (psycopg.errors.DiskFull, "Free some disk space on the server and try again."),
        (psycopg.errors.TooManyConnections, "Try again, or raise its limits."),
        (psycopg.errors.IoError, "look into the server's log."),
        (psycopg.errors.DataCorrupted, "restore from a backup if need be."),
    ],
)
def test_the_next_step_is_told(error: type[psycopg.Error], told: str) -> None:
    with pytest.raises(StorageError) as caught, translated("studio on db"):
        raise error("It failed.")
    assert str(caught.value).startswith("PostgreSQL studio on db: It failed. ")
    assert str(caught.value).endswith(told)
    cause: Any = caught.value.__cause__
    assert isinstance(cause, error)


def test_credentials_in_the_words_of_a_server_are_left_out() -> None:
    with pytest.raises(StorageError) as caught, translated("studio on db"):
        raise psycopg.OperationalError("no host in postgresql://u:SECRET@h/db?password=SECRET")
    assert "no host in postgresql://[…]@h/db?[…]. Is the server up" in str(caught.value)


def test_a_missing_password_is_not_told_as_a_server_that_is_away() -> None:
    said = 'connection to server at "db", port 5432 failed: fe_sendauth: no password supplied'
    with pytest.raises(StorageError) as caught, translated("studio on db"):
        raise psycopg.OperationalError(f"{said}\n")
    assert "no password supplied. Give one: in the URL, as PGPASSWORD" in str(caught.value)
    assert "reachable" not in str(caught.value)
