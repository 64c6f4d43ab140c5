use super::scenario::*;
use crate::commit::{CookieAction::Set, SessionState};

fn used(record: crate::Record) -> Scenario {
    Scenario::new().at(5).loaded(record).commits()
}

#[test]
fn a_use_keeps_the_session_alive() {
    used(record(v(1), "{}"))
        .asks(Touch(35))
        .answers(IsTouched(true))
        .settles(v(1), None)
        .at(6)
        .commits()
        .settles(v(1), None);
}

#[test]
fn a_session_that_ended_is_not_kept_alive() {
    used(record(v(1), "{}"))
        .asks(Touch(35))
        .answers(IsTouched(false))
        .settles(v(1), None);
}

#[test]
fn a_touch_that_fails_fails_no_commit() {
    used(record(v(1), "{}"))
        .asks(Touch(35))
        .answers(Fails)
        .tells(Told::TouchFailed)
        .settles(v(1), None);
}

#[test]
fn a_look_that_is_no_use_touches_nothing() {
    let scenario = Scenario::new().at(5).loaded(record(v(1), "{}"));
    scenario
        .change(SessionState::skip_touch)
        .commits()
        .settles(v(1), None);
}

/// A use of a remembered session, up to its touch.
fn remembered() -> Scenario {
    let remembered = with_body(&record(v(1), "{}"), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * 24 * 60);
    });
    used(remembered.clone())
        .asks(Load)
        .loads(remembered)
        .asks(Touch(5 + 7 * 24 * 60))
}

#[test]
fn a_remembered_sessions_cookie_is_sent_with_the_touch() {
    remembered()
        .answers(IsTouched(true))
        .settles(v(1), Some(Set));
}

#[test]
fn the_cookie_of_a_session_that_ended_or_moved_before_its_touch_is_not_sent() {
    remembered().answers(IsTouched(false)).settles(v(1), None);
}

/// Whether it has moved is not known either.
#[test]
fn the_cookie_of_a_session_whose_touch_failed_is_not_sent() {
    remembered()
        .answers(Fails)
        .tells(Told::TouchFailed)
        .settles(v(1), None);
}

#[test]
fn a_session_that_expired_meanwhile_is_not_kept_alive() {
    let scenario = Scenario::new().loaded(record(v(1), "{}"));
    scenario.at(31).commits().settles(v(1), None);
}
