"""charimg: the images of fictional characters, generated, ingested, listed and deleted.

Names load when they are first used, so ``import charimg`` stays quick.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._async.download import AsyncDownloader as AsyncDownloader
    from ._async.library import AsyncCharacterLibrary as AsyncCharacterLibrary
    from ._async.migration import AsyncMigration as AsyncMigration
    from ._async.service import AsyncCharacterImageService as AsyncCharacterImageService
    from ._baml.suggester import AsyncBamlPromptSuggester as AsyncBamlPromptSuggester
    from ._baml.suggester import BamlPromptSuggester as BamlPromptSuggester
    from ._ingest.values import Download as Download
    from ._json import from_json as from_json
    from ._json import to_json as to_json
    from ._library.values import CharacterPage as CharacterPage
    from ._library.values import Gallery as Gallery
    from ._library.values import GalleryImage as GalleryImage
    from ._library.values import Health as Health
    from ._library.values import InitialImage as InitialImage
    from ._library.values import Job as Job
    from ._library.values import JobCancellation as JobCancellation
    from ._library.values import JobPage as JobPage
    from ._library.values import LibraryCharacter as LibraryCharacter
    from ._library.values import LibraryMedia as LibraryMedia
    from ._library.values import LibraryMediaPage as LibraryMediaPage
    from ._library.values import PortfolioAnswer as PortfolioAnswer
    from ._library.values import PortfolioFailure as PortfolioFailure
    from ._library.values import PortfolioImage as PortfolioImage
    from ._library.values import ReferenceDeletion as ReferenceDeletion
    from ._library.values import ReferenceShot as ReferenceShot
    from ._library.values import ReferenceState as ReferenceState
    from ._library.values import SceneImage as SceneImage
    from ._sync.download import Downloader as Downloader
    from ._sync.library import CharacterLibrary as CharacterLibrary
    from ._sync.migration import Migration as Migration
    from ._sync.service import CharacterImageService as CharacterImageService
    from .capabilities import AsyncCheckingMetadataRepository as AsyncCheckingMetadataRepository
    from .capabilities import AsyncLinkableCharacterDirectory as AsyncLinkableCharacterDirectory
    from .capabilities import AsyncListableMediaStore as AsyncListableMediaStore
    from .capabilities import AsyncRepairableMediaStore as AsyncRepairableMediaStore
    from .capabilities import (
        AsyncSearchableCharacterDirectory as AsyncSearchableCharacterDirectory,
    )
    from .capabilities import CheckingMetadataRepository as CheckingMetadataRepository
    from .capabilities import LinkableCharacterDirectory as LinkableCharacterDirectory
    from .capabilities import ListableMediaStore as ListableMediaStore
    from .capabilities import RepairableMediaStore as RepairableMediaStore
    from .capabilities import SearchableCharacterDirectory as SearchableCharacterDirectory
    from .errors import CharacterLibraryError as CharacterLibraryError
    from .errors import CharacterNotFound as CharacterNotFound
    from .errors import CharacterNotLinked as CharacterNotLinked
    from .errors import CharimgError as CharimgError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import DownloadError as DownloadError
    from .errors import ErrorCode as ErrorCode
    from .errors import GenerationInProgress as GenerationInProgress
    from .errors import ImageMismatch as ImageMismatch
    from .errors import ImageNotFound as ImageNotFound
    from .errors import ImageRejected as ImageRejected
    from .errors import IngestionError as IngestionError
    from .errors import InvalidArgument as InvalidArgument
    from .errors import InvalidPrompt as InvalidPrompt
    from .errors import JobError as JobError
    from .errors import LeaseLost as LeaseLost
    from .errors import MediaAltered as MediaAltered
    from .errors import MediaNotFound as MediaNotFound
    from .errors import PreconditionError as PreconditionError
    from .errors import SchemaError as SchemaError
    from .errors import StorageConflict as StorageConflict
    from .errors import StorageError as StorageError
    from .events import ImageFailed as ImageFailed
    from .events import ImageStored as ImageStored
    from .events import JobProgressed as JobProgressed
    from .events import OperationEvent as OperationEvent
    from .events import OperationFailed as OperationFailed
    from .events import OperationFinished as OperationFinished
    from .events import OperationStarted as OperationStarted
    from .events import ProgressEvent as ProgressEvent
    from .events import RecoveryFinished as RecoveryFinished
    from .events import RecoveryStarted as RecoveryStarted
    from .events import ReferenceRetried as ReferenceRetried
    from .events import ServiceEvent as ServiceEvent
    from .events import Stage as Stage
    from .events import StageFinished as StageFinished
    from .events import WarningRaised as WarningRaised
    from .journal import Candidate as Candidate
    from .journal import Doomed as Doomed
    from .journal import ItemState as ItemState
    from .journal import JobSeen as JobSeen
    from .journal import Lease as Lease
    from .journal import Operation as Operation
    from .journal import OperationItem as OperationItem
    from .journal import OperationKind as OperationKind
    from .journal import OperationPage as OperationPage
    from .journal import OperationState as OperationState
    from .journal import Recovered as Recovered
    from .journal import RecoveryReport as RecoveryReport
    from .journal import RemoteDelete as RemoteDelete
    from .migration import MigratedImage as MigratedImage
    from .migration import MigrationCallback as MigrationCallback
    from .migration import MigrationOutcome as MigrationOutcome
    from .migration import MigrationReport as MigrationReport
    from .models import CharacterImage as CharacterImage
    from .models import CharacterReference as CharacterReference
    from .models import DeleteResult as DeleteResult
    from .models import GenerationResult as GenerationResult
    from .models import ImageKind as ImageKind
    from .models import ImageMetrics as ImageMetrics
    from .models import ImagePage as ImagePage
    from .models import ImageStatus as ImageStatus
    from .models import Media as Media
    from .models import OperationWarning as OperationWarning
    from .models import PortfolioResult as PortfolioResult
    from .models import PromptSuggestion as PromptSuggestion
    from .models import Provenance as Provenance
    from .models import ReferencePolicy as ReferencePolicy
    from .models import SceneDetails as SceneDetails
    from .models import SceneType as SceneType
    from .models import Shot as Shot
    from .models import Upload as Upload
    from .policies import DownloadLimits as DownloadLimits
    from .policies import JobPolicy as JobPolicy
    from .policies import ProvenancePolicy as ProvenancePolicy
    from .policies import RetryPolicy as RetryPolicy
    from .policies import Timeouts as Timeouts
    from .prompts import TemplatePromptSuggester as TemplatePromptSuggester
    from .protocols import AsyncCharacterDirectory as AsyncCharacterDirectory
    from .protocols import AsyncGenerationLedger as AsyncGenerationLedger
    from .protocols import AsyncListableCharacterDirectory as AsyncListableCharacterDirectory
    from .protocols import AsyncListableMetadataRepository as AsyncListableMetadataRepository
    from .protocols import AsyncMediaStore as AsyncMediaStore
    from .protocols import AsyncMetadataRepository as AsyncMetadataRepository
    from .protocols import AsyncPromptSuggester as AsyncPromptSuggester
    from .protocols import AsyncWritableCharacterDirectory as AsyncWritableCharacterDirectory
    from .protocols import CharacterDirectory as CharacterDirectory
    from .protocols import DetailedHook as DetailedHook
    from .protocols import GenerationLedger as GenerationLedger
    from .protocols import ListableCharacterDirectory as ListableCharacterDirectory
    from .protocols import ListableMetadataRepository as ListableMetadataRepository
    from .protocols import MediaStore as MediaStore
    from .protocols import MetadataRepository as MetadataRepository
    from .protocols import OperationHook as OperationHook
    from .protocols import ProgressCallback as ProgressCallback
    from .protocols import PromptSuggester as PromptSuggester
    from .protocols import WritableCharacterDirectory as WritableCharacterDirectory
    from .verification import Finding as Finding
    from .verification import FindingKind as FindingKind
    from .verification import FindingOutcome as FindingOutcome
    from .verification import VerificationCallback as VerificationCallback
    from .verification import VerificationProgressed as VerificationProgressed
    from .verification import VerificationReport as VerificationReport

_NAMES = {
    "_async.download": ("AsyncDownloader",),
    "_async.library": ("AsyncCharacterLibrary",),
    "_async.migration": ("AsyncMigration",),
    "_async.service": ("AsyncCharacterImageService",),
    "_baml.suggester": ("AsyncBamlPromptSuggester", "BamlPromptSuggester"),
    "_ingest.values": ("Download",),
    "_json": ("from_json", "to_json"),
    "_library.values": (
        "CharacterPage",
        *("Gallery", "GalleryImage", "Health", "InitialImage", "Job", "JobCancellation", "JobPage"),
        "LibraryCharacter",
        "LibraryMedia",
        "LibraryMediaPage",
        "PortfolioAnswer",
        "PortfolioFailure",
        "PortfolioImage",
        "ReferenceDeletion",
        "ReferenceShot",
        "ReferenceState",
        "SceneImage",
    ),
    "_sync.download": ("Downloader",),
    "_sync.library": ("CharacterLibrary",),
    "_sync.migration": ("Migration",),
    "_sync.service": ("CharacterImageService",),
    "capabilities": (
        *("AsyncCheckingMetadataRepository", "AsyncLinkableCharacterDirectory"),
        *("AsyncListableMediaStore", "AsyncRepairableMediaStore"),
        "AsyncSearchableCharacterDirectory",
        *("CheckingMetadataRepository", "LinkableCharacterDirectory"),
        *("ListableMediaStore", "RepairableMediaStore", "SearchableCharacterDirectory"),
    ),
    "errors": (
        "CharacterLibraryError",
        "CharacterNotFound",
        "CharacterNotLinked",
        "CharimgError",
        "ConfigurationError",
        "DownloadError",
        "ErrorCode",
        "GenerationInProgress",
        "ImageMismatch",
        "ImageNotFound",
        "ImageRejected",
        "IngestionError",
        "InvalidArgument",
        "InvalidPrompt",
        "JobError",
        "LeaseLost",
        "MediaAltered",
        "MediaNotFound",
        "PreconditionError",
        "SchemaError",
        "StorageConflict",
        "StorageError",
    ),
    "events": (
        "ImageFailed",
        "ImageStored",
        "JobProgressed",
        "OperationEvent",
        "OperationFailed",
        "OperationFinished",
        "OperationStarted",
        "ProgressEvent",
        "RecoveryFinished",
        "RecoveryStarted",
        "ReferenceRetried",
        "ServiceEvent",
        "Stage",
        "StageFinished",
        "WarningRaised",
    ),
    "journal": (
        *("Candidate", "Doomed", "ItemState", "JobSeen", "Lease", "Operation", "OperationItem"),
        *("OperationKind", "OperationPage", "OperationState", "Recovered", "RecoveryReport"),
        "RemoteDelete",
    ),
    "migration": (*("MigratedImage", "MigrationCallback", "MigrationOutcome", "MigrationReport"),),
    "models": (
        "CharacterImage",
        "CharacterReference",
        "DeleteResult",
        "GenerationResult",
        "ImageKind",
        "ImageMetrics",
        "ImagePage",
        "ImageStatus",
        "Media",
        "OperationWarning",
        "PortfolioResult",
        *("PromptSuggestion", "Provenance", "ReferencePolicy"),
        *("SceneDetails", "SceneType", "Shot", "Upload"),
    ),
    "policies": ("DownloadLimits", "JobPolicy", "ProvenancePolicy", "RetryPolicy", "Timeouts"),
    "prompts": ("TemplatePromptSuggester",),
    "protocols": (
        "AsyncCharacterDirectory",
        "AsyncGenerationLedger",
        "AsyncListableCharacterDirectory",
        "AsyncListableMetadataRepository",
        "AsyncMediaStore",
        "AsyncMetadataRepository",
        "AsyncPromptSuggester",
        "AsyncWritableCharacterDirectory",
        "CharacterDirectory",
        "DetailedHook",
        "GenerationLedger",
        "ListableCharacterDirectory",
        "ListableMetadataRepository",
        "MediaStore",
        "MetadataRepository",
        "OperationHook",
        "ProgressCallback",
        "PromptSuggester",
        "WritableCharacterDirectory",
    ),
    "verification": (
        *("Finding", "FindingKind", "FindingOutcome", "VerificationCallback"),
        *("VerificationProgressed", "VerificationReport"),
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

# A library stays silent until its host configures logging.
logging.getLogger("charimg").addHandler(logging.NullHandler())

__version__ = "0.1.0"

__all__ = [
    "AsyncBamlPromptSuggester",
    "AsyncCharacterDirectory",
    "AsyncCharacterImageService",
    "AsyncCharacterLibrary",
    "AsyncCheckingMetadataRepository",
    "AsyncDownloader",
    "AsyncGenerationLedger",
    "AsyncLinkableCharacterDirectory",
    "AsyncListableCharacterDirectory",
    "AsyncListableMediaStore",
    "AsyncListableMetadataRepository",
    "AsyncMediaStore",
    "AsyncMetadataRepository",
    "AsyncMigration",
    "AsyncPromptSuggester",
    "AsyncRepairableMediaStore",
    "AsyncSearchableCharacterDirectory",
    "AsyncWritableCharacterDirectory",
    "BamlPromptSuggester",
    "Candidate",
    "CharacterDirectory",
    "CharacterImage",
    "CharacterImageService",
    "CharacterLibrary",
    "CharacterLibraryError",
    "CharacterNotFound",
    "CharacterNotLinked",
    "CharacterPage",
    "CharacterReference",
    "CharimgError",
    "CheckingMetadataRepository",
    "ConfigurationError",
    "DeleteResult",
    "DetailedHook",
    "Doomed",
    "Download",
    "DownloadError",
    "DownloadLimits",
    "Downloader",
    "ErrorCode",
    "Finding",
    "FindingKind",
    "FindingOutcome",
    "Gallery",
    "GalleryImage",
    "GenerationInProgress",
    "GenerationLedger",
    "GenerationResult",
    "Health",
    "ImageFailed",
    "ImageKind",
    "ImageMetrics",
    "ImageMismatch",
    "ImageNotFound",
    "ImagePage",
    "ImageRejected",
    "ImageStatus",
    "ImageStored",
    "IngestionError",
    "InitialImage",
    "InvalidArgument",
    "InvalidPrompt",
    "ItemState",
    "Job",
    "JobCancellation",
    "JobError",
    "JobPage",
    "JobPolicy",
    "JobProgressed",
    "JobSeen",
    "Lease",
    "LeaseLost",
    "LibraryCharacter",
    "LibraryMedia",
    "LibraryMediaPage",
    "LinkableCharacterDirectory",
    "ListableCharacterDirectory",
    "ListableMediaStore",
    "ListableMetadataRepository",
    "Media",
    "MediaAltered",
    "MediaNotFound",
    "MediaStore",
    "MetadataRepository",
    "MigratedImage",
    "Migration",
    "MigrationCallback",
    "MigrationOutcome",
    "MigrationReport",
    "Operation",
    "OperationEvent",
    "OperationFailed",
    "OperationFinished",
    "OperationHook",
    "OperationItem",
    "OperationKind",
    "OperationPage",
    "OperationStarted",
    "OperationState",
    "OperationWarning",
    "PortfolioAnswer",
    "PortfolioFailure",
    "PortfolioImage",
    "PortfolioResult",
    "PreconditionError",
    "ProgressCallback",
    "ProgressEvent",
    "PromptSuggester",
    "PromptSuggestion",
    "Provenance",
    "ProvenancePolicy",
    "Recovered",
    "RecoveryFinished",
    "RecoveryReport",
    "RecoveryStarted",
    "ReferenceDeletion",
    "ReferencePolicy",
    "ReferenceRetried",
    "ReferenceShot",
    "ReferenceState",
    "RemoteDelete",
    "RepairableMediaStore",
    "RetryPolicy",
    "SceneDetails",
    "SceneImage",
    "SceneType",
    "SchemaError",
    "SearchableCharacterDirectory",
    "ServiceEvent",
    "Shot",
    "Stage",
    "StageFinished",
    "StorageConflict",
    "StorageError",
    "TemplatePromptSuggester",
    "Timeouts",
    "Upload",
    "VerificationCallback",
    "VerificationProgressed",
    "VerificationReport",
    "WarningRaised",
    "WritableCharacterDirectory",
    "__version__",
    "from_json",
    "to_json",
]


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
