"""The OpenAPI of a FastAPI host: complete, true of every answer, and no input that breaks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from charimg import CharacterReference
from charimg.web import _models as models
from charimg.web import _orders as orders
from charimg.web._openapi import DOCUMENTS
from charimg.web.fastapi import router
from charimg.web.routing import ROUTES

from ..figures import Figure
from ..servers.http import serve_asgi
from .stages import Stage
from .test_events import EVENTS
from .test_routes import MARA, drawn, ok

SOAK = bool(os.environ.get("CHARIMG_SOAK"))
EXAMPLES = [100] if SOAK else [3, pytest.param(20, marks=pytest.mark.long)]

# What the tool cannot know of, and nothing else.
CONFIG = """
# A text that is no cursor of ours is refused.
[[operations]]
include-path-regex = "/(images|operations)$"
include-method = "GET"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]

# A blank prompt is refused, and only the description says so.
[[operations]]
include-path-regex = "/generate-(initial|scene)-image$"
include-method = "POST"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]

# What is settled already, or by an image that is none of the candidates, is refused.
[[operations]]
include-path-regex = "/settle$"
include-method = "POST"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

# Answer 404 for the images that the body names, not for the character that was just made.
[[operations]]
include-name = "DELETE /v1/characters/{character_id}/images"
checks.ensure_resource_availability.enabled = false
[[operations]]
include-name = "POST /v1/characters/{character_id}/generate-360-set"
checks.ensure_resource_availability.enabled = false
[[operations]]
include-name = "POST /v1/characters/{character_id}/images/archive"
checks.ensure_resource_availability.enabled = false
"""


class Character(BaseModel):
    """The host's own."""

    id: str
    name: str


