"""Downloads: what arrives, within which limits, after how many attempts."""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from charimg import (
    AsyncDownloader,
    ConfigurationError,
    DownloadError,
    DownloadLimits,
    ErrorCode,
    ImageRejected,
    IngestionError,
    InvalidArgument,
    RetryPolicy,
    StorageError,
)
from charimg._ingest.inspect import inspect
from charimg._ingest.values import Download
from charimg._spool import Spool

from ..http.raw_server import head, raw_server
from ..http.scripted import Chunks, Reply, Scripted, failing, html, reply
from ..ingest.samples import HAND_MADE, chunk, drawn, ihdr, jpeg, png

pytestmark = pytest.mark.anyio

URL = "https://cdn.test/images/a.png?signature=secret"
FAST = RetryPolicy(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
OFF = RetryPolicy.off()
PNG = png()


def downloader(server: Scripted, **options: Any) -> AsyncDownloader:
    """Return a downloader that is served canned answers."""
    client = httpx.AsyncClient(transport=server.transport)
    return AsyncDownloader(**{"retries": FAST, "client": client, "decode": False, **options})


async def fetched(*replies: Reply, url: str = URL, **options: Any) -> Download:
    """Return the download that exactly these answers make."""
    server = Scripted(*replies)
    download = await downloader(server, **options).fetch(url)
    assert len(server.requests) == len(replies)
    return download


async def error_of(*replies: Reply, url: str = URL, **options: Any) -> IngestionError:
    """Return the error that a download ends with after exactly these answers."""
    server = Scripted(*replies)
    with pytest.raises(IngestionError) as caught:
        await downloader(server, **options).fetch(url)
    assert len(server.requests) == len(replies)
    assert "secret" not in f"{caught.value}{caught.value!r}"
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), vars(copy)) == (str(caught.value), vars(caught.value))
    return caught.value


def streamed(*chunks: bytes, **headers: str) -> Reply:
    """Answer with a body in chunks, and without a length unless a header says one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: httpx.Response(200, headers=named, stream=Chunks(*chunks))


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The temporary files that are made; closed after the test."""
    made: list[Any] = []
    real = Spool.__init__

    def make(self: Spool, *args: Any) -> None:
        real(self, *args)
        made.append(self)

    monkeypatch.setattr(Spool, "__init__", make)
    yield made
    for each in made:
        each.close()


# What arrives


@pytest.mark.parametrize("name", HAND_MADE)
async def test_a_file_arrives_whole(name: str) -> None:
    body = HAND_MADE[name]
    download = await fetched(reply(body=body))
    assert download.file.tell() == 0
    assert download.file.read() == body
    assert download.size == len(body)
    assert download.sha256 == hashlib.sha256(body).hexdigest()
    kind = name.partition("-")[0]
    assert download.mime_type == f"image/{kind}"
    assert download.extension == {"jpeg": "jpg"}.get(kind, kind)
    assert (download.width, download.height) == (3, 2)
    assert download.attempts == 1
    assert download.download_ms > 0
    assert download.inspection_ms > 0
    download.close()
    download.close()
    assert download.file.closed


async def test_the_bytes_tell_the_type_and_not_the_server() -> None:
    lying = reply(body=jpeg(), headers={"content-type": "image/png"})
    download = await fetched(lying, url="https://cdn.test/named.png")
    assert (download.mime_type, download.extension) == ("image/jpeg", "jpg")


async def test_chunks_make_one_file() -> None:
    parts = [PNG[:1], PNG[1:20], b"", PNG[20:]]
    download = await fetched(streamed(*parts))
    assert download.file.read() == PNG
    assert download.sha256 == hashlib.sha256(PNG).hexdigest()


def noisy_png(megabytes: int) -> Iterator[bytes]:
    """Yield a PNG with many chunks of its own kind."""
    block = chunk(b"teSt", b"\x55" * (64 * 1024))
    yield b"\x89PNG\r\n\x1a\n" + ihdr()
    for _ in range(megabytes * 16):
        yield block
    yield PNG[8 + 25 :]


class Lazy(Chunks):
    """A body whose chunks are made as they are asked for."""

    def __iter__(self) -> Iterator[bytes]:
        return noisy_png(12)


