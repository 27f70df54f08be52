"""A forked child has an obstore of its own: the parent's would wait for the parent's threads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from charimg import ConfigurationError
from charimg.stores import S3MediaStore
from charimg.stores.s3.driver import _driver

from ...servers.s3 import S3Server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

_FORKING = """
import hashlib, io, multiprocessing, sys
from charimg.models import Upload
from charimg.stores import S3MediaStore

store = S3MediaStore.from_url(sys.argv[1])
fork = multiprocessing.get_context("fork")

def put(key):
    content = key.encode() * 1000
    store.save(Upload(key=key, file=io.BytesIO(content), filename="a.png", mime_type="image/png",
                      size=len(content), sha256=hashlib.sha256(content).hexdigest()))
    with store.open(key) as chunks:
        assert b"".join(chunks) == content

def there(work, *arguments):
    child = fork.Process(target=work, args=arguments)
    child.start()
    child.join(600)
    child.kill()
    assert child.exitcode == 0, child.exitcode

def generation(key):
    put(key)
    there(put, key + "-child")

put("parent")
there(generation, "first")
there(generation, "second")
assert store.get("second-child") is not None
put("parent-again")
"""


def test_a_forked_child_saves_and_reads(rclone_server: S3Server, prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORKING, rclone_server.url(prefix)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a child has of its parent: a driver that was another process's."""
    _driver.get()
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
    monkeypatch.setattr(_driver, "process", -1)


@pytest.mark.usefixtures("forked")
def test_it_is_another_obstore(rclone_server: S3Server, prefix: str) -> None:
    ours = sys.modules["obstore"]
    store = S3MediaStore.from_url(rclone_server.url(prefix))
    assert sys.modules["obstore"] is not ours
    assert store.get("k") is None
    assert Path(str(sys.modules["obstore._obstore"].__file__)).exists(), "for the next fork"


@pytest.mark.usefixtures("forked")
def test_where_none_can_be_loaded_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ConfigurationError, match="spawn or forkserver"):
        S3MediaStore("bucket")
