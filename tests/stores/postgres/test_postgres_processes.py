"""Several processes share one PostgreSQL, and some of them are killed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import charimg
from charimg import CharacterImageService, CharacterLibrary, CharacterReference
from charimg._assembly.settings import StoreSettings
from charimg._assembly.stores import open_stores
from charimg.testing import Simulator, SimulatorServer, serve

from ...crash import invariants
from ...figures import Figure
from ...race.contender import ACTS, LEASE_SECONDS
from ...race.test_processes import EXPECTED, WEIGHTS
from ...servers.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[3]
PROCESSES = 8
ROUNDS = 150
KILLED_IN = 6
"""In one round of so many, a process is killed."""
WHOM = ("lena", "bo")
SCORE = """
CREATE TABLE charimg.score_writes (operation text, token bigint);
CREATE TABLE charimg.score_doubles (image text);
CREATE FUNCTION charimg.note_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO charimg.score_writes
        SELECT NEW.id, token FROM charimg.leases WHERE character_id = NEW.character_id;
    RETURN NULL;
END $$;
CREATE TRIGGER score AFTER INSERT OR UPDATE ON charimg.operations
    FOR EACH ROW EXECUTE FUNCTION charimg.note_write();
CREATE FUNCTION charimg.note_double() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.kind = 'reference' AND 1 < (SELECT count(*) FROM charimg.images
        WHERE character_id = NEW.character_id AND kind = 'reference') THEN
        INSERT INTO charimg.score_doubles VALUES (NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER score AFTER INSERT ON charimg.images
    FOR EACH ROW EXECUTE FUNCTION charimg.note_double();
"""


class Crowd:
    """The processes, and what they told."""

    def __init__(self, where: Path, url: str, server: SimulatorServer) -> None:
        self.root, self.tmp = where / "data", where / "tmp"
        self.tmp.mkdir()
        self.url = url
        self.server = server
        self.written: Counter[tuple[str, int]] = Counter()
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.texts: dict[str, str] = {}
        self.refused = self.killed = self.asked = 0
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, number: int) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if "COV" not in name}
        source = Path(charimg.__file__).parents[1]
        environment["PYTHONPATH"] = os.pathsep.join([str(source), str(ROOT)])
        environment["CHARIMG_METADATA"] = self.url
        arguments = [f"p{number}", str(self.root), self.server.url, str(self.tmp)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.race.contender", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )

    def ready(self, process: subprocess.Popen[str]) -> subprocess.Popen[str]:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def round(self, number: int, chance: random.Random) -> None:
        """Let each process do something to one of the characters; kill one now and then."""
        acts = chance.choices(list(ACTS), [WEIGHTS[act] for act in ACTS], k=PROCESSES)
        for process, act in zip(self.processes, acts, strict=True):
            task = {"round": number, "act": act, "ahead": 0.0, "whom": chance.choice(WHOM)}
            assert process.stdin is not None
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
        victim = None
        if number % KILLED_IN == 0:
            victim = chance.randrange(PROCESSES)
            # When, in its work, is up to the machine: a wait for nothing in particular.
            try:
                self.processes[victim].wait(chance.random() * 0.05)
            except subprocess.TimeoutExpired:
                self.processes[victim].kill()
        for index, (process, act) in enumerate(zip(self.processes, acts, strict=True)):
            assert process.stdout is not None
            line = process.stdout.readline()
            if line:
                self.note(act, json.loads(line))
            else:
                assert index == victim
        if victim is not None:
            self.killed += 1
            self.processes[victim].communicate()
            self.processes[victim] = self.ready(self.start(victim))

    def note(self, act: str, told: dict[str, Any]) -> None:
        self.written.update((operation, token) for operation, token in told["written"])
        if told["said"] == "refused":
            self.refused += 1
            self.asked += told["requests"]
        elif told["said"] in (None, "retried"):
            self.done[act] += 1
        else:
            self.errors[told["said"]] += 1
            self.texts[told["said"]] = told["text"]

    @contextmanager
    def service(self) -> Iterator[CharacterImageService]:
        with (
            open_stores(StoreSettings.from_env(self.root)) as stores,
            CharacterLibrary(self.server.url) as library,
            CharacterImageService(
                library=library,
                directory=stores.directory,
                media=stores.media,
                metadata=stores.metadata,
                ledger=stores.ledger,
                lease_seconds=LEASE_SECONDS,
            ) as service,
        ):
            yield service


@pytest.fixture
def crowd(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    monkeypatch.setenv("CHARIMG_METADATA", url)
    with serve(Simulator()) as server:
        server.simulator.switches.shots = 1
        made = Crowd(tmp_path, url, server)
        with made.service() as service:
            for whom in WHOM:
                db_id = server.simulator.add_character(name=whom)
                service.put_character(CharacterReference(id=whom, name=whom, library_db_id=db_id))
        with psycopg.connect(url) as connection:
            connection.execute(SCORE)
        made.processes = [made.start(number) for number in range(PROCESSES)]
        for process in made.processes:
            made.ready(process)
        yield made
        for process in made.processes:
            process.kill()
            process.communicate()


@pytest.mark.long
def test_eight_processes_share_two_characters_and_some_are_killed(
    crowd: Crowd, postgres_server: PostgresServer, figure: Figure
) -> None:
    chance = random.Random(8)
    switches = crowd.server.simulator.switches
    for number in range(ROUNDS):
        switches.lost_answers = int(number % 6 == 1)
        switches.html_files = int(number % 10 == 3)
        crowd.round(number, chance)
    unexpected = crowd.errors.keys() - {*EXPECTED, "error"}
    assert not unexpected, "\n".join(
        [*(crowd.texts[said] for said in unexpected), *map(repr, postgres_server.said)]
    )
    with psycopg.connect(crowd.url) as connection:
        rows = connection.execute("SELECT operation, token FROM charimg.score_writes").fetchall()
        doubles = connection.execute("SELECT image FROM charimg.score_doubles").fetchall()
    stale = crowd.written - Counter(rows)
    assert not stale, "every write was made by the holder of the lease"
    assert doubles == [], "at no moment had a character two references"
    assert crowd.asked == 0, "whoever is refused has asked the Library nothing"
    switches.lost_answers = switches.html_files = 0
    with crowd.service() as service:
        service.recover()
        facts = invariants.read_facts(service, WHOM)
        service.recover()
        again = invariants.read_facts(service, WHOM)
    assert invariants.violations(facts, one_reference=True) == []
    assert invariants.changes(facts, again) == []
    assert crowd.refused > 0
    assert crowd.done.keys() == set(ACTS)
    figure(
        f"races on PostgreSQL, {PROCESSES} processes x {ROUNDS} rounds on two characters",
        f"{crowd.done.total()} acts done, {crowd.killed} processes killed, {crowd.refused} refused "
        f"with {crowd.asked} remote calls, {sum(stale.values())} stale commits among "
        f"{len(rows)}, {len(doubles)} times two references, 0 violations",
    )
