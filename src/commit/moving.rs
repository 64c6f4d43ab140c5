use super::{
    base::{Base, Stored},
    call::{Answer, Call, Event, Policy},
    state::CookieAction,
    turn::Turn,
    unit::Attempt,
    work::Work,
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
    pub(super) fn begin(work: &mut Work, now: Timestamp, policy: &Policy) -> Result<Self, Error> {
        let record = work.record_to_store(now, policy)?;
        let (id, handle) = work.unit.new_id();
        let stored = work.stored();
        let (old, expected) = (stored.handle, stored.record.version());
        work.unit.attempt(Attempt::Move(expected, record.clone()));
        Ok(Self {
            old,
            expected,
            tombstone: Record::tombstone(expected.next(), now).after(&record),
            new: Stored { id, handle, record },
        })
    }

    pub(super) fn call(&self) -> Call {
        Call::Regenerate {
            old: self.old,
            expected: self.expected,
            tombstone: self.tombstone.clone(),
            new: self.new.handle,
            record: self.new.record.clone(),
        }
    }

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        let Self { old, new, .. } = self;
        match answer {
            Ok(Answer::Replaced(Replaced::Stored(version))) => {
                let event = Event::Moved {
                    from: old,
                    to: new.handle,
                };
                let record = new.record.with_version(version);
                let base = Base::Live(Stored { record, ..new });
                (Turn::Settle(base, Some(CookieAction::Set)), Some(event))
            }
            Ok(Answer::Replaced(Replaced::Conflict)) => (work.conflict(policy), None),
            Ok(Answer::Replaced(Replaced::Gone)) => (work.lost(true, now, policy), None),
            Ok(_) => unreachable!("a regenerate is answered by what became of it"),
            Err(error) => (work.unknown(error, policy), None),
        }
    }
}
