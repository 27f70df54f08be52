from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg import CharacterLibrary, CharacterLibraryError, CharacterReference
from charimg._assembly.settings import StoreSettings
from charimg._assembly.stores import Stores, open_stores
from charimg.cli.session import Settings

from ..servers.payload import PayloadServer

DB_ID = "0123456789abcdef01234567"


@pytest.fixture
def here(tmp_path: Path) -> tuple[str, str]:
    return ("--directory", str(tmp_path / "data"))


def test_adding_makes_an_id_from_the_name(run: Any, here: tuple[str, str]) -> None:
    answer = run("characters", "add", "Žofie  Nová-Šťastná", *here)
    assert answer.code == 0
    assert answer.out == "zofie-nova-stastna  Žofie  Nová-Šťastná  not linked\n"
    assert answer.err == ""


def test_a_name_without_latin_letters_gets_an_id_too(run: Any, here: tuple[str, str]) -> None:
    first = run("characters", "add", "美咲", "--json", *here).json["character"]["id"]
    second = run("characters", "add", "美咲", "--json", *here).json["character"]["id"]
    assert first.startswith("character-")
    assert first != second


def test_adding_takes_traits_from_options_and_file(
    run: Any, here: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "traits.json"
    file.write_text(json.dumps({"age": 34, "hair": "black"}), encoding="utf-8")
    answer = run(
        "characters", "add", "Mara", "--id", "m", "--traits-file", file,
        "--trait", "hair=auburn, a=b", "--library-db-id", DB_ID,
        "--library-character-id", "mara-1", "--json", *here,
    )  # fmt: skip
    assert answer.json == {
        "character": {
            "id": "m",
            "name": "Mara",
            "libraryDbId": DB_ID,
            "libraryCharacterId": "mara-1",
            "traits": {"age": 34, "hair": "auburn, a=b"},
        }
    }


def test_a_taken_id_is_refused_unless_replaced(run: Any, here: tuple[str, str]) -> None:
    run("characters", "add", "Mara", *here)
    again = run("characters", "add", "Mara", "--trait", "hair=red", *here)
    assert again.code == 3
    assert "--replace" in again.err
    assert run("characters", "add", "Mara", "--trait", "hair=red", "--replace", *here).code == 0
    listed = run("characters", "list", "--json", *here).json
    assert listed["total"] == 1
    assert listed["characters"][0]["traits"] == {"hair": "red"}


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("Mara", "--trait", "hair"), "--trait takes NAME=VALUE"),
        (("Mara", "--trait", " =x"), "--trait takes NAME=VALUE"),
        (("  ",), "name is empty"),
        (("Mara", "--library-db-id", "mara-1"), "24-hex"),
        (("Mara", "--traits-file", "missing.json"), "not a readable JSON file"),
    ],
)
def test_bad_values_are_refused_and_nothing_is_made(
    run: Any, here: tuple[str, str], args: tuple[str, ...], told: str
) -> None:
    answer = run("characters", "add", *args, *here)
    assert answer.code == 2
    assert told in answer.err
    assert not Path(here[1]).exists()


