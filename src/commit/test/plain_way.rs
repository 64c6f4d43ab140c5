//! The way of most commits over a store that answers at once: a [`Write`], and no unit of work.

use super::scenario::*;
use crate::{
    commit::{Answer, Call, Commit, Done, Next, Plan, Policy, SessionState, Write},
    expiry::Expiry,
    record::{Record, Version},
    store::{Created, Replaced},
    time::Timestamp,
};

fn policy() -> Policy {
    Policy {
        expiry: Expiry::default(),
        is_immediate: true,
    }
}

fn set(state: &mut SessionState) {
    let put = crate::change::Op::Put(b"2".to_vec());
    state.draft().apply("b", put).expect("it fits");
}

/// A state for each write, and what is planned for it.
fn states() -> [(SessionState, Plan); 3] {
    let live = || Scenario::new().loaded(record(v(1), r#"{"a":1}"#));
    [
        (Scenario::new().change(set), Plan::Create),
        (live().change(set), Plan::Replace),
        (live().change(set).regenerate(), Plan::Move),
    ]
    .map(|(scenario, plan)| {
        let mut taken = SessionState::new(0);
        scenario.change(|state| std::mem::swap(state, &mut taken));
        assert_eq!(taken.plan(|| at(1), &policy().expiry), plan);
        (taken, plan)
    })
}

/// What a call wants stored: the version that it replaces, and the record.
fn asked(call: Call<'_>) -> (Option<Version>, String, Timestamp) {
    let (expected, record): (_, &Record) = match call {
        Call::Create(_, record) => (None, record),
        Call::Replace(_, expected, record) => (Some(expected), record),
        Call::Regenerate {
            expected, record, ..
        } => (Some(expected), record),
        _ => panic!("it asks for no write"),
    };
    (expected, record.to_json(), record.expires())
}

fn is_stored(plan: Plan) -> Answer {
    match plan {
        Plan::Create => Answer::Created(Created::Created),
        _ => Answer::Replaced(Replaced::Stored(v(2))),
    }
}

#[test]
fn it_leads_where_a_unit_of_work_does() {
    let policy = policy();
    for (mut state, plan) in states() {
        let write = Write::begin(&state, plan, at(1), &policy).expect("one write");
        let mut commit = Commit::new(state.take());
        let Next::Ask(call) = commit.next(at(1), false, &policy) else {
            panic!("{plan:?} asks for nothing");
        };
        assert_eq!(
            std::mem::discriminant(&write.call()),
            std::mem::discriminant(&call)
        );
        assert_eq!(asked(write.call()), asked(call), "{plan:?}");
        commit.answered(Ok(is_stored(plan)), at(1), &policy);
        let Next::Done(Done::Settled(settled)) = commit.next(at(1), false, &policy) else {
            panic!("{plan:?} is not settled");
        };
        let Ok(written) = write.answered(Ok(is_stored(plan))) else {
            panic!("{plan:?} is not stored");
        };
        let stored = settled.base.live().expect("it lives");
        assert_eq!(
            written.stored.record.version(),
            stored.record.version(),
            "{plan:?}"
        );
        assert_eq!(written.cookie, settled.cookie, "{plan:?}");
    }
}

/// There a unit of work has to say what is refused.
#[test]
fn it_is_closed_once_the_headers_are_sent() {
    for (mut state, plan) in states() {
        state.mark_headers_sent();
        let write = Write::begin(&state, plan, at(1), &policy());
        assert!(write.is_none(), "{plan:?}");
    }
}
