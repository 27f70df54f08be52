"""The process that decodes, run in this one."""

from __future__ import annotations

import importlib.util
import io
import os
import queue
import socket
import sys
import tempfile
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from charimg._decoding import child, drawing
from charimg._decoding.handover import FilePipe, SocketPipe, hand_over
from charimg._decoding.protocol import ANSWER, MOST_FRAMES, MOST_SCANS, MOST_TEXT, Answer, Task

from ..ingest.samples import MANY, chunk, drawn, jpeg, png
from . import bombs

Image = pytest.importorskip("PIL.Image")
PngImagePlugin = pytest.importorskip("PIL.PngImagePlugin")


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
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", PngImagePlugin.MAX_TEXT_CHUNK)
    return made


def request(
    data: bytes, name: str, width: int, height: int, *, size: int | None = None, side: int = 0
) -> bytes:
    task = Task(
        name=name,
        width=width,
        height=height,
        max_pixels=width * height or MANY,
        size=len(data) if size is None else size,
        side=side,
        seconds=20,
    )
    return task.packed() + data


def verdicts(told: bytes) -> str:
    """Return the answers without their thumbnails, the greeting first."""
    found, told = told[:1], told[1:]
    while told:
        verdict, size = ANSWER.unpack(told[: ANSWER.size])
        found, told = found + verdict, told[ANSWER.size + size :]
    return found.decode()


def stay(code: int) -> None:
    """Do not leave this process when the requests end."""


def serve(*requests: bytes, idle: float = 30.0) -> str:
    """Return all answers to requests, after which the input ends."""
    answers = io.BytesIO()
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as sink:
        sink.write(b"".join(requests))
        sink.close()
        child.serve(FilePipe(source), answers, idle, stay)
    return verdicts(answers.getvalue())


def test_each_image_gets_its_verdict() -> None:
    told = serve(
        request(png(7, 5), "PNG", 7, 5),
        request(jpeg(), "JPEG", 3, 2),
        request(png(7, 5), "PNG", 7, 6),
        request(png(7, 5), "JPEG", 7, 5),
        request(drawn("WEBP"), "WEBP", 61, 47, side=16),
        request(drawn("WEBP"), "WEBP", 0, 0, side=16),
    )
    assert told == "R+-s-++"


def test_a_thumbnail_comes_with_the_verdict() -> None:
    answers = io.BytesIO()
    ours, theirs = socket.socketpair()
    pipe = SocketPipe(ours)
    with tempfile.TemporaryFile() as file:
        file.write(drawn("PNG"))
        task = Task(name="PNG", max_pixels=61 * 47, size=file.tell(), side=16, seconds=20)
        hand_over(pipe, task, file)
        hand_over(pipe, evolve(task, max_pixels=61 * 47 - 1), file)
    pipe.close()
    end = SocketPipe(theirs)
    child.serve(end, answers, 30.0, stay)
    end.close()
    told = answers.getvalue()
    assert verdicts(told) == "R+p"
    (size,) = ANSWER.unpack(told[1 : 1 + ANSWER.size])[1:]
    with Image.open(io.BytesIO(told[1 + ANSWER.size :][:size])) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (16, 12))


def test_a_cut_request_is_not_answered() -> None:
    assert serve(request(png(7, 5), "PNG", 7, 5, size=10_000)) == "R"
    assert serve(b"PNG  ") == "R"


def test_it_leaves_when_the_requests_end_whatever_is_being_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(child, "decode", lambda *_: left.get(timeout=300) and Answer(b"+"))
    read, write = os.pipe()
    answers = io.BytesIO()
    with os.fdopen(read, "rb") as source:
        os.write(write, request(png(7, 5), "PNG", 7, 5))
        os.close(write)
        child.serve(FilePipe(source), answers, 30.0, lambda code: left.put(code + 1))
    assert verdicts(answers.getvalue()) == "R+"


def test_many_scans_are_not_decoded() -> None:
    few = bombs.scans(64, 64, MOST_SCANS - 1)
    # The first one, of the means, counts, too.
    assert few.count(b"\xff\xda") == MOST_SCANS
    many = bombs.scans(64, 64, MOST_SCANS)
    told = serve(
        request(few, "JPEG", 64, 64),
        request(many, "JPEG", 64, 64),
        request(many, "JPEG", 0, 0, side=16),
    )
    assert told == "R+nn"


def test_scans_are_counted_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charimg._decoding.drawing._BLOCK", 4)
    for length in range(9):
        data = bytes(length) + b"\xff\xda\x00\xff\xda\x00\xff\xda"
        assert drawing._scans(io.BytesIO(data)) == 2


