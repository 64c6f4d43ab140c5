// Over 250 lines: the scenarios of one state.

use super::scenario::*;
use crate::{Error, commit::CookieAction::Set};

/// An update of the session's number, on version 1.
fn replaces() -> Scenario {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    let scenario = scenario.count("n").commits();
    scenario.asks(Replace(v(1), r#"{"n":2}"#))
}

fn newer() -> crate::Record {
    record(v(2), r#"{"n":10}"#)
}

#[test]
fn a_change_is_stored() {
    replaces()
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), None)
        .sees(r#"{"n":2}"#)
        .has_nothing_pending();
}

#[test]
fn a_renewed_remember_sends_the_cookie_again() {
    let remembered = with_body(&record(v(1), "{}"), |body| body.remember = Some(WEEK));
    let scenario = Scenario::new().loaded(remembered);
    scenario
        .change(|state| state.remember(WEEK))
        .commits()
        .asks(Replace(v(1), "{}"))
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), Some(Set));
}

#[test]
fn a_remember_that_is_renewed_while_it_is_stored_counts_from_then() {
    let scenario = Scenario::new().loaded(record(v(1), "{}"));
    let renewed = scenario
        .change(|state| state.remember(WEEK))
        .commits()
        .asks(Replace(v(1), "{}"))
        .at(20)
        .change(|state| state.remember(WEEK))
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), Some(Set))
        .commits()
        .asks(Replace(v(2), "{}"));
    let expires = renewed.written.unwrap().expires();
    assert_eq!(expires, at(20 + 7 * 24 * 60));
}

