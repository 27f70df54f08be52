"""How many requests a save is, and how a store finds out what its server heeds.

Counted at a proxy. A server that ignores a condition must be told from one that heeds it: what is
stored would be overwritten there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from charimg.models import Media, Upload
from charimg.stores import AsyncS3MediaStore, S3MediaStore
from charimg.stores.s3.bucket import PART
from charimg.testing.conformance.media import make_upload

from ...figures import Figure
from ...servers.proxy import Answer, Drop, Lose, Proxy, Request, proxying
from ...servers.s3 import S3Server
from .conftest import objects
from .test_s3_saving import home, image_bytes, read

KEY = "k-count"
Save = Callable[[Upload], Media]

CREATE_SIDECAR = "create sidecar"
LIST = "list"
LOOK = "get sidecar"
CAREFUL = [LOOK, "put file", LOOK, CREATE_SIDECAR, LIST]
PROBING = [*CAREFUL[:4], CREATE_SIDECAR, LIST]
QUICK = ["create file", CREATE_SIDECAR, LIST]


def told(request: Request) -> str:
    """Return in words what a request does."""
    if "list-type" in request.path:
        return LIST
    if "upload" in request.path:
        return "part"
    what = {"_media.json": "sidecar", "_thumbnail.webp": "thumbnail"}
    name = what.get(request.path.rpartition("/")[2].partition("?")[0], "file")
    conditional = "if-none-match" in {each.lower() for each in request.headers}
    return f"{'create' if conditional else request.method.lower()} {name}"


def taken(proxy: Proxy) -> list[str]:
    """Return the requests since the last call."""
    found = [told(each) for each in proxy.requests]
    proxy.requests.clear()
    return found


@pytest.fixture
def front(server: S3Server) -> Iterator[Proxy]:
    """A proxy before each server."""
    with proxying(server.port) as made:
        yield made


@pytest.fixture(params=["sync", "async"])
def saving(request: pytest.FixtureRequest) -> Callable[[str], Save]:
    """Make the `save` of a store in each mode."""

    def make(url: str, **options: Any) -> Save:
        if request.param == "sync":
            return S3MediaStore.from_url(url, **options).save
        store = AsyncS3MediaStore.from_url(url, **options)
        return lambda upload: anyio.run(store.save, upload)

    return make


@pytest.fixture
def strict_save(
    saving: Callable[..., Save], proxy: Proxy, radosgw_server: S3Server, prefix: str
) -> Save:
    """Save through the proxy in the server that heeds conditions, which is not known of it yet."""
    return saving(radosgw_server.url(prefix, endpoint=proxy.endpoint), retries=0)


def test_a_save_is_three_requests_where_conditions_are_heeded(
    front: Proxy, server: S3Server, saving: Callable[..., Save], prefix: str, figure: Figure
) -> None:
    save = saving(server.url(prefix, endpoint=front.endpoint))
    save(make_upload("first"))
    assert taken(front) == PROBING
    for number in range(2):
        save(make_upload(f"{KEY}-{number}"))
        each = taken(front)
        assert each == (QUICK if server.conditional else CAREFUL)
    figure(f"S3, requests of a save, {server.kind}", f"{len(each)}; of the first {len(PROBING)}")


def test_a_thumbnail_is_one_more(strict_save: Save, proxy: Proxy) -> None:
    strict_save(make_upload("first"))
    taken(proxy)
    strict_save(make_upload(KEY, image_bytes()))
    assert taken(proxy) == ["create file", "put thumbnail", CREATE_SIDECAR, LIST]


def test_a_key_that_is_stored_is_left_alone(
    strict_save: Save, strict: S3MediaStore, proxy: Proxy, radosgw_server: S3Server, prefix: str
) -> None:
    """Its bytes are not written again, and those of others do not stay."""
    strict_save(make_upload("first"))
    saved = strict_save(make_upload(KEY, b"mine"))
    taken(proxy)
    assert strict_save(make_upload(KEY, b"mine")) == saved
    assert taken(proxy) == ["create file", LOOK, "head file", LIST]
    assert strict_save(make_upload(KEY, b"other")) == saved
    assert taken(proxy) == [
        *("create file", CREATE_SIDECAR, LOOK, "head file", LIST, "delete file"),
    ]
    assert read(strict, KEY) == b"mine"
    assert sum(KEY in name for name in objects(radosgw_server, prefix)) == 2


def test_a_file_in_parts_is_looked_for_first(strict_save: Save, proxy: Proxy) -> None:
    strict_save(make_upload("first"))
    taken(proxy)
    strict_save(make_upload(KEY, b"x" * (PART + 1)))
    assert [each for each in taken(proxy) if each != "part"] == [
        *(LOOK, LOOK, CREATE_SIDECAR, LIST),
    ]
    strict_save(make_upload("one-part", b"x" * PART))
    assert taken(proxy) == QUICK


# What a server heeds


def of(method: str, part: str, what: Any, *, at: int = 1) -> Callable[[Request], Any]:
    """Return the rule that does this to the n-th such request alone."""
    left = [at]

    def rule(request: Request) -> Any:
        if told(request) == f"{method} {part}":
            left[0] -= 1
            return what if left[0] == 0 else None
        return None

    return rule


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (Answer(status=412), True),
        (Answer(status=304), True),
        # It may be in conflict with anything.
        (Answer(status=409, body=b"<Error><Code>OperationAborted</Code></Error>"), False),
        # Nothing is known then: it is seen again.
        (Answer(status=500), None),
        (Answer(status=403), None),
        (Answer(status=501), None),
        (Drop, None),
        (Lose, None),
    ],
)
def test_what_the_answer_to_the_second_write_means(
    strict_save: Save, strict: S3MediaStore, proxy: Proxy, answer: Any, known: bool | None
) -> None:
    proxy.rule = of("create", "sidecar", answer, at=2)
    # Whatever the answer is, the save is done.
    saved = strict_save(make_upload("first"))
    assert strict.get("first") == saved
    assert taken(proxy) == PROBING
    proxy.rule = lambda request: None
    strict_save(make_upload(KEY))
    assert taken(proxy) == {True: QUICK, False: CAREFUL, None: PROBING}[known]


def test_a_server_that_ignores_conditions_is_known_for_it(
    rclone_server: S3Server, saving: Callable[..., Save], prefix: str
) -> None:
    """Its answer to the second write is that of the first; nothing stored is overwritten."""
    with proxying(rclone_server.port) as front:
        url = rclone_server.url(prefix, endpoint=front.endpoint)
        save, store = saving(url), S3MediaStore.from_url(rclone_server.url(prefix))
        first = save(make_upload("first", b"first"))
        taken(front)
        assert save(make_upload("first", b"other")) == first
        assert taken(front) == [LOOK, "head file", LIST]
        assert read(store, "first") == b"first"
        save(make_upload(KEY))
        assert taken(front) == CAREFUL


def test_a_server_that_refuses_conditions_is_not_asked_again(
    strict_save: Save, strict: S3MediaStore, proxy: Proxy
) -> None:
    proxy.rule = lambda request: Answer(status=501) if "create" in told(request) else None
    saved = strict_save(make_upload("first"))
    assert taken(proxy) == [*CAREFUL[:4], "put sidecar", LIST]
    assert strict_save(make_upload("first", b"other")) == saved
    taken(proxy)
    strict_save(make_upload(KEY))
    assert taken(proxy) == [*CAREFUL[:3], "put sidecar", LIST]
    assert strict.get(KEY) is not None


@pytest.mark.parametrize("part", ["file", "sidecar"])
def test_a_server_that_refuses_conditions_later_on_is_looked_at_before_it_is_written_to(
    strict_save: Save, strict: S3MediaStore, proxy: Proxy, part: str
) -> None:
    """As one of several behind one address may."""
    strict_save(make_upload("first"))
    saved = strict.save(make_upload(KEY, b"mine"))
    proxy.rule = lambda request: Answer(status=501) if told(request) == f"create {part}" else None
    assert strict_save(make_upload(KEY, b"other")) == saved
    assert read(strict, KEY) == b"mine"
    assert strict_save(make_upload("new", b"new")).size == 3
    assert read(strict, "new") == b"new"
    proxy.rule = lambda request: None
    taken(proxy)
    strict_save(make_upload("again"))
    assert taken(proxy) == QUICK


@pytest.mark.parametrize("what", [Drop, Lose])
def test_a_connection_that_breaks_off_is_no_failure_of_a_save(
    strict_save: Save, strict: S3MediaStore, proxy: Proxy, what: Any
) -> None:
    """A server may refuse a file before it has read all of it."""
    strict_save(make_upload("first"))
    taken(proxy)
    proxy.rule = of("create", "file", what)
    saved = strict_save(make_upload(KEY, b"mine"))
    assert taken(proxy) == ["create file", *CAREFUL]
    assert (strict.get(KEY), read(strict, KEY)) == (saved, b"mine")
    proxy.rule = of("create", "file", what)
    assert strict_save(make_upload(KEY, b"mine")) == saved
    assert taken(proxy) == ["create file", LOOK, "head file", LIST]


def test_what_a_broken_off_save_left_is_no_obstacle(
    strict_save: Save, strict: S3MediaStore, proxy: Proxy, radosgw_server: S3Server, prefix: str
) -> None:
    strict_save(make_upload("first"))
    for content in (b"mine", b"other"):
        strict.save(make_upload(KEY, content))
        strict._bucket.delete(f"{prefix}/{KEY}/_media.json", KEY)
        taken(proxy)
        strict_save(make_upload(KEY, b"mine"))
        same = ["create file", *CAREFUL]
        assert taken(proxy) == (same if content == b"mine" else [*QUICK, "delete file"])
        assert read(strict, KEY) == b"mine"
        left = {name for name in objects(radosgw_server, prefix) if KEY in name}
        assert left == {f"{KEY}/_media.json", f"{home(b'mine', KEY)}/reference-{KEY}.png"}
        strict.delete(KEY)


def test_saves_of_one_key_at_once_where_the_server_is_known(
    proxy: Proxy, radosgw_server: S3Server, strict: S3MediaStore, prefix: str
) -> None:
    """Stores that share no lock: what the server says decides."""
    url = radosgw_server.url(prefix, endpoint=proxy.endpoint)
    stores = [S3MediaStore.from_url(url) for _ in range(9)]
    for number, store in enumerate(stores):
        store.save(make_upload(f"of-{number}"))
    contents = [b"same", b"same", b"other"] * 3
    for attempt in range(5):
        key = f"{KEY}-{attempt}"
        taken(proxy)
        with ThreadPoolExecutor(len(stores)) as pool:
            saved = set(
                pool.map(
                    lambda store, content, key=key: store.save(make_upload(key, content)),
                    stores,
                    contents,
                )
            )
        assert taken(proxy).count("create file") == len(stores)
        assert saved == {strict.get(key)}
        assert read(strict, key) in contents
        assert sum(key in name for name in objects(radosgw_server, prefix)) == 2
