use super::scenario::*;
use crate::commit::CookieAction::{Remove, Set};

fn cleared() -> Scenario {
    Scenario::new().loaded(record(v(1), "{}")).clear().commits()
}

#[test]
fn a_session_that_was_cleared_is_deleted() {
    cleared()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove))
        .has_nothing_pending();
}

#[test]
fn the_sessions_of_other_cookies_are_deleted_with_it() {
    Scenario::new()
        .loaded(record(v(1), "{}"))
        .clear_all()
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .asks(Delete(Other))
        .answers(IsDeleted(false))
        .settles_without(Some(Remove));
}

#[test]
fn one_of_them_that_is_in_doubt_leaves_the_rest_done() {
    Scenario::new()
        .loaded(record(v(1), "{}"))
        .clear_all()
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .asks(Delete(Other))
        .answers(Fails)
        .asks(Verify(Other))
        .answers(Fails)
        .fails_in_doubt(crate::Error::is_in_doubt)
        .resumes()
        .asks(Verify(Other))
        .loads(None)
        .tells(Told::Ended(Other))
        .settles_without(Some(Remove))
        .has_nothing_pending();
}

#[test]
fn one_that_another_request_ended_first_keeps_its_newer_cookie() {
    cleared()
        .asks(Delete(Own))
        .answers(IsDeleted(false))
        .settles_as_gone();
}

/// Also where the rest is not done before the next commit.
#[test]
fn it_keeps_that_cookie_though_the_commit_fails() {
    Scenario::new()
        .immediate()
        .loaded(record(v(1), "{}"))
        .clear_all()
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(false))
        .asks(Delete(Other))
        .answers(Fails)
        .fails(is_plain_store_error)
        .commits()
        .asks(Delete(Other))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Other))
        .settles_as_gone();
}

#[test]
fn what_is_set_afterwards_begins_another_session() {
    Scenario::new()
        .loaded(record(v(1), r#"{"a":1}"#))
        .clear()
        .set("b", "2")
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .asks(Create(New(0), r#"{"b":2}"#))
        .answers(IsCreated)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set))
        .sees(r#"{"b":2}"#);
}

#[test]
fn a_lost_answer_counts_as_the_commits_own_work_if_the_session_is_missing() {
    cleared()
        .asks(Delete(Own))
        .answers(Fails)
        .asks(Verify(Own))
        .loads(None)
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove));
}

#[test]
fn a_lost_answer_counts_as_anothers_work_if_the_session_has_moved() {
    cleared()
        .asks(Delete(Own))
        .answers(Fails)
        .asks(Verify(Own))
        .loads(tombstone(v(2)))
        .settles_as_gone();
}

#[test]
fn what_fails_and_may_be_done_late_is_still_the_commits_own_work() {
    cleared()
        .asks(Delete(Own))
        .answers(Fails)
        .asks(Verify(Own))
        .loads(record(v(1), "{}"))
        .fails_in_doubt(is_plain_store_error)
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), "{}"))
        .asks(Delete(Own))
        .answers(IsDeleted(false))
        .asks(Verify(Own))
        .loads(None)
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove));
}

#[test]
fn a_look_up_that_fails_leaves_it_in_doubt() {
    cleared()
        .asks(Delete(Own))
        .answers(Fails)
        .asks(Verify(Own))
        .answers(Fails)
        .fails_in_doubt(crate::Error::is_in_doubt)
        .resumes()
        .asks(Verify(Own))
        .loads(None)
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove));
}

#[test]
fn a_commit_that_is_dropped_meanwhile_is_looked_up() {
    cleared()
        .asks(Delete(Own))
        .drops()
        .resumes()
        .asks(Verify(Own))
        .loads(None)
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove));
}

/// The handler failed: its changes are dropped, but what it cleared is over.
#[test]
fn it_is_done_also_where_the_rest_is_only_verified() {
    Scenario::new()
        .loaded(record(v(1), "{}"))
        .clear()
        .set("b", "2")
        .commits()
        .asks(Delete(Own))
        .drops()
        .resumes_only_to_verify()
        .asks(Verify(Own))
        .loads(record(v(1), "{}"))
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .ends_unstored();
}

#[test]
fn an_immediate_stores_error_leaves_nothing_in_doubt() {
    Scenario::new()
        .immediate()
        .loaded(record(v(1), "{}"))
        .clear()
        .commits()
        .asks(Delete(Own))
        .answers(Fails)
        .fails(is_plain_store_error)
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove));
}

/// A login of another request has moved the session since: its cookie stays.
#[test]
fn what_was_moved_between_two_tries_is_another_requests_work() {
    cleared()
        .asks(Delete(Own))
        .answers(Fails)
        .asks(Verify(Own))
        .loads(record(v(1), "{}"))
        .fails_in_doubt(is_plain_store_error)
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), "{}"))
        .asks(Delete(Own))
        .answers(IsDeleted(false))
        .asks(Verify(Own))
        .loads(tombstone(v(2)))
        .settles_as_gone();
}

/// Flask's cookie is removed after the commit.
#[cfg(feature = "flask")]
#[cfg(any(
    feature = "redis",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql"
))]
#[test]
fn that_it_was_cleared_is_known_after_it_is_deleted() {
    Scenario::new()
        .loaded(record(v(1), "{}"))
        .change(|state| assert!(!state.is_cleared()))
        .clear()
        .change(|state| assert!(state.is_cleared()))
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove))
        .change(|state| assert!(state.is_cleared()));
}
