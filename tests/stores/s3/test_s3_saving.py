"""What lies in the bucket: layout, headers, thumbnails, names, many saves at once, memory."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from attrs import evolve
from PIL import Image

from charimg.errors import InvalidArgument, MediaNotFound, StorageError
from charimg.stores import AsyncS3MediaStore, S3MediaStore
from charimg.stores.s3.bucket import PART, Bucket
from charimg.testing.conformance.media import make_upload

from ...figures import Figure
from ...servers.s3 import S3Server
from .conftest import objects, under

KEY = "k-0123"
MANY = 27
MIB = 1024 * 1024


def image_bytes(width: int = 640, height: int = 480) -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (width, height), (90, 30, 60)).save(drawn, "PNG")
    return drawn.getvalue()


def read(store: S3MediaStore, key: str) -> bytes:
    with store.open(key) as chunks:
        return b"".join(chunks)


def fetch(url: str) -> tuple[bytes, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=600) as answer:
        return answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def home(content: bytes, key: str = KEY) -> str:
    return f"{key}/_v-{hashlib.sha256(content).hexdigest()[:32]}"


def test_a_media_is_three_objects(server: S3Server, store: S3MediaStore, prefix: str) -> None:
    content = image_bytes()
    store.save(make_upload(KEY, content))
    there = objects(server, prefix)
    version = home(content)
    assert set(there) == {
        f"{version}/reference-{KEY}.png",
        f"{version}/_thumbnail.webp",
        f"{KEY}/_media.json",
    }
    assert there[f"{version}/reference-{KEY}.png"] == len(content)
    assert store.delete(KEY) is True
    assert objects(server, prefix) == {}


def test_signed_urls_serve_file_and_thumbnail(strict: S3MediaStore) -> None:
    content = image_bytes()
    located = strict.locate(strict.save(make_upload(KEY, content)))
    assert located.url is not None
    assert located.thumbnail_url is not None
    body, headers = fetch(located.url)
    assert body == content
    assert headers["content-type"] == "image/png"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-amz-meta-sha256"] == hashlib.sha256(content).hexdigest()
    small, headers = fetch(located.thumbnail_url)
    assert headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (320, 240)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(located.url.partition("?")[0])


def test_a_large_file_keeps_its_headers(strict: S3MediaStore) -> None:
    content = bytes(range(256)) * (PART // 256) + b"more"
    saved = strict.save(make_upload(KEY, content))
    assert saved.size == len(content)
    body, headers = fetch(strict.locate(saved).url or "")
    assert hashlib.sha256(body).hexdigest() == saved.sha256
    assert headers["content-type"] == "image/png"
    assert headers["x-amz-meta-sha256"] == saved.sha256
    assert read(strict, KEY) == content


def test_public_urls_need_no_credentials(
    radosgw_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = "https://images.example.org/cdn/"
    url = radosgw_server.url(prefix, public=public)
    store = S3MediaStore.from_url(url)
    content = image_bytes()
    saved = store.save(make_upload(KEY, content))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    located = S3MediaStore.from_url(url, endpoint="http://127.0.0.1:9").locate(saved)
    base = f"https://images.example.org/cdn/{prefix}/{home(content)}"
    assert located.url == f"{base}/reference-{KEY}.png"
    assert located.thumbnail_url == f"{base}/_thumbnail.webp"


def test_no_thumbnail_where_none_is_wanted(
    radosgw_server: S3Server, strict: S3MediaStore, prefix: str
) -> None:
    plain = S3MediaStore.from_url(radosgw_server.url(prefix, thumbnail_px=0))
    assert plain.locate(plain.save(make_upload(KEY, image_bytes()))).thumbnail_url is None
    assert strict.locate(strict.save(make_upload("no-image"))).thumbnail_url is None
    assert not [name for name in objects(radosgw_server, prefix) if "thumbnail" in name]


@pytest.mark.parametrize(
    "key",
    [
        "a/b",
        "../up",
        ".",
        "..",
        ".hidden",
        "a b+c%20&?#",
        "Мира",
        "a_b",
        "a__media.json",
        "~t",
        "*",
    ],
)
def test_keys_of_any_characters(strict: S3MediaStore, key: str) -> None:
    content = f"bytes of {key}".encode()
    upload = evolve(make_upload(key, content), filename=f"{key}.png")
    saved = strict.save(upload)
    assert (saved.key, saved.filename) == (key, f"{key}.png")
    assert read(strict, key) == content
    assert fetch(strict.locate(saved).url or "")[0] == content
    assert strict.delete(key) is True
    assert strict.get(key) is None


@pytest.mark.parametrize("key", ["", "\ud800", "x" * 401, "й" * 100])
def test_keys_that_can_be_none(strict: S3MediaStore, key: Any) -> None:
    with pytest.raises(InvalidArgument, match="cannot be a key of the S3 store"):
        strict.get(key)


def test_a_key_is_a_text(strict: S3MediaStore) -> None:
    nothing: Any = None
    with pytest.raises(InvalidArgument, match="key must be str"):
        strict.get(nothing)


def test_names_that_look_alike_stay_apart(strict: S3MediaStore) -> None:
    keys = ["a/b", "a_2Fb", "a_b", "A/b", "ab", "a"]
    for key in keys:
        strict.save(make_upload(key, key.encode()))
    strict.delete("a")
    assert {key: read(strict, key) for key in keys[:-1]} == {k: k.encode() for k in keys[:-1]}


def test_prefixes_keep_stores_apart(radosgw_server: S3Server, prefix: str) -> None:
    made = [
        S3MediaStore.from_url(radosgw_server.url(each))
        for each in (prefix, f"{prefix}x", f"{prefix}/{KEY}")
    ]
    for number, store in enumerate(made):
        store.save(make_upload(KEY, bytes([number]) * 10))
    assert [read(store, KEY)[:1] for store in made] == [b"\0", b"\1", b"\2"]
    # The third store lies below the first one's own key.
    assert made[0].delete(KEY) is True
    assert made[0].get(KEY) is None
    assert [read(store, KEY)[:1] for store in made[1:]] == [b"\1", b"\2"]


def test_the_store_without_a_prefix(radosgw_server: S3Server) -> None:
    store = S3MediaStore.from_url(radosgw_server.url())
    assert repr(store) == "S3MediaStore('s3://images')"
    store.save(make_upload("of-the-root"))
    assert "of-the-root/_media.json" in under(radosgw_server).list("of-the-root", "")
    assert store.delete("of-the-root") is True


@pytest.mark.parametrize("known", [False, True])
def test_27_saves_of_one_key_at_once(
    server: S3Server, store: S3MediaStore, prefix: str, known: bool
) -> None:
    if known:
        store.save(make_upload("before"))
        store.delete("before")
    contents = [image_bytes(64 + number % 3, 64) for number in range(MANY)]
    with ThreadPoolExecutor(MANY) as pool:
        saved = set(pool.map(lambda content: store.save(make_upload(KEY, content)), contents))
    assert len(saved) == 1
    assert hashlib.sha256(read(store, KEY)).hexdigest() == saved.pop().sha256
    if server.conditional:
        # What the others sent is gone. (rclone's listing lags behind.)
        assert len(objects(server, prefix)) == 3
    store.delete(KEY)
    assert store.get(KEY) is None


def test_27_saves_of_27_keys_at_once(server: S3Server, prefix: str) -> None:
    """The first of them find out, while the others go on, what the server heeds."""
    store = AsyncS3MediaStore.from_url(server.url(prefix))

    async def run() -> None:
        async with anyio.create_task_group() as group:
            for number in range(MANY):
                upload = make_upload(f"key-{number}", bytes([number]) * 1000)
                group.start_soon(store.save, upload)
        for number in range(MANY):
            async with store.open(f"key-{number}") as chunks:
                assert b"".join([chunk async for chunk in chunks]) == bytes([number]) * 1000

    anyio.run(run)
    assert len(objects(server, prefix)) == 2 * MANY


@pytest.mark.parametrize("known", [False, True])
def test_processes_save_one_key(radosgw_server: S3Server, prefix: str, known: bool) -> None:
    """Where the server heeds conditions, one is the first among processes, too."""
    script = (
        "import sys\n"
        "from charimg.stores import S3MediaStore\n"
        "from charimg.testing.conformance.media import make_upload\n"
        "store = S3MediaStore.from_url(sys.argv[1])\n"
        "if sys.argv[3] == 'True':\n"
        "    store.save(make_upload(sys.argv[2], b'before'))\n"
        "    assert store._bucket.heeds is True\n"
        "upload = make_upload('k', sys.argv[2].encode())\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(store.save(upload).sha256)\n"
    )
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", script, radosgw_server.url(prefix)),
                *(f"content {number}", str(known)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    hashes = {each.communicate(timeout=600)[0] for each in started}
    assert [each.returncode for each in started] == [0] * len(started)
    assert len(hashes) == 1


@pytest.mark.parametrize("change", [{"size": 10}, {"size": 2000}, {"sha256": "0" * 64}])
@pytest.mark.parametrize("length", [1000, PART + 1000])
def test_bytes_that_were_not_announced(
    radosgw_server: S3Server, strict: S3MediaStore, prefix: str, change: Any, length: int
) -> None:
    upload = make_upload(KEY, b"x" * length)
    change = {"size": PART + 2000} if length > PART and change == {"size": 2000} else change
    with pytest.raises(StorageError, match="announced with"):
        strict.save(evolve(upload, **change))
    assert objects(radosgw_server, prefix) == {}


def test_a_hash_that_is_none(strict: S3MediaStore) -> None:
    with pytest.raises(InvalidArgument, match="no SHA-256"):
        strict.save(evolve(make_upload(KEY), sha256="F" * 64))
    with pytest.raises(InvalidArgument, match="no SHA-256"):
        strict.locate(evolve(strict.save(make_upload(KEY)), sha256=None))


def _tamper(server: S3Server, prefix: str, name: str, data: bytes) -> None:
    under(server).put(f"{prefix}/{name}", "", data, {"Content-Type": "text/plain"})


def test_bytes_that_were_changed_behind_the_store(
    radosgw_server: S3Server, strict: S3MediaStore, prefix: str
) -> None:
    content = b"y" * 1000
    strict.save(make_upload(KEY, content))
    path = f"{home(content)}/reference-{KEY}.png"
    _tamper(radosgw_server, prefix, path, b"z" * 1000)
    with (
        pytest.raises(StorageError, match="is not what was saved"),
        strict.open(KEY) as chunks,
    ):
        list(chunks)
    kept = {"sha256": hashlib.sha256(b"z" * 1000).hexdigest()}
    under(radosgw_server).put(f"{prefix}/{path}", "", b"z" * 1000, kept)
    with pytest.raises(StorageError, match="is not what was saved"), strict.open(KEY):
        pass
    _tamper(radosgw_server, prefix, path, b"z" * 999)
    assert strict.get(KEY) is None
    with pytest.raises(MediaNotFound), strict.open(KEY):
        pass
    # A save mends it.
    other = b"other"
    assert strict.save(make_upload(KEY, other)).size == len(other)
    assert read(strict, KEY) == other
    assert len(objects(radosgw_server, prefix)) == 2


@pytest.mark.parametrize(
    "sidecar",
    [b"", b"{}", b"\xff", b"[]", "key", "sha256"],
)
def test_a_sidecar_that_was_changed_behind_the_store(
    radosgw_server: S3Server, strict: S3MediaStore, prefix: str, sidecar: Any
) -> None:
    strict.save(make_upload(KEY))
    name = f"{KEY}/_media.json"
    if isinstance(sidecar, str):
        found = under(radosgw_server).text(f"{prefix}/{name}", "")
        assert found is not None
        sidecar = json.dumps({**json.loads(found), sidecar: "other"}).encode()
    _tamper(radosgw_server, prefix, name, sidecar)
    assert strict.get(KEY) is None
    assert strict.save(make_upload(KEY, b"again")).size == 5
    assert read(strict, KEY) == b"again"


def test_what_is_no_object_of_ours_stays(
    radosgw_server: S3Server, strict: S3MediaStore, prefix: str
) -> None:
    strict.save(make_upload(KEY))
    _tamper(radosgw_server, prefix, f"{KEY}/notes.txt", b"mine")
    strict.delete(KEY)
    assert set(objects(radosgw_server, prefix)) == {f"{KEY}/notes.txt"}


_MEMORY = """
import sys, hashlib, tempfile
from charimg.stores import S3MediaStore
from charimg.models import Upload

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024