async def test_a_large_file_is_never_held_whole(files: list[Any]) -> None:
    limits = DownloadLimits(spool_bytes=100_000)
    fetch = downloader(Scripted(lambda _: httpx.Response(200, stream=Lazy())), limits=limits).fetch
    tracemalloc.start()
    try:
        download = await fetch(URL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert download.size > 12 * 1024 * 1024
    assert peak < 2 * 1024 * 1024
    assert files[0]._rolled


@pytest.mark.parametrize(("spool", "rolled"), [(0, True), (1, True), (len(PNG), False)])
async def test_small_files_stay_in_memory(spool: int, rolled: bool, files: list[Any]) -> None:
    download = await fetched(reply(body=PNG), limits=DownloadLimits(spool_bytes=spool))
    assert files[0]._rolled == rolled
    assert download.file.read() == PNG


# What is refused


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "NOT_AN_IMAGE"),
        (b"", "NOT_AN_IMAGE"),
        (b"GIF89a" + bytes(50), "NOT_AN_IMAGE"),
        (PNG[:-9], "TRUNCATED"),
    ],
)
async def test_what_is_no_whole_image_is_rejected_at_once(
    body: bytes, code: str, files: list[Any]
) -> None:
    error = await error_of(reply(body=body, headers={"content-type": "image/png"}))
    assert isinstance(error, ImageRejected)
    assert (error.code, error.retryable) == (code, False)
    assert [each.closed for each in files] == [True]


async def test_too_many_pixels_are_refused() -> None:
    error = await error_of(reply(body=png(5, 4)), limits=DownloadLimits(max_pixels=19))
    assert error.code == ErrorCode.TOO_MANY_PIXELS
    await fetched(reply(body=png(5, 4)), limits=DownloadLimits(max_pixels=20))


async def test_compressed_bytes_are_refused() -> None:
    error = await error_of(streamed(b"x", content_encoding="gzip"))
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert "compressed" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/media/a.png",
        "ftp://cdn.test/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://user:secret@cdn.test/a.png",
        "http://0x7f.1/a.png",
        "http://2130706433/a.png",
        "https://cdn.test:0/a.png",
        "https://cdn.test\\@evil.test/",
        "https://cdn.test/a\nb",
    ],
)
async def test_a_url_that_may_not_be_fetched_is_never_asked(url: str) -> None:
    error = await error_of(url=url)
    assert (error.code, error.retryable) == (ErrorCode.URL_REFUSED, False)


# Limits


async def test_an_announced_size_beyond_the_limit_is_refused_unread() -> None:
    limits = DownloadLimits(max_bytes=len(PNG) - 1)
    error = await error_of(reply(body=PNG), limits=limits)
    assert (error.code, error.retryable) == (ErrorCode.TOO_LARGE, False)
    await fetched(reply(body=PNG), limits=DownloadLimits(max_bytes=len(PNG)))


async def test_a_size_that_was_not_announced_is_noticed(files: list[Any]) -> None:
    limits = DownloadLimits(max_bytes=1_000_000, spool_bytes=10_000)
    server = Scripted(lambda _: httpx.Response(200, stream=Lazy()))
    with pytest.raises(DownloadError) as caught:
        await downloader(server, limits=limits).fetch(URL)
    assert caught.value.code == ErrorCode.TOO_LARGE
    assert files[0].closed


async def test_more_bytes_than_announced_are_too_many() -> None:
    body = streamed(PNG, b"more", content_length=str(len(PNG)))
    error = await error_of(body, retries=OFF)
    assert (error.code, error.retryable) == (ErrorCode.TRUNCATED, True)


async def test_a_length_that_is_no_number() -> None:
    error = await error_of(streamed(PNG, content_length="many"))
    assert error.code == ErrorCode.BAD_STATUS


async def test_the_time_for_a_download_is_limited(files: list[Any]) -> None:
    steps: list[bytes | float] = [head(Content_Length=9999), *[0.03, b"\x89"] * 2000]
    timeout = 0.1
    with raw_server(steps) as server:
        while not files:  # a short time may be over before a file was begun
            limits = DownloadLimits(timeout=timeout)
            async with AsyncDownloader(
                limits=limits, retries=OFF, allowed_origins=[server.url]
            ) as own:
                with pytest.raises(DownloadError) as caught:
                    await own.fetch(f"{server.url}/a?secret")
            assert (caught.value.code, caught.value.retryable) == (ErrorCode.TIMEOUT, True)
            assert "secret" not in str(caught.value)
            timeout *= 2
    assert files[0].closed


