"""What a test can do with a simulator, beyond asking it as a client does."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedRequest

from .asking import WAYS, asking

UNKNOWN = "0123456789abcdef01234567"


def handled(simulator: Simulator, asked: str, document: Any = None) -> Any:
    method, _, path = asked.partition(" ")
    body = b"" if document is None else json.dumps(document).encode()
    return simulator.handle(method, f"{simulator.base_url}{path}", {}, body)


def test_characters_of_one_name_can_be_added_and_have_object_ids() -> None:
    simulator = Simulator()
    first, second = simulator.add_character("Lena"), simulator.add_character("Lena", age=34)
    assert first != second
    for db_id, age in ((first, None), (second, 34)):
        shown = json.loads(handled(simulator, f"GET /api/v1/characters/{db_id}").body)
        assert (shown["id"], shown["name"], shown["age"]) == (db_id, "Lena", age)
        assert len(bytes.fromhex(db_id)) == 12
    given_id = simulator.add_character("Tom", characterId="tom")
    shown = json.loads(handled(simulator, f"GET /api/v1/characters/{given_id}").body)
    assert shown["characterId"] == "tom"


def test_ids_repeat_with_the_seed_and_differ_between_seeds() -> None:
    ids = [Simulator(seed=seed).add_character("Lena") for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_a_reference_can_appear_from_elsewhere() -> None:
    simulator = Simulator()
    db_id = simulator.add_character("Lena")
    assert simulator.reference_of(db_id) is None
    media_id = simulator.set_reference(db_id)
    assert simulator.reference_of(db_id) == media_id
    shown = json.loads(handled(simulator, f"GET /api/v1/characters/{db_id}/reference-image").body)
    assert shown["mediaId"] == media_id
    assert simulator.counters.initial_image_posts == 0


def test_posts_are_given_back_as_they_came() -> None:
    simulator = Simulator()
    db_id = simulator.add_character("Lena")
    path = f"/api/v1/characters/{db_id}/generate-initial-image"
    for prompt in ("one", "two"):
        handled(simulator, f"POST {path}", {"prompt": prompt})
    handled(simulator, f"GET {path}")
    assert simulator.posts("generate-initial-image") == [{"prompt": "one"}, {"prompt": "two"}]
    assert simulator.posts("generate-scene-image") == []


def test_the_base_url_begins_every_image_url() -> None:
    simulator = Simulator(base_url="https://elsewhere.test:8443/")
    assert simulator.base_url == "https://elsewhere.test:8443"
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id)
    with asking(simulator) as ask:
        shown = ask("GET", f"/api/v1/characters/{db_id}/reference-image").json()
        assert shown["imageUrl"].startswith("https://elsewhere.test:8443/media/")
        assert ask("GET", shown["imageUrl"]).status_code == 200
        elsewhere = shown["imageUrl"].replace("elsewhere", "nowhere")
        assert ask("GET", elsewhere).status_code == 404


@pytest.mark.parametrize("way", WAYS)
def test_two_parallel_generations_are_both_answered_and_the_later_one_stays(way: str) -> None:
    """There is no lock: the second is not refused while the first is drawn."""
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    db_id = simulator.add_character("Lena")
    path = f"/api/v1/characters/{db_id}"
    with asking(simulator, way) as ask:

        def draw(prompt: str, seconds: float) -> str:
            simulator.switches.generation_seconds = seconds
            answer = ask("POST", f"{path}/generate-initial-image", json={"prompt": prompt})
            assert answer.status_code == 200
            return str(answer.json()["data"]["imageId"])

        later, earlier = draw("one", 0.03), draw("two", 0.02)
        assert "mediaId" not in ask("GET", f"{path}/reference-image").json()
        now = 0.025
        assert ask("GET", f"{path}/reference-image").json()["mediaId"] == earlier
        simulator.switches.generation_seconds = 0
        refused = ask("POST", f"{path}/generate-initial-image", json={"prompt": "three"})
        assert refused.status_code == 400
        now = 1
        assert ask("GET", f"{path}/reference-image").json()["mediaId"] == later


def test_what_takes_longer_is_finished_later_whenever_it_is_looked_at() -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    db_id = simulator.add_character("Lena")
    path = f"/api/v1/characters/{db_id}"
    ids = []
    for seconds in (30, 10, 20):
        simulator.switches.generation_seconds = seconds
        answer = handled(simulator, f"POST {path}/generate-initial-image", {"prompt": "x"})
        assert answer.seconds == seconds
        ids.append(json.loads(answer.body)["data"]["imageId"])
    now = 100
    handled(simulator, "GET /api/health")
    assert simulator.reference_of(db_id) == ids[0]


def test_a_scene_of_a_client_that_gave_up_comes_too() -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id)
    simulator.switches.generation_seconds = 5
    path = f"/api/v1/characters/{db_id}"
    scene = {"sceneContext": "a bar", "sceneType": "action"}
    with asking(simulator) as ask:
        with pytest.raises(httpx.ReadTimeout):
            ask("POST", f"{path}/generate-scene-image", json=scene, timeout=0.01)
        assert ask("GET", f"{path}/images").json()["images"]["sceneImages"] == []
        now = 5
        assert len(ask("GET", f"{path}/images").json()["images"]["sceneImages"]) == 1


def test_downloads_that_run_at_the_same_time_are_counted() -> None:
    simulator = Simulator()
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id)
    shown = json.loads(handled(simulator, f"GET /api/v1/characters/{db_id}/reference-image").body)
    barrier = Barrier(3)

    def download(_: int) -> None:
        answer = simulator.handle("GET", shown["imageUrl"], {}, b"")
        with simulator.delivering(answer):
            barrier.wait(timeout=300)

    assert simulator.most_files_at_once == 0
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(download, range(3)))
    with simulator.delivering(simulator.handle("GET", shown["imageUrl"], {}, b"")):
        pass
    assert simulator.most_files_at_once == 3
    assert simulator.counters.files == 4


def test_other_answers_are_no_downloads() -> None:
    simulator = Simulator()
    with simulator.delivering(handled(simulator, "GET /api/health")):
        pass
    assert simulator.most_files_at_once == simulator.counters.files == 0


def test_a_download_that_fails_is_over() -> None:
    simulator = Simulator()
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id)
    url = json.loads(handled(simulator, f"GET /api/v1/characters/{db_id}/reference-image").body)
    answer = simulator.handle("GET", url["imageUrl"], {}, b"")
    for _ in range(3):
        with pytest.raises(OSError, match="broke"), simulator.delivering(answer):
            raise OSError("broke")
    assert simulator.most_files_at_once == 1


def test_a_set_without_a_reference_by_then_is_drawn_all_the_same() -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id)
    simulator.switches.shots = 2
    simulator.switches.job_seconds = 10
    path = f"/api/v1/characters/{db_id}"
    accepted = json.loads(handled(simulator, f"POST {path}/generate-360-set", {}).body)
    handled(simulator, f"DELETE {path}/reference-image")
    now = 10
    job = json.loads(handled(simulator, f"GET {accepted['pollUrl']}").body)
    assert (job["status"], len(job["results"]["generatedImages"])) == ("completed", 2)


def documents(simulator: Simulator, part: str) -> list[Any]:
    asked = f"GET /api/media?where[filename][like]={part}&limit=100"
    found: list[Any] = json.loads(handled(simulator, asked).body)["docs"]
    return found


def test_shots_are_drawn_one_after_the_other_whenever_they_are_looked_at() -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    simulator.switches.shots, simulator.switches.job_seconds = 4, 400
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id)
    begun = datetime.now(UTC)
    handled(simulator, f"POST /api/v1/characters/{db_id}/generate-360-set", {})
    counts = []
    for now in (0, 99, 100, 250):
        simulator.switches.clock_offset = now
        counts.append(len(documents(simulator, "lena_")))
    assert counts == [0, 0, 1, 2]
    simulator.switches.clock_offset = now = 1000
    shown = documents(simulator, "lena_")[::-1]
    moments = [datetime.fromisoformat(each["createdAt"]) for each in shown]
    assert [round((each - begun).total_seconds(), -2) for each in moments] == [100, 200, 300, 400]
    for each, moment in zip(shown, moments, strict=True):
        assert each["filename"].endswith(f"_v1_{round(moment.timestamp() * 1000)}.png")


@pytest.mark.parametrize(
    ("name", "words"), [("Zoë O'Hara 2", "zo__o_hara_2"), ("龍", "_"), ("Ann 🙂", "ann___")]
)
def test_shots_are_named_after_the_characters_name(name: str, words: str) -> None:
    simulator = Simulator()
    simulator.switches.shots = 1
    db_id = simulator.add_character(name)
    simulator.set_reference(db_id)
    handled(simulator, f"POST /api/v1/characters/{db_id}/generate-360-set", {})
    (shot,) = documents(simulator, "_v1_")
    assert shot["filename"].startswith(f"{words}_50mm_3q_right_mcu_neutral_v1_")


def test_a_scene_that_a_set_overtakes_writes_the_older_gallery_back() -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    simulator.switches.shots = 2
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id)
    path = f"/api/v1/characters/{db_id}"
    simulator.switches.generation_seconds = 60
    handled(
        simulator,
        f"POST {path}/generate-scene-image",
        {"sceneContext": "a bar", "sceneType": "action"},
    )
    accepted = json.loads(handled(simulator, f"POST {path}/generate-360-set", {}).body)
    galleries = []
    for moment in (30, 60):
        now = moment
        images = json.loads(handled(simulator, f"GET {path}/images").body)["images"]
        galleries.append((len(images["coreReferenceSet"]), len(images["sceneImages"])))
    assert galleries == [(2, 0), (0, 1)]
    job = json.loads(handled(simulator, f"GET {accepted['pollUrl']}").body)
    assert len(job["results"]["generatedImages"]) == len(documents(simulator, "_v1_")) == 2


def test_the_header_names_the_host_where_the_url_does_not() -> None:
    request = SimulatedRequest.parse("get", "/media/x?a=1&a=2", {"Host": "library.test"}, b"")
    assert (request.method, request.host, request.path) == ("GET", "library.test", "/media/x")
    assert request.query == {"a": "1"}
    simulator = Simulator()
    answer = simulator.handle("GET", "/api/health", {"host": "other.test"}, b"")
    assert answer.status == 404
    assert simulator.handle("GET", "/api/health", {}, b"").status == 200


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([UNKNOWN, "dialogue", "x", ""])
    | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)
names = st.sampled_from(
    [
        "name",
        "characterId",
        "status",
        "age",
        "skills",
        "psychology",
        "prompt",
        "sceneContext",
        "sceneType",
        "mediaId",
        "imageUrl",
        "maxRetries",
    ]
)
bodies = (
    st.binary(max_size=20)
    | st.just(b"[" * 100_000)
    | st.dictionaries(names, values, max_size=6).map(lambda found: json.dumps(found).encode())
)
endpoints = st.sampled_from(
    [
        "generate-initial-image",
        "reference-image",
        "generate-360-set",
        "generate-scene-image",
        "images",
        "x",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    collection=st.sampled_from(["/api/v1/characters", "/api/v1/characters/{id}"]),
    endpoint=st.just("") | endpoints.map(lambda name: f"/{name}"),
    query=st.sampled_from(["", "?limit=0&page=x", "?minQuality=nan", "?limit=99999999999", "?=&&"]),
    body=bodies,
    prepared=st.booleans(),
)
def test_whatever_is_sent_it_answers(
    method: str, collection: str, endpoint: str, query: str, body: bytes, prepared: bool
) -> None:
    simulator = Simulator()
    simulator.switches.shots = 1
    db_id = simulator.add_character("Lena")
    if prepared:
        simulator.set_reference(db_id)
    url = simulator.base_url + collection.format(id=db_id) + endpoint + query
    answer = simulator.handle(method, url, {}, body)
    assert answer.status in (200, 201, 202, 204, 400, 404, 405, 500)
    if answer.headers.get("content-type") == "application/json" and answer.body:
        assert isinstance(json.loads(answer.body.decode()), dict)
    again = simulator.handle("GET", f"{simulator.base_url}/api/v1/characters?limit=5", {}, b"")
    assert json.loads(again.body.decode())["totalDocs"] <= 2
