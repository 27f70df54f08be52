"""Lets several processes compete on one directory and one served Library, and judges what is left.

SQLite itself keeps the score: triggers note, in the very transaction, under which lease an
operation was written, and whether a character had two references for a moment.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

import charimg
from charimg import CharacterImageService, CharacterReference
from charimg.testing import Simulator, SimulatorServer, serve

from .contender import LEASE_SECONDS, LENA

__all__ = ["Arena", "Score", "arena"]

_ROOT = Path(__file__).resolve().parents[2]
_SCORE = """
CREATE TABLE score_writes (operation TEXT, token INTEGER);
CREATE TABLE score_doubles (image TEXT);
CREATE TRIGGER score_insert AFTER INSERT ON operations BEGIN
    INSERT INTO score_writes
        SELECT NEW.id, token FROM leases WHERE character_id = NEW.character_id;
END;
CREATE TRIGGER score_update AFTER UPDATE ON operations BEGIN
    INSERT INTO score_writes
        SELECT NEW.id, token FROM leases WHERE character_id = NEW.character_id;
END;
CREATE TRIGGER score_images AFTER INSERT ON images WHEN NEW.kind = 'reference' AND 1 < (
    SELECT count(*) FROM images WHERE character_id = NEW.character_id AND kind = 'reference'
) BEGIN
    INSERT INTO score_doubles VALUES (NEW.id);
END;
"""


@define
class Score:
    """What the rounds came to.

    Attributes:
        done: How many acts were carried out, by act.
        refused: How many acts met another holder.
        errors: How many acts ended otherwise, by error code.
        asked: Request ids of refused acts whose process or server saw a request.
        retried: Generations that the server refused once as "already has a reference".
        written: The accepted ledger writes as the processes know them.
    """

    done: Counter[str] = field(factory=Counter)
    refused: int = 0
    errors: Counter[str] = field(factory=Counter)
    asked: list[str] = field(factory=list)
    retried: int = 0
    written: Counter[tuple[str, int]] = field(factory=Counter)


class Arena:
    """The processes, the Library and the directory."""

    def __init__(
        self, root: Path, server: SimulatorServer, contenders: list[subprocess.Popen[str]]
    ) -> None:
        self.root = root
        self.simulator: Simulator = server.simulator
        self.score = Score()
        self._server = server
        self._contenders = contenders

    def open_service(self) -> CharacterImageService:
        """Open a service of this process."""
        return CharacterImageService.local(
            self.root, library=self._server.url, lease_seconds=LEASE_SECONDS
        )

    def round(self, number: int, acts: list[tuple[str, float]]) -> None:
        """Let every process do its act at once; an act is its name and how far its clock is off."""
        order = list(zip(self._contenders, acts, strict=True))
        random.Random(number).shuffle(order)
        for contender, (act, ahead) in order:
            assert contender.stdin is not None
            contender.stdin.write(json.dumps({"round": number, "act": act, "ahead": ahead}) + "\n")
            contender.stdin.flush()
        for index, (contender, (act, _)) in enumerate(zip(self._contenders, acts, strict=True)):
            assert contender.stdout is not None
            self._note(f"p{index}-{number}-", act, json.loads(contender.stdout.readline()))

    def _note(self, prefix: str, act: str, told: dict[str, Any]) -> None:
        said, score = told["said"], self.score
        score.written.update((operation, token) for operation, token in told["written"])
        if said == "refused":
            score.refused += 1
            seen = [each.request_id for each in self.simulator.requests if each.request_id]
            if told["requests"]:
                score.asked.append(f"{prefix}{told['requests']} requests")
            score.asked += [each for each in seen if each.startswith(prefix)]
        elif said in (None, "retried"):
            score.done[act] += 1
            score.retried += said == "retried"
        else:
            score.errors[said] += 1

    def stale(self) -> Counter[tuple[str, int]]:
        """Return the ledger writes that were let in under another lease than the holder's."""
        with closing(sqlite3.connect(self.root / "charimg.sqlite")) as connection:
            seen = Counter(connection.execute("SELECT operation, token FROM score_writes"))
        seen.subtract(self.score.written)
        return Counter({write: number for write, number in seen.items() if number})

    def doubles(self) -> list[str]:
        """Return the references that came in while another one was there."""
        with closing(sqlite3.connect(self.root / "charimg.sqlite")) as connection:
            return [image for (image,) in connection.execute("SELECT image FROM score_doubles")]


@contextmanager
def arena(where: Path, processes: int) -> Iterator[Arena]:
    """Open an arena with so many processes below a directory."""
    root, tmp = where / "data", where / "tmp"
    tmp.mkdir()
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    source = Path(charimg.__file__).parents[1]
    environment["PYTHONPATH"] = os.pathsep.join([str(source), str(_ROOT)])
    contenders: list[subprocess.Popen[str]] = []
    with serve(Simulator()) as server:
        server.simulator.switches.shots = 1
        server.simulator.switches.width = 48
        try:
            for number in range(processes):
                command = [sys.executable, "-m", "tests.race.contender"]
                process = subprocess.Popen(
                    [*command, f"p{number}", str(root), server.url, str(tmp)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=environment,
                    cwd=_ROOT,
                )
                contenders.append(process)
            made = Arena(root, server, contenders)
            with made.open_service() as service:
                db_id = server.simulator.add_character(name="Lena Marlow")
                character = CharacterReference(id=LENA, name="Lena Marlow", library_db_id=db_id)
                service.put_character(character)
            with closing(sqlite3.connect(root / "charimg.sqlite")) as connection:
                connection.executescript(_SCORE)
            for process in contenders:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            yield made
            for process in contenders:
                process.communicate(timeout=600)
                assert process.returncode == 0
            assert list(tmp.iterdir()) == [], "no temporary file is left"
        finally:
            for process in contenders:
                process.kill()
                process.communicate()
