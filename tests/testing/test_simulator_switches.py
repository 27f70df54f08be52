"""Every switch turns its failure on; what is off does not happen."""

from __future__ import annotations

import inspect
import io
import json
import math
import operator
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import attrs
import httpx
import pytest
from PIL import Image

from charimg.errors import InvalidArgument
from charimg.testing import Simulator, Switches

from .asking import Ask, asking

PROMPT = {"prompt": "Lena, grey coat"}
SCENE = {"sceneContext": "a bar", "sceneType": "dialogue"}


class World:
    """A simulator with one character, and its time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.simulator = Simulator(clock=lambda: self.now)
        self.switches = self.simulator.switches
        self.db_id = self.simulator.add_character("Lena")
        self.path = f"/api/v1/characters/{self.db_id}"
        self.ask: Ask

    def post(self, what: str, document: Any, **more: Any) -> httpx.Response:
        return self.ask("POST", f"{self.path}/{what}", json=document, **more)

    def draw(self, **more: Any) -> httpx.Response:
        return self.post("generate-initial-image", PROMPT, **more)

    def scene(self) -> httpx.Response:
        return self.post("generate-scene-image", SCENE)

    def set360(self) -> httpx.Response:
        if self.simulator.reference_of(self.db_id) is None:
            self.simulator.set_reference(self.db_id)
        return self.post("generate-360-set", {})

    def job(self, accepted: httpx.Response) -> Any:
        return self.ask("GET", accepted.json()["pollUrl"]).json()

    def get(self, url: str = "/api/health") -> httpx.Response:
        return self.ask("GET", url)

    def gallery(self) -> httpx.Response:
        return self.get(f"{self.path}/images")

    def media(self, part: str) -> Any:
        """Return the media documents with a part of a file's name, newest first."""
        return self.get(f"/api/media?where[filename][like]={part}&limit=100").json()["docs"]

    def reference(self) -> Any:
        return self.get(f"{self.path}/reference-image").json()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with asking(world.simulator) as world.ask:
        yield world


def down(world: World) -> None:
    world.switches.down = True
    for _ in range(3):
        with pytest.raises(httpx.ConnectError):
            world.get()
    assert world.simulator.requests == []


def broken_connections(world: World) -> None:
    world.switches.broken_connections = 1
    with pytest.raises(httpx.ReadError):
        world.draw()
    assert world.simulator.reference_of(world.db_id) is None


def lost_answers(world: World) -> None:
    world.switches.lost_answers = 2
    assert world.get().status_code == 200
    assert world.post("generate-initial-image", {}).status_code == 400
    with pytest.raises(httpx.ReadError):
        world.draw()
    assert world.reference()["mediaId"] == world.simulator.reference_of(world.db_id)
    assert world.draw().status_code == 400
    with pytest.raises(httpx.ReadError):
        world.scene()
    assert len(world.gallery().json()["images"]["sceneImages"]) == 1
    for path in ("generate-image", "generate-smart-image", "generate-core-set"):
        world.switches.lost_answers = 1
        with pytest.raises(httpx.ReadError):
            world.post(path, PROMPT)
    assert world.gallery().json()["totalImages"] == 31


def gateway_errors(world: World) -> None:
    world.switches.gateway_errors = 1
    answer = world.get()
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert answer.text.startswith("<html>")


def rate_limited(world: World) -> None:
    world.switches.rate_limited = 1
    answer = world.get()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "0")
    assert answer.json() == {"error": "Too many requests"}


def retry_after(world: World) -> None:
    world.switches.rate_limited = 2
    world.switches.retry_after = 1.5
    assert world.get().headers["retry-after"] == "1.5"
    world.switches.retry_after = 120
    assert world.get().headers["retry-after"] == "120"


def truncated_answers(world: World) -> None:
    world.switches.truncated_answers = 1
    assert world.get("/api/v1/nope").json()["message"]
    with pytest.raises(json.JSONDecodeError):
        world.get().json()


