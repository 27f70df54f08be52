"""The suites at random: any sequence of calls, against a plain model of what must come back.

The contracts ask one thing at a time; these mix everything: the same key again after it was
deleted, a page that is asked for when the record it began behind is gone, a restart in between.
They need Hypothesis, which is loaded when a test runs. A failure comes with the shortest sequence
of calls.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .base import Contract
from .ledger import LedgerHooks
from .media import FileHooks
from .records import RecordHooks

__all__ = ["GenerationLedgerMachine", "MediaStoreMachine", "MetadataRepositoryMachine"]


class _Machine(Contract):
    """Runs a state machine.

    Attributes:
        examples: How many sequences are tried. They are the same ones on every run; more of them
            find more.
        steps: How many calls a sequence has at most.
        shrink: Whether a failure is looked into until the sequence is short. It can take a minute.
    """

    examples: ClassVar[int] = 100
    steps: ClassVar[int] = 30
    shrink: ClassVar[bool] = True

    def _run(self, machine: Any) -> None:
        from hypothesis import HealthCheck, Phase, settings
        from hypothesis.stateful import run_state_machine_as_test

        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=self.steps,
                deadline=None,
                database=None,
                derandomize=True,
                report_multiple_bugs=False,
                phases=(Phase.generate, Phase.shrink) if self.shrink else (Phase.generate,),
                suppress_health_check=(
                    HealthCheck.data_too_large,
                    HealthCheck.filter_too_much,
                    HealthCheck.too_slow,
                ),
            ),
        )


class MetadataRepositoryMachine(_Machine, RecordHooks):
    """`make` returns a metadata repository, and is called for every sequence.

    With `reopen` a restart is one of the steps.
    """

    def test_any_sequence_of_calls(self) -> None:
        """Records come back, are listed, paged, replaced and removed as a table would do it."""
        from .metadata_machine import metadata_machine

        self._run(metadata_machine(self))


class MediaStoreMachine(_Machine, FileHooks):
    """`make` returns a media store, and is called for every sequence.

    With `reopen` a restart is one of the steps.
    """

    def test_any_sequence_of_calls(self) -> None:
        """Files are saved once, come back, break off and go as in a dictionary."""
        from .media_machine import media_machine

        self._run(media_machine(self))


class GenerationLedgerMachine(_Machine, LedgerHooks):
    """`make` returns a ledger, and is called for every sequence.

    With `reopen` a restart is one of the steps.
    """

    def test_any_sequence_of_calls(self) -> None:
        """Only the latest lease of a character writes, and what it wrote is told, whole."""
        from .ledger_machine import ledger_machine

        self._run(ledger_machine(self))