async def test_redirects_take_from_the_same_time() -> None:
    moved = [0.08, head("302 Found", Location="/b", Content_Length=0)]
    limits = DownloadLimits(timeout=0.12)
    with raw_server(moved) as server:
        async with AsyncDownloader(limits=limits, retries=OFF, allowed_origins=[server.url]) as own:
            with pytest.raises(DownloadError) as caught:
                await own.fetch(server.url)
    assert caught.value.code == ErrorCode.TIMEOUT


async def test_times_reach_httpx() -> None:
    server = Scripted(reply(body=PNG))
    limits = DownloadLimits(timeout=50, connect_timeout=3)
    await downloader(server, limits=limits).fetch(URL)
    sent = server.requests[0].extensions["timeout"]
    assert sent["connect"] == 3
    assert 49 < sent["read"] <= 50


# Redirects


def moved(location: str, status: int = 302) -> Reply:
    """Answer with a redirect."""
    return reply(status=status, body=b"gone", headers={"location": location})


async def test_redirects_are_followed_one_by_one() -> None:
    server = Scripted(moved("../b.png", 301), moved("https://other.test/c"), reply(body=PNG))
    download = await downloader(server).fetch(URL)
    assert [str(each.url) for each in server.requests] == [
        URL,
        "https://cdn.test/b.png",
        "https://other.test/c",
    ]
    assert download.attempts == 1


@pytest.mark.parametrize("most", [0, 2])
async def test_redirects_are_counted(most: int) -> None:
    limits = DownloadLimits(max_redirects=most)
    error = await error_of(*[moved("/b.png")] * (most + 1), limits=limits)
    assert (error.code, error.retryable) == (ErrorCode.TOO_MANY_REDIRECTS, False)
    assert f"more than {most} redirects" in str(error)
    await fetched(*[moved("/b.png")] * most, reply(body=PNG), limits=limits)


@pytest.mark.parametrize(
    "location",
    [
        "http://cdn.test/a.png",
        "ftp://cdn.test/a",
        "file:///etc/passwd",
        "data:image/png,secret",
        "https://user:secret@cdn.test/",
        "",
    ],
)
async def test_a_redirect_to_where_nothing_may_be_fetched(location: str) -> None:
    error = await error_of(moved(location))
    assert (error.code, error.retryable) == (ErrorCode.URL_REFUSED, False)


# Retries


@pytest.mark.parametrize(
    "failure",
    [
        html(502),
        reply(status=429, body=b""),
        reply(status=408, body=b""),
        failing(httpx.ConnectError("x")),
        failing(httpx.ReadTimeout("x")),
        streamed(PNG[:20], content_length=str(len(PNG))),
        streamed(PNG[:20]),
    ],
    ids=range(7),
)
async def test_a_download_is_repeated(failure: Reply, files: list[Any]) -> None:
    download = await fetched(failure, failure, reply(body=PNG))
    assert download.attempts == 3
    assert download.file.read() == PNG
    assert [each.closed for each in files] == [True, True, False]


async def test_a_download_is_given_up_after_its_attempts(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "charimg"):
        error = await error_of(html(502), html(502), html(502))
    assert (error.code, error.status_code, error.retryable) == (ErrorCode.BAD_STATUS, 502, True)
    told = [vars(each) for each in caplog.records if each.message == "download.failed"]
    assert [each["attempt"] for each in told] == [1, 2, 3]
    assert {each["url"] for each in told} == {"https://cdn.test/images/a.png"}


@pytest.mark.parametrize("status", [401, 403, 404, 410, 204, 206])
async def test_what_cannot_pass_is_not_repeated(status: int) -> None:
    error = await error_of(reply(status=status, body=b""))
    assert isinstance(error, DownloadError)
    assert (error.code, error.status_code, error.retryable) == (
        ErrorCode.BAD_STATUS,
        status,
        False,
    )


async def test_retries_can_be_switched_off() -> None:
    await error_of(html(502), retries=OFF)


async def test_a_cut_connection_without_a_length_shows_in_the_image() -> None:
    error = await error_of(streamed(PNG[:20]), retries=OFF)
    assert isinstance(error, DownloadError)
    assert (error.code, error.retryable) == (ErrorCode.TRUNCATED, True)


