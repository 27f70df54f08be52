from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charimg._assembly.embedded import embedded


def filled(world: Any) -> list[dict[str, Any]]:
    world.reference()
    world.switch(html_files=1)
    assert world.run("generate", "portfolio", "mara", "--json").code == 7
    return list(world.images())


def test_everything_goes_to_another_directory(world: Any, tmp_path: Path) -> None:
    before = filled(world)
    there = tmp_path / "there"
    answer = world.read("migrate", "--to-directory", there, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["outcomes"] == {"copied": 4, "present": 0, "skipped": 0, "failed": 0}
    assert answer.json["operations"] == 2
    assert answer.json["failures"] == []
    assert "4 images of 1 characters" in answer.err
    assert "Complete." in answer.err
    moved = world.run_command("list", "mara", "--json", "--directory", there).json["images"]
    assert [each["key"] for each in moved] == [each["key"] for each in before]
    # The copy works on its own: the failed download is retried there.
    retried = world.run_command(
        "retry", "mara", "--all", "--json", "-d", there, "--library-url", world.server.url
    )
    assert retried.code == 0, retried.err
    assert world.images() == before
    again = world.read("migrate", "--to-directory", there)
    assert again.code == 0
    assert "present" in again.out


def test_only_the_files_go(world: Any, tmp_path: Path) -> None:
    filled(world)
    url = f"file://{tmp_path}/files"
    answer = world.read("migrate", "--to-media", url, "--json")
    assert answer.code == 0, answer.err
    assert f"media: {world.directory}/media -> {tmp_path}/files" in answer.err
    assert "metadata:" not in answer.err
    assert answer.json["outcomes"]["copied"] == 3
    assert answer.json["operations"] == 0


def test_targets_may_come_from_the_environment(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(world)
    monkeypatch.setenv("CHARIMG_TO_METADATA", f"sqlite:///{tmp_path}/x.sqlite")
    monkeypatch.setenv("CHARIMG_TO_LEDGER", f"sqlite:///{tmp_path}/y.sqlite")
    monkeypatch.setenv("CHARIMG_TO_CHARACTERS", f"sqlite:///{tmp_path}/z.sqlite")
    answer = world.read("migrate", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["outcomes"]["copied"] == 4
    for name in "xyz":
        assert (tmp_path / f"{name}.sqlite").is_file()


def test_what_fails_is_told_and_the_rest_is_copied(world: Any, tmp_path: Path) -> None:
    filled(world)
    stores = embedded(world.directory)
    image = stores.metadata.list("mara").images[-1]
    assert image.media is not None
    stores.media.path(image.media).write_bytes(b"x" * image.media.size)
    stores.database.close()
    answer = world.read("migrate", "--to-directory", tmp_path / "there")
    assert answer.code == 7
    assert f"Failed: mara, image {image.key}" in answer.err
    assert "run it again" in answer.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "There is nothing to copy"),
        (("--to-media", "ftp://x/y?hush"), "--to-media"),
        (("--to-metadata", "mysql://me:hush@host/db"), "--to-metadata must be a URL such as"),
        (("--to-metadata", "payload+https://cms.example"), "media must be in Payload"),
        (("--to-directory", ""), "it is empty; give a directory"),
        (("--to-directory", "x" * 300), "which cannot be used (File name too long)"),
        (("--to-directory", __file__), "which is not a directory"),
    ],
)
def test_bad_targets(world: Any, options: tuple[str, ...], told: str) -> None:
    answer = world.read("migrate", *options)
    assert answer.code == 2
    assert told in answer.err
    assert "hush" not in answer.err


def test_the_same_place_by_another_name(world: Any, tmp_path: Path) -> None:
    filled(world)
    (tmp_path / "link").symlink_to(world.directory)
    for options in (
        ("--to-directory", tmp_path / "link"),
        ("--to-metadata", f"sqlite:///{tmp_path}/link/charimg.sqlite"),
        ("--to-media", f"file://{world.directory}/../data/media"),
    ):
        answer = world.read("migrate", *options)
        assert answer.code == 2, answer.err
        assert "source and target are the same" in answer.err


@pytest.mark.parametrize("target", ["media", "media/inside", "media/../media/x", ""])
def test_files_do_not_go_into_each_other(world: Any, tmp_path: Path, target: str) -> None:
    filled(world)
    before = sorted(tmp_path.rglob("*"))
    answer = world.read("migrate", "--to-media", f"file://{world.directory}/{target}")
    assert answer.code == 2
    told = "source and target are the same" if target == "media" else f" lies in {world.directory}"
    assert told in answer.err
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_says_that_it_can_be_resumed(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(world)

    def interrupted(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("charimg.cli.migrate.Migration.run", interrupted)
    answer = world.read("migrate", "--to-directory", tmp_path / "there")
    assert answer.code == 130
    assert "Run the same command again" in answer.err


def test_what_only_the_target_has_is_told(world: Any, tmp_path: Path) -> None:
    filled(world)
    there = tmp_path / "there"
    assert world.read("migrate", "--to-directory", there).code == 0
    assert world.run("delete", "mara", "--all", "--yes").code == 0
    answer = world.read("migrate", "--to-directory", there, "--json")
    assert answer.json["extra"] == 4
    assert "4 records are in the target alone" in answer.err


def test_nothing_to_migrate(run: Any, tmp_path: Path) -> None:
    answer = run("migrate", "--directory", tmp_path / "none", "--to-directory", tmp_path / "x")
    assert answer.code == 2
    assert "nothing of charimg's" in answer.err