def wrong_types(world: World) -> None:
    world.switches.wrong_types = 1
    answer = world.draw().json()
    assert answer["success"] is True
    assert answer["data"]["imageId"] == answer["data"]["publicUrl"] == 7
    assert answer["data"]["characterName"] == "Lena"


def missing_fields(world: World) -> None:
    world.set360()
    world.switches.missing_fields = 2
    answer = world.gallery().json()
    assert "characterId" not in answer
    assert "url" not in answer["images"]["masterReference"]
    assert all("imageId" not in shot for shot in answer["images"]["coreReferenceSet"])
    assert world.ask("OPTIONS", "/api/v1/characters").content == b""


def api_seconds(world: World) -> None:
    assert world.get().status_code == 200
    world.switches.api_seconds = 60
    with pytest.raises(httpx.ReadTimeout):
        world.ask("GET", "/api/health", timeout=0.01)


def generation_errors(world: World) -> None:
    world.switches.generation_errors = 2
    assert world.draw().json()["error"] == "Image generation failed"
    assert world.simulator.reference_of(world.db_id) is None
    assert world.draw().status_code == 500
    assert world.draw().status_code == 200


def generation_error(world: World) -> None:
    world.switches.generation_errors = 1
    world.switches.generation_error = "No images returned from Fal.ai"
    assert world.draw().json()["details"] == "No images returned from Fal.ai"


def upload_errors(world: World) -> None:
    world.switches.upload_errors = 1
    assert world.draw().json()["error"] == "Failed to upload generated image"
    assert world.draw().status_code == 200


def processing_errors(world: World) -> None:
    world.switches.processing_errors = 1
    assert world.draw().json()["error"] == "Failed to process image with DINOv3"
    assert [each["dinoProcessingStatus"] for each in world.media("_initial")] == ["error"]
    assert world.draw().status_code == 200


def generation_seconds(world: World) -> None:
    """The client gives up, the server goes on."""
    world.switches.generation_seconds = 40
    with pytest.raises(httpx.ReadTimeout):
        world.draw(timeout=0.01)
    assert "mediaId" not in world.reference()
    world.now = 39
    assert "mediaId" not in world.reference()
    world.now = 40
    assert world.reference()["mediaId"] == world.simulator.reference_of(world.db_id)
    for path, names in (("generate-image", "_ondemand_"), ("generate-smart-image", "_smart_")):
        with pytest.raises(httpx.ReadTimeout):
            world.post(path, {**PROMPT, "count": 2}, timeout=0.01)
        assert world.media(names) == []
    world.now = 80
    assert len(world.media("_ondemand_")) == len(world.media("_smart_")) == 1
    world.now = 120
    assert len(world.media("_ondemand_")) == 2
    world.switches.generation_seconds = 0
    assert world.draw().status_code == 400


def flat_initial_image(world: World) -> None:
    world.switches.flat_initial_image = True
    assert set(world.draw().json()) == {"success", "imageId", "imageUrl"}


def relative_urls(world: World) -> None:
    world.switches.relative_urls = True
    url = world.draw().json()["data"]["publicUrl"]
    assert url.startswith("/media/")
    assert world.get(url).status_code == 200


def odd_public_urls(world: World) -> None:
    world.switches.odd_public_urls = True
    url = world.draw().json()["data"]["publicUrl"]
    assert "." not in url.rpartition("/")[2]
    assert url != world.reference()["imageUrl"]
    assert world.get(url).content == world.get(world.reference()["imageUrl"]).content


def reference_delete_errors(world: World) -> None:
    world.simulator.set_reference(world.db_id)
    world.switches.reference_delete_errors = 1
    path = f"{world.path}/reference-image"
    assert world.ask("DELETE", path).status_code == 500
    assert "mediaId" in world.reference()
    assert world.ask("DELETE", path).status_code == 200
    assert "mediaId" not in world.reference()


def set360_mode(world: World) -> None:
    world.switches.shots = 2
    assert world.set360().status_code == 202
    world.switches.set360_mode = "images"
    answer = world.set360()
    assert (answer.status_code, len(answer.json()["images"])) == (200, 2)


