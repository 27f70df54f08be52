"""A host that does anything in any order while anything fails, and a plain model of what it has.

The model is a table of images. Where nothing was in trouble and nothing was left over, an operation
must do to the table exactly what it promises; where something went wrong, it may not do more. What
must hold always is judged by the invariants that the crash tests use, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from attrs import evolve, field, frozen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from charimg import (
    CharacterImage,
    CharimgError,
    ImagePage,
    Operation,
    OperationKind,
    OperationState,
    ReferencePolicy,
    RemoteDelete,
    StorageError,
)

from ..crash.invariants import Bounds, Facts, changes, counts_of, violations
from .stages import LENA, Stage
from .trouble import Crash

__all__ = ["RULES", "TALLY", "Machine"]

TALLY: Counter[str] = Counter()
"""What was tried in this process."""
RULES: Counter[str] = Counter()
"""How often each rule was followed."""

WITH_ANY_REQUEST = (
    *("broken_connections", "gateway_errors", "truncated_answers", "wrong_types"),
    *("missing_fields", "generation_errors", "upload_errors", "reference_delete_errors"),
    *("set360_errors", "failing_shots", "gallery_lacks", "media_errors", "file_errors"),
    *("rate_limited", "processing_errors", "lost_answers"),
)
WITH_A_GENERATION = (
    *("broken_connections", "lost_answers", "gateway_errors", "truncated_answers"),
    *("missing_fields", "wrong_types", "generation_errors", "upload_errors", "processing_errors"),
)
WITH_A_FILE = ("file_errors", "truncated_files", "html_files")
JOBS = ("strand_jobs", "fail_jobs")
COUNTED = (*WITH_ANY_REQUEST, *WITH_A_FILE)

BOUNDS = {
    "generate_reference": Bounds(reference_posts=2, reference_deletes=2),
    "generate_portfolio": Bounds(set_posts=1),
    "generate_scene": Bounds(scene_posts=1),
    "delete_image": Bounds(reference_deletes=1),
    "delete_all_images": Bounds(reference_deletes=1),
}
NOTHING = Bounds()
REMOVE = (OperationKind.DELETE, OperationKind.REFERENCE, OperationKind.RETRY)

CRASH = st.tuples(st.just("crash"), st.integers(1, 30), st.booleans())
FAULT = st.tuples(st.just("fault"), st.integers(1, 30), st.booleans())
SERVER = st.one_of(
    st.tuples(st.just("requests"), st.sampled_from(WITH_ANY_REQUEST), st.integers(1, 3)),
    st.tuples(st.just("generation"), st.sampled_from(WITH_A_GENERATION)),
    st.tuples(st.just("file"), st.sampled_from(WITH_A_FILE)),
    st.tuples(st.just("jobs"), st.sampled_from(JOBS)),
)
MISHAPS = st.lists(st.one_of(CRASH, FAULT, SERVER, SERVER), max_size=2)
"""What goes wrong with an operation: it dies at a step, a call fails, the server is at fault."""

Mishaps = Sequence[tuple[Any, ...]]

Table = dict[str, tuple[str, str, str]]
"""By id: kind, prompt and status."""


def table_of(facts: Facts) -> Table:
    return {image.id: (image.kind, image.prompt, image.status) for image in facts.images}


@frozen(kw_only=True)
class Outcome:
    """What a call of the service did.

    Attributes:
        result: What it returned.
        error: What it raised.
        calm: Whether nothing was in trouble, nor left over from earlier.
        before: The table before it.
        after: The table after it.
    """

    result: Any
    error: CharimgError | None
    calm: bool
    before: Table = field(repr=False)
    after: Table = field(repr=False)

    @property
    def new(self) -> list[tuple[str, str, str]]:
        """What came."""
        return [what for image_id, what in self.after.items() if image_id not in self.before]

    @property
    def gone(self) -> set[str]:
        """Whatever went."""
        return self.before.keys() - self.after.keys()

    @property
    def kept(self) -> bool:
        """Whether all that was there is there; what had failed may have come in since."""
        came_in = {
            image_id: (kind, prompt, "succeeded")
            for image_id, (kind, prompt, status) in self.before.items()
            if status == "failed"
        }
        return all(
            self.after.get(image_id) in (what, came_in.get(image_id, what))
            for image_id, what in self.before.items()
        )


def open_(op: Operation) -> bool:
    """Tell whether an operation may have drawn something that it does not have."""
    failed = op.state == OperationState.FAILED and op.posted_at is not None and not op.items
    return op.state == OperationState.UNKNOWN or failed


class Machine(RuleBasedStateMachine):
    """The rules; a subclass says in which mode."""

    stage_type: type[Stage]

    def __init__(self) -> None:
        super().__init__()
        self.stage = self.stage_type()
        self.asked = 0
        self.cursor: str | None = None
        self.listed: list[str] = []
        self.at_first: set[str] = set()
        TALLY["histories"] += 1

    def teardown(self) -> None:
        try:
            self.stand_still()
        finally:
            self.stage.close()

    @property
    def images(self) -> tuple[CharacterImage, ...]:
        return self.stage.facts().images

    @property
    def remote(self) -> str | None:
        """The media id of the master reference on the server."""
        return self.stage.simulator.reference_of(self.stage.world.db_id)

    def prompt(self) -> str:
        self.asked += 1
        return f"prompt number {self.asked}"

    @property
    def in_trouble(self) -> bool:
        switches, simulator = self.stage.simulator.switches, self.stage.simulator
        return (
            self.stage.trouble.armed
            or simulator.troubled
            or any(getattr(switches, name) for name in (*COUNTED, *JOBS))
        )

    def meet(self, mishaps: Mishaps) -> None:
        """Let these things happen to the next operation."""
        simulator = self.stage.simulator
        for kind, what, *more in mishaps:
            if kind in ("crash", "fault"):
                self.stage.trouble.arm(what, crash=kind == "crash", after=more[0])
            elif kind == "generation":
                simulator.at_post = what
            elif kind == "file":
                simulator.at_file = what
            else:
                setattr(simulator.switches, what, *(more or [True]))

    def clear_up(self) -> None:
        """End all trouble."""
        simulator = self.stage.simulator
        self.stage.trouble.clear()
        simulator.at_post = simulator.at_file = None
        for name in COUNTED:
            setattr(simulator.switches, name, 0)
        for name in JOBS:
            setattr(simulator.switches, name, False)

    def do(self, name: str, *args: Any, **options: Any) -> Outcome:
        """Call the service, and check what must hold whatever came of it."""
        stage = self.stage
        facts = stage.facts()
        left = [op for op in facts.operations if not op.finished]
        before, counts = table_of(facts), counts_of(stage.simulator)
        calm = not left and not self.in_trouble
        result = error = None
        crashed = False
        try:
            result = stage.call(name, *args, **options)
        except Crash:
            crashed = True
            stage.restart()
        except CharimgError as raised:
            error = raised
        TALLY["steps"] += 1
        RULES[name] += 1
        TALLY["crashes"] += crashed
        TALLY["failures"] += error is not None
        if stage.trouble.fired:
            # A lease that could not be given back ends on its own.
            stage.world.clock.now += 10_000
        self.clear_up()
        facts = stage.facts()
        outcome = Outcome(
            result=result, error=error, calm=calm, before=before, after=table_of(facts)
        )
        sent = {each: n - counts[each] for each, n in counts_of(stage.simulator).items()}
        bounds = BOUNDS.get(name, NOTHING)
        # A removal, also one ahead of a reference, that was cut off before its remote DELETE sends
        # it when it is finished.
        due = [
            op
            for op in left
            if (op.kind == OperationKind.DELETE or op.options.get("remote"))
            and op.remote_delete == RemoteDelete.NOT_DUE
        ]
        bounds = evolve(bounds, reference_deletes=bounds.reference_deletes + len(due))
        assert bounds.violations(sent) == []
        assert violations(facts, settled=False) == []
        self.check_drawn(facts)
        removing = name in ("delete_image", "delete_all_images", "generate_reference")
        if not removing and not any(op.kind in REMOVE for op in left) and name != "retry_ingestion":
            assert outcome.kept, "an operation that adds has changed what was there"
        return outcome

    def check_drawn(self, facts: Facts) -> None:
        """Check that no image is told twice, or with a prompt that is another's."""
        media = self.stage.simulator._state.media
        drawn = [image for image in facts.images if image.external_id is not None]
        assert len({image.external_id for image in drawn}) == len(drawn), "one image, two records"
        for image in drawn:
            if image.kind in ("reference", "scene"):
                assert media[str(image.external_id)].prompt == image.prompt

    # What a host does

    @initialize()
    def begin(self) -> None:
        outcome = self.do("generate_reference", LENA, prompt=self.prompt())
        assert outcome.new == [("reference", "prompt number 1", "succeeded")]

    @rule(policy=st.sampled_from([*ReferencePolicy]), mishaps=MISHAPS)
    def generate_reference(self, policy: ReferencePolicy, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        prompt = self.prompt()
        done = self.do("generate_reference", LENA, prompt=prompt, policy=policy)
        if done.error is None and done.result is not None:
            assert done.after[done.result.image.id] == ("reference", prompt, "succeeded")
            # One that the server could not read is made the master, or that it is not is told.
            assert done.result.warnings or self.remote == done.result.image.external_id
        if done.calm:
            assert done.error is None
            assert done.new == [("reference", prompt, "succeeded")]
            keeps = policy == ReferencePolicy.KEEP_HISTORY
            assert done.gone == (set() if keeps else set(done.before))

    @rule(mishaps=MISHAPS)
    def generate_scene(self, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        prompt, remote = self.prompt(), self.remote
        done = self.do("generate_scene", LENA, prompt)
        if done.calm and remote is None:
            assert isinstance(done.error, CharimgError)
            assert done.after == done.before
        elif done.calm:
            assert done.error is None
            assert done.new == [("scene", prompt, "succeeded")]

    @rule(data=st.data(), chosen=st.booleans(), mishaps=MISHAPS)
    def generate_portfolio(self, data: st.DataObject, chosen: bool, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        references = [image for image in self.images if image.kind == "reference"]
        one = data.draw(st.sampled_from(references)).id if references and chosen else None
        done = self.do("generate_portfolio", LENA, reference_id=one)
        if done.calm and done.error is None:
            assert Counter(kind for kind, _, _ in done.new) == {"portfolioItem": 2}
            assert {status for _, _, status in done.new} == {"succeeded"}
        elif done.calm:
            assert isinstance(done.error, CharimgError)
            media = self.stage.simulator._state.media
            unread = self.remote is not None and media[self.remote].reading == "error"
            assert self.remote is None or one is not None or unread
            assert done.after == done.before

    @precondition(lambda self: self.images)
    @rule(data=st.data(), mishaps=MISHAPS)
    def delete(self, data: st.DataObject, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        image = data.draw(st.sampled_from(self.images))
        done = self.do("delete_image", LENA, image.id)
        if done.error is None and done.result is not None:
            assert image.id not in done.after
        if done.calm:
            assert done.error is None
            assert done.gone == {image.id}
            assert done.new == []

    @rule(mishaps=MISHAPS)
    def delete_all(self, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        done = self.do("delete_all_images", LENA)
        if done.error is None and done.result is not None:
            assert done.after == {}
        if done.calm:
            assert done.error is None
            assert self.remote is None or not any(
                kind == "reference" for kind, _, _ in done.before.values()
            )

    @precondition(lambda self: any(image.kind == "reference" for image in self.images))
    @rule(data=st.data(), mishaps=MISHAPS)
    def restore(self, data: st.DataObject, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        references = [image for image in self.images if image.kind == "reference"]
        others = [image for image in references if image.external_id != self.remote]
        image = data.draw(st.sampled_from(others or references))
        done = self.do("restore_reference", LENA, image.id)
        if done.error is None and done.result is not None:
            assert self.remote == image.external_id
        if done.calm:
            restorable = image.external_id is not None and image.status == "succeeded"
            assert (done.error is None) == restorable
            assert done.after == done.before

    @precondition(lambda self: any(image.status == "failed" for image in self.images))
    @rule(data=st.data(), mishaps=MISHAPS)
    def retry(self, data: st.DataObject, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        failed = [image for image in self.images if image.status == "failed"]
        image = data.draw(st.sampled_from(failed))
        done = self.do("retry_ingestion", LENA, image.id)
        if done.error is None and done.result is not None:
            assert done.after[image.id] == (image.kind, image.prompt, "succeeded")
        if done.calm:
            drawn = image.external_id is not None or image.source_url is not None
            assert (done.error is None) == drawn
            assert done.new == []

    def read(self, **options: Any) -> ImagePage | None:
        """List images; ``None`` if that failed, or the process died of it."""
        before = table_of(self.stage.facts())
        RULES["page" if "cursor" in options else "list"] += 1
        try:
            return self.stage.call("list_images", LENA, **options)  # type: ignore[no-any-return]
        except Crash:
            self.stage.restart()
        except StorageError:
            assert self.stage.trouble.fired
            self.stage.trouble.clear()
        assert table_of(self.stage.facts()) == before
        return None

    @rule()
    def list(self) -> None:
        images = self.images
        order = [(image.created_at, image.id) for image in images]
        assert order == sorted(order, reverse=True)
        for kind in ("reference", "portfolioItem", "scene"):
            page = self.read(kind=kind, limit=1000)
            if page is None:
                return
            assert page.total == len(page.images)
            assert [each.id for each in page.images] == [
                each.id for each in images if each.kind == kind
            ]

    @rule(limit=st.integers(1, 3), pages=st.integers(1, 4))
    def page(self, limit: int, pages: int) -> None:
        """Read some pages further, whatever has changed since the last one."""
        for _ in range(pages):
            self.read_page(limit)
            if self.cursor is None:
                break

    def read_page(self, limit: int) -> None:
        if self.cursor is None:
            self.listed, self.at_first = [], set(table_of(self.stage.facts()))
        page = self.read(limit=limit, cursor=self.cursor)
        if page is None:
            # The same page can be asked for again.
            return
        self.listed += [image.id for image in page.images]
        self.cursor = page.next_cursor
        now = set(table_of(self.stage.facts()))
        assert page.total == len(now)
        assert len(set(self.listed)) == len(self.listed), "listed twice"
        if self.cursor is None:
            assert self.at_first & now <= set(self.listed), "passed over"

    # What goes wrong

    @rule(step=st.integers(1, 30), after=st.booleans())
    def crash(self, step: int, after: bool) -> None:
        """Let the process die at a step from here, whatever it does then."""
        self.meet([("crash", step, after)])
        RULES["crash"] += 1

    @rule(what=st.one_of(FAULT, SERVER))
    def fault(self, what: tuple[Any, ...]) -> None:
        """Let a call fail from here, or the server."""
        self.meet([what])
        RULES["fault"] += 1

    # What brings order

    @rule(mishaps=MISHAPS)
    def recover(self, mishaps: Mishaps) -> None:
        self.meet(mishaps)
        self.do("recover")

    @rule()
    def stand_still(self) -> None:
        """Recover when all is well: then nothing is lost or left over."""
        self.clear_up()
        self.do("recover")
        first = self.stage.facts()
        self.do("recover")
        last = self.stage.facts()
        wrong = [*changes(first, last), *violations(last)]
        assert not wrong, wrong
        self.check_nothing_lost(last)

    def check_nothing_lost(self, facts: Facts) -> None:
        """Check every image that the server has drawn for an operation of ours."""
        state = self.stage.simulator._state
        character = state.characters[self.stage.world.db_id]
        shown = {character.reference, *character.gallery}
        operations = {
            op.prompt: op
            for op in facts.operations
            if op.kind in (OperationKind.REFERENCE, OperationKind.SCENE)
        }
        for media in state.media.values():
            op = operations.get(media.prompt)
            if op is None or media.shot is not None:
                continue
            if op.state == OperationState.DONE:
                assert [item.external_id for item in op.items] == [media.id]
            elif op.state == OperationState.UNKNOWN:
                # What several may have drawn is left to a person.
                rivals = [each for each in facts.operations if each.kind == op.kind and open_(each)]
                told = len(rivals) == 1 and media.id in shown
                assert not told, f"{media.prompt} is shown, and nobody took it over"
            else:
                assert "Superseded" in (op.error or ""), f"{media.prompt} is lost: {op}"
        recorded = {image.external_id for image in facts.images}
        if character.reference is not None and character.reference not in recorded:
            op = operations.get(state.media[character.reference].prompt)
            assert op is None or op.state != OperationState.FAILED, "the master has no record"
