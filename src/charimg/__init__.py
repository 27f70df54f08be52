"""charimg: the images of fictional characters, generated, ingested, listed and deleted.

Names load when they are first used, so ``import charimg`` stays quick.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

_NAMES = {
    "_async.download": ("AsyncDownloader",),
    "_async.library": ("AsyncCharacterLibrary",),
    "_async.migration": ("AsyncMigration",),
    "_async.service": ("AsyncCharacterImageService",),
    "_baml.suggester": (
        "AsyncBamlPromptSuggester",
        "BamlPromptSuggester",
    ),
    "_ingest.values": ("Download",),
    "_json": (
        "from_json",
        "to_json",
    ),
    "_library.values": (
        "CharacterPage",
        "Gallery",
        "GalleryImage",
        "Health",
        "InitialImage",
        "Job",
        "JobCancellation",
        "JobPage",
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
        "AsyncBatchingMetadataRepository",
        "AsyncCheckingMetadataRepository",
        "AsyncLinkableCharacterDirectory",
        "AsyncListableMediaStore",
        "AsyncRepairableMediaStore",
        "AsyncSearchableCharacterDirectory",
        "AsyncVersionedMetadataRepository",
        "BatchingMetadataRepository",
        "CheckingMetadataRepository",
        "LinkableCharacterDirectory",
        "ListableMediaStore",
        "PermanentMediaStore",
        "RepairableMediaStore",
        "SearchableCharacterDirectory",
        "StoredPage",
        "VersionedMetadataRepository",
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
        "Candidate",
        "Doomed",
        "ItemState",
        "JobSeen",
        "Lease",
        "Operation",
        "OperationItem",
        "OperationKind",
        "OperationPage",
        "OperationState",
        "Recovered",
        "RecoveryReport",
        "RemoteDelete",
    ),
    "migration": (
        "MigratedImage",
        "MigrationCallback",
        "MigrationOutcome",
        "MigrationReport",
    ),
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
        "PromptSuggestion",
        "Provenance",
        "ReferencePolicy",
        "SceneDetails",
        "SceneType",
        "Shot",
        "Upload",
    ),
    "policies": (
        "DownloadLimits",
        "JobPolicy",
        "ProvenancePolicy",
        "RetryPolicy",
        "Timeouts",
    ),
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
        "Finding",
        "FindingKind",
        "FindingOutcome",
        "VerificationCallback",
        "VerificationProgressed",
        "VerificationReport",
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

# A library stays silent until its host configures logging.
logging.getLogger("charimg").addHandler(logging.NullHandler())

__version__ = "0.1.0"

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
