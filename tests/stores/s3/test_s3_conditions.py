"""What a store in a bucket in memory does once it knows what the server heeds."""

from __future__ import annotations

from typing import Any

import pytest

from charimg.errors import StorageError
from charimg.stores import S3MediaStore
from charimg.stores.s3.bucket import PART, Bucket
from charimg.testing.conformance.media import make_upload

from .test_s3_objects import KEY, SIDECAR, made, paths
from .test_s3_saving import home, image_bytes, read

CAREFUL = ["text", "put", "text", "create", "list"]
QUICK = ["try_file", "create", "list"]
_CALLS = ("text", "size", "put", "put_parts", "try_file", "create", "probe", "list", "delete")


@pytest.fixture
def store() -> S3MediaStore:
    return made()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the store asks of its bucket."""
    found: list[str] = []
    for name in _CALLS:
        real = getattr(Bucket, name)

        def told(self: Bucket, *rest: Any, name: str = name, real: Any = real) -> Any:
            found.append(name)
            return real(self, *rest)

        monkeypatch.setattr(Bucket, name, told)
    return found


class Server:
    """What obstore says to each conditional write: the text of an error, or nothing."""

    def __init__(self, store: S3MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str | None] = []
        self.asked = 0
        obstore = store._bucket._obstore
        put = obstore.put

        def answer(*args: Any, **options: Any) -> Any:
            if options.get("mode") == "create":
                self.asked += 1
                if text := self.said.pop(0) if self.said else None:
                    kind = "AlreadyExistsError" if "412" in text or "409" in text else ""
                    raise getattr(obstore.exceptions, kind or "GenericError")(text)
            return put(*args, **options)

        monkeypatch.setattr(obstore, "put", answer)


@pytest.fixture
def server(store: S3MediaStore, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(store, monkeypatch)


def test_the_first_save_sees_what_is_heeded_and_the_next_ones_use_it(
    store: S3MediaStore, calls: list[str]
) -> None:
    store.save(make_upload("first"))
    assert store._bucket.heeds is True
    assert calls == [*CAREFUL[:4], "probe", "list"]
    calls.clear()
    content = image_bytes()
    saved = store.save(make_upload(KEY, content))
    assert calls == ["try_file", "put", "create", "list"]
    assert store.get(KEY) == saved
    version = home(content, KEY)
    assert [path for path in paths(store) if KEY in path] == [
        SIDECAR,
        f"{version}/_thumbnail.webp",
        f"{version}/reference-{KEY}.png",
    ]


@pytest.mark.parametrize(
    ("text", "known", "next_calls"),
    [
        ("status code: 412", True, QUICK),
        ("status code: 409", False, [*CAREFUL[:4], "probe", "list"]),
        ("status code: 500", None, [*CAREFUL[:4], "probe", "list"]),
    ],
)
def test_only_a_failed_condition_is_one_that_is_heeded(
    store: S3MediaStore,
    server: Server,
    calls: list[str],
    text: str,
    known: bool | None,
    next_calls: list[str],
) -> None:
    server.said = [None, text]
    store.save(make_upload("first"))
    assert store._bucket.heeds is known
    assert server.asked == 2
    calls.clear()
    store.save(make_upload(KEY))
    assert calls == next_calls
    # Asked once for the sidecar, and once more where nothing was known; quickly, for the file.
    assert server.asked == (3 if known is False else 4)


def test_a_server_that_ignores_conditions_is_looked_at_before_every_write(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    obstore = store._bucket._obstore
    put = obstore.put
    monkeypatch.setattr(
        obstore, "put", lambda *args, mode="overwrite", **options: put(*args, **options)
    )
    first = store.save(make_upload(KEY, b"first"))
    assert store._bucket.heeds is False
    for _ in range(2):
        assert store.save(make_upload(KEY, b"second")) == first
    calls.clear()
    store.save(make_upload("other"))
    assert calls == [*CAREFUL[:4], "probe", "list"]
    assert read(store, KEY) == b"first"


def test_a_file_of_several_parts_is_looked_for(store: S3MediaStore, calls: list[str]) -> None:
    """There is no condition on the parts of one."""
    store._bucket.heeds = True
    store.save(make_upload("one", b"x" * PART))
    assert calls == QUICK
    calls.clear()
    store.save(make_upload("two", b"x" * (PART + 1)))
    assert calls == ["text", "put_parts", "text", "create", "probe", "list"]


def test_a_stored_key_is_left_alone_without_a_look_before(
    store: S3MediaStore, calls: list[str]
) -> None:
    store._bucket.heeds = True
    first = store.save(make_upload(KEY, b"first"))
    calls.clear()
    assert store.save(make_upload(KEY, b"first")) == first
    assert calls == ["try_file", "text", "size", "list"]
    calls.clear()
    assert store.save(make_upload(KEY, b"second")) == first
    assert calls == ["try_file", "create", "text", "size", "list", "delete"]
    assert paths(store) == [SIDECAR, f"{home(b'first', KEY)}/{first.filename}"]


@pytest.mark.parametrize("text", ["status code: 501", "kind: Request", "kind: Interrupted"])
def test_what_may_be_in_the_way_of_a_file_is_looked_at(
    store: S3MediaStore, server: Server, calls: list[str], text: str
) -> None:
    store._bucket.heeds = True
    server.said = [text]
    store.save(make_upload(KEY, b"first"))
    assert calls == ["try_file", *CAREFUL[:4], "probe", "list"]
    assert store._bucket.heeds is True
    assert read(store, KEY) == b"first"


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("text", ["status code: 500", "kind: Timeout"])
def test_what_fails_is_told_and_shows_nothing(
    store: S3MediaStore, server: Server, text: str, at: int
) -> None:
    store._bucket.heeds = True
    server.said = [*[None] * at, text]
    with pytest.raises(StorageError, match="Cannot store media 'k-order'"):
        store.save(make_upload(KEY))
    assert store.get(KEY) is None


def test_a_server_that_refuses_conditions_is_asked_once(
    store: S3MediaStore, server: Server, calls: list[str]
) -> None:
    server.said = ["status code: 501"] * 9
    first = store.save(make_upload(KEY, b"first"))
    assert server.asked == 1
    assert store._bucket.heeds is False
    assert store.save(make_upload(KEY, b"second")) == first
    calls.clear()
    store.save(make_upload("other"))
    assert calls == [*CAREFUL[:4], "put", "list"]
    assert server.asked == 1


def test_one_that_heeded_them_is_asked_again(
    store: S3MediaStore, server: Server, calls: list[str]
) -> None:
    """Another one may have answered in its place."""
    store._bucket.heeds = True
    server.said = [None, "status code: 501", "status code: 501"]
    store.save(make_upload(KEY))
    assert calls == ["try_file", "create", *CAREFUL[:4], "put", "list"]
    assert store._bucket.heeds is True
    calls.clear()
    store.save(make_upload("other"))
    assert calls == QUICK
