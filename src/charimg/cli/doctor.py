"""``charimg doctor``: configuration, connectivity, versions, and what is missing."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from attrs import evolve, frozen
from rich.console import Group, RenderableType

from .. import __version__
from .._assembly.settings import StoreSettings, allowed_origins, download_limits
from .._assembly.stores import Stores, open_stores
from .._assembly.suggesters import suggester
from .._offers import offers
from ..errors import CharimgError, GenerationInProgress, MediaNotFound, StorageError
from ..policies import RetryPolicy, Timeouts
from .bench import Bench
from .exit_codes import ExitCode, exit_code_of
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .probes import check_newest, probe
from .provenance import check_provenance
from .report import reporting, table
from .scratch import Scratch, scratch
from .session import Settings, listed

__all__ = ["Finding", "doctor", "verdict"]

_LIBRARIES = (
    *("attrs", "cattrs", "httpx", "stamina", "pillow", "typer", "rich", "jinja2", "uvicorn"),
    *("psycopg", "obstore", "baml-py", "opentelemetry-api", "distributed", "c2pa-python"),
)
_EXTRAS = {
    "images": ("thumbnails and image decoding", ("pillow",)),
    "local": ("the images page, the simulator and the demo", ("jinja2", "pillow", "uvicorn")),
}
_QUICK = Timeouts(connect=5.0, read=10.0)

# What should be mended first decides the exit code.
_SEVERITY = (ExitCode.USAGE, ExitCode.STORAGE, ExitCode.LIBRARY, ExitCode.UNRESOLVED)


class _CountingDirectory(Protocol):
    """A directory that need not read all of its characters to count them."""

    def totals(self) -> tuple[int, int]: ...


@frozen(kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was checked.
        level: ``ok``, ``warning`` or ``error``.
        message: What was found, and what to do about it.
        exit_code: What an ``error`` leads to.
    """

    name: str
    level: str
    message: str
    exit_code: int = ExitCode.OK


def verdict(findings: list[Finding]) -> ExitCode:
    """Return the exit code of the worst finding: configuration, storage, Library, unfinished."""
    codes = {finding.exit_code for finding in findings if finding.level == "error"}
    return next((code for code in _SEVERITY if code in codes), ExitCode.OK)


def _error(name: str, error: CharimgError) -> Finding:
    code = exit_code_of(error)
    return Finding(name=name, level="error", message=str(error), exit_code=code)


def _ok(name: str, message: str) -> Finding:
    return Finding(name=name, level="ok", message=message)


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"charimg": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _check_extras(versions: dict[str, str | None]) -> Iterator[Finding]:
    for extra, (purpose, needed) in _EXTRAS.items():
        missing = [name for name in needed if versions[name] is None]
        if missing:
            # Not a warning: who needs no simulator lacks nothing.
            message = (
                f"not installed ({', '.join(missing)}), for {purpose}: "
                f"pip install 'charimg[{extra}]'"
            )
            yield _ok(f"extra {extra}", message)
        else:
            yield _ok(f"extra {extra}", f"installed, for {purpose}")


def _unwritable(path: Path) -> StorageError:
    return StorageError(
        f"{str(path)!r} is not writable. Give another --directory or change its permissions."
    )


