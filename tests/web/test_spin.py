"""The order of the turntable: what `spin.js` and `position.js` make of images, run by Node."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from charimg.testing.simulator.shots import SHOTS

from .browser.bench import STATIC, image, portfolio, shot_document

PURE = ("spin.js", "shots.js", "position.js")
RUNNER = """
import * as spin from "./spin.js";
import * as shots from "./shots.js";
import { Position } from "./position.js";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const given = JSON.parse(text);
const run = new Function("spin", "shots", "Position", "given", given.script);
console.log(JSON.stringify(run(spin, shots, Position, given.value)));
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("node") is None:
        pytest.skip("node is missing; install it with: apt-get install nodejs")
    folder = tmp_path_factory.mktemp("spin")
    for name in PURE:
        shutil.copy(STATIC / name, folder)
    # An older Node takes a .js file for a module only where a package says so.
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(RUNNER)
    return folder


@pytest.fixture
def node(workshop: Path) -> Any:
    def run(script: str, value: Any = None) -> Any:
        done = subprocess.run(
            ["node", "run.js"],
            cwd=workshop,
            input=json.dumps({"script": script, "value": value}),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def spun(node: Any, images: list[dict[str, Any]]) -> Any:
    return node("return spin.spinOf(given)", images)


def stops(lens: dict[str, Any]) -> list[tuple[float, str]]:
    return [(stop["azimuth"], stop["state"]) for stop in lens["stops"]]


def test_the_table_of_shots_is_that_of_the_library(node: Any) -> None:
    told = {
        (
            each["slug"],
            each["name"],
            each["lensMm"],
            each["cameraAzimuthDeg"],
            each["cameraElevationDeg"],
            each["crop"],
            each["expression"],
        )
        for each in node("return shots.CORE_SHOTS")
    }
    assert told == {
        (
            each.slug,
            each.name,
            each.lens_mm,
            each.camera_azimuth_deg,
            each.camera_elevation_deg,
            each.crop,
            each.expression,
        )
        for each in SHOTS
    }


def test_a_whole_set_goes_around_by_true_azimuth_lens_by_lens(node: Any) -> None:
    images = portfolio()
    random.Random(7).shuffle(images)
    found = spun(node, images)
    assert [lens["lensMm"] for lens in found["lenses"]] == [35, 50, 85]
    assert [[azimuth for azimuth, _ in stops(lens)] for lens in found["lenses"]] == [
        [-45, -35, 0, 35, 45, 180],
        [-35, -25, 0, 25, 35, 180],
        [-90, -35, -25, -15, 0, 15, 35, 90],
    ]
    assert {state for lens in found["lenses"] for _, state in stops(lens)} == {"shown"}
    assert sum(len(stop["views"]) for lens in found["lenses"] for stop in lens["stops"]) == 27
    front = found["lenses"][1]["stops"][2]
    assert [
        (view["camera"]["elevation"], view["camera"]["expression"]) for view in front["views"]
    ] == [(15, "neutral"), (0, "neutral"), (0, "concerned"), (-15, "neutral")]
    assert [each["elevation"] for each in found["lenses"][2]["elevations"]] == [5, 0, -15]


def test_arcs_without_a_picture_are_told(node: Any) -> None:
    found = spun(node, portfolio())
    assert [lens["gaps"] for lens in found["lenses"]] == [
        [{"from": 45, "to": 180, "span": 135}, {"from": 180, "to": -45, "span": 135}],
        [{"from": 35, "to": 180, "span": 145}, {"from": 180, "to": -35, "span": 145}],
        [
            {"from": -90, "to": -35, "span": 55},
            {"from": 35, "to": 90, "span": 55},
            {"from": 90, "to": -90, "span": 180},
        ],
    ]


def test_a_failed_shot_keeps_its_place_though_the_server_tells_its_name_alone(node: Any) -> None:
    images = portfolio(failed=(16,))
    assert images[16]["metrics"]["shot"] == {"name": "85mm PROFILE RIGHT MCU (Enhanced)"}
    lens = spun(node, images)["lenses"][2]
    assert stops(lens)[-1] == (90, "failed")
    assert lens["failed"] == 1
    # No picture there: the arc behind is wider than it looks.
    assert lens["gaps"][-1] == {"from": 35, "to": -90, "span": 235}


def test_a_shot_that_never_came_keeps_its_place(node: Any) -> None:
    # 50 mm from behind is one shot alone; thoughtful is one of two at -35°.
    found = spun(node, portfolio(missing=(14, 4)))
    lens = found["lenses"][1]
    assert stops(lens)[-1] == (180, "missing")
    assert stops(lens)[0] == (-35, "partial")
    assert lens["missing"] == 2
    assert found["unplaced"] == []


def test_nothing_is_said_to_be_missing_of_a_set_that_nobody_knows(node: Any) -> None:
    images = [
        image(
            number,
            "portfolioItem",
            shot={"name": f"orbit {number}", "lensMm": 24, "cameraAzimuthDeg": number * 30},
        )
        for number in range(12)
    ]
    (lens,) = spun(node, images)["lenses"]
    assert [azimuth for azimuth, _ in stops(lens)] == list(range(-150, 181, 30))
    assert lens["missing"] == 0
    assert lens["gaps"] == []


def test_images_without_a_camera_are_counted_not_lost(node: Any) -> None:
    images = [*portfolio(), image(40, "portfolioItem"), image(41, "portfolioItem", failed=True)]
    assert [each["key"] for each in spun(node, images)["unplaced"]] == ["run-a-040", "run-a-041"]


def test_a_stored_shot_takes_the_place_of_its_failed_first_try(node: Any) -> None:
    shot = shot_document(SHOTS[0])
    tries = [
        image(0, "portfolioItem", shot=shot, createdAt="2026-11-01T10:00:00Z"),
        image(1, "portfolioItem", shot=shot, createdAt="2026-11-03T10:00:00Z", failed=True),
        image(2, "portfolioItem", shot=shot, createdAt="2026-11-02T10:00:00Z"),
    ]
    for images in (tries, tries[::-1]):
        places = [stop for lens in spun(node, images)["lenses"] for stop in lens["stops"]]
        (shown,) = [view for stop in places for view in stop["views"] if view["image"]]
        assert shown["image"]["key"] == "run-a-002"


def test_an_azimuth_is_brought_into_one_turn(node: Any) -> None:
    turns = {-180: 180, 180: 180, 540: 180, 270: -90, -190: 170, 360: 0, 12.34: 12.3}
    assert node("return given.map(spin.azimuth)", list(turns)) == list(turns.values())
    assert node("return given.map(spin.azimuth)", [None, "90", True]) == [None] * 3


def test_runs_are_kept_apart_the_newest_first(node: Any) -> None:
    images = [
        image(0, "portfolioItem", run="old", createdAt="2026-01-01T00:00:00Z"),
        image(1, "reference", run="ref"),
        image(0, "portfolioItem", run="new", createdAt="2026-02-01T00:00:00Z"),
        image(1, "portfolioItem", run="old", createdAt="2026-01-01T00:00:05Z"),
    ]
    found = node("return spin.setsOf(given).map(({ id, images }) => [id, images.length])", images)
    assert found == [["new", 1], ["old", 2]]


def test_any_images_are_ordered_and_none_is_lost(node: Any) -> None:
    """Every image is at one place, behind a better try, or without a camera; never twice."""
    rng = random.Random(20261125)
    collections = []
    for _ in range(300):
        collections.append(
            [
                image(
                    number,
                    "portfolioItem",
                    failed=rng.random() < 0.3,
                    shot=rng.choice(
                        [
                            None,
                            shot_document(rng.choice(SHOTS)),
                            {
                                "name": f"shot {rng.randrange(6)}",
                                "lensMm": rng.choice([None, 24, 50.5]),
                                "cameraAzimuthDeg": rng.choice([None, rng.uniform(-400, 400)]),
                                "cameraElevationDeg": rng.choice([None, 0, 10, -10]),
                            },
                        ]
                    ),
                )
                for number in range(rng.randrange(12))
            ]
        )
    answers = node("return given.map((images) => spin.spinOf(images))", collections)
    for images, found in zip(collections, answers, strict=True):
        lenses = [lens["lensMm"] for lens in found["lenses"]]
        assert len(lenses) == len(set(lenses))
        placed = []
        for lens in found["lenses"]:
            azimuths = [azimuth for azimuth, _ in stops(lens)]
            assert azimuths == sorted(set(azimuths))
            assert all(-180 < azimuth <= 180 for azimuth in azimuths)
            views = [view for stop in lens["stops"] for view in stop["views"]]
            assert lens["shown"] + lens["failed"] + lens["missing"] == len(views)
            placed += [view["image"]["key"] for view in views if view["image"]]
        assert len(placed) == len(set(placed))
        with_camera = len(images) - len(found["unplaced"])
        assert len(placed) <= with_camera
        assert bool(placed) == bool(with_camera)


MOVES = """
const at = new Position();
at.read(given.images, given.options);
const told = [];
const tell = () => told.push([at.lens.lensMm, at.stop.azimuth, at.view.camera.name]);
tell();
for (const [name, ...values] of given.moves) {
  if (name === "read") at.read(given.later);
  else at[name](...values);
  tell();
}
return told;
"""


def moved(node: Any, *moves: list[Any], later: Any = None, **options: Any) -> Any:
    images = portfolio()
    value = {"images": images, "moves": moves, "options": options, "later": later}
    return node(MOVES, value)


def test_it_begins_in_front_and_goes_around(node: Any) -> None:
    told = moved(node, ["step", 1], ["step", 1], ["step", -3], ["step", -1])
    assert told[0] == [50, 0, "50mm FRONT CU (Enhanced)"]
    assert [azimuth for _, azimuth, _ in told] == [0, 25, 35, -25, -35]
    around = moved(node, *[["step", 1]] * 6)
    assert [azimuth for _, azimuth, _ in around] == [0, 25, 35, 180, -35, -25, 0]


def test_another_lens_looks_from_the_nearest_place(node: Any) -> None:
    told = moved(node, ["turnTo", 30], ["takeLens", 0], ["turnTo", 170], ["takeLens", 2])
    assert told[1][:2] == [50, 25]
    assert told[2][:2] == [35, 35]
    assert told[3][:2] == [35, 180]
    # From behind it is as far to either profile: the first is taken.
    assert told[4][:2] == [85, -90]


def test_what_the_reader_chose_is_looked_for_at_each_place(node: Any) -> None:
    told = moved(node, ["takeLens", 2], ["pick", 1], ["step", 1], ["step", -1])
    assert told[2][2] == "85mm DETERMINED MCU (Enhanced)"
    assert told[4] == told[2]


def test_new_images_leave_the_camera_where_it_is(node: Any) -> None:
    later = portfolio(failed=(3,))
    told = moved(node, ["takeLens", 2], ["turnTo", -15], ["read"], later=later)
    assert told[-1] == told[-2] == [85, -15, "85mm TIGHT 15° LEFT CU (Enhanced)"]


def test_it_can_begin_with_an_image(node: Any) -> None:
    told = moved(node, startId=image(14, "portfolioItem")["id"])
    assert told == [[50, 180, "50mm BACK 3Q (Enhanced)"]]
