"""Every example runs as its docstring says, as a process of its own, with warnings as errors."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from charimg.testing import serve

from ..servers.hosts import HostProcess, csrf, host_process
from .documents import ROOT

EXAMPLES = ROOT / "examples"


def run(*args: str | Path, cwd: Path, expected: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done


def kinds(listing: str) -> dict[str, int]:
    words = [line.split()[0] for line in listing.splitlines()]
    return {word: words.count(word) for word in words}


def test_fill_character_without_arguments(tmp_path: Path) -> None:
    done = run(EXAMPLES / "fill_character.py", cwd=tmp_path)
    assert kinds(done.stdout) == {"scene": 1, "portfolioItem": 27, "reference": 1}
    assert "27 of 27: portfolioItem stored" in done.stderr
    assert not list(tmp_path.iterdir()), "it keeps nothing without --directory"


def test_fill_character_twice_with_arguments(tmp_path: Path) -> None:
    with serve() as server:
        server.simulator.switches.change({"shots": 3, "file_errors": 0})
        fill = [EXAMPLES / "fill_character.py", "--library-url", server.url]
        fill += ["--directory", "images", "--name", "Tom Hale"]
        first = run(*fill, cwd=tmp_path)
        assert kinds(first.stdout) == {"scene": 1, "portfolioItem": 3, "reference": 1}
        kept = run(*fill, "--policy", "keep-history", cwd=tmp_path)
        assert kinds(kept.stdout) == {"scene": 2, "portfolioItem": 6, "reference": 2}
        replaced = run(*fill, cwd=tmp_path)
        assert "10 earlier images removed" in replaced.stderr
        assert kinds(replaced.stdout) == {"scene": 1, "portfolioItem": 3, "reference": 1}
        assert server.simulator.counters.initial_image_posts == 3
        server.simulator.switches.change({"generation_errors": 1})
        failed = run(*fill, cwd=tmp_path, expected=1)
        assert "CharacterLibraryError" in failed.stderr
        assert "Traceback" not in failed.stderr


def test_many_characters(tmp_path: Path) -> None:
    done = run(EXAMPLES / "many_characters.py", cwd=tmp_path)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "Mara Voss",
        "Tom Hale",
        "Nadia Brandt",
        "Mara Voss",
    ]
    assert "Mara Voss: 1 scene drawn, 1 refused" in done.stdout


def test_many_characters_with_arguments(tmp_path: Path) -> None:
    done = run(EXAMPLES / "many_characters.py", "--at-once", "1", "Ada", "Ben", cwd=tmp_path)
    assert re.fullmatch(
        r"Ada: reference-\S+\nBen: reference-\S+\nAda: 1 scene drawn, 1 refused\n", done.stdout
    )


@pytest.mark.parametrize("keep", [(), ("--keep", "objects")])
def test_object_store(tmp_path: Path, keep: tuple[str, ...]) -> None:
    done = run(EXAMPLES / "object_store.py", *keep, cwd=tmp_path)
    told = re.match(r"(\d+) of (\d+) sentences of the contract hold\n", done.stdout)
    assert told is not None, done.stdout
    assert told[1] == told[2]
    assert "https://cdn.example/" in done.stdout
    kept = list((tmp_path / "objects").iterdir()) if keep else []
    assert len(kept) == (2 if keep else 0), "the file and its description"


def test_watched(tmp_path: Path) -> None:
    done = run(EXAMPLES / "watched.py", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    operations = ["operation.started", "operation.finished"]
    assert [line["event"] for line in lines] == [
        *operations,
        "operation.started",
        "image.failed",
        "operation.finished",
        "portfolio.drawn",
    ]
    assert len({line["trace_id"] for line in lines}) == 1
    # Each line of an operation belongs to its span, the last one to the host's.
    spans = [line["span_id"] for line in lines]
    assert spans == [spans[0]] * 2 + [spans[2]] * 3 + [spans[5]]
    assert len(set(spans)) == 3
    assert {line["user"] for line in lines} == {"ann"}
    assert lines[0]["kind"] == "reference"
    assert lines[0]["operation_id"] == lines[1]["operation_id"] != lines[2]["operation_id"]
    assert (lines[3]["code"], lines[3]["level"]) == ("NOT_DRAWN", "warning")
    assert (lines[5]["stored"], lines[5]["failed"]) == (3, 1)
    names = [line.split()[0] for line in done.stderr.splitlines()]
    assert names.count("charimg.download") == 4
    assert names[-2:] == ["charimg.portfolio", "request"]


def test_host_app(tmp_path: Path) -> None:
    done = run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml",
        EXAMPLES / "test_host_app.py", cwd=tmp_path,
    )  # fmt: skip
    assert re.search(r"\b5 passed\b", done.stdout), done.stdout


ELSEWHERE = (
    *(
        "//evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
    ),
    *("/\\evil.example", "\\\\evil.example", "https://evil.example", "javascript:alert(1)"),
    *("/\x00/evil.example", "/a\nSet-Cookie: a=b", "/\u2028/evil.example"),
)


@pytest.mark.parametrize("name", ["fastapi_host.py", "django_host.py", "flask_host.py"])
def test_a_host_with_sign_in(name: str, tmp_path: Path) -> None:
    """From the character's page over its link to an image, and nothing of it without a sign-in."""
    images = "/studio/v1/characters/mara/images"
    with serve() as server, host_process(name, server.url, tmp_path / "host") as host:
        server.simulator.switches.change({"shots": 2})
        assert httpx.get(f"{host.url}{images}", timeout=60).status_code == 401
        with host.signed_in() as client:
            link = re.search(r'href="([^"]+)">Images', client.get("/characters/mara").text)
            assert link is not None
            page = client.get(link[1])
            assert page.status_code == 200
            assert "/characters/mara" in page.text
            script = re.search(r'src="([^"]+page\.js[^"]*)"', page.text)
            assert script is not None
            assert client.get(script[1]).headers["content-type"].startswith("text/javascript")
            headers = {"Sec-Fetch-Site": "same-origin", **csrf(page.text)}
            at = "/studio/v1/characters/mara"
            drawn = client.post(f"{at}/generate-initial-image", json={}, headers=headers).json()
            assert drawn["image"]["createdBy"] == "ada"
            headers["Accept"] = "text/event-stream"
            told = client.post(f"{at}/generate-360-set", json={}, headers=headers).text
            assert told.count("event: image") == 2
            listed = client.get(images).json()
            assert listed["count"] == 3
            media = listed["images"][0]["media"]
            for url in (media["url"], media["thumbnailURL"]):
                file = client.get(url)
                assert file.headers["content-type"].startswith("image/"), url
                assert file.headers["content-security-policy"] == "default-src 'none'; sandbox"
                nobody = httpx.get(f"{host.url}{url}", timeout=60)
                assert "image/" not in nobody.headers["content-type"]
            assert client.get("/media/aa/bb/cc.png").status_code == 404
        # As another site's page would.
        with host.signed_in() as client:
            foreign = {**headers, "Sec-Fetch-Site": "cross-site"}
            refused = client.post(f"{at}/generate-initial-image", json={}, headers=foreign)
            assert refused.status_code == 403
        assert server.simulator.counters.initial_image_posts == 1
        leads_nowhere_else_and_takes_every_script(host)


