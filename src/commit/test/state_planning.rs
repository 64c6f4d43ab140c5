// Over 250 lines: the scenarios of one state.

use std::time::Duration;

use super::scenario::*;
use crate::{
    change::Op,
    commit::{Base, Call, Commit, CookieAction, Found, Next, Plan, Policy, SessionState, Stored},
    expiry::Expiry,
    id::SessionId,
    record::Record,
};

fn found(record: Record) -> Found {
    let id = SessionId::random();
    let handle = id.handle();
    let mut found = Found::default();
    found.live(Stored { id, handle, record }, at(1));
    found
}

fn live(record: Record) -> SessionState {
    SessionState::of(&found(record), 1_000)
}

fn gone() -> SessionState {
    let mut state = SessionState::new(1_000);
    state.base = Base::Gone;
    state
}

fn set(state: &mut SessionState, key: &str, json: &str) {
    state.draft().apply(key, Op::Put(json.into())).unwrap();
}

fn plan(state: &SessionState, minute: u64) -> Plan {
    state.plan(|| at(minute), &Expiry::default())
}

#[test]
fn plans() {
    type Case = (&'static str, fn(&mut SessionState), [Plan; 3]);
    use Plan::{Create, Discard, Move, Nothing, Replace};
    // What is to be done for a new visitor, a live session, and one that is gone.
    let table: [Case; 10] = [
        ("nothing", |_| {}, [Nothing, Nothing, Nothing]),
        (
            "a value",
            |state| set(state, "b", "2"),
            [Create, Replace, Discard],
        ),
        (
            "a value set and removed",
            |state| {
                set(state, "b", "2");
                state.draft().delete("b");
            },
            [Nothing, Nothing, Nothing],
        ),
        (
            "a new id",
            SessionState::regenerate,
            [Nothing, Move, Discard],
        ),
        (
            "a new id and a value",
            |state| {
                state.regenerate();
                set(state, "b", "2");
            },
            [Create, Move, Discard],
        ),
        (
            "a login",
            |state| state.log_in("alice".into(), None, at(1)),
            [Create, Move, Create],
        ),
        (
            "a longer life",
            |state| state.remember(WEEK),
            [Nothing, Replace, Discard],
        ),
        (
            "a value and a longer life",
            |state| {
                set(state, "b", "2");
                state.remember(WEEK);
            },
            [Create, Replace, Discard],
        ),
        (
            "no longer remembered",
            |state| state.remember(Duration::ZERO),
            [Nothing, Replace, Discard],
        ),
        (
            "changes that are rolled back",
            |state| {
                set(state, "b", "2");
                state.log_in("alice".into(), None, at(1));
                state.roll_back();
            },
            [Nothing, Nothing, Nothing],
        ),
    ];
    for (what, change, expected) in table {
        let states = [
            SessionState::new(1_000),
            live(record(v(1), r#"{"a":1}"#)),
            gone(),
        ];
        let plans = states.map(|mut state| {
            change(&mut state);
            plan(&state, 1)
        });
        assert_eq!(plans, expected, "{what}");
    }
}

#[test]
fn a_clear_takes_all_that_came_before_it_along() {
    for (later, expected) in [
        ((|_| {}) as fn(&mut SessionState), [Plan::Nothing; 2]),
        (|state| set(state, "b", "2"), [Plan::Create, Plan::Discard]),
        (
            |state| state.log_in("alice".into(), None, at(1)),
            [Plan::Create; 2],
        ),
    ] {
        let plans = [SessionState::new(1_000), gone()].map(|mut state| {
            set(&mut state, "c", "3");
            state.log_in("bob".into(), None, at(1));
            state.remember(WEEK);
            state.clear(true, Vec::new());
            later(&mut state);
            plan(&state, 1)
        });
        assert_eq!(plans, expected);
    }
}

#[test]
fn what_is_done_to_a_session_that_has_moved_is_discarded() {
    let moved = Scenario::new().found(Found::moved);
    let commit = moved.set("a", "1").commits();
    commit.discards().has_nothing_pending();
}

/// Though its record is to count from a later time.
#[test]
fn what_is_planned_already_is_not_planned_again() {
    let mut state = live(record(v(1), "{}"));
    let planned = plan(&state, 5);
    let mut commit = Commit::new(state.take());
    let policy = Policy {
        expiry: Expiry::default(),
        is_immediate: true,
    };
    commit.planned(planned, at(6), &policy);
    let Next::Ask(Call::Touch(_, until)) = commit.next(at(6), false, &policy) else {
        panic!("it does not touch");
    };
    assert_eq!(until, at(35));
}

#[test]
fn a_clear_ends_first_and_survives_a_failure() {
    let mut state = live(record(v(1), "{}"));
    let handle = state.base.live().unwrap().handle;
    state.clear(true, Vec::new());
    set(&mut state, "b", "2");
    assert_eq!(plan(&state, 1), Plan::End(handle));
    state.roll_back();
    assert_eq!(plan(&state, 1), Plan::End(handle));
    assert_eq!(state.cookie, Some(CookieAction::Remove));
}

#[test]
fn only_a_cookie_that_was_sent_is_removed() {
    for (mut state, presented, cookie) in [
        (SessionState::new(1_000), false, None),
        (SessionState::new(1_000), true, Some(CookieAction::Remove)),
        (gone(), true, None),
    ] {
        state.clear(presented, Vec::new());
        assert_eq!(state.cookie, cookie);
    }
}

#[test]
fn a_touch_is_due_after_a_tenth_of_the_idle_timeout() {
    for (minute, expected) in [
        (2, Plan::Nothing),
        (3, Plan::Touch(at(33))),
        (29, Plan::Touch(at(59))),
        (30, Plan::Nothing),
    ] {
        assert_eq!(plan(&live(record(v(1), "{}")), minute), expected);
    }
}

#[test]
fn a_request_that_is_no_use_touches_nothing() {
    let mut state = live(record(v(1), "{}"));
    state.skip_touch();
    assert_eq!(plan(&state, 5), Plan::Nothing);
}

#[test]
fn a_cookie_is_sent_again_if_it_is_outdated_or_lasts_longer() {
    let mut outdated = live(record(v(1), "{}"));
    outdated.outdated = true;
    assert_eq!(plan(&outdated, 1), Plan::Reissue);
    set(&mut outdated, "b", "2");
    assert_eq!(plan(&outdated, 1), Plan::Replace);
    let remembered = with_body(&record(v(1), "{}"), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * 24 * 60);
    });
    assert_eq!(plan(&live(remembered), 5), Plan::Reissue);
}

#[test]
fn a_request_that_only_read_is_planned_without_a_state() {
    let remembered = with_body(&record(v(1), "{}"), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * 24 * 60);
    });
    let [live, cached, outdated, moved] = [(); 4].map(|()| found(record(v(1), "{}")));
    let mut all = [
        Found::default(),
        live,
        found(remembered),
        cached,
        outdated,
        moved,
    ];
    all[3].cached();
    all[4].outdated();
    all[5].moved();
    for (index, found) in all.iter().enumerate() {
        let expiry = Expiry::default();
        let plans = [1, 5, 29, 31].map(|minute| found.plan(|| at(minute), &expiry));
        let state = SessionState::of(found, 1_000);
        assert_eq!(
            plans,
            [1, 5, 29, 31].map(|minute| plan(&state, minute)),
            "{index}"
        );
    }
}