@pytest.mark.parametrize(
    ("text", "told"), [("{", "not a readable JSON"), ("[]", "one JSON object")]
)
def test_a_bad_traits_file_is_refused(
    run: Any, here: tuple[str, str], tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "traits.json"
    file.write_text(text)
    answer = run("characters", "add", "Mara", "--traits-file", file, *here)
    assert answer.code == 2
    assert told in answer.err


def test_the_list_is_a_table(run: Any, here: tuple[str, str]) -> None:
    run("characters", "add", "Mara", "--library-db-id", DB_ID, *here)
    run("characters", "add", "[bold]Bo", "--id", "bo", *here)
    answer = run("characters", "list", *here)
    assert answer.code == 0
    assert DB_ID in answer.out
    assert "[bold]Bo" in answer.out
    assert "not linked" in answer.out


def test_an_empty_place_is_told(run: Any, here: tuple[str, str]) -> None:
    answer = run("characters", "list", "--json", *here)
    assert answer.code == 2
    assert answer.json["error"]["code"] == "CONFIGURATION_ERROR"
    assert "characters add" in answer.err
    assert not Path(here[1]).exists()


def test_linking_to_a_given_id_asks_nobody(run: Any, here: tuple[str, str]) -> None:
    run("characters", "add", "Mara", "--trait", "hair=auburn", *here)
    answer = run(
        "characters", "link", "mara", "--library-db-id", DB_ID, "--library-character-id", "m-1",
        "--json", *here,
    )  # fmt: skip
    assert answer.code == 0
    assert answer.json["character"] == {
        "id": "mara",
        "name": "Mara",
        "libraryDbId": DB_ID,
        "libraryCharacterId": "m-1",
        "traits": {"hair": "auburn"},
    }


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("mara",), 2, "exactly one"),
        (("mara", "--create", "--find"), 2, "exactly one"),
        (("mara", "--create", "--library-db-id", DB_ID), 2, "exactly one"),
        (("mara", "--library-db-id", "slug"), 2, "24-hex"),
        (("nobody", "--create"), 3, "no character 'nobody'"),
        (("mara", "--create"), 2, "--library-url"),
        (("mara", "--find"), 2, "--library-url"),
    ],
)
def test_links_that_are_refused(
    run: Any, here: tuple[str, str], args: tuple[str, ...], code: int, told: str
) -> None:
    run("characters", "add", "Mara", *here)
    answer = run("characters", "link", *args, *here)
    assert answer.code == code
    assert told in answer.err
    assert run("characters", "list", "--json", *here).json["characters"][0]["libraryDbId"] is None


def test_creating_gives_an_explicit_unique_slug(world: Any) -> None:
    world.read("characters", "add", "Mara Voss", "--id", "twin")
    # The same name: the server's own slug would collide.
    answer = world.run("characters", "link", "twin", "--create", "--json")
    assert answer.code == 0
    linked = answer.json["character"]
    assert linked["libraryDbId"] != world.db_id
    assert linked["libraryCharacterId"].startswith("mara-voss-")


def test_creating_takes_a_given_slug(world: Any) -> None:
    world.read("characters", "add", "Bo")
    answer = world.run(
        "characters", "link", "bo", "--create", "--library-character-id", "b", "--json"
    )
    assert answer.json["character"]["libraryCharacterId"] == "b"


def test_a_second_character_is_not_linked_to_the_same_one(world: Any) -> None:
    world.read("characters", "add", "Bo")
    for command, ask in ((("link", "bo"), world.run), (("add", "Bo", "--id", "b"), world.read)):
        refused = ask("characters", *command, "--library-db-id", world.db_id)
        assert refused.code == 2
        assert f"Character 'mara' is linked to {world.db_id} already" in refused.err
    told = world.read("characters", "list", "--json").json["characters"]
    assert {each["id"]: each["libraryDbId"] for each in told} == {"bo": None, "mara": world.db_id}


def test_a_link_is_replaced_only_on_demand(world: Any) -> None:
    refused = world.run("characters", "link", "mara", "--library-db-id", DB_ID)
    assert refused.code == 3
    assert world.db_id in refused.err
    replaced = world.run(
        "characters", "link", "mara", "--library-db-id", DB_ID, "--replace", "--json"
    )
    assert replaced.json["character"]["libraryDbId"] == DB_ID


