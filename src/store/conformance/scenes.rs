//! Calls that can meet, on a session of a user's.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    model::{Answer, Call, Model},
    samples::{HOUR, Kept, MINUTE, SECOND, handle, record, tombstone, user},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::SessionStore,
};

/// A session that calls meet on, and whom they are about. Every meeting has a scene of its own.
#[derive(Debug)]
pub(super) struct Scene {
    now: SystemTime,
    /// The session, which is Alice's.
    session: Handle,
    /// Where it may move to.
    new: Handle,
    newer: Handle,
    alice: String,
    bob: String,
    end: SystemTime,
}

/// A call by its name.
pub(super) type Part = (&'static str, fn(&Scene) -> Call);

/// Calls that meet on a session that lives.
pub(super) const PARTS: [Part; 17] = [
    ("create", |s| Call::Create(s.new, s.alices(2))),
    ("load", |s| Call::Load(s.session)),
    ("load of the new id", |s| Call::Load(s.new)),
    ("replace", |s| s.replace(s.alices(3))),
    ("replace that ends later", |s| {
        s.replace(s.alices(4).with_expires_at(s.end + 4 * HOUR))
    }),
    ("replace that gives it to another user", |s| {
        s.replace(record(s.now, Some(&s.bob), r#"{"n":5}"#))
    }),
    ("replace that takes it from its user", |s| {
        s.replace(record(s.now, None, r#"{"n":6}"#))
    }),
    ("touch", |s| Call::Touch(s.session, s.end + HOUR)),
    ("touch to a later end", |s| {
        Call::Touch(s.session, s.end + 2 * HOUR)
    }),
    ("delete", |s| Call::Delete(s.session)),
    ("regenerate", |s| s.regenerate(s.new, s.alices(7))),
    ("regenerate to another id", |s| {
        s.regenerate(s.newer, s.alices(8))
    }),
    ("regenerate that gives it to another user", |s| {
        s.regenerate(s.newer, record(s.now, Some(&s.bob), r#"{"n":9}"#))
    }),
    ("list", |s| Call::List(s.alice.clone())),
    ("list of another user", |s| Call::List(s.bob.clone())),
    ("delete_user", |s| Call::DeleteUser(s.alice.clone(), None)),
    ("delete_user except the session", |s| {
        Call::DeleteUser(s.alice.clone(), Some(s.session))
    }),
];

/// What meets a sweep, on a session that has just expired.
pub(super) const SWEEP: Part = ("delete_expired", |s| {
    Call::DeleteExpired(s.now - 30 * SECOND)
});

impl Scene {
    pub(super) async fn begin<S: SessionStore>(store: &Subject<S>, is_expired: bool) -> Self {
        let now = store.now();
        let scene = Self {
            now,
            session: handle(),
            new: handle(),
            newer: handle(),
            alice: user(),
            bob: user(),
            end: if is_expired { now - MINUTE } else { now + HOUR },
        };
        store.create(scene.session, &scene.first()).await;
        scene
    }

    fn first(&self) -> Record {
        self.alices(1).with_expires_at(self.end)
    }

    fn alices(&self, n: u32) -> Record {
        record(self.now, Some(&self.alice), &format!(r#"{{"n":{n}}}"#))
    }

    fn replace(&self, record: Record) -> Call {
        Call::Replace(self.session, Version::FIRST, record)
    }

    fn regenerate(&self, new: Handle, record: Record) -> Call {
        Call::Regenerate(
            self.session,
            Version::FIRST,
            tombstone(self.now),
            new,
            record,
        )
    }

    /// What comes of calls one after the other.
    pub(super) fn plays<const N: usize>(&self, calls: [&Call; N]) -> ([Answer; N], State) {
        let mut model = Model::default();
        model.ask(&Call::Create(self.session, self.first()));
        let answers = calls.map(|call| model.ask(call));
        (answers, self.state_of(|call| model.ask(call)))
    }

    /// What is left of an attempt to move the session that was given up half-way, which the contract allows.
    pub(super) fn with_copy(&self, call: &Call) -> Option<State> {
        let Call::Regenerate(.., new, record) = call else {
            return None;
        };
        let copy = Call::Create(*new, record.clone());
        Some(self.plays([&copy]).1)
    }

    pub(super) async fn state<S: SessionStore>(&self, store: &Subject<S>) -> State {
        let mut answers = Vec::new();
        for look in self.looks() {
            answers.push(look.ask(store).await);
        }
        State::new(answers)
    }

    fn state_of(&self, mut ask: impl FnMut(&Call) -> Answer) -> State {
        let answers = self.looks().iter().map(&mut ask).collect();
        State::new(answers)
    }

    fn handles(&self) -> [Handle; 3] {
        [self.session, self.new, self.newer]
    }

    fn looks(&self) -> Vec<Call> {
        let loads = self.handles().map(Call::Load).into_iter();
        let lists = [&self.alice, &self.bob].map(|user| Call::List(user.clone()));
        loads.chain(lists).collect()
    }

    /// That what a dropped call used is fit for the next.
    pub(super) async fn goes_on<S: SessionStore>(&self, store: &Subject<S>) {
        let calls = PARTS.iter().map(|(_, call)| call(self));
        for call in calls.chain([Call::Load(self.newer), Call::Delete(self.newer)]) {
            call.ask(store).await;
        }
        let other = store.insert(&self.alices(1)).await;
        store.delete(other).await;
    }
}

/// All that can be seen of a scene.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    session: Option<Kept>,
    new: Option<Kept>,
    newer: Option<Kept>,
    alices: BTreeMap<Handle, Kept>,
    bobs: BTreeMap<Handle, Kept>,
}

impl State {
    fn new(answers: Vec<Answer>) -> Self {
        let mut loads = Vec::new();
        let mut lists = Vec::new();
        for answer in answers {
            match answer {
                Answer::Loaded(record) => loads.push(record),
                Answer::Listed(records) => lists.push(records),
                other => unreachable!("a look is answered by {other:?}"),
            }
        }
        let [session, new, newer] = loads.try_into().expect("three loads");
        let [alices, bobs] = lists.try_into().expect("two lists");
        Self {
            session,
            new,
            newer,
            alices,
            bobs,
        }
    }
}
