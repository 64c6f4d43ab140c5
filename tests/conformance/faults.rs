//! What can be wrong with a store, one thing at a time. Each is a test: the suite has to find it each time.

use crate::{finds, rule};

/// The table: the test's name, the fault, the rule that the suite has to name.
macro_rules! faults {
    ($($test:ident: $fault:ident, $rule:ident;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            Nothing,
            $($fault,)+
        }

        $(#[test] fn $test() {
            finds::each_time(Fault::$fault, rule::$rule);
        })+
    };
}

faults! {
    // create
    a_create_that_replaces: CreateReplaces, INSERT_OR_UPDATE;
    a_create_that_replaces_what_has_expired: CreateReplacesExpired, INSERT_OR_UPDATE;
    a_create_that_replaces_a_tombstone: CreateReplacesTombstone, INSERT_OR_UPDATE;
    a_create_that_looks_and_then_inserts: CreateInSteps, ATOMIC;
    a_create_that_looks_and_then_inserts_under_two_locks: CreateUnderTwoLocks, INSERT_OR_UPDATE;
    a_create_that_begins_at_the_first_version: CreateResetsVersion, ANY;
    a_create_that_is_not_listed: CreateIsNotListed, ALL_OF_A_USER;
    a_create_that_answers_before_it_is_done: CreateAnswersEarly, INSERT_OR_UPDATE;
    a_create_that_fails_for_a_handle_in_use: CreateFailsIfInUse, FAILURES;
    a_create_that_lists_and_then_inserts: CreateListsFirst, ANY;
    // load
    a_load_that_hides_what_has_expired: LoadHidesExpired, ANY;
    a_load_that_forgets_100_ms_early: LoadForgetsEarly, ANY;
    an_engine_that_expires_without_grace: NoGrace, ANY;
    a_load_that_hides_tombstones: LoadHidesTombstones, ANY;
    a_damaged_record_that_is_none: DamagedIsNone, FAILURES;
    a_damaged_record_that_is_not_listed: DamagedIsNotListed, FAILURES;
    a_damaged_record_that_is_removed_by_a_look: DamagedIsRemoved, FAILURES;
    // replace
    a_replace_that_inserts: ReplaceInserts, INSERT_OR_UPDATE;
    a_replace_of_any_version: ReplaceIgnoresVersion, COMPARE_AND_SWAP;
    a_replace_of_a_version_above_the_stored_one: ReplaceOfHigherVersion, COMPARE_AND_SWAP;
    a_replace_of_a_version_below_the_stored_one: ReplaceOfLowerVersion, COMPARE_AND_SWAP;
    a_replace_that_compares_a_byte_of_the_version: ReplaceComparesByte, COMPARE_AND_SWAP;
    a_replace_that_compares_32_bits_of_the_version: ReplaceComparesWord, COMPARE_AND_SWAP;
    a_replace_that_stores_the_records_version: ReplaceStoresItsVersion, VISIBLE;
    a_replace_that_answers_the_records_version: ReplaceAnswersItsVersion, COMPARE_AND_SWAP;
    a_replace_that_keeps_the_later_end: ReplaceKeepsLaterEnd, VISIBLE;
    a_replace_that_keeps_the_end: ReplaceKeepsEnd, VISIBLE;
    a_replace_that_is_listed_as_before: ReplaceIsListedAsBefore, TOMBSTONES;
    a_replace_that_reads_and_then_writes: ReplaceInSteps, ATOMIC;
    a_replace_that_reads_and_then_writes_under_two_locks: ReplaceUnderTwoLocks, ANY;
    a_replace_that_reads_and_then_upserts: ReplaceUpserts, ATOMIC;
    a_replace_by_an_identical_record_that_is_a_conflict: ReplaceCountsChanges, COMPARE_AND_SWAP;
    a_replace_that_takes_gone_for_a_conflict: ReplaceGoneIsConflict, INSERT_OR_UPDATE;
    a_replace_that_takes_expired_for_gone: ReplaceExpiredIsGone, ANY;
    a_replace_that_answers_before_it_is_done: ReplaceAnswersEarly, VISIBLE;
    a_replace_that_writes_data_and_version_apart: ReplaceInTwoWrites, ATOMIC;
    a_replace_that_deletes_and_then_inserts: ReplaceDeletesAndInserts, ATOMIC;
    // touch
    a_touch_that_writes_back_what_it_read: TouchWritesBack, ATOMIC;
    a_touch_that_writes_back_under_two_locks: TouchWritesBackUnderTwoLocks, ANY;
    a_touch_that_brings_back_what_was_deleted: TouchUpserts, ATOMIC;
    a_touch_to_an_end_that_was_computed_earlier: TouchInSteps, ATOMIC;
    a_touch_to_an_end_that_was_computed_under_another_lock: TouchUnderTwoLocks, ANY;
    a_touch_that_shortens: TouchShortens, ONLY_THE_END;
    a_touch_that_raises_the_version: TouchRaisesVersion, ONLY_THE_END;
    a_touch_of_what_is_not_there_that_is_true: TouchIsAlwaysTrue, INSERT_OR_UPDATE;
    a_touch_that_takes_what_has_moved: TouchTakesTombstones, TOMBSTONES;
    a_touch_of_what_has_moved_that_is_true: TouchOfTombstoneIsTrue, TOMBSTONES;
    a_touch_of_what_has_moved_that_moves_its_end: TouchMovesTombstones, TOMBSTONES;
    a_touch_that_looks_whether_it_has_moved_and_then_writes: TouchLooksForTombstones, ATOMIC;
    a_touch_that_moves_nothing_and_is_false: TouchCountsChanges, ONLY_THE_END;
    a_touch_that_answers_before_it_is_done: TouchAnswersEarly, ONLY_THE_END;
    a_touch_that_takes_expired_for_gone: TouchExpiredIsGone, EXPIRED;
    a_touch_to_whole_seconds: TouchInSeconds, ONLY_THE_END;
    a_touch_that_does_nothing_for_a_tenth_of_an_hour: TouchIsLazy, ANY;
    // delete
    a_delete_that_takes_tombstones: DeleteTakesTombstones, TOMBSTONES;
    a_delete_that_is_always_true: DeleteIsAlwaysTrue, ATOMIC;
    a_delete_that_looks_and_then_deletes: DeleteInSteps, ATOMIC;
    a_delete_that_looks_and_then_deletes_under_two_locks: DeleteUnderTwoLocks, ANY;
    a_delete_that_only_ends_it: DeleteOnlyExpires, INSERT_OR_UPDATE;
    a_delete_that_answers_before_it_is_done: DeleteAnswersEarly, INSERT_OR_UPDATE;
    a_delete_of_what_has_expired_that_is_false: DeleteExpiredIsFalse, ATOMIC;
    // regenerate
    a_regenerate_that_leaves_the_tombstone_first: RegenerateTombstoneFirst, ATOMIC;
    a_regenerate_without_a_tombstone: RegenerateWithoutTombstone, ATOMIC;
    a_regenerate_that_leaves_the_old_session: RegenerateLeavesOld, ANY;
    a_regenerate_of_any_version: RegenerateIgnoresVersion, COMPARE_AND_SWAP;
    a_regenerate_that_replaces_what_is_there: RegenerateReplacesNew, INSERT_OR_UPDATE;
    a_regenerate_that_reads_and_then_writes: RegenerateInSteps, ATOMIC;
    a_regenerate_that_reads_and_then_writes_under_two_locks: RegenerateUnderTwoLocks, ANY;
    a_regenerate_that_is_not_listed: RegenerateIsNotListed, ALL_OF_A_USER;
    a_regenerate_that_is_listed_for_the_former_user: RegenerateIsListedAsBefore, ALL_OF_A_USER;
    a_tombstone_of_the_first_version: TombstoneOfFirstVersion, ATOMIC;
    a_tombstone_that_is_listed: TombstoneIsListed, ANY;
    a_regenerate_of_what_is_gone_that_inserts: RegenerateOfGoneInserts, INSERT_OR_UPDATE;
    a_regenerate_that_leaves_a_copy_after_a_conflict: RegenerateLeavesCopy, COMPARE_AND_SWAP;
    a_regenerate_that_begins_at_the_first_version: RegenerateResetsVersion, ANY;
    a_regenerate_that_answers_before_it_is_done: RegenerateAnswersEarly, ANY;
    // delete_expired
    a_sweep_by_the_stores_clock: SweepByOwnClock, ANY;
    a_sweep_that_leaves_tombstones: SweepLeavesTombstones, EXPIRED;
    a_sweep_that_leaves_anonymous_sessions: SweepLeavesAnonymous, EXPIRED;
    a_sweep_that_leaves_sessions_of_users: SweepLeavesUsers, EXPIRED;
    a_sweep_without_a_limit: SweepIgnoresLimit, EXPIRED;
    a_sweep_that_looks_and_then_deletes: SweepInSteps, ATOMIC;
    a_sweep_that_looks_and_then_deletes_under_two_locks: SweepUnderTwoLocks, EXPIRED;
    a_sweep_that_counts_nothing: SweepAnswersZero, EXPIRED;
    a_sweep_that_is_a_second_early: SweepIsEarly, ANY;
    a_sweep_that_spares_what_expires_now: SweepIsLate, EXPIRED;
    a_sweep_by_the_end_of_the_create: SweepByFirstEnd, EXPIRED;
    a_sweep_of_tombstones_by_the_end_of_the_session: SweepOfMovedByFirstEnd, EXPIRED;
    // list
    a_list_of_10: ListOf10, NOTHING_IS_CUT;
    a_list_of_100: ListOf100, NOTHING_IS_CUT;
    a_list_of_1000: ListOf1000, NOTHING_IS_CUT;
    a_list_without_regard_to_case: ListIgnoresCase, ALL_OF_A_USER;
    a_list_without_regard_to_spaces_at_the_end: ListIgnoresSpaces, ALL_OF_A_USER;
    a_list_by_prefix: ListByPrefix, ALL_OF_A_USER;
    a_list_that_looks_each_up_once: ListInSteps, ATOMIC;
    a_list_of_copies_that_no_touch_moves: ListOfCopies, VISIBLE;
    a_list_for_an_empty_user_of_all_anonymous_sessions: ListOfNobody, ALL_OF_A_USER;
    // delete_user
    a_delete_user_without_an_exception: DeleteUserIgnoresExcept, ALL_OF_A_USER;
    a_delete_user_that_reads_the_list_once: DeleteUserInSteps, ATOMIC;
    a_delete_user_that_reads_the_list_once_under_another_lock: DeleteUserUnderTwoLocks, ANY;
    a_delete_user_of_100: DeleteUserOf100, NOTHING_IS_CUT;
    a_delete_user_that_answers_one: DeleteUserAnswersOne, ALL_OF_A_USER;
    a_delete_user_that_takes_another_users: DeleteUserTakesAnothers, ATOMIC;
    a_delete_user_that_answers_before_it_is_done: DeleteUserAnswersEarly, ALL_OF_A_USER;
    // count
    a_count_by_the_stores_clock: CountByOwnClock, CALLERS_CLOCK;
    a_count_with_tombstones: CountWithTombstones, TOMBSTONES;
    a_count_of_what_has_expired: CountWithExpired, TOMBSTONES;
    a_count_of_users_only: CountOfUsers, TOMBSTONES;
    a_count_of_what_expires_now: CountIsLate, TOMBSTONES;
    // look
    a_look_out_of_order: LookOutOfOrder, LOOK;
    a_look_without_what_is_missing: LookSkipsMissing, LOOK;
    a_look_of_100: LookOf100, LOOK;
    a_look_that_sees_no_touch: LookSeesNoTouch, LOOK;
    a_look_that_takes_tombstones_for_missing: LookHidesTombstones, LOOK;
    // scan
    a_scan_without_what_has_expired: ScanHidesExpired, SCAN;
    a_scan_without_tombstones: ScanHidesTombstones, SCAN;
    a_scan_by_offset: ScanByOffset, SCAN;
    a_scan_of_one_page: ScanOfOnePage, SCAN;
    a_scan_that_knows_no_limit: ScanWithoutLimit, SCAN;
    a_scan_that_takes_any_cursor: ScanTakesAnyCursor, FAILURES;
    // what is kept of a record
    versions_in_a_u8: VersionInU8, ANY;
    versions_in_a_u16: VersionInU16, NOTHING_IS_CUT;
    versions_in_an_i32: VersionInI32, NOTHING_IS_CUT;
    versions_in_a_u32: VersionInU32, NOTHING_IS_CUT;
    versions_in_a_float: VersionInF64, ANY;
    ends_in_nanoseconds: EndInNanoseconds, NOTHING_IS_CUT;
    ends_in_u32_seconds: EndInU32Seconds, NOTHING_IS_CUT;
    ends_in_i32_seconds: EndInI32Seconds, NOTHING_IS_CUT;
    ends_in_seconds: EndInSeconds, ANY;
    ends_in_a_float: EndInF32, ANY;
    handles_of_8_bytes: HandleOf8Bytes, NOTHING_IS_CUT;
    handles_without_bytes_at_the_end: HandleIsTrimmed, NOTHING_IS_CUT;
    users_of_255_bytes: UserOf255Bytes, ALL_OF_A_USER;
    users_up_to_a_nul: UserUpToNul, ALL_OF_A_USER;
    users_that_are_empty_are_nobody: EmptyUserIsNobody, ALL_OF_A_USER;
    records_that_were_parsed: RecordIsParsed, NOTHING_IS_CUT;
    records_of_64_kib: RecordOf64KiB, FAILURES;
    records_in_latin_1: RecordInLatin1, NOTHING_IS_CUT;
    records_without_the_ids_of_their_commits: RecordWithoutCommits, NOTHING_IS_CUT;
    // what holds for each method
    a_lock_that_a_dropped_future_leaves: LockIsLeft, CANCEL_SAFE;
    a_lock_of_one_session_that_a_dropped_future_leaves: LockOfOneIsLeft, CANCEL_SAFE;
}
