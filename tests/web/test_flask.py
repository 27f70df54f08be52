"""The blueprint in Flask applications: Flask-Login, Flask-WTF, prefixes, limits, several."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import flask_login
import pytest
from flask import Flask, current_app, request, session, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from charimg import ConfigurationError
from charimg.stores import DiskMediaStore
from charimg.web import Action, MediaApp
from charimg.web.flask import blueprint, media_view, signed_in

from .stages import Stage

IMAGES = "/v1/characters/mara/images"
PAGE = "/screenplay/characters/mara/images"
POST = "/v1/characters/mara/generate-initial-image"


@pytest.fixture
def hall() -> Stage:
    """A service without a server."""
    stage = Stage("flask")
    stage.reset()
    return stage


class User(flask_login.UserMixin):
    def __init__(self, name: str) -> None:
        self.id = name


def studio(hall: Stage, prefix: str = "/studio", **options: Any) -> Flask:
    """A host with Flask-Login."""
    app = Flask("studio")
    app.secret_key = "not a secret"
    manager = flask_login.LoginManager(app)
    manager.login_view = "login"
    manager.user_loader(User)

    @app.get("/login")
    def login() -> str:
        flask_login.login_user(User(request.args["user"]))
        return "hello"

    options.setdefault("authorize", signed_in())
    app.register_blueprint(blueprint(hall.service, **options), url_prefix=prefix)
    return app


def test_who_is_signed_in_is_recorded(hall: Stage) -> None:
    client = studio(hall).test_client()
    assert client.get("/login?user=ada").text == "hello"
    assert client.post(f"/studio{POST}", json={}).json["image"]["createdBy"] == "ada"
    assert client.get(f"/studio{PAGE}").status_code == 200


def test_who_is_not_is_sent_to_the_login(hall: Stage) -> None:
    client = studio(hall).test_client()
    answer = client.get(f"/studio{IMAGES}")
    assert (answer.status_code, answer.json["code"]) == (401, "SIGN_IN")
    page = client.get(f"/studio{PAGE}?a=1", environ_overrides={"SCRIPT_NAME": "/team"})
    assert page.status_code == 303
    assert page.location == (
        "/team/login?next=%2Fteam%2Fstudio%2Fscreenplay%2Fcharacters%2Fmara%2Fimages%3Fa%3D1"
    )
    assert hall.posts == 0


def test_without_a_login_view_the_page_just_says_no(hall: Stage) -> None:
    app = studio(hall)
    app.login_manager.login_view = None  # type: ignore[attr-defined]
    page = app.test_client().get(f"/studio{PAGE}")
    assert (page.status_code, page.location) == (401, None)


def test_who_may_do_what(hall: Stage) -> None:
    def may(user: User, action: Action, character_id: str) -> bool:
        return action == Action.VIEW and character_id == "mara"

    app = studio(hall, authorize=signed_in(may=may, name=lambda user: f"user:{user.id}"))
    client = app.test_client()
    client.get("/login?user=ada")
    assert client.get(f"/studio{IMAGES}").status_code == 200
    assert client.post(f"/studio{POST}", json={}).status_code == 403
    assert client.get("/studio/v1/characters/otto/images").status_code == 403


def test_another_extension_than_flask_login(hall: Stage) -> None:
    class Person:
        is_authenticated = True
        username = "ada"

    found: list[Any] = [Person(), None]
    authorize = signed_in(current_user=lambda: found.pop(0), sign_in_url="/in?to={next}")
    app = Flask("other")
    app.register_blueprint(blueprint(hall.service, authorize=authorize))
    client = app.test_client()
    assert client.post(POST, json={}).json["image"]["createdBy"] == "ada"
    assert client.get(PAGE).location.startswith("/in?to=%2Fscreenplay%2F")


def test_below_a_script_name(hall: Stage) -> None:
    app = studio(hall, authorize=lambda *_: True, site_url="https://studio.example")
    whole = DispatcherMiddleware(NotFound(), {"/team": app})
    answer = Client(whole).get(f"/team/studio{PAGE}")
    assert '"base": "/team/studio"' in answer.text
    assert "/team/studio/screenplay/static/page.js" in answer.text


def test_a_link_on_the_hosts_page(hall: Stage) -> None:
    app = studio(hall)
    with app.test_request_context("/"):
        link = url_for("charimg.page", character_id="röd ?&")
    assert link == "/studio/screenplay/characters/r%C3%B6d%20%3F&/images"
    with app.test_request_context("/", environ_overrides={"SCRIPT_NAME": "/team"}):
        assert url_for("charimg.page", character_id="mara").startswith("/team/studio/")


def test_a_route_of_the_hosts_own_beside_ours(hall: Stage) -> None:
    app = studio(hall, prefix="", authorize=lambda *_: True)

    @app.get("/v1/characters/<character_id>/notes")
    def notes(character_id: str) -> str:
        return f"notes of {character_id}"

    client = app.test_client()
    assert client.get("/v1/characters/mara/notes").text == "notes of mara"
    assert client.get("/v1/characters/mara/other").json["code"] == "NO_SUCH_ROUTE"
    assert client.options(IMAGES).headers["Allow"]
    assert client.get("/elsewhere").mimetype == "text/html"


def test_several_in_one_application(hall: Stage) -> None:
    other = Stage("flask")
    other.reset()
    app = Flask("two")
    for name, each in (("film", hall), ("game", other)):
        ours = blueprint(each.service, authorize=lambda *_: True, name=name)
        app.register_blueprint(ours, url_prefix=f"/{name}")
    client = app.test_client()
    client.post(f"/game{POST}", json={})
    assert [client.get(f"/{name}{IMAGES}").json["count"] for name in ("film", "game")] == [0, 1]


def test_the_contexts_of_the_request_hold(hall: Stage) -> None:
    def authorize(native: Any, action: Action, character_id: str) -> str:
        assert current_app.name == "studio"
        assert native.headers["X-Desk"] == "7"
        return str(session.get("who", "nobody"))

    app = studio(hall, authorize=authorize)

    @app.before_request
    def remember() -> None:
        session["who"] = "ada"

    answer = app.test_client().post(f"/studio{POST}", json={}, headers={"X-Desk": "7"})
    assert answer.json["image"]["createdBy"] == "ada"


def test_the_contexts_hold_in_the_thread_of_a_stream_up_to_its_end(hall: Stage) -> None:
    ended: list[tuple[str, bool]] = []
    done = threading.Event()

    def after_thread() -> None:
        # As `db.session.remove()` needs it.
        ended.append((current_app.name, threading.current_thread() is threading.main_thread()))
        done.set()

    app = studio(hall, authorize=lambda *_: True, after_thread=after_thread)
    headers = {"Accept": "text/event-stream"}
    answer = app.test_client().post(f"/studio{POST}", json={}, headers=headers)
    assert "event: done" in answer.text
    assert done.wait(30)
    assert ended == [("studio", False)]


def test_flask_wtf_protects_and_its_token_is_sent(hall: Stage) -> None:
    app = studio(hall, authorize=lambda *_: True)
    CSRFProtect(app)
    client = app.test_client()
    page = client.get(f"/studio{PAGE}").text
    token = page.split('"token": "')[1].split('"')[0]
    assert client.post(f"/studio{POST}", json={}).status_code == 400
    assert hall.posts == 0
    sent = client.post(f"/studio{POST}", json={}, headers={"X-CSRFToken": token})
    assert sent.status_code == 200


def test_the_hosts_own_limit(hall: Stage) -> None:
    app = studio(hall, authorize=lambda *_: True)
    app.config["MAX_CONTENT_LENGTH"] = 10
    answer = app.test_client().post(f"/studio{POST}", json={"prompt": "A red coat."})
    assert (answer.status_code, answer.json["code"]) == (413, "TOO_LARGE")


def test_a_form_that_the_host_has_read(hall: Stage) -> None:
    app = studio(hall, authorize=lambda *_: True)
    app.before_request(lambda: request.form.get("token"))
    answer = app.test_client().post(f"/studio{POST}", data={"prompt": (b"", "a.txt")})
    assert (answer.status_code, answer.json["code"]) == (415, "NOT_JSON")


def test_files_behind_a_sign_in(hall: Stage, tmp_path: Path) -> None:
    hall.change(media=DiskMediaStore(tmp_path, base_url="/media"))
    hall.service.generate_reference("mara")
    media = hall.service.list_images("mara").images[0].media
    app = studio(hall)
    view = flask_login.login_required(media_view(MediaApp(tmp_path)))
    app.add_url_rule("/media/<path:path>", "media", view)
    client = app.test_client()
    assert client.get(media.url).status_code == 302
    client.get("/login?user=ada")
    file = client.get(media.url)
    assert (file.status_code, len(file.data)) == (200, media.size)
    assert file.content_type == media.mime_type
    assert file.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert client.head(media.url).data == b""
    assert client.get("/media/ü/b/c").status_code == 404


def test_without_authorize_there_is_no_blueprint(hall: Stage) -> None:
    with pytest.raises(ConfigurationError, match="authorize"):
        blueprint(hall.service, authorize=None)  # type: ignore[arg-type]


def test_back_and_sign_in_follow_the_prefix_of_a_proxy(hall: Stage) -> None:
    for options in ({"SCRIPT_NAME": "/team"}, {}):
        root = options.get("SCRIPT_NAME", "")
        app = studio(hall, authorize=lambda *_: True, character_url="/cast/{id}")
        page = app.test_client().get(f"/studio{PAGE}", environ_overrides=options)
        assert f'href="{root}/cast/mara"' in page.text
        signed = signed_in(sign_in_url="/in", current_user=lambda: None)
        app = studio(hall, authorize=signed)
        page = app.test_client().get(f"/studio{PAGE}", environ_overrides=options)
        assert page.location == f"{root}/in"
