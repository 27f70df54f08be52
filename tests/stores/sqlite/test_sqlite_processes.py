"""Several real processes use one file at once; some of them are killed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charimg._owner import new_owner
from charimg.errors import GenerationInProgress
from charimg.stores.sqlite import SqliteDatabase, SqliteGenerationLedger, SqliteMetadataRepository

Start = Callable[..., "subprocess.Popen[str]"]

PROCESSES = 4
ROUNDS = 50

HEAD = """
from charimg._owner import new_owner
from charimg.errors import GenerationInProgress
from charimg.journal import Operation
from charimg.models import CharacterImage

database = SqliteDatabase(path, busy_timeout=600)
repository = SqliteMetadataRepository(database)
ledger = SqliteGenerationLedger(database)

def add(key, **changes):
    return repository.add(CharacterImage(
        key=key, character_id="mira", kind="scene", status="failed", **changes))
"""

COMPETE = (
    HEAD
    + """
name, log, rounds = arguments
say("ready")
input()
taken, shared = 0, []
for number in range(int(rounds)):
    add(f"{name}-{number}")
    shared.append(add(f"shared-{number}", prompt=name).prompt)
    try:
        lease = ledger.acquire("mira", owner=new_owner(), ttl=600)
    except GenerationInProgress:
        continue
    # Fails when another process holds the lease at this moment.
    os.close(os.open(log + ".held", os.O_CREAT | os.O_EXCL))
    with open(log, "a") as file:
        file.write(f"{lease.token}\\n")
    operation = Operation(id=f"op-{lease.token:06}", kind="scene", character_id="mira")
    ledger.write(operation, lease=lease)
    lease = ledger.renew(lease, ttl=600)
    os.unlink(log + ".held")
    ledger.release(lease)
    taken += 1
try:
    ledger.acquire("abel", owner=name, ttl=600)
    won = name
except GenerationInProgress:
    won = "-"
say(taken, won, *shared)
database.close()
"""
)


def _communicated(processes: list[subprocess.Popen[str]]) -> list[list[str]]:
    """Let the processes go at once, and return what each said at its end."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = []
    for process in processes:
        output, errors = process.communicate(timeout=600)
        assert errors == "", "no 'database is locked', no second holder"
        assert process.returncode == 0
        said.append(output.split())
    return said


def test_four_processes_write_and_compete(path: Path, tmp_path: Path, start: Start) -> None:
    log = tmp_path / "tokens.txt"
    names = [f"p{number}" for number in range(PROCESSES)]
    # The file is not there yet: they also compete for making it.
    said = _communicated([start(COMPETE, name, str(log), str(ROUNDS)) for name in names])
    assert list(path.parent.iterdir()) == [path], "the last one leaves a whole file alone"
    with SqliteDatabase(path) as database:
        repository, ledger = SqliteMetadataRepository(database), SqliteGenerationLedger(database)
        page = repository.list("mira", limit=1_000)
        expected = {f"{who}-{each}" for who in (*names, "shared") for each in range(ROUNDS)}
        assert {image.key for image in page.images} == expected, "no record is lost"
        assert page.total == len(page.images) == len(expected)
        for number in range(ROUNDS):
            first = repository.get(f"shared-{number}")
            assert first is not None
            told = {words[2 + number] for words in said}
            assert told == {first.prompt}, "all were given the one record of a key"
        tokens = [int(line) for line in log.read_text().split()]
        assert tokens == list(range(1, len(tokens) + 1)), "in time, each token is the next"
        assert len(tokens) == sum(int(words[0]) for words in said) >= 1
        written = [operation.id for operation in ledger.unfinished("mira")]
        assert written == [f"op-{token:06}" for token in tokens], "no operation is lost"
        winners = [words[1] for words in said if words[1] != "-"]
        assert len(winners) == 1, "one process alone holds a lease that is kept"
        with pytest.raises(GenerationInProgress) as caught:
            ledger.acquire("abel", owner="late", ttl=60)
        assert caught.value.holder == winners[0]


def test_a_killed_process_loses_nothing_it_has_committed(path: Path, start: Start) -> None:
    process = start(
        HEAD
        + """
ledger.acquire("mira", owner=new_owner(), ttl=3600)
for number in range(20):
    say(add(f"k{number}").key)
with database.writing() as connection:
    connection.execute("DELETE FROM images")
    say("open")
    input()
"""
    )
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(21)]
    assert said[-1] == "open"
    with SqliteDatabase(path) as database:
        ledger = SqliteGenerationLedger(database)
        process.kill()
        process.wait()
        lease = ledger.acquire("mira", owner=new_owner(), ttl=60)
        assert lease.token == 2, "its lease is taken over at once, and its lock is gone"
        images: Any = SqliteMetadataRepository(database).list("mira").images
    assert {image.key for image in images} == set(said[:-1])


def test_a_living_process_keeps_its_lease(path: Path, start: Start) -> None:
    process = start(HEAD + "ledger.acquire('mira', owner=new_owner(), ttl=3600)\nsay(1)\ninput()")
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    with SqliteDatabase(path) as database, pytest.raises(GenerationInProgress):
        SqliteGenerationLedger(database).acquire("mira", owner=new_owner(), ttl=60)