def test_finding_links_the_only_one_of_that_name(world: Any) -> None:
    world.read("characters", "link", "mara", "--library-db-id", DB_ID, "--replace")
    world.read("characters", "add", "Mara Voss", "--id", "copy")
    answer = world.run("characters", "link", "copy", "--find", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["character"]["libraryDbId"] == world.db_id


def test_finding_several_lists_them(world: Any) -> None:
    world.read("characters", "add", "Mara Voss", "--id", "twin")
    twin = world.run("characters", "link", "twin", "--create", "--json").json["character"]
    world.read("characters", "add", "Mara Voss", "--id", "third")
    answer = world.run("characters", "link", "third", "--find")
    assert answer.code == 3
    assert world.db_id in answer.err
    assert twin["libraryDbId"] in answer.err
    world.read("characters", "link", "twin", "--library-db-id", DB_ID, "--replace")
    slug = twin["libraryCharacterId"]
    answer = world.run(
        "characters", "link", "third", "--find", "--library-character-id", slug, "--json"
    )
    assert answer.json["character"]["libraryDbId"] == twin["libraryDbId"]


def test_finding_none_is_not_found(world: Any) -> None:
    world.read("characters", "add", "Bo")
    answer = world.run("characters", "link", "bo", "--find")
    assert answer.code == 3
    assert "--create" in answer.err
    answer = world.run("characters", "link", "bo", "--find", "--library-character-id", "b-1")
    assert answer.code == 3
    # It was not looked for by its name.
    assert "no character with characterId 'b-1'" in answer.err


def test_creating_without_an_answer_says_how_to_find_it(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise CharacterLibraryError("lost", code="TIMEOUT", outcome_unknown=True)

    monkeypatch.setattr(CharacterLibrary, "create_character", lost)
    world.read("characters", "add", "Bo")
    answer = world.run("characters", "link", "bo", "--create")
    assert answer.code == 4
    assert "charimg characters link --find bo" in answer.err
    assert "charimg recover" not in answer.err


def test_characters_that_are_kept_elsewhere_are_not_to_be_added_here(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARIMG_CHARACTERS", "payload+http://127.0.0.1:9/api?characters=people")
    Settings.of(tmp_path / "new").check_data()
    answer = run("doctor", "--directory", tmp_path / "new")
    assert "the first image makes it" in answer.out
    assert "charimg characters add" not in answer.out


class ReadOnly:
    """A host's directory: it gives its characters, and takes nothing."""

    def get(self, character_id: str) -> CharacterReference | None:
        return CharacterReference(id=character_id, name="Mara") if character_id == "mara" else None


@pytest.mark.parametrize("how", [("--create",), ("--find",), ("--library-db-id", DB_ID)])
def test_a_directory_that_keeps_no_links_is_told_of_before_anything_is_sent(
    world: Any, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    def opened(settings: StoreSettings) -> Stores:
        return evolve(open_stores(settings), directory=ReadOnly())

    monkeypatch.setattr("charimg.cli.session.open_stores", opened)
    before = len(world.server.simulator.requests)
    answer = world.run("characters", "link", "mara", *how)
    assert answer.code == 2
    assert "ReadOnly keeps no links, so nothing was sent" in answer.err
    assert len(world.server.simulator.requests) == before
    # Advice that would not work here is not given.
    unknown = world.run("characters", "link", "tom", *how)
    assert unknown.code == 3
    assert "where the host keeps its characters" in unknown.err
    assert "characters add" not in unknown.err


def test_payload_keeps_the_link(
    run: Any,
    server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    payload_of: Callable[[str], PayloadServer],
) -> None:
    cms = payload_of("sqlite")
    # Other tests have linked characters of this CMS with the first ids of a Library.
    for _ in range(100):
        server.simulator.add_character(name="Other")
    monkeypatch.setenv("CHARIMG_METADATA", f"payload+{cms.url}")
    monkeypatch.setenv("PAYLOAD_API_KEY", cms.api_key)
    where = ("--directory", tmp_path / "data", "--library-url", server.url)
    mira = cms.character("Mira", generationMetadata={"bamlData": {"hair": "red"}})
    refused = run("generate", "reference", mira, "--prompt", "A face.", *where)
    assert refused.code == 3
    assert f"`charimg characters link --create {mira}`, or" in refused.err
    linked = run("characters", "link", mira, "--create", "--json", *where)
    assert linked.code == 0, linked.err
    assert linked.json["character"]["traits"] == {"hair": "red"}
    document = cms.ask("GET", f"/character-references/{mira}")["libraryIntegration"]
    assert document["libraryDbId"] == linked.json["character"]["libraryDbId"]
    assert run("generate", "reference", mira, "--prompt", "A face.", *where).code == 0
    again = run("characters", "link", mira, "--create", *where)
    assert again.code == 3
    assert "--replace" in again.err
