"""Any sequence of calls: the Payload stores answer as a plain model does, in both modes.

Few sequences in the suite; with ``CHARIMG_SOAK`` as many as of the embedded stores.
"""

from __future__ import annotations

import os

import pytest

from charimg.stores import (
    AsyncPayloadMediaStore,
    AsyncPayloadMetadataRepository,
    PayloadMediaStore,
    PayloadMetadataRepository,
)
from charimg.testing import MediaStoreMachine, MetadataRepositoryMachine

from .test_payload_conformance import _Files, _Records

EXAMPLES = 100 if os.environ.get("CHARIMG_SOAK") else 6


class TestMedia(_Files, MediaStoreMachine):
    examples = EXAMPLES
    store = PayloadMediaStore


@pytest.mark.long
class TestMediaInMongoOnAsyncio(TestMedia):
    kind = "mongo"
    backend = "asyncio"
    store = AsyncPayloadMediaStore


class TestMetadata(_Records, MetadataRepositoryMachine):
    examples = EXAMPLES
    # The tables that Payload makes in SQLite count on from the highest id that is left.
    reuses_ids = True
    store = PayloadMetadataRepository


@pytest.mark.long
class TestMetadataInMongoOnTrio(_Records, MetadataRepositoryMachine):
    examples = EXAMPLES
    kind = "mongo"
    backend = "trio"
    store = AsyncPayloadMetadataRepository
