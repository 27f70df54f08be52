"""The router in FastAPI applications: dependencies, sign-in, prefixes, proxies, several at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPBearer, OAuth2PasswordBearer

from charimg import ConfigurationError
from charimg.stores import AsyncDiskMediaStore, DiskMediaStore
from charimg.web import AccessDenied, Action, MediaApp
from charimg.web._openapi import DOCUMENTS
from charimg.web.fastapi import asgi_app, from_dependency, images_url, media_view, router

from .stages import Stage

pytestmark = pytest.mark.anyio

IMAGES = "/v1/characters/mara/images"
PAGE = "/screenplay/characters/mara/images"


@pytest.fixture
def hall() -> Stage:
    """A service without a server."""
    stage = Stage("fastapi")
    stage.reset()
    return stage


async def ask(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    root_path = options.pop("root_path", "")
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://studio.example") as client:
        return await client.request(method, path, **options)


class User:
    """As a host's sign-in returns it."""

    def __init__(self, username: str) -> None:
        self.username = username


oauth2 = OAuth2PasswordBearer(tokenUrl="token")


def current_user(token: Annotated[str, Depends(oauth2)]) -> User:
    """What FastAPI's tutorial calls ``get_current_user``."""
    if token == "banned":
        raise HTTPException(403, "You are banned.")
    if token not in ("ada", "bob"):
        raise HTTPException(401, "Unknown token", {"WWW-Authenticate": "Bearer"})
    return User(token)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def signed(hall: Stage, **options: Any) -> FastAPI:
    app = FastAPI()
    authorize = from_dependency(current_user, **options)
    app.include_router(router(hall.service, authorize=authorize))
    return app


