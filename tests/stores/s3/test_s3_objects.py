"""The store over a bucket in memory: its contract, the order of its requests, and its words."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from obstore.store import MemoryStore
from PIL import Image

from charimg.errors import ConfigurationError, InvalidArgument, MediaNotFound, StorageError
from charimg.stores import AsyncS3MediaStore, S3MediaStore
from charimg.stores.s3.bucket import PART, Bucket
from charimg.stores.s3.failures import (
    broke_off,
    bucket_is_missing,
    conflicting,
    failure,
    reason,
    unconditional,
)
from charimg.stores.s3.names import Names, check_prefix, encode
from charimg.stores.s3.settings import check_base, check_environment, check_number
from charimg.testing import MediaStoreContract
from charimg.testing.conformance.media import make_upload

from .test_s3_saving import home, image_bytes, read

KEY = "k-order"
SIDECAR = f"{KEY}/_media.json"


def in_memory(store: Any) -> Any:
    """Put a bucket in memory under a store; only a real one signs."""
    bucket = store._bucket
    signing = bucket._store
    bucket._opened.get().store = MemoryStore()

    def sign(path: str, key: str, seconds: float) -> str:
        with bucket.failing("sign a URL of", key):
            url: str = bucket._obstore.sign(signing, "GET", path, timedelta(seconds=seconds))
        return url

    bucket.sign = sign
    return store


def made(**options: Any) -> S3MediaStore:
    store: S3MediaStore = in_memory(S3MediaStore("images", region="us-east-1", **options))
    return store


@pytest.fixture
def store() -> S3MediaStore:
    return made()


def paths(store: Any) -> list[str]:
    return sorted(store._bucket.list("", KEY))


class TestInMemory(MediaStoreContract):
    def make(self) -> Any:
        self.bucket = made()._bucket
        return self.reopen(None)

    def reopen(self, made: Any) -> Any:
        store = S3MediaStore("images", prefix="some/where", region="us-east-1")
        store._bucket = self.bucket
        return store

    def underneath(self, key: str) -> list[str]:
        return [path for path in self.bucket.list("", key) if key in path]


class TestInMemoryOnAsyncio(TestInMemory):
    backend = "asyncio"

    def reopen(self, made: Any) -> Any:
        store = AsyncS3MediaStore("images", prefix="some/where", region="us-east-1")
        store._bucket = self.bucket
        return store


# The order of the requests


class Broke(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("content", [b"no image", image_bytes()])
def test_a_deletion_takes_the_image_out_of_sight_before_anything_else(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Should the process die then, nobody sees half a medium, and the next deletion finds it."""
    store.save(make_upload(KEY, content))
    whole = paths(store)
    real = Bucket.delete

    def once(self: Bucket, path: str, key: str) -> None:
        real(self, path, key)
        raise Broke

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "delete", once)
        with pytest.raises(Broke):
            store.delete(KEY)
    assert paths(store) == [path for path in whole if path != SIDECAR]
    assert store.get(KEY) is None
    assert store.delete(KEY) is True
    assert paths(store) == []
    assert store.delete(KEY) is False