#[test]
fn a_write_of_a_remembered_session_sends_the_cookie_if_a_touch_were_due() {
    const DAY: u64 = 24 * 60;
    let remembered = with_body(&record(v(1), "{}"), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * DAY);
    });
    let remembered = remembered.with_expires_at(at(7 * DAY).into());
    for (minute, cookie) in [(1, None), (DAY, Some(Set))] {
        let scenario = Scenario::new().at(minute).loaded(remembered.clone());
        scenario
            .set("a", "1")
            .commits()
            .asks(Replace(v(1), r#"{"a":1}"#))
            .answers(IsStored(v(2)))
            .tells(Told::Replaced)
            .settles(v(2), cookie);
    }
}

#[test]
fn a_conflict_replays_on_what_was_loaded() {
    replaces()
        .conflicts(1, newer())
        .asks(Replace(v(2), r#"{"n":11}"#))
        .conflicts(2, record(v(3), r#"{"n":20}"#))
        .asks(Replace(v(3), r#"{"n":21}"#))
        .answers(IsStored(v(4)))
        .tells(Told::Replaced)
        .settles(v(4), None)
        .sees(r#"{"n":21}"#);
}

#[test]
fn what_another_request_has_set_too_is_set_again_once_it_is_changed() {
    Scenario::new()
        .loaded(record(v(1), "{}"))
        .set("a", "1")
        .set("b", "2")
        .commits()
        .asks(Replace(v(1), r#"{"a":1,"b":2}"#))
        .conflicts(1, record(v(2), r#"{"a":1}"#))
        .asks(Replace(v(2), r#"{"a":1,"b":2}"#))
        .conflicts(2, record(v(3), r#"{"a":9}"#))
        .asks(Replace(v(3), r#"{"a":1,"b":2}"#));
}

#[test]
fn what_another_request_has_set_too_is_not_written() {
    Scenario::new()
        .loaded(record(v(1), "{}"))
        .set("a", "1")
        .commits()
        .asks(Replace(v(1), r#"{"a":1}"#))
        .conflicts(1, record(v(2), r#"{"a":1}"#))
        .settles(v(2), None)
        .has_nothing_pending();
}

#[test]
fn a_conflict_replays_on_what_the_commit_before_left() {
    replaces()
        .answers(Conflict)
        .waits(1)
        .waited(newer())
        .tells(Told::Replayed)
        .asks(Replace(v(2), r#"{"n":11}"#));
}

#[test]
fn an_immediate_store_is_asked_again_at_once_eight_times() {
    let scenario = Scenario::new().immediate().loaded(record(v(1), "{}"));
    let scenario = scenario.set("a", "1").commits();
    (1..=8)
        .fold(scenario, |scenario, version| {
            scenario
                .asks(Replace(v(version), r#"{"a":1}"#))
                .answers(Conflict)
                .asks(Load)
                .loads(record(v(version + 1), "{}"))
                .tells(Told::Replayed)
        })
        .asks(Replace(v(9), r#"{"a":1}"#))
        .answers(Conflict)
        .waits(9);
}

#[test]
fn a_conflict_with_the_commit_itself_is_none() {
    replaces()
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .loads_own(1)
        .tells(Told::Replaced)
        .settles(v(3), None)
        .has_nothing_pending();
}

#[test]
fn a_replay_that_fails_gives_nothing_up() {
    replaces()
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .loads(record(v(2), r#"{"n":"x"}"#))
        .tells(Told::Replayed)
        .fails(Error::is_decode)
        .sees(r#"{"n":2}"#);
}

#[test]
fn conflicts_that_use_up_the_time_are_an_error() {
    replaces()
        .answers(Conflict)
        .waits(1)
        .runs_out_of_time()
        .asks(Verify(Own))
        .loads(newer())
        .fails(Error::is_conflict);
}

#[test]
fn a_commit_that_was_done_before_the_time_was_used_up_is_done() {
    replaces()
        .answers(Conflict)
        .waits(1)
        .runs_out_of_time()
        .asks(Verify(Own))
        .loads_own(0)
        .tells(Told::Replaced)
        .settles(v(2), None);
}

#[test]
fn what_the_store_has_refused_is_not_in_doubt_when_the_time_is_used_up() {
    replaces()
        .answers(Conflict)
        .waits(1)
        .runs_out_of_time()
        .asks(Verify(Own))
        .answers(Fails)
        .fails(Error::is_conflict);
}

#[test]
fn a_session_that_ended_takes_the_changes_along() {
    replaces().answers(IsGone).discards().has_nothing_pending();
}

#[test]
fn a_session_that_expired_meanwhile_is_an_error() {
    replaces().at(31).answers(IsGone).fails(Error::is_gone);
}

#[test]
fn a_session_that_expired_meanwhile_is_kept_by_its_change() {
    replaces()
        .at(31)
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), None);
}

#[test]
fn a_conflict_after_the_session_expired_is_in_time_all_the_same() {
    replaces()
        .at(31)
        .conflicts(1, newer())
        .asks(Replace(v(2), r#"{"n":11}"#));
}

#[test]
fn a_session_that_moved_takes_the_changes_along() {
    let loads = replaces()
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load);
    loads.at(31).loads(tombstone(v(2))).discards();
}

#[test]
fn a_label_is_stored_once() {
    let scenario = Scenario::new().loaded(record(v(1), "{}"));
    let stored = scenario
        .change(|state| state.set_label("desk".into()))
        .commits()
        .asks(Replace(v(1), "{}"))
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), None);
    assert_eq!(stored.written.as_ref().unwrap().label(), Some("desk"));
    stored.has_nothing_pending();
}

#[test]
fn a_label_that_comes_while_another_is_stored_is_stored_after_it() {
    let scenario = Scenario::new().loaded(record(v(1), "{}"));
    let stored = scenario
        .change(|state| state.set_label("desk".into()))
        .commits()
        .asks(Replace(v(1), "{}"))
        .change(|state| state.set_label("phone".into()))
        .answers(IsStored(v(2)))
        .tells(Told::Replaced)
        .settles(v(2), None)
        .commits()
        .asks(Replace(v(2), "{}"));
    assert_eq!(stored.written.unwrap().label(), Some("phone"));
}
