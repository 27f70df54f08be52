"""Access keys of ``~/.aws/credentials``, which obstore does not read."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from ...errors import ConfigurationError

__all__ = ["profile_keys"]

_DEFAULT = "default"
# What comes before the file in the chain: obstore finds it by itself.
_BEFORE = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
_ASKED = ("AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE")
_NAMES = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


def profile_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of the profile that ``AWS_PROFILE`` names, else of ``default``.

    Returns:
        The settings for obstore; none when the environment itself has credentials, or when there is
        no file, or no key in its default profile.

    Raises:
        ConfigurationError: The file cannot be read, or has no access key for the profile that was
            asked for. Nothing of what is in it is shown.
    """
    if any(environ.get(name) for name in _BEFORE):
        return {}
    given = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    path = os.path.expanduser(given)  # noqa: PTH111 - `Path.expanduser` raises without a home
    name = environ.get("AWS_PROFILE") or _DEFAULT
    # No name is special, `%` is part of a key, and the last of two wins, as in other tools.
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="")
    try:
        with Path(path).open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        pass
    except OSError as error:
        # Nobody asked for one that lies in a home directory of somebody else.
        if any(environ.get(each) for each in _ASKED):
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except (configparser.Error, UnicodeDecodeError):
        # Their messages quote the file.
        raise ConfigurationError(f"{path} is no file of AWS credentials.") from None
    found = parser[name] if parser.has_section(name) else {}
    keys = {ours: found.get(theirs, "").strip() for theirs, ours in _NAMES.items()}
    if keys["access_key_id"] and keys["secret_access_key"]:
        if not all(key.isascii() and key.isprintable() for key in keys.values()):
            raise ConfigurationError(f"Profile {name!r} of {path} holds a character of no key.")
        return {setting: key for setting, key in keys.items() if key}
    if name == _DEFAULT:
        return {}
    raise ConfigurationError(
        f"AWS_PROFILE names {name!r}, and {path} has no access key for it. A profile of a role or "
        "of single sign-on needs credential_provider, such as obstore.auth.boto3's."
    )