def set360_errors(world: World) -> None:
    world.switches.set360_errors = 1
    assert world.set360().json()["status"] == "failed"
    assert world.set360().status_code == 202


def job_seconds(world: World) -> None:
    world.switches.shots = 2
    world.switches.job_seconds = 900
    accepted = world.set360()
    world.now = 899
    assert world.job(accepted)["status"] == "processing"
    world.now = 900
    assert world.job(accepted)["status"] == "completed"
    with pytest.raises(httpx.ReadTimeout):
        world.post("generate-core-set", {}, timeout=0.01)
    assert world.gallery().json()["totalImages"] == 3
    world.now = 1800
    assert world.gallery().json()["totalImages"] == 5


def shots(world: World) -> None:
    world.switches.shots = 3
    accepted = world.set360()
    assert "Generating 3 images" in accepted.json()["message"]
    assert len(world.job(accepted)["results"]["generatedImages"]) == 3


def failing_shots(world: World) -> None:
    world.switches.shots = 3
    world.switches.failing_shots = 2
    results = world.job(world.set360())["results"]
    assert (len(results["generatedImages"]), len(results["failedImages"])) == (1, 2)
    assert len(world.job(world.set360())["results"]["generatedImages"]) == 3


def lost_shots(world: World) -> None:
    world.switches.shots = 5
    world.switches.lost_shots = 1
    answer = world.job(world.set360())
    assert (answer["status"], answer["progress"]["current"]) == ("failed", 4)
    assert answer["error"] == (
        "The following field is invalid: Reference Image Gallery > Character Image Gallery 3 > "
        "Image File"
    )
    assert len(world.media("lena_")) == 4
    assert world.gallery().json()["images"]["coreReferenceSet"] == []
    assert world.job(world.set360())["status"] == "completed"
    assert len(world.media("lena_")) == 9


def fail_jobs(world: World) -> None:
    world.switches.fail_jobs = True
    for _ in range(2):
        answer = world.job(world.set360())
        assert answer["status"] == "failed"
        assert "results" not in answer
    assert world.media("lena_") == []


def strand_jobs(world: World) -> None:
    world.switches.shots = 2
    done = world.set360()
    assert world.job(done)["status"] == "completed"
    world.switches.strand_jobs = True
    stranded = world.set360()
    for world.now in (0, 1, 1_000_000):
        answer = world.job(stranded)
        assert (answer["status"], answer["progress"]["current"]) == ("processing", 1)
        assert "estimatedCompletionAt" not in answer
    assert world.job(done)["status"] == "completed"
    assert len(world.media("lena_")) == 4


def quality_score(world: World) -> None:
    world.switches.shots = 1
    world.switches.quality_score = 40
    accepted = world.set360()
    world.switches.quality_score = 70
    assert world.job(accepted)["results"]["generatedImages"][0]["quality"] == 40
    (shown,) = world.gallery().json()["images"]["coreReferenceSet"]
    assert shown["qualityScore"] == 40
    for path in ("generate-image", "generate-smart-image", "generate-core-set"):
        assert '"qualityScore": 70' in world.post(path, PROMPT).text


def consistency_score(world: World) -> None:
    """The features tell the same."""
    world.switches.shots = 1
    world.switches.consistency_score = 40
    assert world.job(world.set360())["status"] == "completed"
    world.switches.consistency_score = 90
    for path in ("generate-image", "generate-smart-image"):
        assert '"consistencyScore": 90' in world.post(path, PROMPT).text
    images = world.gallery().json()["images"]
    master = features(world, images["masterReference"])
    other = features(world, {"imageId": world.simulator.set_reference(world.db_id, "another")})
    shown = [*images["coreReferenceSet"], *images["onDemandImages"]]
    for image, score in zip(shown, (40, 90, 90), strict=True):
        assert image["consistencyScore"] == score
        assert cosine(features(world, image), master) == pytest.approx(score / 100, abs=0.001)
        assert abs(cosine(features(world, image), other)) < 0.5


def features(world: World, image: Any) -> list[float]:
    found: list[float] = world.get(f"/api/media/{image['imageId']}").json()["dinoFeatures"]
    return found


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(map(operator.mul, one, other))
    return product / math.sqrt(sum(each**2 for each in one) * sum(each**2 for each in other))


