"""``charimg demo``, run for real: over HTTP, with a SQLite file and image files."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from PIL import Image

from charimg._assembly.embedded import embedded
from charimg.cli import contact_sheet, demo, demo_directory, demo_story
from charimg.cli.demo_truth import Truth, media_files, read_back
from charimg.errors import ConfigurationError
from charimg.journal import Operation, OperationKind, OperationState
from charimg.models import CharacterImage

from .process import Finished, finish, on_terminal, start, without_escapes

COUNTS = {
    "images": {"reference": 1, "portfolioItem": 27, "scene": 1},
    "failed": 0,
    "removed": 1,
    # One POST, one refused because the first DELETE failed, one after the second DELETE.
    "remote": {"initialImagePosts": 3, "referenceDeletes": 2, "set360Posts": 1, "scenePosts": 1},
    "mediaFiles": 29,
}
FILES = ("charimg.sqlite", "contact-sheet.png", "media", ".charimg-demo")


@frozen
class Shown:
    """One run of the installed command."""

    directory: Path
    ended: Finished


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    directory = tmp_path_factory.mktemp("demo") / "new"
    return Shown(directory, finish(start("demo", "--json", "--directory", directory)))


def test_the_object_is_what_the_policy_says(shown: Shown) -> None:
    assert shown.ended.code == 0, shown.ended.err
    told = shown.ended.json
    size = told.pop("mediaBytes")
    assert Path(told.pop("directory")) == shown.directory.resolve()
    assert told == COUNTS
    files = [
        path
        for path in (shown.directory / "media").rglob("*.*")
        if path.is_file() and not path.name.startswith("_")
    ]
    assert len(files) == 29
    assert size == sum(path.stat().st_size for path in files) > 0


def test_messages_go_to_stderr(shown: Shown) -> None:
    err = shown.ended.err
    assert "\x1b" not in err + shown.ended.out
    for step in "12345":
        assert f"\n{step}. " in err
    assert f"Contact sheet: {shown.directory / 'contact-sheet.png'}" in err


def test_the_list_afterwards_holds_exactly_that(shown: Shown, run: Any) -> None:
    answer = run("list", "mara-voss", "--directory", shown.directory, "--json")
    images = answer.json["images"]
    assert Counter(image["kind"] for image in images) == COUNTS["images"]
    assert {image["status"] for image in images} == {"succeeded"}
    assert (images[0]["kind"], images[-1]["kind"]) == ("scene", "reference")
    # The second reference, from the prompt that was given for it.
    assert images[-1]["prompt"] == demo_story._SECOND_PROMPT
    assert len({image["metrics"]["sha256"] for image in images}) == 29
    shots = [image["metrics"]["shot"]["name"] for image in images if image["metrics"].get("shot")]
    assert len(set(shots)) == 27


def test_the_contact_sheet_has_29_tiles(shown: Shown) -> None:
    with Image.open(shown.directory / "contact-sheet.png") as opened:
        assert opened.format == "PNG"
        sheet = opened.convert("RGB")
    columns, cell, gap = contact_sheet._COLUMNS, contact_sheet._CELL, contact_sheet._GAP
    step_x, step_y = cell + gap, cell + contact_sheet._CAPTION + gap
    assert sheet.size == (columns * step_x + gap, 5 * step_y + gap)
    tiles = []
    for place in range(columns * 5):
        left, top = gap + place % columns * step_x, gap + place // columns * step_y
        tile = sheet.crop((left, top, left + cell, top + cell))
        caption = sheet.crop((left, top + cell, left + cell, top + step_y - gap))
        blank = tile.getcolors() == [(cell * cell, contact_sheet._BACKGROUND)]
        assert blank == (caption.getextrema() == tuple((c, c) for c in contact_sheet._BACKGROUND))
        if not blank:
            tiles.append(tile.tobytes())
    assert len(tiles) == len(set(tiles)) == 29


def test_a_former_demo_is_replaced_and_nothing_else(
    shown: Shown, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    shutil.copytree(shown.directory, again)
    (again / "notes.txt").write_text("mine")
    (again / "media" / "stray.png").write_bytes(b"left by a broken run")
    monkeypatch.setattr(demo_story, "_JOB_SECONDS", 0.0)
    answer = run("demo", "--directory", again, "--json")
    assert answer.code == 0, answer.err
    assert {name: answer.json[name] for name in COUNTS} == COUNTS
    assert (again / "notes.txt").read_text() == "mine"
    assert not (again / "media" / "stray.png").exists()


def _tree(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("what", ["files", "data", "file", "link", "below a file"])
def test_what_is_not_a_former_demo_is_refused_untouched(
    shown: Shown, run: Any, tmp_path: Path, what: str
) -> None:
    place = tmp_path / "place"
    if what == "files":
        place.mkdir()
        (place / "charimg.sqlite").write_text("somebody's")
    elif what == "data":
        run("characters", "add", "Mara", "--directory", place)
    elif what in ("file", "below a file"):
        place.write_text("x")
    else:
        shutil.copytree(shown.directory, tmp_path / "target")
        place.symlink_to(tmp_path / "target")
    before = _tree(tmp_path)
    target = place / "demo" if what == "below a file" else place
    answer = run("demo", "--directory", target, "--json")
    assert answer.code == 2
    assert answer.json["error"]["code"] == "CONFIGURATION_ERROR"
    assert "--directory" in answer.err
    assert _tree(tmp_path) == before


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    assert demo_directory.prepare(tmp_path) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == [".charimg-demo"]


def test_a_former_demo_loses_all_its_files(shown: Shown, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shown.directory, copy)
    assert {path.name for path in copy.iterdir()} >= set(FILES)
    demo_directory.prepare(copy)
    assert [path.name for path in copy.iterdir()] == [".charimg-demo"]


def test_the_environments_directory_is_not_the_demos(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path / "real-data"))
    prepared: list[Path] = []

    def prepare(directory: Path) -> Path:
        prepared.append(directory)
        raise ConfigurationError("enough")

    monkeypatch.setattr(demo, "prepare", prepare)
    assert run("demo").code == 2
    assert prepared == [Path("charimg-demo")]


# The truth


@frozen
class Story:
    """A directory where the story was told, and the simulator that still runs."""

    directory: Path
    server: Any

    def truth(self, directory: Path) -> Truth:
        return read_back(directory, demo_story.CHARACTER.id, self.server.url)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    from charimg.cli.report import Report

    directory = tmp_path_factory.mktemp("story")
    with pytest.MonkeyPatch.context() as patch, demo_story.simulated(3) as server:
        patch.setattr(demo_story, "_JOB_SECONDS", 0.0)
        demo_story.tell_story(Report(as_json=True), server, directory)
        yield Story(directory, server)


@pytest.fixture
def copy(story: Story, tmp_path: Path) -> Path:
    directory = tmp_path / "copy"
    shutil.copytree(story.directory, directory)
    return directory


def test_the_truth_of_the_story_is_without_problems(story: Story, copy: Path) -> None:
    truth = story.truth(copy)
    assert truth.problems == ()
    assert len(truth.images) == 29
    assert truth.summary["directory"] == str(copy.resolve())


def test_a_lost_file_is_seen(story: Story, copy: Path) -> None:
    lost = media_files(copy)[0]
    size = lost.stat().st_size
    lost.unlink()
    truth = story.truth(copy)
    assert truth.summary["mediaFiles"] == 28
    assert truth.summary["mediaBytes"] == story.truth(story.directory).summary["mediaBytes"] - size
    assert truth.problems == (
        "mediaFiles is 28, and not 29",
        "1 records have no file with their bytes",
    )


def test_changed_bytes_are_seen(story: Story, copy: Path) -> None:
    media_files(copy)[0].write_bytes(b"changed")
    assert story.truth(copy).problems == (
        "1 records have no file with their bytes",
        "1 files belong to no record",
    )


def test_a_file_of_nobody_is_seen(story: Story, copy: Path) -> None:
    (copy / "media" / ".incoming").mkdir(exist_ok=True)
    (copy / "media" / ".incoming" / "half").write_bytes(b"left by a broken save")
    assert story.truth(copy).problems == (
        "mediaFiles is 30, and not 29",
        "1 files belong to no record",
    )


def test_a_lost_record_is_seen(story: Story, copy: Path) -> None:
    stores = embedded(copy)
    scene = stores.metadata.list(demo_story.CHARACTER.id, limit=1).images[0]
    stores.metadata.delete(scene.id)
    stores.database.close()
    truth = story.truth(copy)
    assert truth.summary["images"]["scene"] == 0
    assert "1 files belong to no record" in truth.problems
    assert any(problem.startswith("images is ") for problem in truth.problems)


def test_a_failed_record_is_counted_apart(story: Story, copy: Path) -> None:
    stores = embedded(copy)
    stores.metadata.add(
        CharacterImage(key="k", character_id=demo_story.CHARACTER.id, kind="scene", status="failed")
    )
    stores.database.close()
    truth = story.truth(copy)
    assert truth.summary["failed"] == 1
    assert truth.summary["images"] == COUNTS["images"]
    assert truth.problems == ("failed is 1, and not 0",)


def test_what_the_journal_says_is_read(story: Story, copy: Path) -> None:
    stores = embedded(copy)
    lease = stores.ledger.acquire(demo_story.CHARACTER.id, owner="t", ttl=60)
    for number in range(12):
        done = number > 0
        stores.ledger.write(
            Operation(
                id=f"op-{number}",
                kind=OperationKind.DELETE if done else OperationKind.SCENE,
                character_id=demo_story.CHARACTER.id,
                state=OperationState.DONE if done else OperationState.POSTING,
                removed=1 if done else 0,
            ),
            lease=lease,
        )
    stores.ledger.release(lease)
    stores.database.close()
    truth = story.truth(copy)
    assert truth.summary["removed"] == 12
    assert truth.problems == ("removed is 12, and not 1", "1 operations are unfinished")


def test_the_remote_counters_are_the_simulators_own(story: Story, copy: Path) -> None:
    with demo_story.simulated(4) as other:
        truth = read_back(copy, demo_story.CHARACTER.id, other.url)
        assert set(truth.summary["remote"].values()) == {0}
        assert len(truth.problems) == 1
        db_id = other.simulator.add_character("Other")
        request = urllib.request.Request(
            f"{other.url}/api/v1/characters/{db_id}/reference-image", method="DELETE"
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
            pass
        truth = read_back(copy, demo_story.CHARACTER.id, other.url)
    assert truth.summary["remote"]["referenceDeletes"] == 1


def test_a_wrong_result_is_told_and_ends_with_1(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(report: Any, server: Any, directory: Path) -> None:
        demo_story.tell_story(report, server, directory)
        media_files(directory)[0].write_bytes(b"no image any more")
        media_files(directory)[1].unlink()

    monkeypatch.setattr(demo_story, "_JOB_SECONDS", 0.0)
    monkeypatch.setattr(demo, "tell_story", tell)
    answer = run("demo", "--directory", tmp_path / "demo", "--json")
    assert answer.code == 1
    assert answer.json["mediaFiles"] == 28
    assert answer.json["images"] == COUNTS["images"]
    assert "Wrong: mediaFiles is 28, and not 29." in answer.err
    assert "Wrong: 2 records have no file with their bytes." in answer.err
    assert "Wrong: 1 files belong to no record." in answer.err
    assert "Error: the demo's result is not what the policy says." in answer.err


# For people


@pytest.mark.parametrize("columns", [80, pytest.param(100, marks=pytest.mark.long)])
def test_on_a_terminal_there_are_bars_and_a_table_that_fits(tmp_path: Path, columns: int) -> None:
    directory = tmp_path / "d"
    code, raw = on_terminal("demo", "--no-page", "--directory", directory, columns=columns)
    assert code == 0, raw
    text = without_escapes(raw).replace("\r", "\n")
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    told = " ".join(text.split())
    # The delete and retry of the second reference.
    assert "the first remote DELETE fails" in told
    assert "Warning: The remote reference was not deleted" in told
    assert "one more DELETE, one more POST" in told
    assert "earlier images removed: 1" in told
    # The download that fails, and is done again.
    assert "answered with status 500" in told
    assert "26 shots stored, 1 failed" in told
    assert "4. The failed download again, not the generation" in told
    # Bars for the job and the downloads, on their way and at the end.
    job = [line for line in lines if line.startswith("  Drawing") and "/27 " in line]
    assert any(" 27/27 " in line for line in job)
    assert any(" 27/27 " not in line for line in job)
    assert any(line.startswith("  Downloading ") and " 27/27 " in line for line in lines)
    assert "━" in text
    # One table, a line per image, nothing wider than the terminal.
    head = next(place for place, line in enumerate(lines) if line.split()[:2] == ["id", "kind"])
    rows = lines[head + 2 : head + 31]
    kinds = Counter(row.split()[1] for row in rows)
    assert kinds == COUNTS["images"]
    assert all(row.split()[2] == "succeeded" for row in rows)
    assert max(map(len, lines)) <= columns
    assert lines[head + 31].startswith("29 files, ")


def test_without_a_terminal_the_table_is_data(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_story, "_JOB_SECONDS", 0.0)
    answer = run("demo", "--directory", tmp_path / "d")
    assert answer.code == 0, answer.err
    rows = [line.split() for line in answer.out.splitlines() if "succeeded" in line]
    assert len(rows) == 29
    assert "job completed: 27/27" in answer.err
    assert "charimg demo --page" in answer.err
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answer.out)
