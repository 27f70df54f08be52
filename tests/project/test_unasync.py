"""The generator of the sync half: every rule, and a check that catches whatever differs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest

from .tools import load_tool

unasync = load_tool("unasync")

EVERY_RULE = """\
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from charimg._async import x
from charimg._concurrency import arun_bounded, asleep, asuggest
from charimg._surely import asurely
from charimg._assembly.embedded import async_embedded
from charimg._assembly.stores import async_open_stores
from charimg._assembly.suggesters import async_suggester
from charimg.web._lookup import alook_up
from charimg.web._permission import aask, acheck_service


class AsyncThing:
    async def __aenter__(self) -> AsyncIterator[Callable[[int], Awaitable[None]]]: ...
    async def __aexit__(self) -> None: ...
    async def aclose(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(arun_bounded, asleep, asurely, async_embedded, aclosing, x)
        stack.push_async_callback(aask, async_open_stores, async_suggester, asuggest)
        stack.enter_async_context(x)
        acheck_service(stack, alook_up)


decorate = asynccontextmanager
"""


def convert(source: str) -> str:
    """Return the sync form of a piece of code."""
    text: str = unasync.convert(dedent(source), Counter())
    return text


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a made-up checkout whose generated half is up to date."""
    for folder in ("src/charimg/_async", "tests/_async"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/charimg/_async/thing.py").write_text(EVERY_RULE, encoding="utf-8")
    (tmp_path / "tests/_async/test_thing.py").write_text(
        "import pytest\n\npytestmark = pytest.mark.anyio\n\n\n"
        "async def test_it() -> None:\n    assert await f() == 1\n",
        encoding="utf-8",
    )
    assert unasync.main([], tmp_path) == 0
    return tmp_path


@pytest.mark.parametrize(("before", "after"), unasync.NAMES.items())
def test_whole_identifiers_are_replaced(before: str, after: str) -> None:
    if after == "_Plain":
        return  # stands for a type that disappears, see below
    assert convert(f"x = {before}\n") == f"x = {after}\n"
    assert convert(f"x = my_{before}\n") == f"x = my_{before}\n"
    assert convert(f'x = "call `{before}` now"\n') == f'x = "call `{after}` now"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = AsyncDownloader()\n", "x = Downloader()\n"),
        ("x = MyAsyncDownloader\n", "x = MyAsyncDownloader\n"),
        ("x = Asynchronous\n", "x = Asynchronous\n"),
        ("async def f():\n    return await g()\n", "def f():\n    return g()\n"),
        ("x = [y async for y in z]\n", "x = [y for y in z]\n"),
        ("async with a as b:\n    pass\n", "with a as b:\n    pass\n"),
        ("x = (\n    await f(),\n    await g(),\n)\n", "x = (\n    f(),\n    g(),\n)\n"),
        ("f: Callable[[int], Awaitable[str]]\n", "f: Callable[[int], str]\n"),
        ("f: Callable[[], Awaitable[dict[str, int]]]\n", "f: Callable[[], dict[str, int]]\n"),
        ("from a import Awaitable, Callable\n", "from a import Callable\n"),
        ("from a import Any, Awaitable, Callable\n", "from a import Any, Callable\n"),
        ("# await it: async with AsyncThing\n", "# it: with Thing\n"),
        (
            '"""Use `async with AsyncThing`, then ``await x``."""\n',
            '"""Use `with Thing`, then ``x``."""\n',
        ),
        ('x = f"{await f()} of AsyncThing"\n', 'x = f"{f()} of Thing"\n'),
        ("@pytest.mark.anyio\nasync def test(): pass\n", "def test(): pass\n"),
        ("pytestmark = pytest.mark.anyio\nx = 1\n", "x = 1\n"),
        ("x = 1  # keeps   the gaps\n", "x = 1  # keeps   the gaps\n"),
    ],
)
def test_the_rest_becomes_its_sync_form(before: str, after: str) -> None:
    assert convert(before) == after


def test_the_result_is_formatted_and_says_where_it_comes_from(tree: Path) -> None:
    text = (tree / "src/charimg/_sync/thing.py").read_text(encoding="utf-8")
    first, rest = text.split("\n", 1)
    assert first == "# Generated from src/charimg/_async/thing.py by tools/unasync.py. Do not edit."
    assert "from charimg._sync import x\n" in rest
    assert "class Thing:\n    def __enter__(self) -> Iterator[Callable[[int], None]]: ...\n" in rest
    test = (tree / "tests/_sync/test_thing.py").read_text(encoding="utf-8").split("\n", 1)[1]
    assert test == "\n\ndef test_it() -> None:\n    assert f() == 1\n"


def test_a_tree_that_is_up_to_date_passes(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unasync.main(["--check"], tree) == 0
    assert capsys.readouterr().out == "generated half: up to date\n"


def test_a_difference_is_shown_as_a_diff_and_mended(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tree / "src/charimg/_sync/thing.py"
    wanted = target.read_text(encoding="utf-8")
    target.write_text(wanted.replace("def close", "def shut"), encoding="utf-8")
    assert unasync.main(["--check"], tree) == 1
    out = capsys.readouterr().out
    assert "-    def shut(self" in out
    assert "+    def close(self" in out
    assert "make sync" in out
    assert "def shut" in target.read_text(encoding="utf-8"), "a check writes nothing"
    assert unasync.main([], tree) == 0
    assert target.read_text(encoding="utf-8") == wanted


def test_a_missing_file_is_a_difference(tree: Path) -> None:
    (tree / "tests/_sync/test_thing.py").unlink()
    assert unasync.main(["--check"], tree) == 1
    unasync.main([], tree)
    assert unasync.main(["--check"], tree) == 0


def test_a_file_without_a_source_is_found_and_removed(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan = tree / "src/charimg/_sync/old.py"
    orphan.write_text("x = 1\n", encoding="utf-8")
    assert unasync.main(["--check"], tree) == 1
    assert "src/charimg/_sync/old.py: no source stands behind it" in capsys.readouterr().out
    assert orphan.exists()
    unasync.main([], tree)
    assert not orphan.exists()


def test_a_rule_that_matches_nothing_is_found(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(unasync.NAMES, "aforgotten", "forgotten")
    assert unasync.main(["--check"], tree) == 1
    out = capsys.readouterr().out
    assert "rule 'aforgotten' matches nothing" in out
    assert out.count("matches nothing") == 1


@pytest.mark.parametrize("rule", unasync.NAMES)
def test_every_rule_counts_as_used_where_it_matches(rule: str) -> None:
    used: Counter[str] = Counter()
    unasync.convert(f"x = {rule}\n", used)
    assert set(used) == {rule}
