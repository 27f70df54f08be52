"""A temporary file that proves what is in it."""

from __future__ import annotations

import hashlib
import io

import pytest

from charimg._spool import Spool


@pytest.mark.parametrize("size", [0, 1, 5, 100])
def test_it_knows_the_hash_of_what_it_holds(size: int) -> None:
    with Spool(size) as file:
        file.write(b"abc")
        file.writelines([b"def", bytearray(b"ghi")])
        file.seal()
        assert file.tell() == 0
        assert file.read() == b"abcdefghi"
        assert (file.size, file.sha256) == (9, hashlib.sha256(b"abcdefghi").hexdigest())
        assert (file.name is None) == (size == 100)


def test_what_was_hashed_stays() -> None:
    with Spool(100) as file:
        file.write(b"abc")
        file.seek(1)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
        with pytest.raises(io.UnsupportedOperation):
            file.truncate(1)
        file.seek(0, 2)
        file.write(b"d")
        file.seal()
        file.seek(0, 2)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
        with pytest.raises(io.UnsupportedOperation):
            file.writelines([b"x"])
        file.seek(0)
        assert file.read() == b"abcd"
        assert file.sha256 == hashlib.sha256(b"abcd").hexdigest()
