"""Which tests belong to which modules, and which mutants are none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """Modules, the tests that belong to them, and which part of the mutants those must kill.

    Attributes:
        name: What it is called in the report.
        modules: Below ``src/charimg``; after a colon, the functions that count.
        tests: Below ``tests``.
        floor: Percent.
    """

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    floor: int

    @property
    def paths(self) -> list[str]:
        """Where the tests are."""
        return [f"tests/{each}" for each in self.tests]


SERVICE = tuple(
    f"_sync/test_{each}.py"
    for each in (
        *("adoption", "generate_portfolio", "generate_reference", "generate_scene"),
        *("clocks", "ingest", "lost_references", "received"),
        *("interrupted_removal", "leases", "looking_again", "manage_images", "one_run"),
        *("own_thread", "recovered_removals", "recovered_retries", "recovery"),
        *("reference_policies", "refusals", "retry_fallback", "settlement", "settling"),
        *("unrecorded", "watching"),
    )
)
CRASHES = (*SERVICE, "_sync/test_crashes.py")

AREAS = (
    Area(
        "address policy",
        ("_ingest/addresses.py", "_ingest/origins.py", "_ingest/urls.py"),
        ("guard/test_addresses.py", "guard/test_origins.py", "ingest/test_urls.py"),
        100,
    ),
    Area(
        "retry rules",
        (
            "_library/retry.py",
            "_library/errors.py:failure,refusal,undecodable,_code,_means_not_found,_retryable",
        ),
        ("library/test_retry.py", "library/test_errors.py", "library/test_redaction.py"),
        90,
    ),
    Area("job watch", ("_library/jobs.py",), ("library/test_jobs.py",), 90),
    Area(
        "journal and removal",
        ("journal.py", "_sync/leases.py", "_sync/operation.py", "_sync/removal.py"),
        CRASHES,
        90,
    ),
    Area(
        "recovery",
        (
            *("_sync/adoption.py", "_sync/rivals.py", "_sync/recovery.py", "_sync/settlement.py"),
            *("_library/claims.py", "_library/filenames.py"),
        ),
        (
            *CRASHES,
            "library/test_claims.py",
            "machines/test_machines.py::test_nothing_is_lost_in_any_history[sync-few]",
        ),
        90,
    ),
    Area(
        "lost sets",
        ("_sync/sets.py", "_sync/lost_sets.py", "_sync/documents.py", "_library/lost_sets.py"),
        (
            *SERVICE,
            *(
                f"_sync/test_{each}.py"
                for each in (
                    *("documents", "lost_set_rules", "set_rules"),
                    *("lost_sets", "sets_at_once", "possible_sets", "failed_after_drawing"),
                    *("too_many", "whose"),
                )
            ),
            "library/test_lost_sets.py",
        ),
        90,
    ),
    Area(
        "verification",
        ("verification.py", "_sync/verification.py", "_sync/repair.py", "_sync/strays.py"),
        ("_sync/test_verification.py", "_sync/test_strays.py"),
        90,
    ),
    Area(
        "images",
        tuple(
            f"_ingest/{each}.py"
            for each in (
                *("inspect", "reader", "sniff", "foreign", "clean", "rewrite", "exif"),
                *("png", "jpeg", "webp", "gif", "avif", "avif_items"),
                *("naming", "answers", "limits", "values"),
            )
        ),
        (
            *(
                f"ingest/test_{each}.py"
                for each in (
                    *("inspect", "gif_avif", "foreign", "parts", "avif_items"),
                    *("naming", "answers"),
                )
            ),
        ),
        90,
    ),
    Area(
        "provenance",
        (
            *(f"_ingest/{each}.py" for each in ("provenance", "xmp", "label", "avif_label")),
            *("_ingest/renditions.py", "_signing.py"),
        ),
        (
            *(f"ingest/test_{each}.py" for each in ("provenance", "labels", "avif_labels")),
            *("signing/test_signing.py", "_async/test_marking.py"),
        ),
        90,
    ),
    Area("generation", ("_sync/generate.py",), SERVICE, 90),
    Area("ingestion", ("_sync/ingest.py", "_sync/recording.py"), SERVICE, 90),
    Area("failed images", ("_sync/unrecorded.py",), SERVICE, 90),
    Area(
        "SQLite",
        tuple(
            f"stores/sqlite/{each}.py"
            for each in (
                *("database", "directory", "failures", "ledger", "metadata", "pool", "schema"),
            )
        ),
        tuple(
            f"stores/sqlite/test_sqlite_{each}.py"
            for each in ("conformance", "database", "directory", "ledger", "metadata", "schema")
        ),
        90,
    ),
    Area(
        "S3",
        tuple(
            f"stores/s3/{each}.py"
            for each in ("bucket", "failures", "names", "objects", "profile", "settings")
        ),
        (
            "stores/s3/test_s3_conditions.py",
            "stores/s3/test_s3_objects.py",
            # Those without a server.
            *(
                f"stores/s3/test_s3_profile.py::{each}"
                for each in (
                    *("test_what_is_read", "test_another_file", "test_a_file_that_cannot_be_read"),
                    "test_a_profile_without_a_key_is_no_reason_to_take_another_identity",
                    "test_a_file_that_makes_no_sense_is_not_shown",
                )
            ),
            *(
                f"stores/s3/test_s3_settings.py::{each}"
                for each in (
                    *("test_a_url_says_everything", "test_options_win_over_the_url"),
                    *("test_a_url_that_makes_no_sense", "test_arguments_that_make_no_sense"),
                    *("test_settings_that_obstore_refuses", "test_without_obstore"),
                    "test_an_environment_that_makes_no_sense",
                    "test_regions_that_make_no_sense",
                    "test_a_panic_of_obstore_is_an_error_of_the_store",
                )
            ),
        ),
        90,
    ),
    Area(
        "web",
        ("web/access.py", "web/_sync/routes.py"),
        tuple(f"web/test_{each}.py" for each in ("access", "events", "failures", "routes")),
        90,
    ),
    Area("bulk", ("bulk/run.py",), ("bulk/test_run.py", "bulk/test_ends.py"), 90),
    Area(
        "prompts",
        (
            # Not its lists of words.
            "prompts.py:check_prompt,_visible,_key,_clean,_cut,_words,_texts,_unique,_collect",
            "prompts.py:_holds_facts,facts_of,suggest_prompt,unsupported_terms,_unsupported,describe",
        ),
        ("test_prompts.py", "test_baml.py"),
        90,
    ),
    Area("doctor", ("cli/doctor.py",), ("cli/test_doctor.py",), 90),
)

NARROWS = "tells the type checker what is always so"
PORTION = "how much is read or sent at once, not what"
EQUIVALENT: dict[str, str] = {
    "_ingest/origins.py FetchPolicy._hop: parts.hostname or '' -> parts.hostname": NARROWS,
    "_library/errors.py _retryable: said or '' -> said": NARROWS,
    **{
        f"_sync/recovery.py _Recovery.{name}: run.op.library_db_id or '' -> run.op.library_db_id": (
            NARROWS
        )
        for name in ("_bring_in", "_look_at_job", "_finish_restore")
    },
    "_sync/sets.py place_late: run.op.library_db_id or '' -> run.op.library_db_id": NARROWS,
    **dict.fromkeys(
        (
            "_sync/lost_sets.py _told: True -> False",
            "_library/lost_sets.py tell_shots: True -> False",
        ),
        "what is zipped is always of one length",
    ),
    **dict.fromkeys(
        (
            "_ingest/foreign.py module: 256 -> 257",
            "_ingest/foreign.py module: 1024 -> 1025",
            "_ingest/reader.py module: 64 -> 65",
            "_ingest/reader.py module: 1024 -> 1025",
            "_ingest/exif.py module: 64 -> 65",
            "_ingest/exif.py module: 1024 -> 1025",
            "_ingest/foreign.py Search.__init__: 8 -> 9",
            "_ingest/jpeg.py _segment: 64 -> 65",
            "_ingest/gif.py _extension: 24 -> 25",
            "_ingest/rewrite.py module: 256 -> 257",
            "_ingest/rewrite.py module: 1024 -> 1025",
            "_ingest/sniff.py module: 64 -> 65",
            "_ingest/sniff.py sniff: 12 -> 13",
            "_sync/rivals.py module: 200 -> 201",
            "_sync/removal.py module: 500 -> 501",
            "_sync/unrecorded.py module: 500 -> 501",
            "stores/s3/bucket.py module: 256 -> 257",
            "stores/s3/bucket.py module: 1024 -> 1025",
            "stores/s3/bucket.py module: 8 -> 9",
            "stores/s3/bucket.py module: 2 -> 3",
            "stores/s3/bucket.py module: 1000 -> 1001",
        ),
        PORTION,
    ),
    "_ingest/jpeg.py walk_jpeg: reader.found is None or not scanned -> not scanned": NARROWS,
    **dict.fromkeys(
        ("_ingest/jpeg.py _frame: length < 6 -> length <= 6", "_ingest/jpeg.py _frame: 6 -> 7"),
        "a header of no component is refused by the next line",
    ),
    "_ingest/inspect.py inspect: reader.found or (0, 0) -> reader.found": NARROWS,
    "_ingest/exif.py _orientation: 0 -> 1": "neither turns an image",
    "_ingest/png.py _part: 1 -> 2": "no length is negative",
    "_ingest/webp.py _canvas: 10 -> 11": "ten bytes are there",
    "_ingest/webp.py _bitmap: 10 -> 11": "ten bytes are there",
    "_ingest/avif.py module: 6 -> 7": "what follows is filled with zeros",
    "prompts.py _visible: not character.isspace() and "
    "unicodedata.category(character)[0] not in 'CZ' -> "
    "unicodedata.category(character)[0] not in 'CZ'": "every blank is of these categories",
    "prompts.py _clean: value is None or isinstance(value, bool) -> isinstance(value, bool)": (
        "the word None is left out, too"
    ),
    "prompts.py _cut: end > 0 -> end >= 0": "a tidy text does not begin with a blank",
    "stores/s3/objects.py module: 64 -> 65": "one more lock",
    "web/access.py foreign: origin is not None and origin in trusted_origins -> "
    "origin in trusted_origins": NARROWS,
    "stores/s3/settings.py check_number: least <= value <= most and math.isfinite(value) -> "
    "least <= value <= most": "no limit is infinite",
    "_sync/removal.py remove_replaced: "
    "drawn_by is None or policy != ReferencePolicy.DELETE_AFTER_SUCCESS -> "
    "policy != ReferencePolicy.DELETE_AFTER_SUCCESS": NARROWS,
    "_sync/removal.py remove_replaced: "
    "item.state == ItemState.STORED and current and (current.id == item.image_id) -> "
    "item.state == ItemState.STORED and current.id == item.image_id": NARROWS,
    "_sync/removal.py supersede: op.id == run.op.id or op.state != OperationState.RECEIVED -> "
    "op.state != OperationState.RECEIVED": "a removal has received nothing",
    "_sync/recovery.py settle: "
    "age < parts.job_policy.deadline -> age <= parts.job_policy.deadline": (
        "the age is never exactly that"
    ),
}
"""Mutants that do what the code does, as the report names them without the line; and why."""