async def test_a_sign_in_dependency_admits_by_name(hall: Stage) -> None:
    app = signed(hall)
    post = "/v1/characters/mara/generate-initial-image"
    answer = await ask(app, "POST", post, json={}, headers=bearer("ada"))
    assert answer.json()["image"]["createdBy"] == "ada"
    assert (await ask(app, "GET", PAGE, headers=bearer("ada"))).status_code == 200
    assert (await ask(app, "HEAD", IMAGES, headers=bearer("ada"))).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({}, 401, "SIGN_IN"), (bearer("eve"), 401, "SIGN_IN"), (bearer("banned"), 403, "FORBIDDEN")],
)
async def test_its_refusals_are_answers_of_ours(
    hall: Stage, headers: dict[str, str], status: int, code: str
) -> None:
    app = signed(hall)
    for method, path in (("GET", IMAGES), ("POST", "/v1/characters/mara/generate-initial-image")):
        answer = await ask(app, method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["success"] is False
        assert ("www-authenticate" in answer.headers) == (status == 401)
    assert (await ask(app, "HEAD", IMAGES, headers=headers)).status_code == status
    page = await ask(app, "GET", PAGE, headers=headers)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert hall.posts == 0


async def test_the_page_leads_to_the_sign_in_and_back(hall: Stage) -> None:
    app = FastAPI()
    authorize = from_dependency(current_user, sign_in_url="/login?next={next}")
    app.include_router(router(hall.service, authorize=authorize), prefix="/studio")
    answer = await ask(app, "GET", f"/studio{PAGE}?a=1&b=%2F", root_path="/team")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/team/login?next=")
    next_page = httpx.URL(answer.headers["location"]).params["next"]
    assert next_page == f"/team/studio{PAGE}?a=1&b=%2F"
    # The routes do not redirect, and neither does who is signed in and may not.
    assert (await ask(app, "GET", f"/studio{IMAGES}")).status_code == 401
    banned = await ask(app, "GET", f"/studio{PAGE}", headers=bearer("banned"))
    assert banned.status_code == 403


async def test_who_may_do_what(hall: Stage) -> None:
    def may(user: User, action: Action, character_id: str) -> bool:
        return user.username == "ada" or (action == Action.VIEW and character_id == "mara")

    async def later(user: User, action: Action, character_id: str) -> bool:
        return may(user, action, character_id)

    for rule in (may, later):
        app = signed(hall, may=rule, name=lambda user: f"user:{user.username}")
        assert (await ask(app, "GET", IMAGES, headers=bearer("bob"))).status_code == 200
        for method, path in (
            ("GET", "/v1/characters/otto/images"),
            ("POST", "/v1/characters/mara/generate-initial-image"),
            ("DELETE", IMAGES),
        ):
            answer = await ask(app, method, path, headers=bearer("bob"))
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
        post = "/v1/characters/mara/generate-initial-image"
        answer = await ask(app, "POST", post, headers=bearer("ada"))
        assert answer.json()["image"]["createdBy"] == "user:ada"


async def test_a_dependency_that_returns_nobody_refuses(hall: Stage) -> None:
    for found, status in ((None, 401), ("ada", 200), (object(), 200)):
        app = FastAPI()
        authorize = from_dependency(Depends(lambda found=found: found))
        app.include_router(router(hall.service, authorize=authorize))
        assert (await ask(app, "GET", IMAGES)).status_code == status


async def test_a_sign_in_that_is_not_asked_refuses(hall: Stage) -> None:
    """Where nothing runs the dependency there is no user."""
    app = asgi_app(hall.service, authorize=from_dependency(current_user))
    assert (await ask(app, "GET", IMAGES, headers=bearer("ada"))).status_code == 403


async def test_the_hosts_dependencies_run_before(hall: Stage) -> None:
    order: list[str] = []
    done: list[str] = []

    def included(tasks: BackgroundTasks) -> None:
        order.append("included")
        tasks.add_task(done.append, "afterwards")

    async def authorize(request: Request, action: Action, character_id: str) -> bool:
        order.append("authorize")
        return True

    def strange() -> None:
        raise HTTPException(418, "I am a teapot.")

    app = FastAPI()
    ours = router(hall.service, authorize=authorize)
    app.include_router(ours, prefix="/a", dependencies=[Depends(included)])
    app.include_router(ours, prefix="/b", dependencies=[Depends(HTTPBearer())])
    app.include_router(ours, prefix="/c", dependencies=[Depends(strange)])
    assert (await ask(app, "GET", f"/a{IMAGES}")).status_code == 200
    assert (order, done) == (["included", "authorize"], ["afterwards"])
    for method in ("GET", "HEAD"):
        refused = await ask(app, method, f"/b{IMAGES}")
        assert refused.status_code in (401, 403)
        assert refused.headers["content-type"] == "application/json"
    strangely = await ask(app, "GET", f"/c{IMAGES}")
    assert (strangely.status_code, strangely.json()) == (418, {"detail": "I am a teapot."})
    assert order == ["included", "authorize"]


@pytest.mark.parametrize(
    ("root_path", "asked"),
    [
        ("", f"/studio{PAGE}"),
        ("/team", f"/team/studio{PAGE}"),  # As uvicorn tells of it.
        ("/team", f"/studio{PAGE}"),  # As servers do that leave what a proxy took off the path.
    ],
)
async def test_it_knows_where_it_is(hall: Stage, root_path: str, asked: str) -> None:
    app = FastAPI()
    app.include_router(router(hall.service, authorize=lambda *_: True), prefix="/studio")
    answer = await ask(app, "GET", asked, root_path=root_path)
    base = f"{root_path}/studio"
    assert f'"base": "{base}"' in answer.text
    assert f"{base}/screenplay/static/page.js" in answer.text


async def test_below_a_prefix_with_a_parameter(hall: Stage) -> None:
    seen = []

    def authorize(request: Request, action: Action, character_id: str) -> bool:
        seen.append((request.path_params["project"], character_id))
        return True

    app = FastAPI()
    app.include_router(router(hall.service, authorize=authorize), prefix="/projects/{project}")
    answer = await ask(app, "GET", f"/projects/r%C3%B6d%20%3F{PAGE}")
    assert '"base": "/projects/r%C3%B6d%20%3F"' in answer.text
    assert seen == [("röd ?", "mara")]


async def test_several_in_one_application(hall: Stage) -> None:
    other = Stage("fastapi")
    other.reset()
    app = FastAPI()
    app.include_router(router(hall.service, authorize=lambda *_: True, name="film"), prefix="/film")
    app.include_router(
        router(other.service, authorize=lambda *_: "bob", name="game"), prefix="/game"
    )
    app.mount("/mounted", asgi_app(other.service, authorize=lambda *_: True))
    post = "/v1/characters/mara/generate-initial-image"
    assert (await ask(app, "POST", f"/game{post}")).status_code == 200
    for prefix, count in (("/film", 0), ("/game", 1), ("/mounted", 1)):
        assert (await ask(app, "GET", f"{prefix}{IMAGES}")).json()["count"] == count
    assert (hall.posts, other.posts) == (0, 1)
    ids = [op["operationId"] for path in app.openapi()["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids)) == 2 * len(DOCUMENTS)


async def test_a_link_on_the_hosts_page(hall: Stage) -> None:
    app = FastAPI()
    app.include_router(router(hall.service, authorize=lambda *_: True), prefix="/studio")

    @app.get("/cast/{character_id}")
    def character(request: Request, character_id: str) -> PlainTextResponse:
        return PlainTextResponse(images_url(request, character_id))

    answer = await ask(app, "GET", "/cast/r%C3%B6d %3F%26")
    assert answer.text == "/studio/screenplay/characters/r%C3%B6d%20%3F%26/images"
    behind = await ask(app, "GET", "/team/cast/mara", root_path="/team")
    assert behind.text == "/team/studio/screenplay/characters/mara/images"


async def test_a_route_of_the_hosts_own_beside_ours(hall: Stage) -> None:
    app = FastAPI()
    app.include_router(router(hall.service, authorize=lambda *_: True))

    @app.put(IMAGES)
    def own() -> str:
        return "own"

    assert (await ask(app, "PUT", IMAGES)).json() == "own"
    assert (await ask(app, "PATCH", IMAGES)).json()["code"] == "METHOD_NOT_ALLOWED"
    assert (await ask(app, "GET", "/v1/characters/mara/notes")).json() == {"detail": "Not Found"}


async def test_a_body_that_the_host_has_read(hall: Stage) -> None:
    async def read(request: Request) -> None:
        await request.body()

    app = FastAPI()
    ours = router(hall.service, authorize=lambda *_: True)
    app.include_router(ours, dependencies=[Depends(read)])
    post = "/v1/characters/mara/generate-initial-image"
    answer = await ask(app, "POST", post, json={"prompt": "Rain."})
    assert answer.json()["image"]["prompt"] == "Rain."


async def test_files_behind_a_sign_in(hall: Stage, tmp_path: Path) -> None:
    """The view of each framework serves the same bytes, with the same headers."""
    store = DiskMediaStore(tmp_path, base_url="/media")
    hall.change(media=AsyncDiskMediaStore(tmp_path, base_url="/media"))
    await hall.service.generate_reference("mara")
    media = (await hall.service.list_images("mara")).images[0].media
    app = FastAPI()
    view = media_view(MediaApp(tmp_path))
    app.get("/media/{path:path}", dependencies=[Depends(current_user)])(view)
    assert (await ask(app, "GET", media.url)).status_code == 401
    file = await ask(app, "GET", media.url, headers=bearer("ada"))
    with store.open(media.key) as chunks:
        assert file.content == b"".join(chunks)
    assert file.headers["content-type"] == media.mime_type
    assert file.headers["content-security-policy"] == "default-src 'none'; sandbox"
    none = await ask(app, "GET", "/media/%C3%BC/b/c", headers=bearer("ada"))
    assert none.status_code == 404


def test_without_authorize_there_is_no_router(hall: Stage) -> None:
    with pytest.raises(ConfigurationError, match="authorize"):
        router(hall.service, authorize=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no option colour"):
        router(hall.service, authorize=lambda *_: True, colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("mounted", [False, True])
async def test_back_and_sign_in_follow_the_prefix_of_a_proxy(hall: Stage, mounted: bool) -> None:
    def authorize(request: Any, action: Action, character_id: str) -> bool:
        if "stranger" in (request if mounted else request.scope)["query_string"].decode():
            raise AccessDenied(status=401, sign_in_url="/login")
        return True

    app, options = FastAPI(), {"authorize": authorize, "character_url": "/cast/{id}"}
    if mounted:
        app.mount("/studio", asgi_app(hall.service, **options))
    else:
        app.include_router(router(hall.service, **options), prefix="/studio")
    for root, path in (("/team", f"/team/studio{PAGE}"), ("", f"/studio{PAGE}")):
        page = await ask(app, "GET", path, root_path=root)
        assert f'href="{root}/cast/mara"' in page.text
        assert f'"root": "{root}"' in page.text
        sent = await ask(app, "GET", f"{path}?stranger", root_path=root)
        assert sent.headers["location"] == f"{root}/login"