def save(store, key, size):
    with tempfile.TemporaryFile() as file:
        digest = hashlib.sha256()
        block = b"m" * 1048576
        for _ in range(size // len(block)):
            file.write(block); digest.update(block)
        file.seek(0)
        store.save(Upload(key=key, file=file, filename="big.png", mime_type="image/png", size=size,
                          sha256=digest.hexdigest()))
store = S3MediaStore.from_url(sys.argv[1])
save(store, "small", 1048576)
before = peak()
save(store, "big", int(sys.argv[2]))
after = peak()
with store.open("big") as chunks:
    total = sum(map(len, chunks))
print(after - before, peak() - before, total)
store.delete("big")
"""


def test_a_big_file_takes_little_memory(
    rclone_server: S3Server, prefix: str, figure: Figure
) -> None:
    size = 256 * MIB
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, rclone_server.url(prefix), str(size)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    saving, reading, total = map(int, done.stdout.split())
    assert total == size
    assert max(saving, reading) < 64 * MIB
    figure("S3, a file of 256 MiB", f"resident memory grew by {saving // MIB} MiB at most")


def test_the_upload_is_read_from_its_beginning(strict: S3MediaStore) -> None:
    upload = make_upload(KEY, b"0123456789")
    upload.file.read(4)
    strict.save(upload)
    assert read(strict, KEY) == b"0123456789"


def test_a_reader_sees_a_deletion(strict: S3MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    strict.save(make_upload(KEY))
    real = Bucket.text

    def text_and_delete(self: Bucket, path: str, key: str) -> bytes | None:
        found = real(self, path, key)
        strict.delete(KEY)
        return found

    monkeypatch.setattr(Bucket, "text", text_and_delete)
    with pytest.raises(MediaNotFound), strict.open(KEY):
        pass


def test_signed_urls_point_at_the_endpoint(rclone_server: S3Server, prefix: str) -> None:
    store = S3MediaStore.from_url(rclone_server.url(prefix, url_ttl=60))
    url = store.locate(store.save(make_upload(KEY))).url or ""
    parts = urlsplit(url)
    assert parts.netloc == f"127.0.0.1:{rclone_server.port}"
    assert "X-Amz-Expires=60&" in parts.query
