"""A host runs the contracts in a test file of its own, in a few lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HOST = """
from charimg.stores.memory import AsyncMemoryMediaStore, MemoryMediaStore
from charimg.testing import MediaStoreContract, MetadataRepositoryContract


class TestMyStore(MediaStoreContract):
    def make(self):
        return MemoryMediaStore()


class TestMyAsyncStore(MediaStoreContract):
    backend = "asyncio"

    async def make(self):
        return AsyncMemoryMediaStore()


class Forgetful(MemoryMediaStore):
    def get(self, key):
        return None


class TestForgetful(MediaStoreContract):
    def make(self):
        return Forgetful()


class TestWithoutBackend(MediaStoreContract):
    def make(self):
        return AsyncMemoryMediaStore()


class TestNotMade(MetadataRepositoryContract):
    pass
"""


def test_what_a_host_sees(tmp_path: Path) -> None:
    file = tmp_path / "test_my_stores.py"
    file.write_text(HOST, encoding="utf-8")
    arguments = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-rA"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, f"--rootdir={tmp_path}", file.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    results = {
        tuple(line.partition(" - ")[0].split("::")[1:]): line.split()[0]
        for line in done.stdout.splitlines()
        if line.startswith(("PASSED ", "FAILED ", "ERROR "))
    }
    by_class: dict[str, list[str]] = {}
    for (name, _), result in results.items():
        by_class.setdefault(name, []).append(result)
    assert set(by_class["TestMyStore"]) == set(by_class["TestMyAsyncStore"]) == {"PASSED"}
    assert len(by_class["TestMyStore"]) == len(by_class["TestMyAsyncStore"]) > 10
    assert results["TestForgetful", "test_get_returns_what_was_saved"] == "FAILED"
    assert set(by_class["TestWithoutBackend"]) == set(by_class["TestNotMade"]) == {"FAILED"}
    # Each failure says which rule was broken, or what to do.
    assert "The contract says: get returns what save returned\n" in done.stdout
    assert "set backend = 'asyncio' (or 'trio') in TestWithoutBackend" in done.stdout
    assert "TestNotMade must define make()." in done.stdout
