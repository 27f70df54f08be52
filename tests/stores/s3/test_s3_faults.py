"""What the network and the server do to a store, and what it says of it."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from charimg.errors import StorageError
from charimg.stores import S3MediaStore
from charimg.stores.s3.bucket import PART
from charimg.testing.conformance.media import make_upload

from ...servers.ports import Port
from ...servers.proxy import Answer, Drop, Half, Lose, Proxy, Request, Wait
from ...servers.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from .conftest import objects
from .test_s3_saving import read

KEY = "k-fault"
Make = Callable[..., S3MediaStore]


def on(method: str, part: str, what: Any, *, times: int = 1000) -> Callable[[Request], Any]:
    """Return the rule that does this to the first requests of such a kind."""
    left = [times]

    def rule(request: Request) -> Any:
        if request.method == method and part in request.path and left[0]:
            left[0] -= 1
            return what
        return None

    return rule


def check(error: StorageError, *words: str) -> None:
    """Check that an error says where and what, and gives nothing away."""
    shown = "".join(traceback.format_exception(error))
    assert repr(KEY) in str(error)
    for word in words:
        assert word in str(error)
    for secret in (ACCESS_KEY, SECRET_KEY, "X-Amz", "Signature=", "uploadId"):
        assert secret not in shown
        assert secret not in repr(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isinstance(error.__cause__, OSError)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (Answer(status=503, body=b"<Error><Code>SlowDown</Code></Error>"), "SlowDown 503. Try"),
        (Answer(status=500), "500. Try again later"),
        (Answer(status=400), "400. Check the endpoint"),
        (Drop, "the connection broke off. Try again later"),
    ],
)
@pytest.mark.parametrize("call", ["save", "get", "delete", "open"])
def test_a_server_that_fails(
    proxy: Proxy, through: Make, strict: S3MediaStore, what: Any, said: str, call: str
) -> None:
    strict.save(make_upload(KEY))
    proxy.rule = lambda request: what
    store = through()
    calls = {
        "save": lambda: store.save(make_upload(KEY)),
        "get": lambda: store.get(KEY),
        "delete": lambda: store.delete(KEY),
        "open": lambda: read(store, KEY),
    }
    with pytest.raises(StorageError) as caught:
        calls[call]()
    check(caught.value, said, repr(BUCKET))
    assert strict.get(KEY) is not None


@pytest.mark.parametrize(
    ("method", "part", "times"),
    [("GET", "_media.json", 2), ("PUT", "_v-", 1), ("PUT", "_media.json", 1), ("HEAD", "_v-", 1)],
)
@pytest.mark.parametrize("what", [Answer(status=503), Drop, Lose])
def test_a_failure_that_passes_is_not_noticed(
    proxy: Proxy,
    through: Make,
    strict: S3MediaStore,
    method: str,
    part: str,
    times: int,
    what: Any,
) -> None:
    proxy.rule = on(method, part, what, times=times)
    store = through(retries=5)
    saved = store.save(make_upload(KEY))
    assert store.get(KEY) == saved
    assert read(strict, KEY) == make_upload(KEY).file.read()


def test_an_answer_to_the_sidecar_that_is_lost(
    proxy: Proxy, through: Make, strict: S3MediaStore
) -> None:
    """The caller hears of a failure, and the next save finds what the first one did."""
    proxy.rule = on("PUT", "_media.json", Lose)
    with pytest.raises(StorageError) as caught:
        through().save(make_upload(KEY))
    check(caught.value, "Cannot store")
    first = strict.get(KEY)
    assert first is not None
    assert strict.save(make_upload(KEY)) == first


@pytest.mark.parametrize("length", [1000, PART + 1000])
@pytest.mark.parametrize("part", ["_v-", "_media.json"])
def test_a_save_that_fails_shows_nothing(
    radosgw_server: S3Server,
    proxy: Proxy,
    through: Make,
    strict: S3MediaStore,
    prefix: str,
    length: int,
    part: str,
) -> None:
    proxy.rule = on("PUT", part, Answer(status=500))
    with pytest.raises(StorageError, match="Cannot store media"):
        through().save(make_upload(KEY, b"x" * length))
    assert strict.get(KEY) is None
    strict.delete(KEY)
    assert objects(radosgw_server, prefix) == {}
    # An upload in parts that failed is aborted.
    assert (
        part == "_media.json"
        or length < PART
        or any(each.method == "DELETE" and "uploadId" in each.path for each in proxy.requests)
    )


def test_a_source_that_fails_aborts_the_upload(
    proxy: Proxy, through: Make, strict: S3MediaStore
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > PART:
                raise OSError("the source broke off")
            return super().read(size)

    upload = make_upload(KEY, b"x" * (2 * PART), source=Broken)
    with pytest.raises(OSError, match="the source broke off"):
        through().save(upload)
    assert any(each.method == "DELETE" and "uploadId" in each.path for each in proxy.requests)
    assert strict.get(KEY) is None


def test_a_body_that_breaks_off(proxy: Proxy, through: Make, strict: S3MediaStore) -> None:
    strict.save(make_upload(KEY))
    proxy.rule = on("GET", "_v-", Half)
    with pytest.raises(StorageError) as caught, through().open(KEY) as chunks:
        list(chunks)
    check(caught.value, "Cannot read")
    proxy.rule = on("GET", "_media.json", Half)
    with pytest.raises(StorageError) as caught:
        through().get(KEY)
    check(caught.value, "Cannot read")


def test_a_sweep_that_fails_is_no_failure(
    proxy: Proxy, through: Make, strict: S3MediaStore, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.rule = on("GET", "list-type", Answer(status=500))
    with caplog.at_level(logging.WARNING, "charimg"):
        saved = through().save(make_upload(KEY))
    assert [record.message for record in caplog.records] == ["object.unswept"]
    assert strict.get(KEY) == saved


def test_a_server_that_is_slow(proxy: Proxy, through: Make) -> None:
    proxy.rule = lambda request: wait
    wait, seconds = Wait(), 0.1
    try:
        # Until the request has come to the server in time.
        while not wait.reached.is_set():
            seconds *= 2
            with pytest.raises(StorageError) as caught:
                through(timeout=seconds).get(KEY)
    finally:
        wait.go.set()
    check(caught.value, "the server did not answer in time. Try again, or raise the timeout")


def test_no_server_at_all(radosgw_server: S3Server) -> None:
    nobody = Port()
    url = radosgw_server.url(endpoint=f"http://127.0.0.1:{nobody.number}", retries=0)
    with pytest.raises(StorageError) as caught:
        S3MediaStore.from_url(url).save(make_upload(KEY))
    check(caught.value, "the server could not be reached. Check the endpoint", repr(BUCKET))


def test_a_bucket_that_is_missing(server: S3Server) -> None:
    url = server.url().replace(f"s3://{BUCKET}/", "s3://no-such-bucket/")
    store = S3MediaStore.from_url(url)
    for call in (lambda: store.save(make_upload(KEY)), lambda: store.get(KEY)):
        with pytest.raises(StorageError) as caught:
            call()
        check(caught.value, "'no-such-bucket': NoSuchBucket 404. Create the bucket, or correct")
    with pytest.raises(StorageError) as caught:
        store.delete(KEY)
    check(caught.value, "NoSuchBucket")


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_keys(server: S3Server, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "wrong-key-0815")
    store = S3MediaStore.from_url(server.url(retries=0))
    for call in (lambda: store.save(make_upload(KEY)), lambda: store.delete(KEY)):
        with pytest.raises(StorageError) as caught:
            call()
        check(caught.value, "403. Check the credentials", repr(BUCKET))
        assert "wrong-key-0815" not in "".join(traceback.format_exception(caught.value))


def test_no_credentials(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the chain ends at the machine's own metadata service, which is not there."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    nobody = Port()
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{nobody.number}")
    store = S3MediaStore.from_url(server.url(retries=0))
    with pytest.raises(StorageError) as caught:
        store.get(KEY)
    check(caught.value, "there are no credentials. Set AWS_ACCESS_KEY_ID")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=501, body=b"<Error><Code>NotImplemented</Code></Error>"),
        Answer(status=501),
    ],
)
def test_a_server_that_knows_no_conditions(
    proxy: Proxy, through: Make, strict: S3MediaStore, answer: Answer
) -> None:
    proxy.rule = lambda request: answer if "if-none-match" in _names(request) else None
    store = through()
    saved = store.save(make_upload(KEY))
    assert strict.get(KEY) == saved
    assert store.save(make_upload(KEY, b"other")) == saved


def _names(request: Request) -> set[str]:
    return {name.lower() for name in request.headers}


def test_a_condition_is_sent(proxy: Proxy, through: Make) -> None:
    through().save(make_upload(KEY))
    sidecars = [r for r in proxy.requests if r.method == "PUT" and "_media.json" in r.path]
    assert all("if-none-match" in _names(each) for each in sidecars)
    assert all("x-amz-checksum-sha256" in _names(r) for r in proxy.requests if r.method == "PUT")
    proxy.requests.clear()
    through(checksum="none").save(make_upload("other"))
    assert not any("x-amz-checksum-sha256" in _names(each) for each in proxy.requests)


def test_others_who_write_and_remove_all_the_time(proxy: Proxy, through: Make) -> None:
    proxy.rule = on("PUT", "_media.json", Answer(status=412))
    with pytest.raises(StorageError, match="by others all the time"):
        through().save(make_upload(KEY))


def test_a_deletion_in_the_middle_of_a_save(
    proxy: Proxy, through: Make, strict: S3MediaStore
) -> None:
    def rule(request: Request) -> None:
        if request.method == "PUT" and "_media.json" in request.path:
            strict.delete(KEY)

    proxy.rule = rule
    with pytest.raises(StorageError, match="was removed from bucket 'images' while it was being"):
        through().save(make_upload(KEY))
    assert strict.get(KEY) is None
