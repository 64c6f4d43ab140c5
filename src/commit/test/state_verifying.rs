// Over 250 lines: the scenarios of one state.

use super::scenario::*;
use crate::{
    Error,
    commit::{Base, CookieAction, Found},
    record::Record,
};

/// An update whose answer was lost.
fn lost() -> Scenario {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    let scenario = scenario.count("n").commits();
    let scenario = scenario.asks(Replace(v(1), r#"{"n":2}"#));
    scenario.answers(Fails).asks(Verify(Own))
}

/// The same, and the look-up failed as well.
fn unknown() -> Scenario {
    let scenario = lost().answers(Fails);
    scenario.fails_in_doubt(Error::is_in_doubt)
}

#[test]
fn a_commit_that_is_found_is_done() {
    lost()
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None)
        .sees(r#"{"n":2}"#)
        .has_nothing_pending();
}

#[test]
fn it_is_found_below_seven_commits_of_others() {
    lost()
        .loads_own(7)
        .tells(Told::Replaced)
        .settles(v(9), None);
}

#[test]
fn below_eight_nobody_can_tell_and_it_is_an_error_but_never_done_twice() {
    lost().loads_own(8).ends_forgotten();
}

#[test]
fn what_it_was_to_do_beside_the_values_is_not_done_twice_either() {
    Scenario::new()
        .loaded(record(v(1), r#"{"n":1}"#))
        .count("n")
        .change(|state| state.set_label("desk".into()))
        .commits()
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(Fails)
        .asks(Verify(Own))
        .loads_own(8)
        .ends_forgotten();
}

#[test]
fn with_eight_commits_of_others_since_it_is_certain_that_it_is_not_stored() {
    lost()
        .loads(record(v(9), r#"{"n":9}"#))
        .fails_in_doubt(is_plain_store_error);
}

#[test]
fn one_that_is_not_found_fails_and_is_done_by_the_next_try() {
    lost()
        .loads(record(v(1), r#"{"n":1}"#))
        .fails_in_doubt(is_plain_store_error)
        .sees(r#"{"n":2}"#)
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), None)
        .has_nothing_pending();
}

#[test]
fn one_that_took_effect_after_the_look_up_is_not_done_again() {
    lost()
        .loads(record(v(1), r#"{"n":1}"#))
        .fails_in_doubt(is_plain_store_error)
        .resumes()
        .asks(Verify(Own))
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None);
}

#[test]
fn one_that_took_effect_before_its_second_try_is_not_done_again() {
    lost()
        .loads(record(v(1), r#"{"n":1}"#))
        .fails_in_doubt(is_plain_store_error)
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .loads_own(2)
        .tells(Told::Replaced)
        .settles(v(4), None);
}

#[test]
fn nobody_can_tell_either_if_eight_commits_came_before_its_second_try() {
    lost()
        .loads(record(v(1), r#"{"n":1}"#))
        .fails_in_doubt(is_plain_store_error)
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .loads_own(8)
        .ends_forgotten();
}

/// Its only call was answered.
#[test]
fn many_commits_of_others_are_no_reason_to_give_up_one_that_only_met_a_conflict() {
    Scenario::new()
        .loaded(record(v(1), r#"{"n":1}"#))
        .count("n")
        .commits()
        .asks(Replace(v(1), r#"{"n":2}"#))
        .conflicts(1, record(v(100), r#"{"n":50}"#))
        .asks(Replace(v(100), r#"{"n":51}"#));
}

#[test]
fn a_look_up_that_fails_is_made_again_by_the_next_try() {
    unknown()
        .sees(r#"{"n":2}"#)
        .resumes()
        .asks(Verify(Own))
        .answers(Fails)
        .fails_in_doubt(Error::is_in_doubt)
        .resumes()
        .asks(Verify(Own))
        .loads_own(3)
        .tells(Told::Replaced)
        .settles(v(5), None)
        .has_nothing_pending();
}

#[test]
fn a_commit_that_was_dropped_is_looked_up() {
    Scenario::new()
        .loaded(record(v(1), r#"{"n":1}"#))
        .count("n")
        .commits()
        .asks(Replace(v(1), r#"{"n":2}"#))
        .drops()
        .resumes()
        .asks(Verify(Own))
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None);
}

#[test]
fn one_that_was_dropped_and_is_below_eight_commits_of_others_is_never_done_twice() {
    Scenario::new()
        .loaded(record(v(1), r#"{"n":1}"#))
        .count("n")
        .commits()
        .asks(Replace(v(1), r#"{"n":2}"#))
        .drops()
        .resumes()
        .asks(Verify(Own))
        .loads_own(8)
        .ends_forgotten();
}

#[test]
fn one_that_was_dropped_before_its_first_call_is_simply_done() {
    Scenario::new()
        .loaded(record(v(1), r#"{"n":1}"#))
        .count("n")
        .commits()
        .drops()
        .resumes()
        .asks(Replace(v(1), r#"{"n":2}"#));
}

/// Its only call was answered, by a conflict: nothing is stored, however many commits came since.
#[test]
fn one_that_was_dropped_while_it_waited_is_not_in_doubt() {
    Scenario::new()
        .loaded(record(v(1), r#"{"n":1}"#))
        .count("n")
        .commits()
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(Conflict)
        .waits(1)
        .drops()
        .resumes()
        .asks(Replace(v(1), r#"{"n":2}"#))
        .conflicts(1, record(v(100), r#"{"n":50}"#))
        .asks(Replace(v(100), r#"{"n":51}"#));
}

/// Its first call may still be in flight, and can only meet a conflict there.
#[test]
fn one_that_is_not_found_below_others_commits_is_replayed_on_them_at_once() {
    unknown()
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(5), r#"{"n":50}"#))
        .tells(Told::Replayed)
        .asks(Replace(v(5), r#"{"n":51}"#))
        .answers(IsStored(v(6)))
        .tells(Told::Replaced)
        .settles(v(6), None);
}

#[test]
fn what_was_replayed_since_is_an_attempt_of_its_own() {
    unknown()
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(5), r#"{"n":50}"#))
        .tells(Told::Replayed)
        .asks(Replace(v(5), r#"{"n":51}"#))
        .conflicts(1, record(v(100), r#"{"n":60}"#))
        .asks(Replace(v(100), r#"{"n":61}"#));
}

#[test]
fn what_cannot_be_replayed_on_others_commits_is_no_longer_in_doubt() {
    unknown()
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(5), r#"{"n":"fifty"}"#))
        .tells(Told::Replayed)
        .fails(Error::is_decode)
        .sees(r#"{"n":2}"#);
}

#[test]
fn one_that_is_only_verified_is_not_replayed_on_others_commits() {
    unknown()
        .resumes_only_to_verify()
        .asks(Verify(Own))
        .loads(record(v(5), r#"{"n":50}"#))
        .ends_unstored()
        .sees(r#"{"n":2}"#);
}

#[test]
fn one_that_is_only_verified_is_not_done() {
    unknown()
        .resumes_only_to_verify()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .ends_unstored()
        .sees(r#"{"n":2}"#);
}

#[test]
fn one_that_is_only_verified_and_found_is_done() {
    unknown()
        .resumes_only_to_verify()
        .asks(Verify(Own))
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None);
}

#[test]
fn a_session_that_ended_takes_it_along() {
    for ended in [None, Some(tombstone(v(2)))] {
        lost().loads(ended.clone()).discards_in_doubt();
        unknown()
            .resumes()
            .asks(Verify(Own))
            .loads(ended)
            .discards_in_doubt();
    }
}

/// The client has no newer session then, so it is told.
#[test]
fn a_session_that_expired_meanwhile_is_an_error() {
    lost().at(31).loads(None).expires_in_doubt();
}

#[test]
fn a_session_that_moved_meanwhile_is_none() {
    lost().at(31).loads(tombstone(v(2))).discards_in_doubt();
}

/// The update is stored, and then another request moved the session: nobody can tell from the tombstone.
#[test]
fn one_that_was_stored_before_the_session_moved_goes_with_it() {
    lost().loads(tombstone(v(3))).discards_in_doubt();
}

#[test]
fn one_whose_id_is_not_among_those_of_the_tombstone_was_not_stored() {
    let left_after = |others| {
        let before = after_others(&record(v(0), "{}"), 1);
        tombstone(v(1 + others)).after(&after_others(&before, others))
    };
    lost().loads(left_after(1)).discards();
    lost().loads(left_after(7)).discards();
    // A move in two steps leaves an id of its own beside those of the commits.
    lost().loads(left_after(8)).discards_in_doubt();
    let of_the_move_alone = after_others(&record(v(2), "{}"), 1);
    let left = tombstone(v(3)).after(&of_the_move_alone);
    lost().loads(left).discards_in_doubt();
}

#[test]
fn one_whose_id_the_tombstone_has_was_stored_before_the_session_moved() {
    let scenario = lost();
    let left = tombstone(v(3)).after(scenario.written.as_ref().unwrap());
    let found = scenario.loads(left).tells(Told::Replaced);
    found.settles_as_moved().has_nothing_pending();
}

#[test]
fn what_came_later_stays_pending() {
    unknown()
        .count("n")
        .sees(r#"{"n":3}"#)
        .resumes()
        .asks(Verify(Own))
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None)
        .sees(r#"{"n":3}"#)
        .commits()
        .asks(Replace(v(2), r#"{"n":3}"#));
}

#[test]
fn what_was_cleared_later_ends_with_all_that_it_may_have_left() {
    let scenario = Scenario::new().found(Found::ended);
    scenario
        .set("a", "1")
        .commits()
        .asks(Create(New(0), r#"{"a":1}"#))
        .answers(Fails)
        .asks(Verify(New(0)))
        .answers(Fails)
        .fails_in_doubt(Error::is_in_doubt)
        .clear()
        .gives_way()
        .commits()
        .asks(Delete(New(0)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(0)))
        .settles_without(Some(CookieAction::Remove));
}

/// Cleared while it was in flight, so what it has stored is to end too.
#[test]
fn what_was_cleared_while_it_was_in_flight_ends_what_it_stored() {
    let scenario = Scenario::new().set("a", "1").commits();
    let scenario = scenario.asks(Create(New(0), r#"{"a":1}"#)).clear();
    scenario
        .answers(IsCreated)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(CookieAction::Set))
        .change(|state| assert!(matches!(state.base, Base::New)))
        .commits()
        .asks(Delete(New(0)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(0)))
        .settles_without(Some(CookieAction::Remove));
}

/// Under another name it would be done twice.
#[test]
fn what_came_later_waits_for_one_that_is_tried_again() {
    unknown()
        .count("n")
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .asks(Replace(v(1), r#"{"n":2}"#))
        // The first call was only late.
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None)
        .sees(r#"{"n":3}"#);
}

#[test]
fn a_try_that_runs_out_of_time_leaves_an_earlier_one_in_doubt() {
    unknown()
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(Conflict)
        .waits(1)
        .runs_out_of_time()
        .asks(Verify(Own))
        .answers(Fails)
        .fails_in_doubt(Error::is_in_doubt);
}

/// It is asked for again, as its session may have ended since: the first call may be done in between.
#[test]
fn one_that_was_looked_at_again_may_still_have_been_stored() {
    let scenario = lost().loads(record(v(1), r#"{"n":1}"#));
    let scenario = scenario.fails_in_doubt(is_plain_store_error).at(31);
    let scenario = scenario.headers_sent().resumes().asks(Verify(Own));
    let before = record(v(1), r#"{"n":1}"#);
    let kept = Record::new(v(1), at(60), before.body().clone());
    let scenario = scenario.loads(kept.clone()).asks(Load).loads(kept);
    let scenario = scenario.asks(Replace(v(1), r#"{"n":2}"#));
    scenario.answers(IsGone).discards_in_doubt();
}
