"""Access keys of ``~/.aws/credentials``."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from charimg import ConfigurationError, StorageError
from charimg.stores import AsyncS3MediaStore, S3MediaStore
from charimg.stores.s3.profile import profile_keys
from charimg.testing.conformance.media import make_upload

from ...servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server

FILE = f"""\
# Of a studio.
[default]
aws_access_key_id = AKIDOTHER
aws_secret_access_key = topsecret%(x)s
s3 =
    max_concurrent_requests = 3

[studio]
AWS_Access_Key_Id={ACCESS_KEY}
aws_secret_access_key={SECRET_KEY}

[DEFAULT]
aws_access_key_id = none
[session]
aws_access_key_id = a
aws_secret_access_key = b
aws_session_token = c
[role]
role_arn = arn:aws:iam::1:role/studio
source_profile = studio
[half]
aws_access_key_id = topsecret
[odd]
aws_access_key_id = topsecret
aws_secret_access_key = topsécret
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file at home, and nothing of AWS in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".aws" / "credentials"
    path.parent.mkdir()
    path.write_text(FILE, encoding="utf-8")
    return path


def keys(**environ: str) -> dict[str, str]:
    return profile_keys(environ)


@pytest.mark.usefixtures("file")
def test_a_store_takes_the_profiles_key(
    rclone_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = S3MediaStore.from_url(rclone_server.url(prefix, retries=0))
    with pytest.raises(StorageError, match="403"):
        other.save(make_upload("k"))
    monkeypatch.setenv("AWS_PROFILE", "studio")
    store = S3MediaStore.from_url(rclone_server.url(prefix))
    saved = store.save(make_upload("k"))
    assert store.get("k") == saved
    assert f"Credential={ACCESS_KEY}" in (store.locate(saved).url or "")


@pytest.mark.anyio
@pytest.mark.usefixtures("file")
async def test_an_async_store_takes_the_profiles_key(
    rclone_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "studio")
    store = AsyncS3MediaStore.from_url(rclone_server.url(prefix))
    saved = await store.save(make_upload("k"))
    assert await store.get("k") == saved


@pytest.mark.usefixtures("file")
def test_the_environment_comes_first(
    rclone_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    assert S3MediaStore.from_url(rclone_server.url(prefix)).get("k") is None


@pytest.mark.usefixtures("file")
def test_a_provider_comes_before_all(
    rclone_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    found: dict[str, Any] = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
    url = rclone_server.url(prefix)
    store = S3MediaStore.from_url(url, credential_provider=lambda: {**found, "expires_at": None})
    assert store.get("k") is None


@pytest.mark.usefixtures("file")
def test_what_is_read() -> None:
    studio = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
    assert keys(AWS_PROFILE="studio") == studio
    other = {"access_key_id": "AKIDOTHER", "secret_access_key": "topsecret%(x)s"}
    assert keys() == keys(AWS_PROFILE="") == keys(AWS_PROFILE="default") == other
    assert keys(AWS_PROFILE="session") == {
        "access_key_id": "a",
        "secret_access_key": "b",
        "session_token": "c",
    }
    assert keys(AWS_PROFILE="absent", AWS_WEB_IDENTITY_TOKEN_FILE="/token") == {}


def test_another_file(file: Path) -> None:
    moved = file.rename(file.with_name("keys"))
    assert keys() == {}
    assert keys(AWS_SHARED_CREDENTIALS_FILE="~/.aws/keys")["access_key_id"] == "AKIDOTHER"
    assert keys(AWS_SHARED_CREDENTIALS_FILE=str(moved), AWS_PROFILE="studio")


@pytest.mark.parametrize("name", ["absent", "role", "half"])
def test_a_profile_without_a_key_is_no_reason_to_take_another_identity(
    file: Path, name: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        keys(AWS_PROFILE=name)
    assert f"AWS_PROFILE names {name!r}, and {file} has no access key for it" in str(caught.value)
    assert "credential_provider" in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"topsecret\n", "is no file of AWS credentials"),
        (b"[default]\ntopsecret\n", "is no file of AWS credentials"),
        (b"[default]\naws_access_key_id = \xfftopsecret\n", "is no file of AWS credentials"),
        (FILE.replace("default", "x").replace("odd", "default").encode(), "a character of no key"),
    ],
)
def test_a_file_that_makes_no_sense_is_not_shown(file: Path, content: bytes, told: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        keys()
    assert told in str(caught.value)
    assert str(file) in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_cannot_be_read(file: Path) -> None:
    file.unlink()
    file.mkdir()
    assert keys() == {}
    for asked in ({"AWS_PROFILE": "studio"}, {"AWS_SHARED_CREDENTIALS_FILE": str(file)}):
        with pytest.raises(ConfigurationError, match=r"credentials cannot be read: Is a direc"):
            keys(**asked)
