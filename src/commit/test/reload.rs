use super::scenario::*;
use crate::{
    Record,
    commit::{
        Base,
        CookieAction::{Remove, Set},
        SessionState,
    },
};

fn remembered() -> Record {
    with_body(&record(v(1), r#"{"a":1}"#), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * 24 * 60);
    })
}

/// A look at a remembered session, up to its touch.
fn touches() -> Scenario {
    touches_after(|_| {})
}

fn touches_after(change: fn(&mut SessionState)) -> Scenario {
    let scenario = Scenario::new().at(5).loaded(remembered()).change(change);
    scenario
        .reloads()
        .asks(Load)
        .loads(remembered())
        .asks(Touch(5 + 7 * 24 * 60))
}

#[test]
fn a_look_shows_the_newest_record_below_what_is_pending() {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"n":1}"#));
    scenario
        .count("n")
        .reloads()
        .asks(Load)
        .loads(record(v(2), r#"{"n":10}"#))
        .ends_reloaded(None)
        .sees(r#"{"n":11}"#)
        .commits()
        .asks(Replace(v(2), r#"{"n":11}"#));
}

#[test]
fn a_look_that_keeps_a_remembered_session_alive_sends_its_cookie() {
    touches().answers(IsTouched(true)).ends_reloaded(Some(Set));
}

#[test]
fn it_sends_none_once_the_headers_are_sent() {
    touches_after(SessionState::mark_headers_sent)
        .answers(IsTouched(true))
        .ends_reloaded(None);
    touches()
        .change(SessionState::mark_headers_sent)
        .answers(IsTouched(true))
        .ends_reloaded(None);
}

#[test]
fn what_is_cleared_meanwhile_stays_so() {
    touches()
        .clear()
        .answers(IsTouched(true))
        .ends_reloaded(Some(Remove))
        .commits()
        .asks(Delete(Own))
        .answers(IsDeleted(true))
        .tells(Told::Ended(Own))
        .settles_without(Some(Remove));
}

#[test]
fn what_is_set_after_a_clear_meanwhile_stays_pending() {
    let scenario = Scenario::new().loaded(record(v(1), r#"{"a":1}"#));
    scenario
        .reloads()
        .asks(Load)
        .clear()
        .set("b", "2")
        .loads(None)
        .ends_reloaded(Some(Remove))
        .sees(r#"{"b":2}"#)
        .change(|state| assert!(matches!(state.base, Base::New)));
}