async def test_a_body_shorter_than_announced_on_a_real_socket() -> None:
    whole = [head(Content_Length=len(PNG), Connection="close"), PNG]
    cut = [head(Content_Length=len(PNG)), PNG[:30]]
    with raw_server(cut, whole) as server:
        async with AsyncDownloader(retries=FAST, allowed_origins=[server.url]) as own:
            download = await own.fetch(server.url)
    assert download.attempts == 2
    assert download.file.read() == PNG


@pytest.mark.parametrize(("header", "wait"), [("3600", 0.01), ("0.005", 0.005), (None, 0.0)])
async def test_retry_after_is_honoured_up_to_its_cap(header: str | None, wait: float) -> None:
    waits: list[float] = []

    def remember(details: RetryDetails) -> None:
        waits.append(details.wait_for)

    policy = RetryPolicy(
        attempts=3, wait_initial=0, wait_max=0, wait_jitter=0, retry_after_max=0.01
    )
    busy = reply(status=503, body=b"", headers={} if header is None else {"retry-after": header})
    set_on_retry_hooks([remember])
    try:
        # A failure without that header does not inherit the wait of the one before.
        again = failing(httpx.ConnectError("x"))
        await fetched(busy, again, reply(body=PNG), retries=policy)
    finally:
        set_on_retry_hooks(None)
    assert waits == pytest.approx([wait, 0.0])


async def test_no_wait_reaches_beyond_the_time_for_all_attempts() -> None:
    policy = RetryPolicy(attempts=3, timeout=5, retry_after_max=30)
    busy = reply(status=503, body=b"", headers={"retry-after": "6"})
    assert (await error_of(busy, retries=policy)).retryable


# Pillow


async def test_decoding_is_the_hosts_choice() -> None:
    body = jpeg()  # its container is whole, its data mean nothing
    await fetched(reply(body=body))
    for decode in (True, None):
        error = await error_of(reply(body=body), decode=decode)
        assert error.code == ErrorCode.NOT_AN_IMAGE
    download = await fetched(reply(body=drawn("WEBP")), decode=True)
    assert (download.width, download.height) == (61, 47)
    assert download.file.tell() == 0


async def test_a_thumbnail_is_drawn_where_the_image_is_decoded() -> None:
    body = drawn("WEBP")
    own = downloader(Scripted(*[reply(body=body)] * 3), decode=True)
    for side, size in ((16, (16, 12)), (100, (61, 47))):
        download = await own.fetch(URL, thumbnail_px=side)
        found = inspect(io.BytesIO(download.thumbnail or b""), max_pixels=side**2)
        assert (found.width, found.height) == size
        assert download.file.read() == body
    assert (await own.fetch(URL)).thumbnail is None
    undecoded = downloader(Scripted(reply(body=body)), decode=False)
    assert (await undecoded.fetch(URL, thumbnail_px=16)).thumbnail is None
    with pytest.raises(InvalidArgument, match="thumbnail_px must be 0 or more, not -1"):
        await own.fetch(URL, thumbnail_px=-1)


async def test_what_was_downloaded_is_proved_and_stays() -> None:
    for limits in (DownloadLimits(), DownloadLimits(spool_bytes=0)):
        download = await fetched(reply(body=PNG), limits=limits)
        assert isinstance(download.file, Spool)
        assert download.file.sealed
        assert download.file.sha256 == download.sha256


async def test_decoding_needs_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="charimg\\[images\\]"):
        AsyncDownloader(decode=True)
    await fetched(reply(body=jpeg()), decode=None)


async def test_the_formats_are_the_hosts_choice() -> None:
    error = await error_of(reply(body=drawn("GIF")))
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert 'Add "gif" to DownloadLimits.formats' in str(error)
    for kind in ("GIF", "AVIF"):
        limits = DownloadLimits(formats=[kind.lower()])
        download = await fetched(reply(body=drawn(kind)), limits=limits, decode=True)
        assert (download.mime_type, download.extension) == (f"image/{kind.lower()}", kind.lower())
        assert (await error_of(reply(body=PNG), limits=limits)).code == ErrorCode.NOT_AN_IMAGE
    assert (await fetched(reply(body=drawn("AVIF")))).mime_type == "image/avif"


# What is no image in an image's file


