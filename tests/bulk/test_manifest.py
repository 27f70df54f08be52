"""The file that remembers what is done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from charimg import ConfigurationError, InvalidArgument, StorageError
from charimg.bulk import BulkProgress

from .runs import Bulk, scene
from .stage import Stage


def test_a_manifest_is_that_of_one_place(bulk: Bulk) -> None:
    assert bulk("recover", [], scope="in old").complete
    for scope, called in (("in new", "in new"), (None, "of no place that is told")):
        with pytest.raises(InvalidArgument, match=f"of recover, in old, not {called}; give anoth"):
            bulk("recover", [], scope=scope)
    assert bulk("recover", [], scope="in old").complete


def test_a_manifest_holds_no_prompt(stage: Stage, bulk: Bulk) -> None:
    stage.references("a")
    assert bulk("scene", [scene("a", "A SECRET scene.")]).complete
    text = bulk.manifest.read_text()
    assert "SECRET" not in text
    assert [json.loads(line).get("outcome") for line in text.splitlines()] == [None, "done"]


HEAD = b'{"charimgBulk":%d,"work":"%s","begunAt":"2026-01-01T00:00:00Z"}\n'


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        (b"nonsense\n", StorageError, "line 1 of the manifest .* is not JSON"),
        (b"{}\n", StorageError, "line 1 .* is missing"),
        (HEAD % (2, b"retry"), StorageError, "newer"),
        (HEAD % (1, b"scene"), InvalidArgument, "that of scene, not of retry"),
    ],
)
def test_a_manifest_that_is_none(
    bulk: Bulk, content: bytes, error: type[Exception], told: str
) -> None:
    bulk.manifest.write_bytes(content)
    with pytest.raises(error, match=told):
        bulk("retry", [])
    assert bulk.manifest.read_bytes() == content


def test_a_manifest_whose_head_was_cut_off_begins_anew(bulk: Bulk) -> None:
    bulk.manifest.write_bytes(b'{"charimgBu')
    assert bulk("retry", []).complete
    assert bulk.manifest.read_bytes().count(b"\n") == 1


def test_a_manifest_that_cannot_be_opened(bulk: Bulk, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        bulk("retry", [], manifest=tmp_path)


def test_a_manifest_that_takes_nothing(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("charimg.bulk.manifest.os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        bulk("retry", [])


def test_one_run_at_a_time_has_the_manifest(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bulk("retry", []).complete
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(bulk.manifest)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigurationError, match="Another run"):
            bulk("retry", [])
        # Where there are no such locks, the leases alone keep runs apart.
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "fcntl", None)
            assert bulk("retry", []).complete
        assert holder.stdin is not None
        holder.stdin.close()
    assert holder.returncode == 0
    assert bulk("retry", []).complete


def test_one_run_of_this_process_has_the_manifest(bulk: Bulk, tmp_path: Path) -> None:
    other = tmp_path / "link.jsonl"
    other.symlink_to(bulk.manifest)
    told = []

    def within(_: BulkProgress) -> None:
        with pytest.raises(ConfigurationError, match="Another run") as caught:
            bulk("retry", [], manifest=other)
        told.append(str(caught.value))

    assert bulk("retry", [], on_progress=within).complete
    assert len(told) == 1
    assert bulk("retry", [], manifest=other).complete


HOLDER = """
import sys
from pathlib import Path
from charimg.bulk.manifest import Manifest
from charimg.bulk.values import BulkWork
manifest = Manifest(Path(sys.argv[1]), BulkWork.RETRY)
print("held", flush=True)
sys.stdin.read()
manifest.close()
"""