def test_many_frames_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_FRAMES == 10_000
    monkeypatch.setattr("charimg._decoding.drawing.MOST_FRAMES", 2)
    shades = [Image.new("L", (9, 9), each) for each in range(3)]
    for count, verdict in ((2, "+"), (3, "f")):
        out = io.BytesIO()
        shades[0].save(out, "GIF", save_all=True, append_images=shades[1:count])
        assert serve(request(out.getvalue(), "GIF", 9, 9)) == f"R{verdict}"


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP"])
@pytest.mark.parametrize(("more", "verdict"), [(0, "+"), (1, "t")])
def test_a_long_text_or_profile_is_no_bomb(name: bytes, more: int, verdict: str) -> None:
    packed = zlib.compress(bytes(MOST_TEXT + more))
    plain = png(7, 5)
    long = plain[:33] + chunk(name, b"workflow\0\0" + packed) + plain[33:]
    assert serve(request(long, "PNG", 7, 5)) == f"R{verdict}"


def test_another_picture_behind_a_jpeg_is_none_of_its_frames() -> None:
    first, second = (Image.new("RGB", (3, 3), each) for each in ("red", "blue"))
    out = io.BytesIO()
    first.save(out, "MPO", save_all=True, append_images=[second])
    cut = out.getvalue()[:-100]
    with Image.open(io.BytesIO(cut), formats=["JPEG"]) as image:
        assert image.n_frames == 2
    assert serve(request(cut, "JPEG", 3, 3)) == "R+"


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_every_frame_is_decoded(kind: str) -> None:
    frames = [Image.effect_noise((61, 47), 60 + each).convert("RGB") for each in range(3)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    whole = out.getvalue()
    assert serve(request(whole, kind, 61, 47)) == "R+"
    # Damage in the last frame only, which a look at the first would not find.
    if kind == "PNG":
        at = whole.rindex(b"fdAT")
        broken = whole[: at + 12] + bytes(40) + whole[at + 52 :]
    else:
        broken = whole[: len(whole) - 1000]
    assert serve(request(broken, kind, 61, 47)) == "R-"


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    assert serve(request(png(7, 5), "PNG", 7, 5)) == "Rm"


def test_memory_and_cpu_time_are_limited_anew_for_each_image(limits: Limits) -> None:
    serve(request(png(7, 5), "PNG", 7, 5), request(png(99, 99), "PNG", 99, 99))
    (core, fsize), spent = limits.told[:2], limits.told[2:]
    assert (core, fsize) == ((0, (0, 0)), (1, (0, 0)))
    # The header is read within what an image of no pixels may take.
    assert [kind for kind, _ in spent] == [2, 3] * 4
    none, small, large = spent[0][1][0], spent[2][1][0], spent[6][1][0]
    assert small - none == 24 * 35
    more = 3 * (len(png(99, 99)) - len(png(7, 5))) + 24 * (99 * 99 - 35)
    assert large - small == more
    assert {soft for kind, (soft, _) in spent if kind == 3} == {4 + 1 + 20}


def test_a_hard_limit_of_the_host_holds(limits: Limits) -> None:
    limits.hard = 7
    serve(request(png(7, 5), "PNG", 7, 5))
    assert limits.told[2:] == [(2, (7, 7)), (3, (7, 7))] * 2


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
    spec = importlib.util.spec_from_file_location(
        "charimg._decoding.without_limits", child.__file__
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.resource is None
    monkeypatch.setattr(child, "resource", None)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: None)
    assert serve(request(png(7, 5), "PNG", 7, 5)) == "R+"


def test_it_ends_when_nothing_comes() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb"):
        answers = io.BytesIO()
        child.serve(FilePipe(source), answers, 0.0, stay)
    assert answers.getvalue() == b"R"


@pytest.mark.parametrize("how", ["pipe", "socket"])
def test_main_speaks_through_its_standard_streams(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child.serve, "__defaults__", (stay,))
    if how == "pipe":
        read, write = os.pipe()
        os.close(write)
    else:
        ours, theirs = socket.socketpair()
        ours.close()
        read = theirs.detach()
    out = io.BytesIO()
    with os.fdopen(read, "rb") as source:
        streams = SimpleNamespace(buffer=source, fileno=source.fileno)
        monkeypatch.setattr(sys, "stdin", streams)
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
        child.main()
    assert out.getvalue() == b"R"
