"""Tests of the service that a combination of stores cannot run, each with the reason."""

from __future__ import annotations

__all__ = ["LEFT_OUT", "left_out"]

_CLOCK = "it moves the ledger's clock to the millisecond; this ledger goes by the server's own"
_FORKED = "it says that it is another process, and such a one leaves open connections to its parent"
_READS_ONLY = "the host keeps its characters in Payload itself; charimg's directory only reads them"
_NO_ORPHANS = "Payload refuses to delete a character that records name"
_NOT_TAKEN_AWAY = "Payload refuses to delete a file that a record names"
_NO_FAILED_RECORD = "it begins with a failed record, and none stands in Payload without a file"
_ONE_BY_ONE = "it is about stores that may save from workers, and this one may not"
_COUNTED = "it counts the failed record among the copied ones, and none stands in Payload"
_OWN_SIZE = "Payload itself says how large a file is, not the record"
_NAMED_BY_HASH = "files there are named after their hash, so no record is without one"
_DRAWN_ANEW = "this Payload draws files anew, and leaves out what they say of themselves"
_BOTH_IN_PAYLOAD = "records in Payload need their files in Payload, and it moves only these"

_NO_ADD_MANY = "Payload takes records one by one"

_TOGETHER = (
    "those_that_are_in_are_recorded_in_one_call_and_told_one_by_one",
    "one_that_is_refused_keeps_none_of_the_others_from_being_recorded",
    "a_transaction_that_took_effect_before_it_failed_makes_no_second_record",
    "what_a_crash_leaves_of_it_comes_in_with_recovery",
    "one_that_has_the_record_of_an_earlier_failure_makes_that_good",
    "records_without_their_user_are_told_once",
    "a_repository_that_returns_too_few_is_asked_one_by_one",
    "a_repository_without_it_works_as_before",
    "files_that_are_stored_in_turn_are_recorded_in_turn",
    "a_store_that_has_been_failing_for_too_long_is_not_asked",
    "a_lease_that_is_lost_takes_back_all_that_came_in_together",
)

LEFT_OUT: dict[str, dict[str, str]] = {
    "s3_and_postgres": {
        "test_verification__a_record_without_a_hash_is_held_to_its_size": _NAMED_BY_HASH,
        "test_verification__what_has_no_hash_is_told_and_stays": _NAMED_BY_HASH,
        "test_leases__the_lease_names_the_process_that_works": _FORKED,
        "test_closed__a_forked_child_waits_for_nobody_in_the_parent": _FORKED,
        "test_looking_again__each_operation_is_looked_at_under_a_lease_with_its_full_life": _CLOCK,
        "test_one_run__a_lease_is_renewed_when_a_quarter_of_its_life_has_gone": _CLOCK,
    },
    "payload": {
        **{f"test_recorded_together__{each}": _NO_ADD_MANY for each in _TOGETHER},
        "test_marked_images__every_image_is_labelled_and_its_record_says_so": _DRAWN_ANEW,
        "test_marked_images__the_prompt_is_told_where_that_is_asked_for_and_never_logged": (
            _DRAWN_ANEW
        ),
        "test_marked_images__a_labelled_file_comes_back_from_its_source_with_its_label": (
            _DRAWN_ANEW
        ),
        "test_marked_images__a_thumbnail_is_labelled_where_its_image_takes_no_label": (
            _BOTH_IN_PAYLOAD
        ),
        "test_marked_images__thumbnails_say_what_their_image_says": _BOTH_IN_PAYLOAD,
        "test_manage_images__a_character_is_put_into_a_directory_that_takes_it": _READS_ONLY,
        "test_manage_images__images_of_a_character_that_is_gone_or_unlinked_can_be_deleted": (
            _NO_ORPHANS
        ),
        "test_manage_images__a_retry_works_without_the_character_and_by_media_id_alone": (
            _NO_ORPHANS
        ),
        "test_manage_images__a_media_id_that_the_library_does_not_know_fails_again": (
            _NO_FAILED_RECORD
        ),
        "test_manage_images__a_new_reference_tells_of_files_that_are_not_in_this_store": (
            _NOT_TAKEN_AWAY
        ),
        "test_manage_images__files_that_are_not_in_this_store_are_told_when_all_go": (
            _NOT_TAKEN_AWAY
        ),
        "test_manage_images__a_file_that_is_not_in_this_store_is_told": _NOT_TAKEN_AWAY,
        "test_own_thread__a_store_that_says_so_may_be_asked_to_save_from_workers": _ONE_BY_ONE,
        "test_retry_fallback__a_failed_record_that_a_crash_left_is_made_good": _NO_FAILED_RECORD,
        "test_retry_fallback__a_failed_record_that_a_crash_left_may_fail_again": (
            _NO_FAILED_RECORD
        ),
        "test_verification__media_that_was_taken_out_of_its_record_comes_back": _NOT_TAKEN_AWAY,
        "test_strays__a_store_with_the_bare_port_is_mended_by_it": _NOT_TAKEN_AWAY,
        "test_strays__a_store_that_changes_what_it_takes_in_is_found_out": _NOT_TAKEN_AWAY,
        "test_verification__a_record_without_a_hash_is_held_to_its_size": _OWN_SIZE,
        "test_signed_sources__an_earlier_row_is_shown_without_its_signature_and_retried_with_it": (
            _NO_FAILED_RECORD
        ),
        "test_migration__everything_is_copied_and_a_second_run_changes_nothing": _READS_ONLY,
        "test_migration__it_goes_over_many_pages": _COUNTED,
        "test_migration__a_run_that_was_broken_off_is_resumed": _COUNTED,
        "test_migration__files_move_while_the_records_stay": _BOTH_IN_PAYLOAD,
        "test_migration__records_move_while_the_files_stay": _COUNTED,
        "test_migration__characters_are_copied_once_and_never_overwritten": _NO_ORPHANS,
        "test_migration__a_repository_that_needs_media_gets_no_failed_image": _COUNTED,
        "test_migration__one_damaged_image_does_not_stop_the_others": _COUNTED,
        "test_migration__what_changes_after_the_first_run_is_taken_over": _NO_FAILED_RECORD,
        "test_migration__what_was_retried_in_the_target_stays": _NO_FAILED_RECORD,
        "test_whose__a_second_character_is_not_put_on_the_same_one_of_the_library": _READS_ONLY,
        "test_migration__what_only_the_target_has_is_counted_and_stays": _COUNTED,
        "test_migration__a_target_that_transcodes_is_believed_when_it_says_so": _COUNTED,
    },
}


def left_out(name: str, combination: str) -> bool:
    """Whether the combination does not run the test."""
    return name in LEFT_OUT.get(combination, {})