def test_a_save_shows_nothing_before_all_is_there(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = Bucket.create

    def create(self: Bucket, path: str, *rest: Any) -> bool:
        seen.append(paths(store))
        assert store.get(KEY) is None
        return real(self, path, *rest)

    monkeypatch.setattr(Bucket, "create", create)
    content = image_bytes()
    store.save(make_upload(KEY, content))
    version = home(content, KEY)
    assert seen == [[f"{version}/_thumbnail.webp", f"{version}/reference-{KEY}.png"]]


@pytest.mark.parametrize("length", [PART - 1, PART, PART + 1])
def test_a_file_is_sent_in_parts_when_it_is_longer_than_one(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    sent: list[str] = []
    for name in ("put", "put_parts"):
        real = getattr(Bucket, name)

        def told(self: Bucket, path: str, *rest: Any, name: str = name, real: Any = real) -> None:
            sent.append(name)
            real(self, path, *rest)

        monkeypatch.setattr(Bucket, name, told)
    content = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    saved = store.save(make_upload(KEY, content))
    assert sent == ["put_parts" if length > PART else "put"]
    assert read(store, KEY) == content
    body = store._bucket.get(f"{home(content, KEY)}/{saved.filename}", KEY)
    assert body is not None
    assert (body.size, body.sha256) == (length, saved.sha256)


def test_objects_say_what_they_are(store: S3MediaStore) -> None:
    content = image_bytes()
    saved = store.save(make_upload(KEY, content))
    version = home(content, KEY)

    def attributes(path: str) -> dict[str, str]:
        found = store._bucket._obstore.get(store._bucket._store, path).attributes
        return {str(name): value for name, value in found.items()}

    lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
    assert attributes(f"{version}/{saved.filename}") == {
        **lasting,
        "Content-Type": "image/png",
        "sha256": saved.sha256,
    }
    assert attributes(f"{version}/_thumbnail.webp") == {**lasting, "Content-Type": "image/webp"}
    assert attributes(SIDECAR) == {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
    }


def test_what_a_save_finds_is_kept_and_what_is_left_over_goes(store: S3MediaStore) -> None:
    first = store.save(make_upload(KEY, b"first"))
    left = f"{home(b'other', KEY)}/left.png"
    for path in (left, f"{KEY}/notes.txt"):
        store._bucket.put(path, KEY, b"left", {})
    assert store.save(make_upload(KEY, b"second")) == first
    assert read(store, KEY) == b"first"
    assert paths(store) == sorted(
        [SIDECAR, f"{KEY}/notes.txt", f"{home(b'first', KEY)}/{first.filename}"]
    )


def test_a_sidecar_without_its_file_is_written_anew(
    store: S3MediaStore, caplog: pytest.LogCaptureFixture
) -> None:
    first = store.save(make_upload(KEY, b"first"))
    store._bucket.delete(f"{home(b'first', KEY)}/{first.filename}", KEY)
    with caplog.at_level(logging.WARNING, "charimg.stores.s3"):
        assert store.get(KEY) is None
    assert [record.message for record in caplog.records] == ["object.broken"]
    with pytest.raises(MediaNotFound), store.open(KEY):
        pass
    assert store.save(make_upload(KEY, b"second!")).size == 7
    assert read(store, KEY) == b"second!"


@pytest.mark.parametrize("change", [b"{", b"\xff", b"[]", b"{}", {"key": "x"}, {"sha256": "x"}])
def test_a_sidecar_of_something_else_is_none(store: S3MediaStore, change: Any) -> None:
    store.save(make_upload(KEY, b"first"))
    if isinstance(change, dict):
        change = json.dumps({**json.loads(store._bucket.text(SIDECAR, KEY) or b""), **change})
    store._bucket.put(SIDECAR, KEY, change if isinstance(change, bytes) else change.encode(), {})
    assert store.get(KEY) is None
    with pytest.raises(MediaNotFound), store.open(KEY):
        pass


def test_changed_bytes_are_told(store: S3MediaStore) -> None:
    saved = store.save(make_upload(KEY, b"first"))
    path = f"{home(b'first', KEY)}/{saved.filename}"
    store._bucket.put(path, KEY, b"other", {})
    with pytest.raises(StorageError, match="is not what was saved"), store.open(KEY) as chunks:
        list(chunks)
    store._bucket.put(path, KEY, b"first", {"sha256": "0" * 64})
    with pytest.raises(StorageError, match="is not what was saved"), store.open(KEY):
        pass
    store._bucket.put(path, KEY, b"first", {"sha256": hashlib.sha256(b"first").hexdigest()})
    assert read(store, KEY) == b"first"
    store._bucket.put(path, KEY, b"first", {})
    assert read(store, KEY) == b"first"
    store._bucket.put(path, KEY, b"longer", {})
    with pytest.raises(MediaNotFound), store.open(KEY):
        pass


@pytest.mark.parametrize("length", [1000, PART + 1000])
@pytest.mark.parametrize("change", [{"size": -1}, {"size": 1}, {"sha256": "0" * 64}])
def test_bytes_that_were_not_announced_are_refused(
    store: S3MediaStore, change: dict[str, Any], length: int
) -> None:
    upload = make_upload(KEY, b"x" * length)
    if "size" in change:
        change = {"size": length + change["size"]}
    with pytest.raises(StorageError, match="announced with"):
        store.save(evolve(upload, **change))
    assert paths(store) == []


def test_the_first_of_two_saves_at_once_wins(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = S3MediaStore("images", region="us-east-1")
    other._bucket = store._bucket
    real = Bucket.put
    began: list[str] = []

    def put(self: Bucket, *args: Any) -> None:
        real(self, *args)
        if not began:
            began.append(KEY)
            other.save(make_upload(KEY, b"first"))

    monkeypatch.setattr(Bucket, "put", put)
    assert store.save(make_upload(KEY, b"second")).size == len(b"first")
    assert read(store, KEY) == b"first"
    assert len(paths(store)) == 2


def test_others_who_write_and_remove_all_the_time_are_told(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def create(self: Bucket, path: str, *_: Any) -> bool:
        tries.append(path)
        return False

    monkeypatch.setattr(Bucket, "create", create)
    with pytest.raises(StorageError, match="by others all the time"):
        store.save(make_upload(KEY))
    assert tries == [SIDECAR] * 5


def test_a_deletion_amid_a_save_is_told(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Bucket.create

    def create(self: Bucket, *args: Any) -> bool:
        store.delete(KEY)
        return real(self, *args)

    monkeypatch.setattr(Bucket, "create", create)
    with pytest.raises(StorageError, match="was removed from bucket 'images' while it was being"):
        store.save(make_upload(KEY))


def test_a_sweep_that_fails_is_no_failure_of_the_save(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Bucket, path: str, key: str) -> dict[str, int]:
        raise StorageError("it failed")

    monkeypatch.setattr(Bucket, "list", fail)
    with caplog.at_level(logging.WARNING, "charimg.stores.s3"):
        saved = store.save(make_upload(KEY))
    assert [record.message for record in caplog.records] == ["object.unswept"]
    assert store.get(KEY) == saved


def test_a_server_without_conditions_is_written_to_all_the_same(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = store._bucket
    refused = bucket._obstore.exceptions.GenericError
    put = bucket._obstore.put
    said = "status code: 501"

    def unable(*args: Any, **options: Any) -> Any:
        if options.get("mode") == "create":
            raise refused(said)
        return put(*args, **options)

    monkeypatch.setattr(bucket._obstore, "put", unable)
    saved = store.save(make_upload(KEY))
    assert store.get(KEY) == saved
    said = "status code: 500"
    # It is not asked again, and still looked at before it is written to.
    assert store.save(make_upload("other")).key == "other"
    assert store.save(make_upload(KEY, b"other bytes")) == saved
    with pytest.raises(StorageError, match="Cannot store media 'third'"):
        made().save(make_upload("third"))


# Where


def test_urls_are_signed_or_public() -> None:
    content = image_bytes()
    store = made(url_ttl=60)
    located = store.locate(store.save(make_upload(KEY, content)))
    path = f"{home(content, KEY)}/reference-{KEY}.png"
    assert f"/{path}?" in str(located.url)
    assert "X-Amz-Expires=60&" in str(located.url)
    assert "_thumbnail.webp?" in str(located.thumbnail_url)
    public = made(public_url="https://cdn.example/", thumbnail_px=0)
    located = public.locate(public.save(make_upload(KEY, content)))
    assert (located.url, located.thumbnail_url) == (f"https://cdn.example/{path}", None)
    assert store.urls_by() is None
    assert str(located.url).startswith(str(public.urls_by()))


def test_names_stay_apart_and_are_harmless_to_every_service() -> None:
    assert encode("Az09.-x", "key") == "Az09.-x"
    assert encode("a_b/c d", "key") == "a_5Fb_2Fc_20d"
    assert encode(".a.b", "key") == "_2Ea.b"
    assert encode("й", "key") == "_D0_B9"
    assert len(encode("x" * 400, "key")) == 400
    for none in ("", "x" * 401, "\ud800", 7, None):
        with pytest.raises(InvalidArgument, match="cannot be a key"):
            encode(none, "key")
    assert check_prefix("/a/b.c/") == "a/b.c"
    assert check_prefix("x" * 150) == "x" * 150
    assert check_prefix("/") == ""
    for none in ("..", "a/../b", "a//b", "a b", "x" * 151):
        with pytest.raises(InvalidArgument, match="cannot be a prefix"):
            check_prefix(none)


def test_objects_lie_below_the_key_and_others_are_none_of_it() -> None:
    digest = "0123456789abcdef" * 4
    names = Names("some/where", "a/b")
    assert (names.home, names.sidecar) == ("some/where/a_2Fb", "some/where/a_2Fb/_media.json")
    assert Names("", "k").home == "k"
    version = f"{names.home}/_v-{digest[:32]}"
    assert names.file(digest, "x y.png") == f"{version}/x_20y.png"
    assert names.thumbnail(digest) == f"{version}/_thumbnail.webp"
    assert names.ours(names.sidecar)
    assert names.ours(names.file(digest, "x.png"))
    for other in ("notes.txt", "_v-1/x", f"_v-{digest[:32]}/a/b", f"k/_v-{digest[:32]}/x"):
        assert not names.ours(f"{names.home}/{other}")
    for none in (None, digest.upper(), digest[:-1], f"{digest}0"):
        with pytest.raises(InvalidArgument, match="no SHA-256"):
            names.file(none, "x.png")


# Settings


@pytest.mark.parametrize("checksum", ["sha256", "none"])
@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9", "https://s3.example"])
def test_the_settings_reach_obstore(endpoint: str | None, checksum: str) -> None:
    store = S3MediaStore(
        "images", endpoint=endpoint, region="eu-1", checksum=checksum, timeout=30, retries=2
    )._bucket._store
    config: dict[str, Any] = dict(store.config or {})
    assert config.get("endpoint") == endpoint
    assert config.get("checksum_algorithm") == (None if checksum == "none" else "sha256")
    assert (config["region"], config["disable_bulk_delete"]) == ("eu-1", "true")
    client: dict[str, Any] = dict(store.client_options or {})
    assert (client["connect_timeout"], client["read_timeout"], client["timeout"]) == (
        *("30s", "30s"),
        "5m",
    )
    assert client["allow_http"] == ("false" if str(endpoint).startswith("https") else "true")
    retry: dict[str, Any] = dict(store.retry_config or {})
    assert (retry["max_retries"], retry["retry_timeout"]) == (2, timedelta(seconds=900))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("thumbnail_px", 0, 10_000), ("url_ttl", 1, 604_800), ("timeout", 0.01, 3600)],
)
def test_numbers_have_limits(name: str, low: float, high: float) -> None:
    for value in (low, high):
        assert S3MediaStore("images", **{name: value})
    for value in (low - 0.001, high + 1):
        # A share of a pixel is of the wrong type.
        with pytest.raises((ConfigurationError, InvalidArgument), match=name):
            S3MediaStore("images", **{name: value})
    for none in (float("nan"), float("inf")):
        with pytest.raises(InvalidArgument, match=name):
            check_number(none, name, low, high)
    assert S3MediaStore("images", retries=0)
    assert S3MediaStore("images", retries=100)
    for retries in (-1, 101):
        with pytest.raises(InvalidArgument, match="retries"):
            S3MediaStore("images", retries=retries)


def test_what_is_not_given_is_as_the_documentation_says() -> None:
    store = made()
    assert store.concurrent_safe is True
    located = store.locate(store.save(make_upload(KEY, image_bytes(640, 480))))
    assert "X-Amz-Expires=3600&" in str(located.url)
    thumbnail = store._bucket.text(f"{home(image_bytes(640, 480), KEY)}/_thumbnail.webp", KEY)
    with Image.open(io.BytesIO(thumbnail or b"")) as image:
        assert image.size == (320, 240)
    real = S3MediaStore("images", region="eu-1")._bucket._store
    assert dict(real.client_options or {})["read_timeout"] == "1m"
    assert dict(real.retry_config or {})["max_retries"] == 3


@pytest.mark.parametrize(
    "url",
    [
        *("https://ex\u00e4mple", "https://a\x7fb", "https://a b", "https://", "http:/a", "a"),
        *("ftp://host", "https://host:topsecret", "https://[", "https://u@host"),
        *("https://host?q", "https://host#f"),
    ],
)
def test_addresses_of_servers_are_plain(url: str) -> None:
    for name in ("endpoint", "public_url"):
        with pytest.raises(InvalidArgument, match=f"{name} must") as caught:
            S3MediaStore("images", **{name: url})
        assert "topsecret" not in str(caught.value)
    assert check_base("http://host:9/a/", "endpoint") == "http://host:9/a"
    assert check_base(None, "endpoint") is None


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"),
        *("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ],
)
def test_variables_of_the_environment_are_checked_and_not_shown(name: str) -> None:
    check_environment({name: ""})
    for value in ("top\nsecret", "top\u00e4secret"):
        with pytest.raises(InvalidArgument, match=name) as caught:
            check_environment({name: value})
        assert "secret" not in str(caught.value)


def test_a_header_is_of_plain_ascii_and_a_url_may_stand_between_blanks() -> None:
    for value in ("a\nb", "\u00e4"):
        with pytest.raises(InvalidArgument, match="cache_control"):
            S3MediaStore("images", cache_control=value)
    assert repr(S3MediaStore.from_url(" s3://images/a\n")) == "S3MediaStore('s3://images/a')"


@pytest.mark.parametrize("before", [{}, {"credential_provider": dict}])
def test_keys_are_looked_for_where_nobody_gives_any(
    before: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file of profiles, which obstore does not read."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = mine\naws_secret_access_key = shh\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    config = dict(S3MediaStore("images", region="eu-1", **before)._bucket._store.config or {})
    assert config.get("access_key_id") == (None if before else "mine")


def test_a_failed_upload_begins_again_at_the_files_beginning(store: S3MediaStore) -> None:
    upload = make_upload(KEY, b"0123456789")
    upload.file.read(4)
    store.save(upload)
    assert read(store, KEY) == b"0123456789"


# What went wrong, in words

BUSY = "Try again later."
KEYS = "Check the credentials"


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("<Code>NoSuchBucket</Code> status code: 404", "NoSuchBucket 404", "Create the bucket"),
        ("status code: 403", "403", KEYS),
        ("status code: 401", "401", KEYS),
        (
            "<Code>RequestTimeTooSkewed</Code> status code: 403",
            "RequestTimeTooSkewed 403",
            "Set this machine's clock",
        ),
        ("status code: 301", "301", "Name the bucket's own region or endpoint"),
        (
            "<Code>AuthorizationHeaderMalformed</Code>",
            "AuthorizationHeaderMalformed",
            "Name the bucket's own region",
        ),
        ("kind: Connect", "the server could not be reached", "Check the endpoint, and that"),
        ("kind: Timeout", "the server did not answer in time", "raise the timeout"),
        ("kind: Request", "the connection broke off", BUSY),
        ("kind: Decode", "the connection broke off", BUSY),
        ("kind: Interrupted", "the connection broke off", BUSY),
        *((f"status code: {status}", str(status), BUSY) for status in (429, 500, 502, 503, 504)),
        ("<Code>Odd</Code> status code: 418", "Odd 418", "Check the endpoint, the bucket"),
        ("secret", "OSError", "Check the endpoint, the bucket"),
        ("169.254.169.254", "there are no credentials", "Set AWS_ACCESS_KEY_ID"),
        ("/latest/api/token", "there are no credentials", "AWS_PROFILE"),
        ("/latest/meta-data/", "there are no credentials", "AWS_PROFILE"),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(text: str, what: str, hint: str) -> None:
    error = OSError(f"TOPSECRET {text} signed text")
    assert reason(error)[0] == what
    assert hint in reason(error)[1]
    failed = failure("read", "k", "images", error)
    assert str(failed).startswith(f"Cannot read media 'k' in bucket 'images': {what}. ")
    assert str(failed.__cause__) == f"OSError: {what}"
    assert "TOPSECRET" not in f"{failed} {failed.__cause__}"


def test_answers_that_mean_something_are_told_from_others() -> None:
    assert unconditional(OSError("status code: 501"))
    assert unconditional(OSError("<Code>NotImplemented</Code>"))
    assert not unconditional(OSError("status code: 500"))
    assert conflicting(OSError("status code: 409"))
    assert not conflicting(OSError("status code: 412"))
    assert all(broke_off(OSError(f"kind: {kind}")) for kind in ("Request", "Decode", "Interrupted"))
    assert not any(broke_off(OSError(f"kind: {kind}")) for kind in ("Connect", "Timeout"))
    assert bucket_is_missing(OSError("<Code>NoSuchBucket</Code>"))
    assert not bucket_is_missing(OSError("<Code>NoSuchKey</Code>"))
