"""The process that decodes, run in this one."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from charimg._decoding import child

from ..ingest.samples import drawn, jpeg, png

Image = pytest.importorskip("PIL.Image")


class Limits(SimpleNamespace):
    """A ``resource`` module that only remembers."""

    RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_CPU = range(4)
    RLIM_INFINITY = -1
    RUSAGE_SELF = 0

    def __init__(self) -> None:
        self.hard = -1
        self.refusing = False
        self.told: list[tuple[int, tuple[int, int]]] = []

    def getpagesize(self) -> int:
        return 4096

    def getrusage(self, who: int) -> Any:
        return SimpleNamespace(ru_utime=2.5, ru_stime=1.7)

    def getrlimit(self, kind: int) -> tuple[int, int]:
        return (-1, self.hard)

    def setrlimit(self, kind: int, limits: tuple[int, int]) -> None:
        if self.refusing:
            raise ValueError
        self.told.append((kind, limits))


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    made = Limits()
    monkeypatch.setattr(child, "resource", made)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # put back, whatever the child sets
    return made


def request(data: bytes, name: bytes, width: int, height: int, size: int | None = None) -> bytes:
    size = len(data) if size is None else size
    return child.HEADER.pack(name.ljust(5), width, height, size, 20) + data


def serve(*requests: bytes, idle: float = 30.0) -> bytes:
    """Return all answers to requests, after which the input ends."""
    answers = io.BytesIO()
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as sink:
        sink.write(b"".join(requests))
        sink.close()
        child.serve(source, answers, idle)
    return answers.getvalue()


def test_each_image_gets_one_byte() -> None:
    told = serve(
        request(png(7, 5), b"PNG", 7, 5),
        request(jpeg(), b"JPEG", 3, 2),
        request(png(7, 5), b"PNG", 7, 6),
        request(png(7, 5), b"JPEG", 7, 5),
        request(drawn("WEBP"), b"WEBP", 61, 47),
    )
    assert told == b"R+-s-+"


def test_a_cut_request_is_not_answered() -> None:
    assert serve(request(png(7, 5), b"PNG", 7, 5, size=10_000)) == b"R"
    assert serve(b"PNG  ") == b"R"


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_every_frame_is_decoded(kind: str) -> None:
    frames = [Image.effect_noise((61, 47), 60 + each).convert("RGB") for each in range(3)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    whole = out.getvalue()
    assert serve(request(whole, kind.encode(), 61, 47)) == b"R+"
    # Damage in the last frame only, which a look at the first would not find.
    if kind == "PNG":
        at = whole.rindex(b"fdAT")
        broken = whole[: at + 12] + bytes(40) + whole[at + 52 :]
    else:
        broken = whole[: len(whole) - 1000]
    assert serve(request(broken, kind.encode(), 61, 47)) == b"R-"


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    assert serve(request(png(7, 5), b"PNG", 7, 5)) == b"Rm"


def test_memory_and_cpu_time_are_limited_anew_for_each_image(limits: Limits) -> None:
    serve(request(png(7, 5), b"PNG", 7, 5), request(png(99, 99), b"PNG", 99, 99))
    (core, fsize), spent = limits.told[:2], limits.told[2:]
    assert (core, fsize) == ((0, (0, 0)), (1, (0, 0)))
    assert [kind for kind, _ in spent] == [2, 3, 2, 3]
    small, large = spent[0][1][0], spent[2][1][0]
    more = 3 * (len(png(99, 99)) - len(png(7, 5))) + 24 * (99 * 99 - 35)
    assert large - small == more
    assert {soft for kind, (soft, _) in spent if kind == 3} == {4 + 1 + 20}


def test_a_hard_limit_of_the_host_holds(limits: Limits) -> None:
    limits.hard = 7
    serve(request(png(7, 5), b"PNG", 7, 5))
    assert limits.told[2:] == [(2, (7, 7)), (3, (7, 7))]


def test_a_limit_that_the_system_refuses_is_left_out(limits: Limits) -> None:
    child._limit(0, 0, 1)
    assert len(limits.told) == 2
    limits.refusing = True
    child._limit(0, 0, 1)
    assert len(limits.told) == 2


def test_without_the_count_of_pages_the_base_is_generous(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Any) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    assert child._restrict() == 1024**3


def test_on_windows_nothing_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    spec = importlib.util.spec_from_file_location("child_without_limits", child.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.resource is None
    monkeypatch.setattr(child, "resource", None)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: None)
    assert serve(request(png(7, 5), b"PNG", 7, 5)) == b"R+"


def test_it_ends_when_nothing_comes() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb"):
        answers = io.BytesIO()
        child.serve(source, answers, 0.0)
    assert answers.getvalue() == b"R"


def test_main_speaks_through_its_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(write)
    out = io.BytesIO()
    with os.fdopen(read, "rb") as source:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=source))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
        child.main()
    assert out.getvalue() == b"R"
