use super::{
    base::{Base, Stored},
    machine::{Answer, Call, Commit, Event, Policy, State},
    state::CookieAction,
    unit::Attempt,
};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::Replaced,
    time::Timestamp,
};

/// A session is moving to a new id, and leaves a tombstone under the old one.
#[derive(Debug)]
pub(super) struct Moving {
    old: Handle,
    expected: Version,
    tombstone: Record,
    new: Stored,
}

impl Moving {
    pub(super) fn call(&self) -> Call {
        Call::Regenerate {
            old: self.old,
            expected: self.expected,
            tombstone: self.tombstone.clone(),
            new: self.new.handle,
            record: self.new.record.clone(),
        }
    }
}

impl Commit {
    pub(super) fn move_to_new_id(&mut self, now: Timestamp, policy: &Policy) -> State {
        let record = match self.record(now, policy) {
            Ok(record) => record,
            Err(error) => return self.fail(error),
        };
        let commit = self.commit_id(policy);
        let (id, handle) = self.unit.new_id();
        let stored = self.stored();
        let (old, expected) = (stored.handle, stored.record.version());
        self.unit.attempt = Some(Attempt::Move(expected, record.clone()));
        State::Moving(Moving {
            old,
            expected,
            tombstone: Record::tombstone(expected.next(), now, commit),
            new: Stored { id, handle, record },
        })
    }

    pub(super) fn moving(
        &mut self,
        moving: Moving,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (State, Option<Event>) {
        let Moving { old, new, .. } = moving;
        match answer {
            Ok(Answer::Replaced(Replaced::Stored(version))) => {
                let record = new.record.with_version(version);
                let new = Stored { record, ..new };
                let event = Event::Moved {
                    from: old,
                    to: new.handle,
                };
                (self.moved(new), Some(event))
            }
            Ok(Answer::Replaced(Replaced::Conflict)) => (self.conflict(policy), None),
            Ok(Answer::Replaced(Replaced::Gone)) => (self.lost(true, now, policy), None),
            Ok(_) => unreachable!("a regenerate is answered by what became of it"),
            Err(error) => (self.unknown(error, policy), None),
        }
    }

    fn moved(&mut self, stored: Stored) -> State {
        self.settle(Base::Live(stored), Some(CookieAction::Set))
    }

    /// The old id was found to be left by this commit.
    pub(super) fn moved_as(&mut self, record: Record) -> State {
        let (id, handle) = self.unit.new_id();
        self.moved(Stored { id, handle, record })
    }
}
