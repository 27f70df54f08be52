"""How a file reaches the process that decodes it."""

from __future__ import annotations

import gzip
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from charimg._decoding.handover import FilePipe, SocketPipe, hand_over, requests
from charimg._decoding.protocol import Task
from charimg._spool import Spool
from charimg.testing.conformance.media import BrokenFile

DATA = bytes(range(256)) * 3


def task(size: int = len(DATA)) -> Task:
    return Task(name="WEBP", width=3, height=2, max_pixels=6, size=size, side=9, seconds=20)


@pytest.fixture
def ends() -> Iterator[tuple[SocketPipe, SocketPipe]]:
    ours, theirs = socket.socketpair()
    made = SocketPipe(ours), SocketPipe(theirs)
    yield made
    for each in made:
        each.close()


def arrived(ends: tuple[SocketPipe, SocketPipe], file: IO[bytes], size: int = len(DATA)) -> Any:
    """Hand a file over; return the file that comes out."""
    hand_over(ends[0], task(size), file)
    request = next(requests(ends[1]))
    assert request.task.name == "WEBP"
    assert request.task.packed()[6:] == task(size).packed()[6:]
    assert request.task.handed == isinstance(request.file, io.BufferedReader)
    return request.file


def on_disk(data: bytes = DATA) -> Spool:
    file = Spool(1)
    file.write(data)
    return file


def test_a_file_on_disk_is_handed_over(ends: Any) -> None:
    with on_disk() as file:
        file.seek(7)
        with arrived(ends, file) as other:
            assert isinstance(other, io.BufferedReader)
            assert other.read() == DATA
            # It has a position of its own, and cannot write.
            assert file.tell() == 7
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(other.fileno(), b"x")
        file.seek(0)
        assert file.read() == DATA


def test_what_was_not_flushed_is(ends: Any, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        file.write(DATA)
        with arrived(ends, file) as other:
            assert isinstance(other, io.BufferedReader)
            assert other.read() == DATA


def test_what_is_in_memory_is_sent_and_stays_there(ends: Any) -> None:
    with Spool(10**6) as file:
        file.write(DATA)
        with arrived(ends, file) as other:
            assert other.getvalue() == DATA
        assert file.name is None
    with arrived(ends, io.BytesIO(DATA)) as other:
        assert other.getvalue() == DATA


def test_a_wrapper_gives_what_it_reads(ends: Any, tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(DATA))
    with gzip.open(path) as zipped, arrived(ends, zipped) as other:
        assert other.getvalue() == DATA
    with gzip.open(path) as zipped, io.BufferedReader(zipped) as wrapped:
        assert arrived(ends, wrapped).getvalue() == DATA


def test_no_other_file_is_handed_over(ends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_disk() as file:
        # One that is longer than it was found to be.
        real = os.fstat
        monkeypatch.setattr(os, "fstat", lambda number: real(os.open(os.devnull, os.O_RDONLY)))
        assert arrived(ends, file).getvalue() == DATA


def test_where_no_descriptor_can_be_opened_anew_the_bytes_are_sent(
    ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> int:
        raise FileNotFoundError

    with on_disk() as file:
        monkeypatch.setattr(os, "open", fail)
        assert arrived(ends, file).getvalue() == DATA


def test_a_process_that_is_gone_takes_nothing_and_that_is_no_error(ends: Any) -> None:
    ends[1].close()
    with on_disk() as file:
        hand_over(ends[0], task(), file)
    hand_over(ends[0], task(), io.BytesIO(DATA))


def test_one_that_goes_while_it_is_told_is_no_error_either() -> None:
    class Going(FilePipe):
        def send(self, data: bytes, descriptor: int | None = None) -> None:
            if data == DATA:
                raise BrokenPipeError

    hand_over(Going(io.BytesIO()), task(), io.BytesIO(DATA))


def test_a_file_that_cannot_be_read_is_told(ends: Any) -> None:
    with pytest.raises(OSError, match="broke off"):
        hand_over(ends[0], task(), BrokenFile(DATA * 9))


def test_nothing_stays_open(ends: Any) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    with on_disk() as file, arrived(ends, file):
        pass
    assert len(list(descriptors.iterdir())) == before


def test_a_pipe_takes_the_bytes() -> None:
    read, write = os.pipe()
    sink = FilePipe(os.fdopen(write, "wb", buffering=0))
    source = FilePipe(os.fdopen(read, "rb", buffering=0))
    with on_disk() as file:
        hand_over(sink, task(), file)
    sink.close()
    (request,) = requests(source)
    assert isinstance(request.file, io.BytesIO)
    assert request.file.getvalue() == DATA
    with pytest.raises(OSError, match="no descriptor"):
        source.taken()
    source.close()


@pytest.mark.parametrize("at", [0, 5, Task.SIZE, Task.SIZE + 5])
def test_what_is_cut_off_is_none(ends: Any, at: int) -> None:
    ends[0].send((task().packed() + DATA)[:at])
    ends[0].close()
    assert list(requests(ends[1])) == []
