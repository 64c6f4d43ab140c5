use super::scenario::*;
use crate::{
    Error,
    commit::{
        CookieAction::{Remove, Set},
        Found, Ran, SessionState,
    },
};

fn counts(state: &mut SessionState) -> Ran {
    count(state, "n");
    Ran::Completed
}

fn looks(_: &mut SessionState) -> Ran {
    Ran::Completed
}

fn fails(state: &mut SessionState) -> Ran {
    count(state, "n");
    Ran::Failed
}

fn begun() -> Scenario {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    scenario.begins_transaction()
}

fn newer() -> crate::Record {
    record(v(2), r#"{"n":10}"#)
}

#[test]
fn what_its_closure_did_is_stored() {
    begun()
        .runs(counts)
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), None)
        .sees(r#"{"n":2}"#)
        .has_nothing_pending();
}

#[test]
fn what_was_pending_is_stored_with_it() {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    let scenario = scenario.set("a", "1").begins_transaction();
    scenario
        .runs(counts)
        .asks(Replace(v(1), r#"{"a":1,"n":2}"#));
}

#[test]
fn a_conflict_runs_it_again_on_what_was_loaded() {
    begun()
        .runs(counts)
        .asks(Replace(v(1), r#"{"n":2}"#))
        .conflicts(1, newer())
        .runs(counts)
        .asks(Replace(v(2), r#"{"n":11}"#))
        .answers(IsStored(v(3)))
        .tells(Told::Replaced)
        .settles(v(3), None);
}

#[test]
fn one_that_writes_nothing_has_read_the_newest_record() {
    begun()
        .runs(looks)
        .asks(Load)
        .loads(newer())
        .runs(looks)
        .settles(v(2), None)
        .sees(r#"{"n":10}"#);
}

#[test]
fn one_that_writes_nothing_is_a_use_of_the_session() {
    begun()
        .at(5)
        .runs(looks)
        .asks(Load)
        .loads(newer())
        .runs(looks)
        .asks(Touch(35))
        .answers(IsTouched(true))
        .settles(v(2), None);
}

#[test]
fn one_that_writes_something_only_on_the_newest_record_stores_it() {
    begun()
        .runs(looks)
        .asks(Load)
        .loads(newer())
        .runs(counts)
        .asks(Replace(v(2), r#"{"n":11}"#));
}

#[test]
fn one_that_fails_on_the_newest_record_is_aborted() {
    begun()
        .runs(fails)
        .asks(Load)
        .loads(newer())
        .runs(fails)
        .aborts()
        .sees(r#"{"n":1}"#);
}

#[test]
fn one_that_fails_without_a_session_is_aborted() {
    let scenario = Scenario::new().set("a", "1").begins_transaction();
    scenario.runs(fails).aborts().sees(r#"{"a":1}"#);
}

#[test]
fn one_without_a_session_begins_one() {
    let scenario = Scenario::new().begins_transaction();
    scenario
        .runs(counts)
        .asks(Create(New(0), r#"{"n":1}"#))
        .answers(IsCreated)
        .tells(Told::Created(New(0)))
        .settles(v(1), Some(Set));
}

#[test]
fn an_id_that_is_in_use_runs_it_again_for_another() {
    let scenario = Scenario::new().begins_transaction();
    scenario
        .runs(counts)
        .asks(Create(New(0), r#"{"n":1}"#))
        .answers(Exists)
        .asks(Verify(New(0)))
        .loads(record(v(1), "{}"))
        .runs(counts)
        .asks(Create(New(1), r#"{"n":1}"#));
}

#[test]
fn one_that_begins_a_session_is_refused_once_the_headers_are_sent() {
    let scenario = Scenario::new().headers_sent().begins_transaction();
    scenario.runs(counts).fails(Error::is_headers_sent);
}

#[test]
fn a_login_in_it_moves_the_session() {
    begun()
        .runs(|state| {
            state.log_in("alice".into(), None, at(1));
            counts(state)
        })
        .asks(Move(v(1), New(0), r#"{"n":2}"#))
        .answers(IsStored(v(2)))
        .tells(Told::Moved(New(0)))
        .settles(v(2), Some(Set));
}

#[test]
fn a_session_that_ended_takes_it_along() {
    let gone = Scenario::new().found(Found::moved);
    gone.begins_transaction().settles_as_gone();
    let replaces = || begun().runs(counts).asks(Replace(v(1), r#"{"n":2}"#));
    replaces().answers(IsGone).discards();
    replaces().at(31).answers(IsGone).fails(Error::is_gone);
}

#[test]
fn what_was_cleared_before_is_deleted_first() {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    scenario
        .clear()
        .begins_transaction()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .runs(looks)
        .settles_without(Some(Remove));
}

#[test]
fn a_lost_answer_is_looked_up_and_the_run_counts() {
    begun()
        .runs(counts)
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(Fails)
        .asks(Verify(Own))
        .loads_own(1)
        .tells(Told::Replaced)
        .settles(v(3), None)
        .sees(r#"{"n":2}"#);
}

#[test]
fn one_that_is_in_doubt_is_never_run_by_another_call() {
    let unknown = || {
        let scenario = begun().runs(counts).asks(Replace(v(1), r#"{"n":2}"#));
        let scenario = scenario.answers(Fails).asks(Verify(Own)).answers(Fails);
        scenario.fails_in_doubt(Error::is_in_doubt)
    };
    unknown()
        .sees(r#"{"n":1}"#)
        .resumes()
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .ends_unstored()
        .has_nothing_pending();
    unknown()
        .resumes()
        .asks(Verify(Own))
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None)
        .sees(r#"{"n":2}"#);
}

#[test]
fn one_that_is_not_found_fails() {
    begun()
        .runs(counts)
        .asks(Replace(v(1), r#"{"n":2}"#))
        .answers(Fails)
        .asks(Verify(Own))
        .loads(record(v(1), r#"{"n":1}"#))
        .fails_in_doubt(is_plain_store_error);
}

/// It is one step of several that the handle made after the headers were sent.
#[test]
fn a_snapshot_that_expired_is_looked_up_before_it_writes() {
    begun()
        .headers_sent()
        .at(31)
        .runs(counts)
        .asks(Load)
        .loads(record(v(2), r#"{"n":10}"#).with_expires_at(at(60).into()))
        .runs(counts)
        .asks(Replace(v(2), r#"{"n":11}"#));
}
