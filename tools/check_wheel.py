"""Prove that the built wheel works, in environments that hold nothing else.

For the core alone and for each extra twice: with the newest versions of everything, and with the
lowest that pyproject.toml allows. ``constraints.txt`` plays no part. Also that wheel and sdist hold
what they should.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import wheel_content
from bench.backends import postgres, s3
from bench.measure import Missing
from extra_smoke import SMOKES

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
AGES = {"oldest": "lowest-direct", "newest": "highest"}


def run(*command: str | Path, **env: str) -> None:
    """Run a command; what it says is shown only if it fails.

    Raises:
        RuntimeError: It fails.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **env},
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout)


def attempt(work: Path, extra: str, age: str, servers: dict[str, str]) -> str:
    """Install the wheel with an extra (or none) at one age, and use it; return how it went.

    Raises:
        RuntimeError: Something fails.
    """
    python = work / f"{extra}-{age}" / "bin" / "python"
    run(UV, "venv", "--quiet", "--python", sys.executable, python.parent.parent)
    install = (UV, "pip", "install", "--quiet", "--python", python)
    wanted = ("--extra", extra) if extra else ()
    # Lowest are the versions that we name, if there is a wheel of them for this Python.
    lowest = ("--resolution", AGES[age], "--no-build")
    run(*install, *lowest, "--requirements", "pyproject.toml", *wanted)
    (wheel,) = work.glob("*.whl")
    run(*install, "--no-deps", wheel)
    smoke = (ROOT / "tools" / "extra_smoke.py", extra) if extra else (ROOT / "tools/core_smoke.py",)
    strict = ("-W", "error") if age == "newest" else ()
    run(python, *strict, *smoke, **servers)
    return f"{extra or 'core'}, {age}: fine"


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Start the servers that there are; yields where the smokes find them."""
    found = {}
    with ExitStack() as stack:
        endpoint, bucket, _folder = stack.enter_context(s3())
        found["SMOKE_S3"] = f"s3://{bucket}/smoke?endpoint={endpoint}&region=us-east-1"
        try:
            found["SMOKE_POSTGRES"] = stack.enter_context(postgres())
        except Missing as missing:
            if os.environ.get("CHARIMG_REQUIRE_ALL"):
                raise
            print(f"postgres is left out: {missing}")
        yield found


def main(argv: list[str]) -> int:
    """Try everything, and say how it went; 1 if anything fails."""
    with TemporaryDirectory() as folder, running() as servers:
        work = Path(folder)
        # The wheel is built from the sdist, so the sdist is proved, too.
        run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", work)
        failed = wheel_content.main([folder])
        names = argv or [""] + [
            name for name in SMOKES if name != "postgres" or "SMOKE_POSTGRES" in servers
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            calls = {
                (name, age): pool.submit(attempt, work, name, age, servers)
                for name in names
                for age in AGES
            }
            for (name, age), call in calls.items():
                try:
                    print(call.result(), flush=True)
                except RuntimeError as error:
                    failed = 1
                    print(f"{name or 'core'}, {age}: FAILED\n{error}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