class Host:
    """A FastAPI host with a route of its own that makes characters, and the workspace."""

    def __init__(self) -> None:
        self.stage = Stage("fastapi")
        self.stage.reset()
        self.stage.simulator.switches.shots = 1
        self.seen: Counter[int] = Counter()
        self.app = FastAPI()
        self.app.middleware("http")(self._count)
        self.app.post("/v1/characters", status_code=201)(self._create)
        self.app.include_router(router(lambda: self.stage.service, authorize=lambda *_: "ada"))

    async def _create(self) -> Character:
        db_id = self.stage.simulator.add_character("Mara")
        await self.stage.service.put_character(
            CharacterReference(id=db_id, name="Mara", library_db_id=db_id)
        )
        return Character(id=db_id, name="Mara")

    async def _count(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        self.seen[response.status_code] += 1
        return response


@pytest.fixture
def host() -> Iterator[tuple[Host, str]]:
    host = Host()
    with serve_asgi(host.app) as url:
        yield host, url


@pytest.mark.parametrize("examples", EXAMPLES)
def test_no_request_and_no_sequence_of_them_breaks_it(
    host: tuple[Host, str], tmp_path: Path, figure: Figure, examples: int
) -> None:
    """Examples, boundaries, random requests, valid and not, and such that go on with answers.

    All of schemathesis's checks, and no limit of time: on a slow machine it asks as much.
    """
    config, report = tmp_path / "schemathesis.toml", tmp_path / "report.json"
    config.write_text(CONFIG)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{host[1]}/openapi.json", "-n", str(examples), "--no-color"),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *([] if SOAK else ["--seed", "1"]),
        *("--generation-database", "none", "--report-json-path", str(report)),
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    result: dict[str, Any] = json.loads(report.read_text())
    assert (result["failures"], result["errors"]) == ([], [])
    assert result["operations"]["tested"] == len(DOCUMENTS) + 1
    # It did get behind the checks at the door.
    assert host[0].stage.posts > 0
    figure(f"requests that schemathesis made, {examples} examples each", _unbroken(host[0]))


def _unbroken(host: Host) -> str:
    # Nothing fails behind this host, so not even a declared one may come.
    assert [status for status in host.seen if status >= 500] == []
    return f"{sum(host.seen.values())}, {host.stage.posts} of them paid"


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    return Host().app.openapi()


def _operations(openapi: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for path in openapi["paths"].values()
        for operation in path.values()
    }


def test_every_route_is_documented_once(openapi: dict[str, Any]) -> None:
    names = {route.name for route in ROUTES} - {"page", "static"}
    assert names == set(DOCUMENTS)
    documented = [each for each in _operations(openapi) if each.startswith("charimg_")]
    assert sorted(documented) == sorted(f"charimg_{name}" for name in names)
    assert not any(path.startswith("/screenplay") for path in openapi["paths"])


def test_what_is_told_of_each_route(openapi: dict[str, Any]) -> None:
    for name, operation in _operations(openapi).items():
        if not name.startswith("charimg_"):
            continue
        assert operation["summary"]
        responses = operation["responses"]
        for status in ("200", "401", "403", "404", "500", "503"):
            assert responses[status]["description"]
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            assert "example" in content
            assert {"400", "413", "415", "422"} <= set(responses)
        if "generate" in str(operation["summary"]).lower() or "Costs money" in str(
            operation.get("description")
        ):
            assert {"409", "502", "504"} <= set(responses)
            assert "text/event-stream" in responses["200"]["content"]
        for status, response in responses.items():
            if status == "304":
                assert "ETag" in response["headers"]
            elif status != "200":
                example = response["content"]["application/json"]["example"]
                models.Failure.model_validate(example, extra="forbid")
    archive = _operations(openapi)["charimg_archive"]["responses"]["200"]["content"]
    assert list(archive) == ["application/zip"]


def test_the_examples_are_true_to_the_models() -> None:
    for name in (*models.__all__, *orders.__all__):
        model = getattr(models, name, None) or getattr(orders, name)
        if isinstance(model, str):
            continue
        example = model.model_json_schema().get("example")
        if example is not None:
            model.model_validate(example, extra="forbid")
    image = models.CharacterImage.model_json_schema()["example"]
    models.CharacterImage.model_validate(image, extra="forbid")


def test_answers_hold_what_the_models_tell_and_nothing_else(stage: Stage) -> None:
    """Every answer, in each framework, strictly."""

    def strictly(model: type[BaseModel], body: Any) -> None:
        model.model_validate(body, extra="forbid")

    post = f"{MARA}/generate-initial-image"
    strictly(models.SuggestionAnswer, ok(stage("GET", f"{MARA}/initial-image-prompt")))
    strictly(models.GenerationAnswer, ok(stage("POST", post, json={"policy": "keep-history"})))
    image = drawn(stage, policy="keep-history")
    stage.simulator.switches.failing_shots = 1
    strictly(models.PortfolioAnswer, ok(stage("POST", f"{MARA}/generate-360-set", json={})))
    strictly(models.ImagesAnswer, ok(stage("GET", f"{MARA}/images")))
    strictly(models.ImageAnswer, ok(stage("GET", f"{MARA}/images/{image['id']}")))
    listed = ok(stage("GET", f"{MARA}/operations"))
    strictly(models.OperationsAnswer, listed)
    at = f"{MARA}/operations/{listed['operations'][0]['id']}"
    strictly(models.CandidatesAnswer, ok(stage("GET", f"{at}/candidates")))
    strictly(models.SettledAnswer, ok(stage("POST", f"{at}/recover")))
    strictly(models.ImageAnswer, ok(stage("POST", f"{MARA}/images/{image['id']}/restore")))
    strictly(models.ImageAnswer, ok(stage("POST", f"{MARA}/images/{image['id']}/repair")))
    strictly(models.DeleteAnswer, ok(stage("DELETE", f"{MARA}/images/{image['id']}")))
    listed = ok(stage("GET", f"{MARA}/images"))["images"]
    ids = [*(each["id"] for each in listed), "nobody"]
    strictly(models.DeleteManyAnswer, ok(stage("DELETE", f"{MARA}/images", json={"ids": ids})))
    stage.simulator.switches.generation_errors = 1
    strictly(models.Failure, stage("POST", post, json={}).json())
    stage.simulator.switches.file_errors = 1
    strictly(models.Failure, stage("POST", post, json={}).json())
    strictly(models.Failure, stage("GET", f"{MARA}/operations/none", headers=EVENTS).json())