#[test]
fn a_handle_that_outlived_its_request_does_not_trust_its_snapshot() {
    use Plan::{Create, Move, Nothing, Refresh, Replace};
    type Case = (fn(&mut SessionState), [Plan; 2]);
    // While the snapshot lives, and after.
    let table: [Case; 5] = [
        (|_| {}, [Nothing, Nothing]),
        (|state| set(state, "a", "1"), [Refresh, Refresh]),
        (|state| set(state, "a", "2"), [Replace, Refresh]),
        (|state| state.remember(WEEK), [Replace, Refresh]),
        (SessionState::regenerate, [Move, Refresh]),
    ];
    for (change, expected) in table {
        let plans = [1, 31].map(|minute| {
            let mut state = live(record(v(1), r#"{"a":1}"#));
            state.mark_headers_sent();
            change(&mut state);
            plan(&state, minute)
        });
        assert_eq!(plans, expected);
    }
    let mut state = SessionState::new(1_000);
    state.mark_headers_sent();
    set(&mut state, "a", "1");
    assert_eq!(plan(&state, 1), Create, "which is refused");
}

#[test]
fn what_a_cache_may_have_old_is_looked_at_before_a_write_is_left_out() {
    use Plan::{Move, Nothing, Refresh, Replace};
    type Case = (fn(&mut SessionState), Plan);
    let table: [Case; 5] = [
        (|_| {}, Nothing),
        (|state| set(state, "a", "1"), Refresh),
        (|state| assert!(!state.draft().delete("b")), Refresh),
        (|state| set(state, "a", "2"), Replace),
        (SessionState::regenerate, Move),
    ];
    for (change, expected) in table {
        let mut found = found(record(v(1), r#"{"a":1}"#));
        found.cached();
        let mut state = SessionState::of(&found, 1_000);
        change(&mut state);
        assert_eq!(plan(&state, 1), expected);
    }
}

/// What is stored at minute 20 of a session that began at 0.
fn stored(record: Record, change: fn(&mut SessionState)) -> Record {
    let scenario = Scenario::new().at(20).loaded(record).change(change);
    scenario.commits().writes()
}

fn of_alice() -> Record {
    with_body(&record(v(1), r#"{"a":1}"#), |body| {
        body.user = Some("alice".into());
        body.authenticated_at = Some(at(0));
    })
}

fn remembered() -> Record {
    let record = with_body(&of_alice(), |body| {
        body.remember = Some(WEEK);
        body.deadline = at(400 * DAY);
    });
    record.with_expires_at(at(7 * DAY).into())
}

const DAY: u64 = 24 * 60;

#[test]
fn the_absolute_deadline_moves_with_a_login_only() {
    let deadline = |change| stored(of_alice(), change).body().deadline;
    assert_eq!(deadline(|state| set(state, "b", "2")), at(720));
    assert_eq!(deadline(SessionState::regenerate), at(720));
    let log_in = |state: &mut SessionState| state.log_in("alice".into(), None, at(20));
    assert_eq!(deadline(log_in), at(20 + 720));
    assert_eq!(deadline(|state| state.remember(WEEK)), at(400 * DAY));
    assert_eq!(deadline(|state| state.remember(Duration::ZERO)), at(720));
}

#[test]
fn a_write_keeps_the_session_alive_unless_it_is_no_use() {
    let expires = |change| stored(record(v(1), "{}"), change).expires();
    assert_eq!(expires(|state| set(state, "b", "2")), at(50));
    let unused = |state: &mut SessionState| {
        state.skip_touch();
        set(state, "b", "2");
    };
    assert_eq!(expires(unused), at(30));
    let logs_in = |state: &mut SessionState| {
        state.skip_touch();
        state.log_in("alice".into(), None, at(20));
    };
    assert_eq!(expires(logs_in), at(50), "a login is one in any case");
}

#[test]
fn a_remembered_session_slides() {
    let expires = |change| stored(remembered(), change).expires();
    assert_eq!(expires(|state| set(state, "b", "2")), at(20 + 7 * DAY));
    assert_eq!(expires(|state| state.remember(2 * WEEK)), at(20 + 14 * DAY));
    let forgotten = stored(remembered(), |state| state.remember(Duration::ZERO));
    assert_eq!(forgotten.expires(), at(50));
    assert_eq!(forgotten.body().deadline, at(20 + 720));
    assert_eq!(forgotten.body().remember, None);
}

#[test]
fn a_session_is_remembered_from_its_login_and_up_to_the_limit() {
    let stored = stored(of_alice(), |state| state.remember(100 * WEEK));
    assert_eq!(stored.expires(), at(400 * DAY));
}

#[test]
fn another_user_starts_empty_and_the_same_one_does_not() {
    for (user, data) in [("alice", r#"{"a":1,"b":2,"c":3}"#), ("bob", r#"{"c":3}"#)] {
        let scenario = Scenario::new().loaded(of_alice()).set("b", "2");
        let scenario = scenario.log_in(user).set("c", "3").sees(data);
        let scenario = scenario.commits().asks(Move(v(1), New(0), data));
        assert_eq!(scenario.written.as_ref().unwrap().user(), Some(user));
        let newer = of_alice().with_version(v(2));
        let again = scenario.conflicts(1, newer);
        let again = again.asks(Move(v(2), New(0), data));
        assert_eq!(again.written.as_ref().unwrap().user(), Some(user));
    }
}
