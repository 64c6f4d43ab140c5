// Over 250 lines: the scenarios of one state.

use super::scenario::*;
use crate::{Error, commit::CookieAction::Set};

fn moves() -> Scenario {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    let scenario = scenario.regenerate().count("n").commits();
    scenario.asks(Move(v(1), New(0), r#"{"n":2}"#))
}

fn logs_in() -> Scenario {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    let scenario = scenario.log_in("alice").set("a", "1").commits();
    scenario.asks(Move(v(1), New(0), r#"{"a":1,"n":1}"#))
}

#[test]
fn a_session_moves_to_a_new_id() {
    moves()
        .answers(IsStored(v(2)))
        .tells(Told::Moved(New(0)))
        .settles(v(2), Some(Set))
        .sees(r#"{"n":2}"#)
        .has_nothing_pending();
}

#[test]
fn no_session_moves_once_the_headers_are_sent() {
    let scenario = Scenario::new().headers_sent().loaded(record(v(1), "{}"));
    scenario
        .regenerate()
        .commits()
        .fails(Error::is_headers_sent);
}

#[test]
fn a_conflict_moves_what_was_loaded() {
    moves()
        .conflicts(1, record(v(2), r#"{"n":10}"#))
        .asks(Move(v(2), New(0), r#"{"n":11}"#))
        .answers(IsStored(v(3)))
        .tells(Told::Moved(New(0)))
        .settles(v(3), Some(Set));
}

/// Or a copy is there, of an attempt that was half done.
#[test]
fn a_conflict_about_the_new_id_deletes_what_is_there_and_takes_another() {
    moves()
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .loads(record(v(1), r#"{"n":1}"#))
        .asks(Delete(New(0)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(0)))
        .asks(Move(v(1), New(1), r#"{"n":2}"#))
        .answers(IsStored(v(2)))
        .tells(Told::Moved(New(1)))
        .settles(v(2), Some(Set));
}

#[test]
fn a_conflict_with_the_commit_itself_is_none() {
    moves()
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .loads_own_tombstone()
        .tells(Told::Moved(New(0)))
        .settles(v(2), Some(Set));
}

#[test]
fn a_session_that_ended_does_not_move() {
    moves().answers(IsGone).discards();
}

#[test]
fn a_session_that_expired_meanwhile_is_an_error() {
    moves().at(31).answers(IsGone).fails(Error::is_gone);
}

#[test]
fn a_login_on_a_session_that_ended_begins_another_with_its_own_changes() {
    logs_in()
        .answers(IsGone)
        .asks(Create(New(1), r#"{"a":1}"#))
        .answers(IsCreated)
        .tells(Told::Created(New(1)))
        .settles(v(1), Some(Set))
        .sees(r#"{"a":1}"#);
}

/// Where what changes nothing in the session that ended would be missing.
#[test]
fn it_begins_with_all_that_was_done_after_the_login() {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"a":1,"n":1}"#));
    let scenario = scenario.log_in("alice").set("a", "1").commits();
    scenario
        .asks(Move(v(1), New(0), r#"{"a":1,"n":1}"#))
        .answers(IsGone)
        .asks(Create(New(1), r#"{"a":1}"#));
}

#[test]
fn a_login_on_a_session_that_another_login_moved_begins_another() {
    let loads = logs_in().answers(Conflict).waits(1).waited(None).asks(Load);
    loads
        .loads(tombstone(v(2)))
        .asks(Create(New(1), r#"{"a":1}"#));
}

#[test]
fn a_move_whose_answer_was_lost_is_found_by_its_tombstone() {
    moves()
        .answers(Fails)
        .asks(Verify(Own))
        .loads_own_tombstone()
        .tells(Told::Moved(New(0)))
        .settles(v(2), Some(Set))
        .has_nothing_pending();
}

#[test]
fn one_that_is_not_found_is_done_under_the_same_names() {
    let scenario = moves();
    let first = scenario.written.clone().unwrap();
    let scenario = scenario
        .answers(Fails)
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .fails_in_doubt(is_plain_store_error)
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .asks(Move(v(1), New(0), r#"{"n":2}"#));
    assert!(scenario.written.as_ref().unwrap().is_same_commit(&first));
    scenario
        .answers(IsStored(v(2)))
        .tells(Told::Moved(New(0)))
        .settles(v(2), Some(Set));
}

#[test]
fn a_look_up_that_fails_leaves_it_in_doubt() {
    moves()
        .answers(Fails)
        .asks(Verify(Own))
        .answers(Fails)
        .fails_in_doubt(Error::is_in_doubt)
        .resumes()
        .asks(Verify(Own))
        .loads_own_tombstone()
        .tells(Told::Moved(New(0)))
        .settles(v(2), Some(Set));
}

/// Its first step may be done: a copy is under the new id, which no client has.
#[test]
fn one_whose_session_was_changed_leaves_no_copy() {
    let newer = || record(v(2), r#"{"n":10}"#);
    moves()
        .answers(Fails)
        .asks(Verify(Own))
        .loads(newer())
        .fails(is_plain_store_error)
        .commits()
        .asks(Delete(New(0)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(0)))
        .asks(Move(v(1), New(1), r#"{"n":2}"#))
        .conflicts(1, newer())
        .asks(Move(v(2), New(1), r#"{"n":11}"#));
}

#[test]
fn one_that_is_resumed_and_whose_session_was_changed_leaves_no_copy() {
    moves()
        .drops()
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(2), r#"{"n":10}"#))
        .tells(Told::Replayed)
        .asks(Delete(New(0)))
        .answers(IsDeleted(false))
        .asks(Move(v(2), New(1), r#"{"n":11}"#));
}

#[test]
fn a_login_whose_session_ended_leaves_no_copy_and_begins_another() {
    for loaded in [None, Some(tombstone(v(2)))] {
        logs_in()
            .answers(Fails)
            .asks(Verify(Own))
            .loads(loaded)
            .asks(Delete(New(0)))
            .answers(IsDeleted(true))
            .tells(Told::Ended(New(0)))
            .asks(Create(New(1), r#"{"a":1}"#))
            .answers(IsCreated)
            .tells(Told::Created(New(1)))
            .settles(v(1), Some(Set));
    }
}

#[test]
fn one_whose_session_ended_leaves_no_copy_and_takes_the_changes_along() {
    for loaded in [None, Some(tombstone(v(2)))] {
        moves()
            .answers(Fails)
            .asks(Verify(Own))
            .loads(loaded)
            .asks(Delete(New(0)))
            .answers(IsDeleted(true))
            .tells(Told::Ended(New(0)))
            .discards_in_doubt();
    }
}

/// The copy carries the commit's id, and is no proof that the commit is stored.
#[test]
fn a_copy_that_is_still_there_after_its_delete_is_deleted_again() {
    moves()
        .answers(Fails)
        .asks(Verify(Own))
        .loads(tombstone(v(2)))
        .asks(Delete(New(0)))
        .drops()
        .resumes()
        .asks(Verify(New(0)))
        .loads_own(0)
        .asks(Delete(New(0)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(0)))
        // That the session has moved was forgotten with the future, and is found out again.
        .asks(Move(v(1), New(0), r#"{"n":2}"#));
}

#[test]
fn one_whose_session_expired_meanwhile_leaves_no_copy_and_is_an_error() {
    moves()
        .at(31)
        .answers(Fails)
        .asks(Verify(Own))
        .loads(None)
        .asks(Delete(New(0)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(0)))
        .expires_in_doubt();
}

/// The client may hold a newer cookie than that of the session which ended, so none is removed.
#[test]
fn what_is_cleared_while_a_login_begins_another_ends_both() {
    logs_in()
        .answers(IsGone)
        .asks(Create(New(1), r#"{"a":1}"#))
        .clear()
        .answers(IsCreated)
        .tells(Told::Created(New(1)))
        .settles(v(1), Some(Set))
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(false))
        .asks(Delete(New(1)))
        .answers(IsDeleted(true))
        .tells(Told::Ended(New(1)))
        .settles_as_gone();
}

/// A commit of before, whose answer was lost, is looked up there.
#[test]
fn the_tombstone_has_the_earlier_commits_where_another_user_begins_empty_too() {
    let before = after_others(&record(v(1), r#"{"a":1}"#), 1);
    let before = with_body(&before, |body| body.user = Some("alice".into()));
    let earlier = before.body().commits.latest().unwrap();
    let scenario = Scenario::new().loaded(before).log_in("bob").commits();
    let scenario = scenario.asks(Move(v(2), New(0), "{}"));
    let left = scenario.tombstone.as_ref().unwrap();
    assert!(left.body().commits.contains(earlier));
}
