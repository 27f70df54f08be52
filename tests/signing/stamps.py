"""A time-stamping authority (RFC 3161): OpenSSL's, behind a server of one thread."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from attrs import frozen

from ..ingest.test_wellformed import program

__all__ = ["Stamps", "stamps"]

_EXTENSIONS = """extendedKeyUsage=critical,timeStamping
keyUsage=critical,digitalSignature
basicConstraints=critical,CA:FALSE
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
_SETTINGS = """[tsa]
default_tsa=own
[own]
serial=serial
default_policy=1.2.3.4.1
digests=sha256,sha384,sha512
signer_digest=sha256
"""


@frozen
class Stamps:
    """A running authority.

    Attributes:
        url: Where it answers.
        root: The certificate that a reader must trust, as PEM.
        asked: The content types of the requests.
    """

    url: str
    root: str
    asked: list[str]


@contextmanager
def stamps(folder: Path) -> Iterator[Stamps]:
    """Run an authority. Its files lie in a folder of its own."""
    openssl = program("openssl", "openssl")

    def run(*arguments: str) -> bytes:
        command = [openssl, *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout

    (folder / "extensions").write_text(_EXTENSIONS)
    (folder / "settings").write_text(_SETTINGS)
    (folder / "serial").write_text("01")
    new = ("-newkey", "rsa:2048", "-nodes")
    run("req", "-x509", *new, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Time Root")
    run("req", *new, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=Time")
    by = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "extensions")
    run("x509", "-req", "-in", "own.csr", *by, "-out", "own.pem")
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["content-type"])
            body = self.rfile.read(int(self.headers["content-length"]))
            (folder / "query").write_bytes(body)
            own = ("-signer", "own.pem", "-inkey", "own.key", "-chain", "root.pem")
            reply = run("ts", "-reply", "-config", "settings", "-queryfile", "query", *own)
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            root = (folder / "root.pem").read_text()
            yield Stamps(f"http://127.0.0.1:{server.server_port}/", root, asked)
        finally:
            server.shutdown()
            thread.join()
