"""Whatever is handed to a public constructor or method: a clear error, or it works."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    CharimgError,
    ConfigurationError,
    Downloader,
    DownloadLimits,
    InvalidArgument,
    JobPolicy,
    Migration,
    RetryPolicy,
    Timeouts,
    stores,
)
from charimg._arguments import checked
from charimg.bulk import BulkTask, run_bulk
from charimg.testing import Simulator

WRONG = [None, 5, -1, float("nan"), True, "", b"x", [], {}, object(), int, lambda: None]
NOT_CALLED = {"local", "from_env", "from_url", "close"}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """One of each class, by its name."""
    simulator = Simulator(base_url="http://library.test")
    db_id = simulator.add_character(name="Lena")
    client = httpx.Client(transport=simulator.transport())
    library = CharacterLibrary(simulator.base_url, client=client, retries=RetryPolicy.off())
    downloader = Downloader(client=client, retries=RetryPolicy.off())
    directory = stores.MemoryCharacterDirectory()
    directory.put(CharacterReference(id="lena", name="Lena", library_db_id=db_id))
    media, metadata = stores.MemoryMediaStore(), stores.MemoryMetadataRepository()
    ledger = stores.MemoryGenerationLedger()
    service = CharacterImageService(
        library=library,
        directory=directory,
        media=media,
        metadata=metadata,
        ledger=ledger,
        downloader=downloader,
    )
    with stores.SqliteDatabase(tmp_path / "a.sqlite") as database:
        parts = [service, library, downloader, directory, media, metadata, ledger, database]
        parts += [
            stores.SqliteCharacterDirectory(database),
            stores.SqliteMetadataRepository(database),
            stores.SqliteGenerationLedger(database),
            stores.DiskMediaStore(tmp_path / "media"),
        ]
        yield {type(each).__name__: each for each in parts}


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


GOOD: dict[str, Any] = {
    "character_id": "lena",
    "scene_context": "A scene.",
    "operation_id": "f" * 32,
    "db_id": "f" * 24,
    "library_db_id": "f" * 24,
    "media_id": "f" * 24,
    "owner": "me",
    "ttl": 5.0,
}


def tries(call: Callable[..., Any], good: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Hand each wrong value to each parameter; give what raises anything but our own errors."""
    parameters = [
        each
        for each in inspect.signature(call).parameters.values()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    for wrong in parameters:
        for value in WRONG:
            args, options = [], {}
            for each in parameters:
                if each is not wrong and each.default is not each.empty:
                    continue
                given = value if each is wrong else good.get(each.name, "x")
                if each.kind == each.POSITIONAL_ONLY:
                    args.append(given)
                else:
                    options[each.name] = given
            try:
                result = call(*args, **options)
                if inspect.isgenerator(result):
                    list(result)
                elif isinstance(result, AbstractContextManager):
                    with result:
                        pass
            except CharimgError:
                pass
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                yield f"{wrong.name}={value!r}", error


def test_of_every_method(made: dict[str, Any]) -> None:
    found = {}
    for name, each in made.items():
        for method, call in inspect.getmembers(each, callable):
            if not method.startswith("_") and method not in NOT_CALLED:
                found.update({f"{name}.{method}({at})": error for at, error in tries(call, GOOD)})
    assert found == {}


def test_of_every_constructor_and_function(
    made: dict[str, Any], tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    service = made["CharacterImageService"]
    names = ("library", "directory", "media", "metadata", "ledger")
    parts = {name: getattr(service, name) for name in names}
    bulk = {
        "work": "reference",
        "tasks": ["lena"],
        "executor": executor,
        "open_service": lambda: nullcontext(service),
    }
    constructors: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (CharacterImageService, parts),
        (CharacterLibrary, {"base_url": "http://library.test"}),
        (AsyncCharacterLibrary, {"base_url": "http://library.test"}),
        (Downloader, {}),
        (AsyncDownloader, {}),
        (stores.SqliteDatabase, {"path": tmp_path / "b.sqlite"}),
        (stores.DiskMediaStore, {"directory": tmp_path}),
        (stores.S3MediaStore, {"bucket": "images"}),
        (stores.AsyncS3MediaStore, {"bucket": "images"}),
        (stores.PayloadClient, {"base_url": "http://cms.test"}),
        (stores.AsyncPayloadClient, {"base_url": "http://cms.test"}),
        (stores.PostgresDatabase, {"conninfo": "postgresql://db/studio"}),
        (stores.AsyncPostgresDatabase, {"conninfo": "postgresql://db/studio"}),
        (Migration, {"source": service, "target": service}),
        (run_bulk, bulk),
        (BulkTask, {"character_id": "lena"}),
        (RetryPolicy, {}),
        (JobPolicy, {}),
        (Timeouts, {}),
        (DownloadLimits, {}),
    ]
    found = {
        f"{call.__name__}({at})": error
        for call, good in constructors
        for at, error in tries(call, good)
    }
    assert found == {}


@pytest.mark.parametrize(
    "wrong",
    [{"executor": 5}, {"open_service": 5}, {"in_flight": "4"}, {"manifest": 5}, {"tasks": [5]}],
)
def test_a_bulk_run_with_a_wrong_argument_draws_nothing(
    made: dict[str, Any], executor: ThreadPoolExecutor, wrong: dict[str, Any]
) -> None:
    service = made["CharacterImageService"]
    good = {"tasks": ["lena"], "executor": executor, "open_service": lambda: nullcontext(service)}
    with pytest.raises(InvalidArgument):
        run_bulk("reference", **{**good, **wrong})
    assert service.list_operations("lena").operations == ()


def test_what_is_missing_or_wrong_is_named() -> None:
    with pytest.raises(ConfigurationError, match="base_url must be str, not None"):
        CharacterLibrary(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="library must be CharacterLibrary, not None"):
        CharacterImageService(library=None)  # type: ignore[arg-type,call-arg]
    with pytest.raises(InvalidArgument, match="directory must be str"):
        AsyncCharacterImageService.local(5, library="x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"created_by": 5}, {"on_progress": 5}, {"prompt": 5}, {"policy": 5}]
)
def test_a_generation_with_a_wrong_argument_sends_nothing(
    made: dict[str, Any], wrong: dict[str, Any]
) -> None:
    service = made["CharacterImageService"]
    (name,) = wrong
    with pytest.raises(InvalidArgument, match=f"generate_reference: {name} must be"):
        service.generate_reference("lena", **{"prompt": "one", **wrong})
    assert service.list_operations("lena").operations == ()


class Numbers:
    """A foreign number, as numpy has them."""


def test_foreign_objects_are_taken_for_what_they_say() -> None:
    @checked
    class Box:
        def put(self, client: httpx.Client | None, size: int = 1, *names: str) -> int:
            return size

        def take(self, anything: object, several: tuple[str, ...] = ()) -> object:
            return anything

    box = Box()
    assert box.put(httpx.Client(), True, "a") == 1
    assert box.put(Numbers()) == 1  # type: ignore[arg-type]
    assert box.take(box) is box
    with pytest.raises(InvalidArgument, match="put: client must be"):
        box.put(5)  # type: ignore[arg-type]


def test_what_holds_connections_is_neither_pickled_nor_copied(made: dict[str, Any]) -> None:
    for name in ("CharacterImageService", "CharacterLibrary", "Downloader", "SqliteDatabase"):
        for hand_on in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(ConfigurationError, match=f"{name} holds connections"):
                hand_on(made[name])
    with pytest.raises(ConfigurationError, match="SqliteDatabase holds connections"):
        pickle.dumps(made["SqliteGenerationLedger"])
