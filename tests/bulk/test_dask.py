"""A Dask cluster of processes as the engine, workers killed in the middle of portfolios.

Under ``CHARIMG_SOAK`` there are 500 characters, in the suite a few.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from attrs import evolve
from distributed import Client, LocalCluster

from charimg import ImageKind
from charimg.bulk import run_bulk

from ..servers.postgres import PostgresServer
from ..servers.postgres import postgres_server as postgres_server
from .stage import SHOTS, Stage

CHARACTERS, KILLED = (500, 40) if os.environ.get("CHARIMG_SOAK") else (16, 3)


@pytest.mark.parametrize("records", ["sqlite", "postgres"])
def test_killed_workers_of_a_cluster(
    stage: Stage,
    records: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cluster gives a lost task to another worker, which recovers it: one run is enough."""
    if records == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        monkeypatch.setenv("CHARIMG_METADATA", server.new_database())
        monkeypatch.setenv("CHARIMG_DIR", str(stage.root))
        monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", stage.server.url)
        stage = evolve(stage, from_env=True)
    ids = stage.references(*(f"c{n:03}" for n in range(CHARACTERS)))
    victims = random.sample(ids, KILLED)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
        client.get_executor() as executor,
    ):
        report = run_bulk(
            "portfolio",
            ids,
            open_service=stage.opener(*victims),
            executor=executor,
            in_flight=2,
            manifest=tmp_path / "run.jsonl",
        )
    assert stage.killed == set(victims)
    assert report.complete, report.failures
    # A result that is lost with its worker is computed again, too: such ones were drawn already.
    assert {each.character_id for each in report.results if each.recovered} >= set(victims)
    for each in report.results:
        stored = stage.images(each.character_id, ImageKind.PORTFOLIO_ITEM)
        assert {image.id for image in stored} == set(each.images)
        assert len(stored) == SHOTS
    assert stage.counters.set360_posts == len(ids)
    assert stage.counters.initial_image_posts == len(ids)
