from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from charimg.cli import generate
from charimg.errors import InvalidArgument
from charimg.stores import SqliteDatabase, SqliteGenerationLedger

EXACT = "  A face,\r\n„exactly” so.\t\n"


def test_a_reference_is_drawn_from_the_suggestion(world: Any) -> None:
    answer = world.run("generate", "reference", "mara")
    assert answer.code == 0, answer.err
    assert "reference  succeeded" in answer.out
    assert "Drawing the reference" in answer.err
    assert "auburn" in world.images()[0]["prompt"]


@pytest.mark.parametrize("by", ["option", "file", "stdin"])
def test_a_prompt_is_used_byte_for_byte(world: Any, tmp_path: Path, by: str) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(EXACT.encode())
    args = {
        "option": ("--prompt", EXACT),
        "file": ("--prompt-file", str(file)),
        "stdin": ("--prompt-file", "-"),
    }[by]
    answer = world.run(
        "generate", "reference", "mara", "--json", "--created-by", "ann", *args,
        stdin=EXACT.encode(),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.json["prompt"] == EXACT
    assert answer.json["image"]["prompt"] == EXACT
    assert answer.json["image"]["createdBy"] == "ann"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--prompt", "a", "--prompt-file", "b"), "not both"),
        (("--prompt-file", "missing.txt"), "cannot be read"),
        (("--prompt", " \n"), "empty"),
        (("--prompt", "x" * 70_000), "at most 65,536"),
    ],
)
def test_bad_prompts_are_refused_before_anything_is_sent(
    world: Any, args: tuple[str, ...], told: str
) -> None:
    world.reference()
    answer = world.run("generate", "reference", "mara", *args)
    assert answer.code == 2
    assert told in answer.err
    assert len(world.images()) == 1


def test_a_prompt_file_must_be_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "latin1.txt"
    file.write_bytes(b"caf\xe9")
    with pytest.raises(InvalidArgument, match="UTF-8"):
        generate._text(None, str(file), "prompt")


def test_a_new_reference_replaces_the_old_one(world: Any) -> None:
    first = world.reference()
    answer = world.run("generate", "reference", "mara", "--prompt", "Another.")
    assert answer.code == 0
    assert "1 earlier images removed." in answer.err
    assert [image["id"] for image in world.images()] != [first["id"]]
    assert len(world.images()) == 1


def test_the_policy_is_an_option(world: Any) -> None:
    world.reference()
    answer = world.run(
        "generate", "reference", "mara", "--prompt", "Another.", "--policy", "keep-history"
    )
    assert answer.code == 0
    assert len(world.images("--kind", "reference")) == 2
    bad = world.run("generate", "reference", "mara", "--policy", "burn")
    assert bad.code == 2


def test_the_delete_and_retry_is_told(world: Any) -> None:
    world.reference()
    world.switch(reference_delete_errors=1)
    answer = world.run("generate", "reference", "mara", "--prompt", "Another.", "--json")
    assert answer.code == 0
    assert answer.json["retried"] is True
    assert "one more DELETE" in answer.err
    assert "Warning: The remote reference was not deleted" in answer.err


