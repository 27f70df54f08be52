"""A process killed in the middle of a save or a deletion, at each request and after each."""

from __future__ import annotations

import subprocess
import sys

import pytest

from charimg.stores import S3MediaStore
from charimg.stores.s3.bucket import PART
from charimg.testing.conformance.media import make_upload

from ...figures import Figure
from ...servers.proxy import Proxy, Request, Wait
from ...servers.s3 import S3Server
from .conftest import objects
from .test_s3_saving import image_bytes, read

KEY = "k-crash"
SECONDS = 600

_SCRIPT = """
import sys
from charimg.stores import S3MediaStore
from charimg.testing.conformance.media import make_upload

store = S3MediaStore.from_url(sys.argv[1])
store._bucket.heeds = len(sys.argv) > 4 or None
if sys.argv[2] == "delete":
    store.delete(sys.argv[3])
else:
    with open(sys.argv[2], "rb") as file:
        store.save(make_upload(sys.argv[3], file.read()))
"""


class Stop:
    """Holds the n-th request that comes, before or after the server did it."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.wait = Wait(after=after)
        self._left = at

    def __call__(self, request: Request) -> Wait | None:
        self._left -= 1
        return self.wait if self._left == 0 else None


def killed_at(
    proxy: Proxy, url: str, what: str, at: int, *, after: bool, known: bool = False
) -> bool:
    """Run a process and kill it at its n-th request; return whether it came so far.

    Args:
        proxy: What it speaks through.
        url: The store's.
        what: The file to save, or ``delete``.
        at: Which request.
        after: Whether the server has done it.
        known: Whether it knows that the server heeds conditions.
    """
    proxy.rule = stop = Stop(at, after=after)
    arguments = [url, what, KEY, *(["known"] if known else [])]
    process = subprocess.Popen([sys.executable, "-c", _SCRIPT, *arguments])
    try:
        while not stop.wait.reached.wait(0.02):
            if process.poll() is not None:
                assert process.returncode == 0
                return False
        process.kill()
        process.wait(SECONDS)
        return True
    finally:
        stop.wait.go.set()
        proxy.rule = lambda request: None


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_a_save_killed_at_any_request(
    radosgw_server: S3Server,
    proxy: Proxy,
    strict: S3MediaStore,
    prefix: str,
    after: bool,
    known: bool,
    tmp_path_factory: pytest.TempPathFactory,
    figure: Figure,
) -> None:
    content = image_bytes()
    file = tmp_path_factory.mktemp("upload") / "image.png"
    file.write_bytes(content)
    url = radosgw_server.url(prefix, endpoint=proxy.endpoint)
    at = 0
    seen = []
    while killed_at(proxy, url, str(file), at + 1, after=after, known=known):
        at += 1
        media = strict.get(KEY)
        seen.append(media is not None)
        if media is not None:
            assert read(strict, KEY) == content
        if at % 2:
            # Another save: of other bytes, which must stand unless the first is visible.
            saved = strict.save(make_upload(KEY, b"other"))
            assert read(strict, KEY) == (content if media else b"other")
            assert saved == strict.get(KEY)
            assert len(objects(radosgw_server, prefix)) == (3 if media else 2)
        strict.delete(KEY)
        assert strict.delete(KEY) is False
        assert objects(radosgw_server, prefix) == {}
    # Nothing is visible up to one request, everything from then on.
    assert seen == sorted(seen)
    assert set(seen) == {False, True}
    strict.delete(KEY)
    # The thumbnail is one of them.
    assert at == (4 if known else 7)
    figure("S3, a save killed", f"at each of {at} requests, {'after' if after else 'before'} it")


@pytest.mark.parametrize("after", [False, True])
def test_a_deletion_killed_at_any_request(
    radosgw_server: S3Server, proxy: Proxy, strict: S3MediaStore, prefix: str, after: bool
) -> None:
    content = image_bytes()
    url = radosgw_server.url(prefix, endpoint=proxy.endpoint)
    at = 0
    while True:
        strict.save(make_upload(KEY, content))
        if not killed_at(proxy, url, "delete", at + 1, after=after):
            break
        at += 1
        if strict.get(KEY) is not None:
            assert read(strict, KEY) == content
        strict.delete(KEY)
        assert objects(radosgw_server, prefix) == {}
    assert at >= 4


def test_a_large_save_killed_between_its_parts(
    radosgw_server: S3Server, proxy: Proxy, strict: S3MediaStore, prefix: str, tmp_path: object
) -> None:
    content = bytes(range(256)) * (PART // 64)
    url = radosgw_server.url(prefix, endpoint=proxy.endpoint)
    file = tmp_path / "large.png"  # type: ignore[operator]
    file.write_bytes(content)
    # The sidecar is looked for, the upload begun, and one part is on its way or two.
    assert killed_at(proxy, url, str(file), 4, after=True)
    assert any("partNumber=" in request.path for request in proxy.requests)
    assert strict.get(KEY) is None
    assert objects(radosgw_server, prefix) == {}
    assert strict.delete(KEY) is False
    strict.save(make_upload(KEY, content))
    assert read(strict, KEY) == content