MORE = PNG[:33] + chunk(b"tEXt", b"prompt\0<svg onload=x>") + PNG[33:] + b"\r\n"


async def test_what_is_no_image_is_left_out(files: list[Any]) -> None:
    download = await fetched(reply(body=MORE), decode=True)
    assert download.file.tell() == 0
    assert download.file.read() == PNG
    assert download.size == len(PNG)
    assert download.sha256 == hashlib.sha256(PNG).hexdigest()
    assert download.source_sha256 == hashlib.sha256(MORE).hexdigest()
    assert download.cleaned == (
        "tEXt chunk with markup or a script (33 bytes)",
        "trailer (2 bytes)",
    )
    sent, stored = files
    assert sent.closed
    assert stored is download.file


async def test_an_image_alone_is_written_once(files: list[Any]) -> None:
    download = await fetched(reply(body=PNG))
    assert download.cleaned == ()
    assert download.source_sha256 == download.sha256
    assert len(files) == 1


async def test_it_is_refused_or_kept_where_the_host_says_so(files: list[Any]) -> None:
    error = await error_of(reply(body=MORE), limits=DownloadLimits(foreign="refuse"))
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert "trailer (2 bytes)" in str(error)
    assert 'DownloadLimits(foreign="clean")' in str(error)
    download = await fetched(reply(body=MORE), limits=DownloadLimits(foreign="keep"))
    assert download.file.read() == MORE
    assert (download.size, download.cleaned) == (len(MORE), ())
    assert download.sha256 == download.source_sha256 == hashlib.sha256(MORE).hexdigest()


@pytest.mark.parametrize("foreign", ["clean", "refuse", "keep"])
async def test_a_file_that_shall_come_back_is_the_one_that_was_stored(foreign: str) -> None:
    limits = DownloadLimits(foreign=foreign)
    for stored in (MORE, PNG):
        sha256 = hashlib.sha256(stored).hexdigest()
        server = Scripted(reply(body=MORE))
        download = await downloader(server, limits=limits).fetch(URL, sha256=sha256)
        assert download.file.read() == stored
        assert download.sha256 == sha256


async def test_a_disk_that_is_full_when_it_is_cleaned_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, files: list[Any]
) -> None:
    real = Spool.write

    def second_is_full(self: Spool, data: bytes) -> int:
        if len(files) == 2:
            raise OSError(28, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Spool, "write", second_is_full)
    with pytest.raises(StorageError, match="temporary file"):
        await downloader(Scripted(reply(body=MORE))).fetch(URL)
    assert len(files) == 2
    assert all(each.closed for each in files)


# Files, clients, logs


async def test_a_full_disk_is_our_storage_error(
    monkeypatch: pytest.MonkeyPatch, files: list[Any], tmp_path: Any
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    server = Scripted(reply(body=PNG))
    with pytest.raises(StorageError, match="temporary file") as caught:
        await downloader(server, limits=DownloadLimits(spool_bytes=10)).fetch(URL)
    assert isinstance(caught.value.__cause__, OSError)
    assert files[0].closed


async def test_an_injected_client_is_never_closed() -> None:
    server = Scripted(reply(body=PNG))
    client = httpx.AsyncClient(transport=server.transport)
    async with AsyncDownloader(client=client) as borrowed:
        pass
    assert not client.is_closed
    await borrowed.fetch(URL)


async def test_an_own_client_is_closed() -> None:
    async with AsyncDownloader() as own:
        pass
    with pytest.raises(ConfigurationError, match="closed"):
        await own.fetch(URL)


async def test_no_query_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await fetched(html(502), moved("/b.png?secret"), reply(body=PNG))
    names = {each.name for each in caplog.records}
    assert {"httpx", "charimg.download"} <= names
    for each in caplog.records:
        assert "secret" not in each.getMessage() + repr(vars(each))
    (told,) = [vars(each) for each in caplog.records if each.message == "download.finished"]
    assert told["bytes"] == len(PNG)
    assert told["sha256"] == hashlib.sha256(PNG).hexdigest()


SHOWN: list[Callable[[Download], str]] = [repr, str]


@pytest.mark.parametrize("shown", SHOWN)
async def test_a_download_does_not_show_its_file(shown: Callable[[Download], str]) -> None:
    download = await fetched(reply(body=PNG))
    assert "file" not in shown(download)
