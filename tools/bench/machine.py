"""Names the machine and the versions that were measured."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

__all__ = ["describe"]

_PACKAGES = ("charimg", "httpx", "httpcore", "pillow", "psycopg", "obstore", "fastapi", "uvicorn")

_PEERS = ("sqlalchemy", "django", "scrapy", "img2dataset")


def describe() -> dict[str, str]:
    """Return what the figures depend on, by name."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        **{name: found for name in _PACKAGES if (found := _version(name))},
        **_peers(),
    }


def _peers() -> dict[str, str]:
    """Return the versions in the environment of the peers, if there is one."""
    places = [str(each) for each in (Path(sys.prefix) / "peers").glob("lib/python*/site-packages")]
    return {
        name: each.version
        for name in _PEERS
        if places
        for each in distributions(name=name, path=places)
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return f"{int(value.split()[0]) / 2**20:.0f} GiB"
    return "unknown"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
