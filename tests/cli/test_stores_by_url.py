"""The command over real servers that the environment names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from charimg.cli.probes import CHARACTER
from charimg.cli.session import Settings
from charimg.testing import serve

from ..servers.payload import PayloadServer
from ..servers.postgres import PostgresServer
from ..servers.rooms import Bucket
from ..servers.s3 import S3Server, credentials


def findings(answer: Any) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["level"], each["message"]) for each in answer.json["findings"]}


@pytest.fixture
def s3_url(rclone_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    credentials(monkeypatch)
    return rclone_server.url()


def test_disk_and_sqlite_move_to_s3_and_postgresql(
    world: Any, postgres_server: PostgresServer, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.reference()
    assert world.run("generate", "portfolio", "mara", "--json").code == 0
    before = world.images()
    monkeypatch.setenv("CHARIMG_TO_METADATA", postgres_server.new_database())
    monkeypatch.setenv("CHARIMG_TO_MEDIA", s3_url)
    moved = world.read("migrate", "--json")
    assert moved.code == 0, moved.err
    assert moved.json["outcomes"] == {"copied": 4, "present": 0, "skipped": 0, "failed": 0}
    assert "127.0.0.1" in moved.err
    for name in ("METADATA", "MEDIA"):
        monkeypatch.setenv(f"CHARIMG_{name}", os.environ[f"CHARIMG_TO_{name}"])
    assert [each["key"] for each in world.images()] == [each["key"] for each in before]
    # The new stores are worked with, and nothing of it is in the old ones.
    assert world.run("generate", "reference", "mara", "--prompt", "A face.", "--json").code == 0
    (image,) = world.images()
    assert image["media"]["url"].startswith("http")
    told = world.run("doctor", "--json")
    assert told.code == 0, told.out
    found = findings(told)
    for role in ("characters", "media", "metadata", "ledger"):
        assert found[role][0] == "ok"
    assert "written, read and deleted" in found["media"][1]
    assert found["metadata"][1].startswith("metadata at postgresql://127.0.0.1")
    monkeypatch.delenv("CHARIMG_METADATA")
    monkeypatch.delenv("CHARIMG_MEDIA")
    assert [each["key"] for each in world.images()] == [each["key"] for each in before]


def test_what_is_measured_in_s3_and_postgresql_leaves_nothing_there(
    world: Any,
    postgres_server: PostgresServer,
    rclone_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    credentials(monkeypatch)
    bucket = Bucket(rclone_server)
    monkeypatch.setenv("CHARIMG_METADATA", postgres_server.new_database())
    monkeypatch.setenv("CHARIMG_MEDIA", bucket.url)
    told = world.run("doctor", "--bench", "--json")
    assert told.code == 0, told.out
    assert all(each["value"] > 0 for each in told.json["figures"])
    assert {"media", "metadata", "ledger"} <= {
        each["name"].partition(":")[0] for each in told.json["figures"]
    }
    assert bucket.keys() == set()
    with Settings.of(world.directory).stores() as stores:
        assert stores.metadata.list(CHARACTER).images == ()
        assert stores.ledger.unfinished() == ()


def test_another_name_of_the_same_database_is_seen(
    run: Any, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.new_database()
    other = url.replace("127.0.0.1", "localhost")
    assert other != url
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path))
    monkeypatch.setenv("CHARIMG_METADATA", url)
    assert run("characters", "add", "Mara").code == 0
    refused = run("migrate", "--to-metadata", other)
    assert refused.code == 2
    assert "source and target are the same" in refused.err
    moved = run("migrate", "--to-metadata", f"{other}?schema=studio")
    assert moved.code == 0, moved.err
    assert "?schema=studio" in moved.err.splitlines()[0]
    assert "postgres@" not in moved.err


def test_doctor_says_in_one_line_what_is_wrong(
    world: Any, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARIMG_LEDGER", "postgresql://me:hush@127.0.0.1:1/studio")
    monkeypatch.setenv("CHARIMG_MEDIA", s3_url)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    told = world.run("doctor", "--json")
    assert told.code == 6
    found = findings(told)
    assert found["characters"][0] == "ok"
    assert found["media"][0] == found["ledger"][0] == "error"
    assert found["metadata"][0] == "warning"
    assert "not tried" in found["metadata"][1]
    assert found["ledger"][1].startswith("PostgreSQL studio on 127.0.0.1:1: ")
    assert "Is the server up" in found["ledger"][1]
    assert "hush" not in told.out + told.err
    assert all("\n" not in message for _, message in found.values())


def test_a_directory_that_nothing_is_kept_in_is_not_said_to_be_made(
    world: Any, s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARIMG_METADATA", f"sqlite:///{tmp_path}/elsewhere.sqlite")
    monkeypatch.setenv("CHARIMG_MEDIA", s3_url)
    found = findings(world.run("doctor", "--json"))
    assert found["directory"] == ("ok", "none is used: every store has a URL of its own")


def test_a_line_about_an_image_shows_no_signed_url(
    world: Any, s3_url: str, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CHARIMG_MEDIA", s3_url)
    drawn = world.run("generate", "reference", "mara", "--prompt", "A face.")
    assert drawn.code == 0, drawn.err
    assert "X-Amz-Signature" not in drawn.out + drawn.err
    shown = world.run("generate", "reference", "mara", "--prompt", "Another.", "--json")
    assert "X-Amz-Signature" in shown.json["image"]["media"]["url"]


def test_an_image_that_was_paid_for_and_not_stored_is_told(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHARIMG_MEDIA", f"file://{tmp_path}/file/media")
    lost = world.run("generate", "reference", "mara", "--prompt", "A face.", "--json")
    assert lost.code == 6
    assert "it was drawn and paid for" in lost.err
    assert "charimg recover" in lost.err
    monkeypatch.delenv("CHARIMG_MEDIA")
    assert world.run("recover").code == 0
    assert [each["prompt"] for each in world.images()] == ["A face."]
    assert world.counters["initialImagePosts"] == 1


def test_bad_origins_are_found_by_doctor(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_ALLOWED_ORIGINS", "minio:9000")
    told = world.run("doctor", "--json")
    assert told.code == 2
    assert "CHARIMG_ALLOWED_ORIGINS" in findings(told)["configuration"][1]


@pytest.mark.long
def test_payload_by_url(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "payload"
    work.mkdir()
    cms = PayloadServer(work)
    cms.start()
    try:
        with serve() as library:
            db_id = library.simulator.add_character(name="Mira")
            mira = cms.character("Mira", libraryIntegration={"libraryDbId": db_id})
            monkeypatch.setenv("CHARIMG_METADATA", f"payload+{cms.url}")
            monkeypatch.setenv("PAYLOAD_API_KEY", cms.api_key)
            monkeypatch.setenv("CHARIMG_DIR", str(tmp_path / "data"))
            monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", library.url)
            told = run("doctor", "--bench", "--json")
            assert told.code == 0, told.out
            assert findings(told)["metadata"][0] == "ok"
            assert any(each["unit"] == "images/min" for each in told.json["figures"])
            for collection in ("media", "character-image-metadata"):
                assert cms.ask("GET", f"/{collection}")["totalDocs"] == 0
            drawn = run("generate", "reference", mira, "--prompt", "A face.", "--json")
            assert drawn.code == 0, drawn.err
            (image,) = run("list", mira, "--json").json["images"]
            assert image["media"]["url"].startswith(cms.url)
            refused = run("characters", "add", "Tom")
            assert refused.code == 2
            assert "takes no characters in" in refused.err
            monkeypatch.setenv("PAYLOAD_API_KEY", "0" * 36)
            told = run("doctor", "--json")
            assert told.code == 6
            assert findings(told)["media"][0] == "error"
    finally:
        cms.kill()