def dead_result_urls(world: World) -> None:
    world.switches.shots = 1
    dead = world.job(world.set360())["results"]["generatedImages"][0]["url"]
    assert httpx.URL(dead).host.endswith(".invalid")
    assert world.get(dead).status_code == 404
    world.switches.dead_result_urls = False
    alive = world.job(world.set360())["results"]["generatedImages"][0]["url"]
    assert world.get(alive).status_code == 200


def gallery_lacks(world: World) -> None:
    world.switches.shots = 3
    results = world.job(world.set360())["results"]["generatedImages"]
    world.switches.gallery_lacks = 2
    shown = world.gallery().json()["images"]["coreReferenceSet"]
    assert [shot["imageId"] for shot in shown] == [results[2]["mediaId"]]


def gallery_errors_after(world: World) -> None:
    world.switches.gallery_errors_after = 1
    assert [world.gallery().status_code for _ in range(3)] == [200, 500, 500]


def media_errors(world: World) -> None:
    path = f"/api/media/{world.simulator.set_reference(world.db_id)}"
    world.switches.media_errors = 1
    assert [world.get(path).status_code for _ in range(2)] == [404, 200]


def misnamed_files(world: World) -> None:
    def forms() -> list[tuple[str, str, str | None]]:
        """Name, content type and true form of every file of the gallery."""
        found = []
        for shot in world.gallery().json()["images"]["coreReferenceSet"]:
            file = world.get(shot["url"])
            extension = shot["url"].rpartition(".")[2]
            form = Image.open(io.BytesIO(file.content)).format
            found.append((extension, file.headers["content-type"], form))
        return found

    world.set360()
    assert set(forms()) == {("png", "image/jpeg", "JPEG"), ("png", "image/jpeg", "WEBP")}
    world.switches.misnamed_files = False
    world.set360()
    assert set(forms()) == {("jpg", "image/jpeg", "JPEG")}


def file_errors(world: World) -> None:
    world.simulator.set_reference(world.db_id)
    world.switches.file_errors = 1
    url = world.reference()["imageUrl"]
    assert [world.get(url).status_code for _ in range(2)] == [500, 200]


def truncated_files(world: World) -> None:
    world.simulator.set_reference(world.db_id)
    url = world.reference()["imageUrl"]
    whole = world.get(url).content
    world.switches.truncated_files = 1
    with pytest.raises(httpx.ReadError):
        world.get(url)
    assert world.get(url).content == whole


def html_files(world: World) -> None:
    world.simulator.set_reference(world.db_id)
    world.switches.html_files = 1
    url = world.reference()["imageUrl"]
    answer = world.get(url)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"<!doctype html>")
    assert world.get(url).content.startswith((b"\xff\xd8", b"RIFF"))


def file_seconds(world: World) -> None:
    world.simulator.set_reference(world.db_id)
    url = world.reference()["imageUrl"]
    world.switches.file_seconds = 60
    with pytest.raises(httpx.ReadTimeout):
        world.ask("GET", url, timeout=0.01)
    assert world.get().status_code == 200


def media_closed(world: World) -> None:
    media_id = world.simulator.set_reference(world.db_id)
    path = f"/api/media?where[filename][like]={world.db_id}_initial"
    assert [each["id"] for each in world.get(path).json()["docs"]] == [media_id]
    assert world.ask("POST", path).status_code == 405
    world.switches.media_closed = True
    assert world.get(path).status_code == 403


def width(world: World) -> None:
    world.switches.change({"width": 96})
    media_id = world.simulator.set_reference(world.db_id)
    document = world.get(f"/api/media/{media_id}").json()
    assert (document["width"], document["height"]) == (96, 128)
    with pytest.raises(InvalidArgument, match="multiple of 48"):
        world.switches.change({"width": 100})