def leads_nowhere_else_and_takes_every_script(host: HostProcess) -> None:
    """Neither a ``next`` nor a name or a password makes it fail, or lead to another server."""
    for text in ("en\u0433ine", "\U0001f511", "a\nb", "\x00"):
        assert host.refuses(text, text), ascii(text)
    if host.login is None:
        return
    for there in ELSEWHERE:
        answer = host.sign_in(there)
        assert answer.status_code == 302, ascii(there)
        # Percent-encoded it is a path of this server, too.
        assert re.fullmatch(r"/[\w%][\w%:=./-]*", answer.headers["location"]), ascii(there)
    own = "/characters/mara?a=b"
    assert host.sign_in(own).headers["location"] == own


def test_what_the_sign_ins_share(tmp_path: Path) -> None:
    shown = run(EXAMPLES / "sign_in.py", "/a?b=//c", *ELSEWHERE[:4], cwd=tmp_path)
    assert shown.stdout.splitlines() == ["/a?b=//c", "/", "/", "/", "/"]


@pytest.mark.parametrize("name", ["fastapi_host.py", "django_host.py", "flask_host.py"])
def test_a_host_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 80


@pytest.mark.long
@pytest.mark.parametrize("name", ["fastapi_host.py", "django_host.py", "flask_host.py"])
def test_a_host_brings_a_library(name: str, tmp_path: Path) -> None:
    with host_process(name, None, tmp_path / "host") as host, host.signed_in() as client:
        answer = client.get("/studio/v1/characters/mara/initial-image-prompt")
        assert "Mara Voss" in answer.json()["prompt"]


def test_every_example_is_tested_listed_and_says_how_to_run_it() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in tested, path.name
        assert f"({path.name})" in listed, path.name
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert f"examples/{path.name}" in said, path.name
