"""Arguments and settings URLs."""

from __future__ import annotations

import subprocess
import sys
import traceback
from typing import Any

import pytest

from charimg.errors import ConfigurationError, InvalidArgument, StorageError
from charimg.stores import AsyncS3MediaStore, S3MediaStore

from ...servers.s3 import S3Server

CLASSES = [S3MediaStore, AsyncS3MediaStore]


@pytest.mark.parametrize("made", CLASSES)
def test_a_url_says_everything(made: Any) -> None:
    store = made.from_url(
        "s3://bucket/some/prefix/?endpoint=https%3A%2F%2Fid.r2.cloudflarestorage.com&region=auto"
        "&public=https://cdn.example&url_ttl=60&thumbnail_px=10&cache_control=no-store"
        "&checksum=none&timeout=1.5&retries=0"
    )
    assert repr(store) == f"{made.__name__}('s3://bucket/some/prefix')"


@pytest.mark.parametrize("made", CLASSES)
def test_options_win_over_the_url(made: Any) -> None:
    assert repr(made.from_url("s3://bucket/one", prefix="two")).endswith("('s3://bucket/two')")
    assert repr(made("bucket")) == f"{made.__name__}('s3://bucket')"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://", "is such as s3://bucket/prefix"),
        ("https://bucket/x", "is such as s3://bucket/prefix"),
        ("s3://[", "cannot be read"),
        ("s3://bucket?topsecret", "Parameter 1 of the S3 URL is none of cache_control, "),
        ("s3://bucket?timeout=1&regoin=topsecret", "Parameter 2 of the S3 URL is none of "),
        ("s3://bucket?regoin=topsecret", "Is region meant?"),
        ("s3://bucket?endpoint", "endpoint must be an http or https URL"),
        ("s3://topsecret:topsecret@bucket/x", "must not hold credentials"),
        ("s3://bucket/x#topsecret", "must not hold a fragment"),
        ("s3://bucket/x?topsecret=1", "Parameter 1 of the S3 URL is none of cache_control, "),
        ("s3://bucket?region=a&region=b", "gives region twice"),
        ("s3://bucket?timeout=topsecret", "timeout in the S3 URL must be a number"),
        ("s3://bucket?retries=1.5", "retries in the S3 URL must be a number"),
        ("s3://bucket?timeout=nan", "timeout must be 0.01 to 3600, not nan"),
        ("s3://bucket?url_ttl=999999999", "url_ttl must be 1 to 604800"),
        ("s3://bucket?thumbnail_px=-1", "thumbnail_px must be 0 to 10000, not -1"),
        ("s3://bucket?retries=-1", "retries must be 0 to 100, not -1"),
        ("s3://bucket?checksum=md5", "checksum must be one of sha256, none"),
        ("s3://bucket?cache_control=a%0Ab", "cache_control must be a header"),
        ("s3://bucket?endpoint=topsecret", "endpoint must be an http or https URL"),
        ("s3://bucket?endpoint=http://topsecret@host", "endpoint must not hold a user"),
        ("s3://bucket?public=https://cdn.example/?topsecret=1", "public must not hold a user"),
        ("s3://bucket?public=https://host:topsecret", "public must be an http or https URL"),
        ("s3://b", "is no name of a bucket"),
        ("s3://bucket/a/../b", "cannot be a prefix"),
        ("s3://bucket/a//b", "cannot be a prefix"),
        ("s3://bucket/a%20b", "cannot be a prefix"),
        (f"s3://bucket/{'x' * 151}", "cannot be a prefix"),
    ],
)
@pytest.mark.parametrize("made", CLASSES)
def test_a_url_that_makes_no_sense(made: Any, url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        made.from_url(url)
    assert said in str(caught.value)
    assert "topsecret" not in "".join(traceback.format_exception(caught.value))


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(InvalidArgument, match="is no name of a bucket"):
        S3MediaStore("a/b")
    with pytest.raises(InvalidArgument, match="cannot be a prefix"):
        S3MediaStore("bucket", prefix="..")


def test_settings_that_obstore_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match=r"'bucket' are refused by obstore"):
        S3MediaStore("bucket")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:9799"),
        ("AWS_ENDPOINT_URL", "http://me:topsecret@127.0.0.1:9799"),
        ("AWS_ENDPOINT_URL_S3", "http://ho topsecret"),
        ("AWS_REGION", "topsecret\n"),
        ("AWS_DEFAULT_REGION", "to psecret"),
        ("AWS_ACCESS_KEY_ID", "topsecret\n"),
        ("AWS_SESSION_TOKEN", "topsecret\x7f"),
    ],
)
@pytest.mark.parametrize("made", CLASSES)
def test_an_environment_that_makes_no_sense(
    made: Any, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as caught:
        made.from_url("s3://bucket")
    assert "topsecret" not in "".join(traceback.format_exception(caught.value))


def test_regions_that_make_no_sense() -> None:
    for region in ("a%0ab", "", "a%20b"):
        with pytest.raises(ConfigurationError, match="region must be a name"):
            S3MediaStore.from_url(f"s3://bucket?region={region}")


def test_a_panic_of_obstore_is_an_error_of_the_store() -> None:
    class PanicException(BaseException):
        """As the one of obstore's, which cannot be imported."""

    store = S3MediaStore("bucket")
    with (
        pytest.raises(StorageError, match="Cannot read media 'k'"),
        store._bucket.failing("read", "k"),
    ):
        raise PanicException("topsecret")
    with pytest.raises(KeyboardInterrupt), store._bucket.failing("read", "k"):
        raise KeyboardInterrupt


def test_a_provider_of_credentials(server: S3Server, prefix: str, monkeypatch: Any) -> None:
    import os

    keys = {
        "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "expires_at": None,
    }
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = S3MediaStore.from_url(server.url(prefix), credential_provider=lambda: keys)
    assert store.get("k") is None


def test_without_obstore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'charimg\[s3\]'"):
        S3MediaStore("bucket")


_SHORT = """
import hashlib, io, sys
import anyio
from charimg.models import Upload
from charimg.stores import AsyncS3MediaStore

async def run():
    store = AsyncS3MediaStore.from_url(sys.argv[1])
    content = b"short" * 1000
    await store.save(
        Upload(key=sys.argv[2], file=io.BytesIO(content), filename="a.png", mime_type="image/png",
               size=len(content), sha256=hashlib.sha256(content).hexdigest())
    )
    async with store.open(sys.argv[2]) as chunks:
        async for chunk in chunks:
            break
    await store.delete(sys.argv[2])

anyio.run(run, backend=sys.argv[3])
"""


@pytest.mark.long
def test_50_short_processes_end_well(rclone_server: S3Server, prefix: str) -> None:
    """obstore's own async calls abort the interpreter at its end, now and then."""
    codes = []
    running: list[subprocess.Popen[bytes]] = []
    for number in range(50):
        backend = ("asyncio", "trio")[number % 2]
        arguments = [sys.executable, "-c", _SHORT, rclone_server.url(prefix), f"k{number}", backend]
        running.append(subprocess.Popen(arguments))
        if len(running) == 3:
            codes.append(running.pop(0).wait(600))
    codes += [each.wait(600) for each in running]
    assert codes == [0] * 50
