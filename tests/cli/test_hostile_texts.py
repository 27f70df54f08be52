"""Whatever texts the host and the server have, no command's output steers a terminal."""

from __future__ import annotations

from typing import Any

import pytest

ESCAPES = "\x1b]0;owned\x07\x9b31m\x7f\r\u202e"


@pytest.fixture
def hostile(world: Any) -> Any:
    """Give the character, its prompt and the server hostile words."""
    named = (
        "characters",
        "add",
        f"Mara{ESCAPES}Voss",
        "--id",
        "evil",
        "--trait",
        f"hair=a{ESCAPES}",
    )
    assert world.read(*named).code == 0
    world.run("generate", "reference", "mara", "--prompt", f"A face.{ESCAPES}")
    world.switch(generation_error=f"no {ESCAPES} luck")
    return world


COMMANDS = (
    ("characters", "list"),
    ("prompt", "evil"),
    ("list", "mara"),
    ("list", f"evil{ESCAPES}"),
    ("show", "mara", f"none{ESCAPES}"),
    ("delete", "mara", f"none{ESCAPES}", "--yes"),
    ("generate", "scene", "mara", f"She waits.{ESCAPES}"),
    ("generate", "scene", "mara", "Rain.", "--scene-type", f"odd{ESCAPES}"),
    ("settle", f"none{ESCAPES}"),
    ("recover", f"evil{ESCAPES}"),
    ("doctor",),
    ("list", "mara", "--limit", f"7{ESCAPES}"),
    ("list", f"--no{ESCAPES}"),
    (f"nothing{ESCAPES}",),
)


@pytest.mark.parametrize("args", COMMANDS, ids=[each[0].partition("\x1b")[0] for each in COMMANDS])
def test_no_output_steers_the_terminal(
    hostile: Any, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charimg.cli.prompt._has_terminal", lambda: True)
    hostile.switch(generation_errors=2)
    takes_a_library = args[0] in ("generate", "delete", "recover", "settle", "doctor")
    run = hostile.run if takes_a_library else hostile.read
    for more in ((), ("--json",)):
        answer = run(*args, *more)
        seen = answer.out + answer.err
        assert seen
        assert {char for char in seen if not char.isprintable()} <= {"\n"}


def test_an_image_s_details_are_plain(hostile: Any) -> None:
    (image,) = hostile.images()
    assert "\x1b" in image["prompt"]
    for args in (("show", "mara", image["id"]), ("list", "mara"), ("delete", "mara", image["id"])):
        answer = hostile.run(*args, stdin="n\n") if args[0] == "delete" else hostile.read(*args)
        assert {char for char in answer.out + answer.err if not char.isprintable()} <= {"\n"}
