use super::scenario::*;
use crate::{
    Error,
    commit::{Base, CookieAction::Set, SessionState},
};

/// The handle outlived its request, and sets what its snapshot holds already.
fn sets_again() -> Scenario {
    sets_again_after(|_| {})
}

fn sets_again_after(change: fn(&mut SessionState)) -> Scenario {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"a":1}"#));
    let scenario = scenario.headers_sent().change(change);
    let scenario = scenario.change(SessionState::mark_headers_sent);
    scenario.set("a", "1").commits()
}

#[test]
fn what_is_there_already_is_not_written_again() {
    sets_again()
        .asks(Load)
        .loads(record(v(1), r#"{"a":1}"#))
        .settles(v(1), None)
        .has_nothing_pending();
}

#[test]
fn it_is_a_use_of_the_session_all_the_same() {
    sets_again()
        .at(5)
        .asks(Load)
        .loads(record(v(1), r#"{"a":1}"#))
        .asks(Touch(35))
        .answers(IsTouched(true))
        .settles(v(1), None);
}

#[test]
fn it_is_none_if_the_request_is_none() {
    sets_again_after(SessionState::skip_touch)
        .at(5)
        .asks(Load)
        .loads(record(v(1), r#"{"a":1}"#))
        .settles(v(1), None);
}

#[test]
fn what_another_request_changed_is_written() {
    sets_again()
        .asks(Load)
        .loads(record(v(2), r#"{"a":2}"#))
        .asks(Replace(v(2), r#"{"a":1}"#))
        .answers(IsStored(v(3)))
        .tells(Told::Replaced)
        .settles(v(3), None);
}

#[test]
fn a_session_that_ended_takes_it_along() {
    for ended in [None, Some(tombstone(v(2)))] {
        sets_again().asks(Load).loads(ended).discards();
    }
}

#[test]
fn a_session_that_expired_takes_it_along() {
    let scenario = sets_again().at(31).asks(Load);
    scenario.loads(record(v(1), r#"{"a":1}"#)).discards();
}

/// It was alive when it was looked at: a change may not be dropped as settled because it expired since.
#[test]
fn a_session_that_expires_just_then_has_it_stored() {
    let loaded = sets_again().at(29).asks(Load);
    let loaded = loaded.loads(record(v(2), r#"{"a":2}"#));
    loaded.at(30).asks(Replace(v(2), r#"{"a":1}"#));
}

#[test]
fn a_load_that_fails_leaves_it_pending() {
    sets_again()
        .asks(Load)
        .answers(Fails)
        .fails(is_plain_store_error)
        .sees(r#"{"a":1}"#)
        .commits()
        .asks(Load)
        .loads(record(v(2), "{}"))
        .asks(Replace(v(2), r#"{"a":1}"#));
}

#[test]
fn what_came_during_a_commit_that_could_not_replay_it_is_replayed_first() {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    let scenario = scenario.change(|state| {
        let unit = state.begin(false);
        count(state, "n");
        let mut base = state.base.clone();
        if let Base::Live(stored) = &mut base {
            stored.record = record(v(2), r#"{"n":10}"#);
        }
        state.ack_without_replay(&unit, base, None);
    });
    scenario
        .commits()
        .asks(Load)
        .loads(record(v(2), r#"{"n":10}"#))
        .asks(Replace(v(2), r#"{"n":11}"#));
}

/// The cookie is signed by a previous key.
fn reissues() -> Scenario {
    reissues_after(|_| {})
}

fn reissues_after(change: fn(&mut SessionState)) -> Scenario {
    let scenario = Scenario::new().loaded(record(v(1), "{}")).change(change);
    let scenario = scenario.change(|state| state.outdated = true);
    scenario.commits().asks(Load)
}

#[test]
fn an_outdated_cookie_is_sent_again() {
    reissues()
        .loads(record(v(2), "{}"))
        .settles(v(2), Some(Set));
}

#[test]
fn an_outdated_cookie_is_sent_again_and_the_session_touched() {
    reissues()
        .at(5)
        .loads(record(v(2), "{}"))
        .asks(Touch(35))
        .answers(IsTouched(true))
        .settles(v(2), Some(Set));
}

#[test]
fn an_outdated_cookie_is_sent_again_by_a_request_that_is_no_use() {
    reissues_after(SessionState::skip_touch)
        .at(5)
        .loads(record(v(2), "{}"))
        .settles(v(2), Some(Set));
}

#[test]
fn an_outdated_cookie_of_a_session_that_ended_is_not() {
    reissues().loads(None).settles_as_gone();
    reissues().at(31).loads(None).settles_as_gone();
    reissues().loads(tombstone(v(2))).settles_as_gone();
}

#[test]
fn an_outdated_cookie_stays_if_the_load_fails() {
    reissues()
        .answers(Fails)
        .tells(Told::TouchFailed)
        .settles(v(1), None);
}

#[test]
fn a_load_that_fails_after_a_conflict_leaves_the_changes_pending() {
    Scenario::new()
        .loaded(record(v(1), "{}"))
        .set("a", "1")
        .commits()
        .asks(Replace(v(1), r#"{"a":1}"#))
        .answers(Conflict)
        .waits(1)
        .waited(None)
        .asks(Load)
        .answers(Fails)
        .fails(Error::is_store)
        .sees(r#"{"a":1}"#);
}

#[test]
fn a_new_id_is_refused_also_where_the_session_expires_just_then() {
    let used = record(v(1), r#"{"a":1}"#).with_expires_at(at(45).into());
    let loaded = sets_again_after(SessionState::regenerate).at(40).asks(Load);
    loaded.loads(used).at(45).fails(Error::is_headers_sent);
}
