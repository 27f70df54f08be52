"""A Dask cluster of processes as the engine, workers killed in the middle of portfolios."""

from __future__ import annotations

from pathlib import Path

from distributed import Client, LocalCluster

from charimg import ImageKind
from charimg.bulk import run_bulk

from .stage import SHOTS, Stage


def test_killed_workers_of_a_cluster(stage: Stage, tmp_path: Path) -> None:
    """The cluster gives a lost task to another worker, which recovers it: one run is enough."""
    ids = stage.references(*(f"c{n:02}" for n in range(16)))
    victims = ("c02", "c07", "c11")
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
    assert {each.character_id for each in report.results if each.recovered} == set(victims)
    for each in report.results:
        stored = stage.images(each.character_id, ImageKind.PORTFOLIO_ITEM)
        assert {image.id for image in stored} == set(each.images)
        assert len(stored) == SHOTS
    assert stage.counters.set360_posts == len(ids)
    assert stage.counters.initial_image_posts == len(ids)