def _check_directory(settings: Settings) -> Finding:
    path = settings.directory
    places = settings.places.by_role.values()
    local = [each.path for each in places if each.backend in ("sqlite", "file")]
    if not any(each.is_relative_to(path) for each in local):
        return _ok("directory", "none is used: every store has a URL of its own")
    if path.exists():
        try:
            with tempfile.TemporaryFile(dir=path):
                return _ok("directory", f"{path} is writable")
        except OSError as error:
            raise _unwritable(path) from error
    # Asked of the system rather than tried: nothing is made for a directory that nobody may use.
    parent = next(each for each in path.absolute().parents if each.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise _unwritable(parent)
    return _ok("directory", f"{path} is not there yet; it will be made")


def _check_data(settings: Settings, bench: Bench | None) -> Iterator[Finding]:
    try:
        yield from _check_stores(settings, bench)
    except CharimgError as error:
        yield _error("stores", error)


def _check_stores(settings: Settings, bench: Bench | None) -> Iterator[Finding]:
    places = settings.places
    with scratch(places) as tried, open_stores(tried.settings) as stores:
        broken = set(tried.refused)
        for role, refused in tried.refused.items():
            yield _error(role, refused)
        for answer in probe(stores, without=tried.refused):
            where = f"{answer.role} at {places.by_role[answer.role]}"
            if answer.skipped:
                broken.add(answer.role)
                yield Finding(name=answer.role, level="warning", message=answer.message)
            elif answer.error is None:
                yield _ok(answer.role, f"{where}: {answer.message}")
            else:
                broken.add(answer.role)
                found = _error(answer.role, answer.error)
                yield evolve(found, message=tried.told(found.message))
        if settings.has_data:
            yield from _check_contents(stores, places, broken)
        elif "metadata" not in broken:
            own = places.characters.backend == "sqlite"
            maker = "`charimg characters add`" if own else "the first image"
            yield _ok("database", f"none yet; {maker} makes it")
        if bench is not None:
            yield from _measure(bench, stores, broken, tried)


def _check_contents(
    stores: Stores, places: StoreSettings, broken: Collection[str]
) -> Iterator[Finding]:
    if "characters" not in broken:
        yield from _check_characters(stores)
    if "ledger" not in broken:
        yield from _check_operations(stores)
    if not {"media", "metadata"} & set(broken):
        yield _check_files(stores, places)


def _measure(
    bench: Bench, stores: Stores, broken: Collection[str], tried: Scratch
) -> Iterator[Finding]:
    for role, error in bench.stores(stores, without=broken):
        name = f"bench {role}"
        if isinstance(error, GenerationInProgress):
            yield Finding(name=name, level="warning", message="not measured: another check runs")
        else:
            found = _error(name, error)
            yield evolve(found, message=tried.told(found.message))


def _check_files(stores: Stores, places: StoreSettings) -> Finding:
    try:
        return _ok("files", check_newest(stores))
    except MediaNotFound:
        missing = StorageError(
            f"The newest record's file is not in {places.media}. Was it written to another store? "
            "Then let CHARIMG_MEDIA name that one, or bring its files over with `charimg migrate`."
        )
        return _error("files", missing)
    except CharimgError as error:
        return _error("files", error)


def _check_characters(stores: Stores) -> Iterator[Finding]:
    try:
        total, unlinked = _totals(stores)
    except CharimgError as error:
        yield Finding(name="database", level="warning", message=str(error))
        return
    yield _ok("database", f"{total} characters, {unlinked} of them not linked")


def _totals(stores: Stores) -> tuple[int, int]:
    """Return how many characters there are, and how many of them are not linked."""
    if offers(stores.directory, _CountingDirectory):
        return stores.directory.totals()
    characters = listed(stores)
    return len(characters), sum(each.library_db_id is None for each in characters)


def _check_operations(stores: Stores) -> Iterator[Finding]:
    unfinished = stores.ledger.unfinished()
    if unfinished:
        yield Finding(
            name="operations",
            level="error",
            message=f"{len(unfinished)} unfinished; run `charimg recover`",
            exit_code=ExitCode.UNRESOLVED,
        )
    else:
        yield _ok("operations", "none unfinished")


def _check_library(settings: Settings, bench: Bench | None) -> Iterator[Finding]:
    with settings.library(timeouts=_QUICK, retries=RetryPolicy.off()) as library:
        yield _ok("configuration", f"Character Library at {library.base_url}")
        try:
            health = library.health()
        except CharimgError as error:
            yield _error("connectivity", error)
            return
        if bench is not None:
            try:
                bench.library(library)
            except CharimgError as error:
                yield _error("bench Library", error)
    told = " ".join(part for part in (health.service, health.version) if part)
    yield _ok("connectivity", f"answers {health.status}" + (f" ({told})" if told else ""))


def _examine(
    settings: Settings, versions: dict[str, str | None], bench: Bench | None
) -> list[Finding]:
    findings: list[Finding] = []
    try:
        allowed_origins()
        download_limits()
        suggester()
        level, message = check_provenance()
        findings.append(Finding(name="provenance", level=level, message=message))
        findings.extend(_check_library(settings, bench))
    except CharimgError as error:
        findings.append(_error("configuration", error))
    try:
        findings.append(_check_directory(settings))
    except CharimgError as error:
        findings.append(_error("directory", error))
    else:
        findings.extend(_check_data(settings, bench))
    findings.extend(_check_extras(versions))
    return findings


def doctor(
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    bench: Annotated[
        bool, typer.Option("--bench", help="Measure the Library, the stores and this machine.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check configuration, connectivity, stores, versions, and what is missing.

    Each store is tried by a real round trip: a probe is written, read and deleted. Where files are
    signed, one is signed and read back. With --bench
    that is done several times and measured. Nothing is drawn, and nothing of it stays but one
    finished operation, charimg-probe, in the ledger, and empty folders of files on a disk.

    The exit code is that of the worst finding: 2 configuration, 6 storage, 4 Character Library,
    8 unfinished operations.
    """
    with reporting(as_json, interrupted="Nothing of the probes stays.") as report:
        versions = _versions()
        measured = Bench() if bench else None
        findings = _examine(Settings.of(directory, library_url, header), versions, measured)
        code = verdict(findings)
        rows = [(each.level, each.name, each.message) for each in findings]
        rows += [("ok", name, found or "not installed") for name, found in versions.items()]
        value: dict[str, Any] = {
            "ok": code == ExitCode.OK,
            "exitCode": int(code),
            "findings": findings,
            "versions": versions,
        }
        shown: list[RenderableType] = [table(("", "what", "found"), rows)]
        if measured is not None:
            value["figures"] = measured.figures
            shown.append(
                table(
                    ("what", "median", "unit"),
                    [(each.name, f"{each.value:,.2f}", each.unit) for each in measured.figures],
                )
            )
        report.data(value, lambda: Group(*shown))
        if code:
            raise typer.Exit(code)
