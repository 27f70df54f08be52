"""A Dask cluster on this machine that says nothing and takes a free port."""

from __future__ import annotations

from typing import Any

from distributed import LocalCluster

__all__ = ["local"]


def local(**options: Any) -> Any:
    """Start two workers of four threads each, in this process unless told otherwise."""
    return LocalCluster(
        **{
            "n_workers": 2,
            "threads_per_worker": 4,
            "processes": False,
            "dashboard_address": "127.0.0.1:0",
            "silence_logs": "CRITICAL",
            **options,
        }
    )
