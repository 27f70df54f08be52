"""A language model's server on loopback, compatible with OpenAI's, that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

KEY = "sk-key-of-the-tests"


class ModelServer:
    """What is asked of it, and what it answers.

    Attributes:
        url: For ``base_url``.
        reply: What the model writes.
        status: The HTTP status; another than 200 answers with ``body``.
        body: Answered instead of a completion.
        stalls: Whether the answer ends after its headers, with the connection left open.
        drops: Whether the connection is closed instead of an answer.
        gate: No answer is given before it is set.
        ended: Set when the server ends.
        asked: Set when a question has come.
        questions: The bodies that came.
        headers: The headers that came.
    """

    def __init__(self) -> None:
        self.url = ""
        self.reply = ""
        self.status = 200
        self.body: str | None = None
        self.stalls = False
        self.drops = False
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self.ended = threading.Event()
        self.questions: list[Any] = []
        self.headers: list[dict[str, str]] = []

    def describes(self, description: object) -> None:
        """Have the model answer in the form that it is asked for."""
        self.reply = json.dumps({"description": description})

    def question(self) -> str:
        """Return everything that the only question said."""
        [question] = self.questions
        return "\n".join(message["content"] for message in question["messages"])

    def answer(self, headers: Mapping[str, str], question: bytes) -> tuple[int, bytes] | None:
        """Take a question; ``None`` drops the connection."""
        self.questions.append(json.loads(question))
        self.headers.append({name.lower(): value for name, value in headers.items()})
        self.asked.set()
        assert self.gate.wait(600)
        if self.drops:
            return None
        message = {"role": "assistant", "content": self.reply}
        completion = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "stub",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        text = json.dumps(completion) if self.body is None else self.body
        return self.status, text.encode()


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer

    def do_POST(self) -> None:
        answer = self.model.answer(
            dict(self.headers), self.rfile.read(int(self.headers["content-length"]))
        )
        self.close_connection = True
        if answer is None:
            return
        status, body = answer
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.model.stalls:
                self.model.ended.wait(600)
            self.wfile.write(body)
        except OSError:
            # Who asked has gone.
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is inherited
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def serve_model() -> Iterator[ModelServer]:
    """Serve until the block ends."""
    model = ModelServer()
    handler = type("Handler", (_Handler,), {"model": model})
    with _Server(("127.0.0.1", 0), handler) as server:
        model.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield model
        finally:
            model.gate.set()
            model.ended.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with serve_model() as server:
        yield server
