"""Each step of a blocking download gets what is left of its deadline, and no more."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import httpcore
import pytest

from charimg._http import deadline
from charimg._http.deadline import left, within
from charimg._http.timed import TimedBackend


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(deadline, "time", made)
    return made


class Recorder(httpcore.NetworkBackend, httpcore.NetworkStream):
    """Remembers the time-outs that it was given."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float | None]] = []

    def connect_tcp(self, host: Any, port: Any, timeout: Any = None, *rest: Any) -> Recorder:
        assert (host, port) == ("192.0.2.1", 443)
        self.told.append(("connect", timeout))
        return self

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.told.append(("read", timeout))
        return b"x" * max_bytes

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.told.append(("write", timeout))

    def start_tls(self, context: Any, name: Any = None, timeout: Any = None) -> Recorder:
        assert name == "cdn.test"
        self.told.append(("tls", timeout))
        return self

    def close(self) -> None:
        self.told.append(("close", None))

    def get_extra_info(self, info: str) -> Any:
        return info


def test_without_a_deadline_each_step_keeps_its_own_limit() -> None:
    assert left(None, RuntimeError) is None
    assert left(3, RuntimeError) == 3


def test_the_deadline_runs_from_its_beginning(clock: Clock) -> None:
    with within(10):
        assert left(None, RuntimeError) == 10
        clock.now += 4
        assert left(60, RuntimeError) == 6
        assert left(2, RuntimeError) == 2
        clock.now += 6
        with pytest.raises(RuntimeError, match="deadline"):
            left(60, RuntimeError)
    assert left(60, RuntimeError) == 60


def test_every_step_gets_what_is_left(clock: Clock) -> None:
    inner = Recorder()
    with within(10):
        plain = TimedBackend(inner).connect_tcp("192.0.2.1", 443, 5)
        clock.now += 6
        stream = plain.start_tls(ssl.create_default_context(), "cdn.test", 5)
        clock.now += 1
        stream.write(b"x", 30)
        clock.now += 1
        # More than httpcore asks for: each read costs more than its bytes.
        assert len(stream.read(2, 30)) == 256 * 1024
    stream.close()
    assert stream.get_extra_info("socket") == "socket"
    assert inner.told == [
        ("connect", 5),
        ("tls", 4),
        ("write", 3),
        ("read", 2),
        ("close", None),
    ]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (lambda stream: stream.read(1, 30), httpcore.ReadTimeout),
        (lambda stream: stream.write(b"x", 30), httpcore.WriteTimeout),
        (lambda stream: stream.start_tls(None, "cdn.test", 30), httpcore.ConnectTimeout),
    ],
)
def test_after_the_deadline_nothing_is_begun(
    step: Callable[[Any], object], error: type[Exception], clock: Clock
) -> None:
    inner = Recorder()
    backend = TimedBackend(inner)
    with within(10):
        stream = backend.connect_tcp("192.0.2.1", 443)
        clock.now += 10
        with pytest.raises(error):
            step(stream)
        with pytest.raises(httpcore.ConnectTimeout):
            backend.connect_tcp("192.0.2.1", 443)
    assert inner.told == [("connect", 10)]