def test_a_model_failure_is_a_library_error(world: Any) -> None:
    world.switch(generation_errors=1)
    answer = world.run("generate", "reference", "mara", "--prompt", "SECRET face", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "UPSTREAM_MODEL"
    assert answer.json["error"]["statusCode"] == 500
    assert answer.json["error"]["requestId"]
    assert "SECRET" not in answer.out + answer.err
    assert "Traceback" not in answer.err


def test_a_failed_download_is_an_ingestion_error_and_can_be_retried(world: Any) -> None:
    world.switch(html_files=1)
    answer = world.run("generate", "reference", "mara", "--prompt", "A face.", "--json")
    assert answer.code == 5
    image_id = answer.json["error"]["imageId"]
    again = world.run("retry", "mara", image_id[-10:], "--json")
    assert again.code == 0, again.err
    assert again.json["image"]["id"] == image_id
    assert again.json["image"]["status"] == "succeeded"


def test_a_character_that_is_not_there_or_not_linked(world: Any) -> None:
    assert world.run("generate", "reference", "nobody").code == 3
    world.read("characters", "add", "Bo")
    answer = world.run("generate", "reference", "bo", "--json")
    assert answer.code == 3
    assert answer.json["error"]["code"] == "CHARACTER_NOT_LINKED"


def test_something_in_progress_is_its_own_exit_code(world: Any) -> None:
    database = SqliteDatabase(world.directory / "charimg.sqlite")
    try:
        ledger = SqliteGenerationLedger(database)
        lease = ledger.acquire("mara", owner="someone else", ttl=60)
        answer = world.run("generate", "reference", "mara")
        ledger.release(lease)
    finally:
        database.close()
    assert answer.code == 8
    assert answer.err.count("Error:") == 1


def test_a_portfolio_is_drawn_with_progress(world: Any) -> None:
    reference = world.reference()
    answer = world.run(
        "generate", "portfolio", "mara", "--poll", "0.05", "--json",
        "--reference", reference["id"][-10:], "--style", "natural", "--quality-threshold", "50",
        "--max-retries", "1", "--deadline", "600",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert len(answer.json["images"]) == 3
    assert answer.json["referenceId"] == reference["id"]
    assert "job completed: 3/3" in answer.err
    assert "3 shots stored." in answer.err


def test_a_portfolio_with_failures_is_partial(world: Any) -> None:
    world.reference()
    world.switch(html_files=1, failing_shots=1)
    answer = world.run("generate", "portfolio", "mara", "--poll", "0.05")
    assert answer.code == 7
    assert "1 shots stored, 2 failed" in answer.err
    assert "`charimg retry --all mara` downloads those again that were drawn." in answer.err
    assert "recover" not in answer.err
    assert answer.err.count("Failed: ") == 2
    assert answer.out.count("succeeded") == 1
    assert answer.out.count("failed") == 2
    again = world.run("retry", "mara", "--all", "--json")
    # The shot that was never drawn cannot be downloaded.
    assert again.code == 0
    assert len(again.json["retried"]) == len(again.json["notDrawn"]) == 1


def test_a_portfolio_of_which_nothing_is_left_to_download_advises_no_retry(world: Any) -> None:
    world.reference()
    world.switch(failing_shots=1)
    answer = world.run("generate", "portfolio", "mara", "--poll", "0.05")
    assert answer.code == 7
    assert "2 shots stored, 1 failed." in answer.err
    assert "`charimg" not in answer.err


def test_a_portfolio_without_a_master_is_a_library_error(world: Any) -> None:
    answer = world.run("generate", "portfolio", "mara", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "NO_REFERENCE"


def test_a_failed_job_names_itself(world: Any) -> None:
    world.reference()
    world.switch(fail_jobs=True)
    answer = world.run("generate", "portfolio", "mara", "--poll", "0.05", "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "JOB_FAILED"
    assert answer.json["error"]["jobId"]


def test_a_scene_is_drawn(world: Any) -> None:
    world.reference()
    answer = world.run(
        "generate", "scene", "mara", "She waits.", "--type", "action", "--mood", "tense",
        "--lighting", "low key", "--environment", "a bar", "--with", "Bo", "--with", "Cy",
        "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.json["image"]["kind"] == "scene"
    assert answer.json["prompt"] == "She waits."


def test_a_scene_takes_its_context_from_stdin(world: Any) -> None:
    world.reference()
    answer = world.run("generate", "scene", "mara", "--context-file", "-", stdin=EXACT.encode())
    assert answer.code == 0, answer.err
    assert world.images("--kind", "scene")[0]["prompt"] == EXACT


def test_a_scene_needs_a_context_and_a_known_type(world: Any) -> None:
    assert world.run("generate", "scene", "mara").code == 2
    assert world.run("generate", "scene", "mara", "x", "--type", "comic").code == 2
    assert world.counters["scenePosts"] == 0


def test_stdin_is_read_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(EXACT.encode())

    monkeypatch.setattr("sys.stdin", Stdin())
    assert generate._text(None, "-", "prompt") == EXACT
