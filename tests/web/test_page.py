"""The page's shell and what a host may set: templates, texts, nonce, links, origins. No server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

import charimg.web
from charimg import ConfigurationError, Media, MediaNotFound
from charimg.stores import MemoryMediaStore, S3MediaStore
from charimg.web import Csrf, WebRequest, WebResponse, Workspace
from charimg.web.exchange import below

from .stages import Stage

PATH = "/screenplay/characters/mara/images"


@pytest.fixture
def hall() -> Stage:
    """A service without a server."""
    stage = Stage("flask")
    stage.reset()
    return stage


def workspace(hall: Stage, **options: Any) -> Workspace:
    return Workspace(lambda: hall.service, authorize=lambda *_: True, **options)


def page(hall: Stage, native: Any = None, base: str = "", **options: Any) -> WebResponse:
    request = WebRequest(method="GET", path=PATH, base=base, native=native)
    answer = workspace(hall, **options).handle(request)
    assert answer.status == 200, answer.body
    return answer


def header(answer: WebResponse, name: str) -> str | None:
    return dict(answer.headers).get(name)


def config(answer: WebResponse) -> dict[str, Any]:
    text = answer.body.decode().split('id="charimg-config">')[1].split("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


def test_its_policy_lets_nothing_inline_run(hall: Stage) -> None:
    answer = page(hall)
    policy = header(answer, "Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert header(answer, "X-Content-Type-Options") == "nosniff"
    assert header(answer, "Cache-Control") == "no-store"


def test_a_hosts_own_policy(hall: Stage) -> None:
    answer = page(hall, native={"nonce": "n0nce"}, nonce=lambda native: native["nonce"])
    policy = header(answer, "Content-Security-Policy") or ""
    assert "script-src 'self' 'nonce-n0nce';" in policy
    assert "style-src 'self' 'nonce-n0nce';" in policy
    assert "form-action 'self';" in policy
    assert b'nonce="n0nce"' in answer.body
    assert header(page(hall, csp=False), "Content-Security-Policy") is None


def test_files_may_come_from_where_the_store_leads(hall: Stage) -> None:
    class Bucket(MemoryMediaStore):
        def locate(self, media: Media, /) -> Media:
            return attrs.evolve(media, url=f"https://cdn.example/a/{media.key}?signed=1")

    class Archive(MemoryMediaStore):
        def locate(self, media: Media, /) -> Media:
            raise MediaNotFound("There is no such file.")

    hall.change(media=Bucket())
    policy = header(page(hall), "Content-Security-Policy") or ""
    assert "img-src 'self' data: blob: https://cdn.example;" in policy
    assert "connect-src 'self' https://cdn.example;" in policy
    hall.change(media=Archive())
    assert "connect-src 'self' https:;" in (header(page(hall), "Content-Security-Policy") or "")


def test_files_may_come_from_a_bucket_without_tls(
    hall: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ada")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    hall.change(media=S3MediaStore("bucket", endpoint="http://127.0.0.1:9000", region="auto"))
    policy = header(page(hall), "Content-Security-Policy") or ""
    assert "img-src 'self' data: blob: http://127.0.0.1:9000;" in policy


def test_a_template_may_extend_or_replace_ours(hall: Stage, tmp_path: Path) -> None:
    own = tmp_path / "images.html"
    own.write_text(
        '{% extends "charimg/images.html" %}'
        "{% block before %}<nav>{{ character.name }}</nav>{% endblock %}"
    )
    text = page(hall, templates=tmp_path).body.decode()
    assert "<nav>Mara</nav>" in text
    assert 'id="charimg-config"' in text
    own.write_text("<p>{{ character.name }} {{ static('page.js') }}</p>")
    text = page(hall, templates=tmp_path, base="/studio").body.decode()
    assert text.startswith("<p>Mara /studio/screenplay/static/page.js")


def test_texts_in_another_language(hall: Stage) -> None:
    german = {"back": "Zurück <b>"}
    answer = page(hall, texts=german, lang="de", character_url="/cast/{id}")
    assert b'<html lang="de">' in answer.body
    assert "Zurück &lt;b&gt;" in answer.body.decode()
    assert config(answer)["texts"]["back"] == "Zurück <b>"
    assert len(config(answer)["texts"]) > 50
    by_request = page(hall, native="de", texts=lambda native: german if native == "de" else {})
    assert config(by_request)["texts"]["back"] == "Zurück <b>"


def test_a_hostile_name_is_only_text(hall: Stage) -> None:
    name = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    character = attrs.evolve(hall.service.directory.get("mara"), name=name)
    hall.service.put_character(character)
    text = page(hall).body.decode()
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_what_the_host_wants_with_writes(hall: Stage) -> None:
    answer = page(hall, native=7, csrf=lambda native: Csrf(header="X-Token", token=f"t{native}"))
    assert config(answer)["csrf"] == {"header": "X-Token", "token": "t7"}
    assert "t7" not in repr(Csrf(header="X-Token", token="t7"))
    assert config(page(hall, csrf=lambda native: None))["csrf"] is None


def test_links(hall: Stage) -> None:
    links = workspace(hall)
    assert links.images_url("röd/?") == "/screenplay/characters/r%C3%B6d%2F%3F/images"
    absolute = workspace(hall, site_url="https://studio.example/")
    assert absolute.images_url("mara", "/team/") == f"https://studio.example/team{PATH}"
    assert config(page(hall, character_url="/cast/{id}?tab=1"))["backUrl"] == "/cast/mara?tab=1"


@pytest.mark.parametrize(
    ("options", "admitted"),
    [
        ({}, False),
        ({"trusted_origins": ["https://front.example"]}, True),
        ({"site_url": "https://front.example/app"}, True),
        ({"trusted_origins": ["https://other.example"]}, False),
    ],
)
def test_which_other_origins_may_write(
    hall: Stage, options: dict[str, Any], admitted: bool
) -> None:
    for more in ({}, {"sec-fetch-site": "cross-site"}):
        request = WebRequest(
            method="POST",
            path="/v1/characters/mara/generate-initial-image",
            headers={
                "origin": "https://front.example",
                "host": "api.example",
                "content-type": "application/json",
                **more,
            },
            body=b"{}",
        )
        status = workspace(hall, **options).handle(request).status
        assert status == (200 if admitted else 403)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "red"}, "no option colour"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 1001}, "page_size"),
        ({"heartbeat": 0}, "heartbeat"),
        ({"max_body": -1}, "max_body"),
        ({"character_url": "/cast"}, "{id}"),
        ({"site_url": "studio.example"}, "site_url"),
        ({"site_url": "https://ada:secret@studio.example"}, "site_url"),
        ({"trusted_origins": ["null"]}, "trusted_origins"),
    ],
)
def test_options_that_make_no_sense(hall: Stage, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said.replace("{", r"\{")):
        workspace(hall, **options)


def test_names_load_when_they_are_used() -> None:
    assert set(charimg.web.__all__) <= set(dir(charimg.web))
    with pytest.raises(AttributeError, match="Nothing"):
        charimg.web.Nothing  # noqa: B018


def test_the_sync_workspace_closes(hall: Stage) -> None:
    ours = workspace(hall)
    assert ours.max_body == 256 * 1024
    ours.close()
    # Threads end by themselves; it still answers.
    assert ours.handle(WebRequest(method="GET", path=PATH)).status == 200


def test_a_plural_form_that_english_has_not_is_a_text(hall: Stage) -> None:
    few = {"selected_few": "{count} vybrané"}
    assert config(page(hall, texts=few))["texts"]["selected_few"] == few["selected_few"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"texts": {"nope": "x"}}, "'nope'"),
        ({"texts": {"nope_few": "x"}}, "'nope_few'"),
        ({"templates": "no/such/folder"}, "is not a directory"),
    ],
)
def test_what_would_silently_change_nothing_is_refused(
    hall: Stage, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        workspace(hall, **options)


@pytest.mark.parametrize(
    ("root", "url", "to"),
    [
        ("", "/login", "/login"),
        ("/team", "/login?next=1", "/team/login?next=1"),
        # What the host has put there itself stays.
        ("/team", "/team", "/team"),
        ("/team", "/team/login", "/team/login"),
        ("/team", "/team?next=1", "/team?next=1"),
        ("/team", "/teams", "/team/teams"),
        ("/tëam", "/login", "/t%C3%ABam/login"),
        # And what is no path of this server.
        ("/team", "https://login.example/team", "https://login.example/team"),
        ("/team", "//login.example", "//login.example"),
        ("/team", "login", "login"),
    ],
)
def test_a_path_of_the_hosts_follows_the_prefix_of_a_proxy(root: str, url: str, to: str) -> None:
    assert below(root, url) == to
