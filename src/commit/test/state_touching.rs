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

#[test]
fn a_remembered_sessions_cookie_is_sent_with_the_touch() {
    let remembered = with_body(&record(v(1), "{}"), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * 24 * 60);
    });
    let until = 5 + 7 * 24 * 60;
    for (reply, event) in [(IsTouched(true), None), (Fails, Some(Told::TouchFailed))] {
        let touched = used(remembered.clone())
            .asks(Load)
            .loads(remembered.clone())
            .asks(Touch(until))
            .answers(reply);
        let touched = match event {
            Some(event) => touched.tells(event),
            None => touched,
        };
        touched.settles(v(1), Some(Set));
    }
}

#[test]
fn the_cookie_of_a_session_that_ended_before_its_touch_is_not_sent() {
    let remembered = with_body(&record(v(1), "{}"), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * 24 * 60);
    });
    used(remembered.clone())
        .asks(Load)
        .loads(remembered)
        .asks(Touch(5 + 7 * 24 * 60))
        .answers(IsTouched(false))
        .settles(v(1), None);
}