def clock_offset(world: World) -> None:
    world.switches.clock_offset = -3600
    told = parsedate_to_datetime(world.get().headers["date"])
    assert 3500 < (datetime.now(UTC) - told).total_seconds() < 3700
    media_id = world.simulator.set_reference(world.db_id)
    document = world.get(f"/api/media/{media_id}").json()
    drawn = datetime.fromisoformat(document["createdAt"])
    assert drawn - told < timedelta(seconds=60)
    assert f"_{round(drawn.timestamp() * 1000)}." in document["filename"]


def date_offset(world: World) -> None:
    world.switches.date_offset = 3600
    answer = world.get("/api/health")
    own = datetime.fromisoformat(answer.json()["timestamp"])
    told = parsedate_to_datetime(answer.headers["date"])
    assert 3500 < (told - own).total_seconds() < 3700


PROOFS: dict[str, Callable[[World], None]] = {
    proof.__name__: proof
    for proof in (
        down,
        broken_connections,
        lost_answers,
        gateway_errors,
        rate_limited,
        retry_after,
        truncated_answers,
        wrong_types,
        missing_fields,
        api_seconds,
        generation_errors,
        generation_error,
        upload_errors,
        processing_errors,
        generation_seconds,
        flat_initial_image,
        relative_urls,
        odd_public_urls,
        reference_delete_errors,
        set360_mode,
        set360_errors,
        job_seconds,
        shots,
        failing_shots,
        lost_shots,
        fail_jobs,
        strand_jobs,
        quality_score,
        consistency_score,
        dead_result_urls,
        gallery_lacks,
        gallery_errors_after,
        media_errors,
        media_closed,
        misnamed_files,
        file_errors,
        truncated_files,
        html_files,
        file_seconds,
        width,
        clock_offset,
        date_offset,
    )
}


@pytest.mark.parametrize("name", [each.name for each in attrs.fields(Switches)])
def test_every_switch_does_what_it_says(name: str, world: World) -> None:
    PROOFS[name](world)


def test_every_switch_is_explained_and_no_other() -> None:
    explained = re.findall(r"^ {4}(\w+): ", inspect.getdoc(Switches) or "", re.MULTILINE)
    assert explained == [each.name for each in attrs.fields(Switches)]
    assert set(PROOFS) == set(explained)


def test_nothing_fails_when_nothing_is_turned_on(world: World) -> None:
    assert world.draw().status_code == 200
    assert world.scene().status_code == 200
    assert world.job(world.set360())["status"] == "completed"
    images = world.gallery().json()["images"]
    assert len(images["coreReferenceSet"]) == 27
    for image in (images["masterReference"], *images["coreReferenceSet"], *images["sceneImages"]):
        Image.open(io.BytesIO(world.get(image["url"]).content)).load()
    assert world.ask("DELETE", f"{world.path}/reference-image").status_code == 200


def test_counted_switches_are_used_up() -> None:
    switches = Switches(file_errors=2)
    assert [switches.take("file_errors") for _ in range(4)] == [True, True, False, False]
    assert switches.file_errors == 0


def test_several_switches_change_at_once() -> None:
    switches = Switches()
    switches.change({"down": True, "shots": 3, "gallery_errors_after": 0, "job_seconds": 1.5})
    assert switches == Switches(down=True, shots=3, gallery_errors_after=0, job_seconds=1.5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shots": 3, "upside_down": True}, "no switch upside_down.*There are: api_seconds, "),
        ({"shots": 3, "down": 1}, "cannot have that value"),
        ({"shots": 3, "file_errors": -1}, "cannot have that value"),
        ({"shots": 28}, "cannot have that value"),
        ({"shots": 0}, "cannot have that value"),
        ({"job_seconds": "soon"}, "cannot have that value"),
        ({"set360_mode": "letters"}, "cannot have that value"),
        ({"generation_error": None}, "cannot have that value"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(changes: Any, said: str) -> None:
    switches = Switches()
    with pytest.raises(InvalidArgument, match=said):
        switches.change(changes)
    assert switches == Switches()


def test_a_switch_set_by_hand_is_checked_too() -> None:
    with pytest.raises(ValueError, match="file_errors"):
        Switches().file_errors = -1
