use super::{
    base::Stored,
    call::{Answer, Call, Event, Policy},
    cookie_action::CookieAction,
    state::SessionState,
    turn::{Turn, Written},
    unit::Attempt,
    work::Work,
};
use crate::{
    error::Error,
    id::{Handle, SessionId},
    record::{CommitId, Record, Version},
    store::Replaced,
    time::Timestamp,
};

/// A session is moving to a new id, and leaves a tombstone under the old one.
#[derive(Debug)]
pub(crate) struct Moving {
    old: Handle,
    expected: Version,
    tombstone: Record,
    new: Stored,
}

impl Moving {
    pub(super) fn begin(work: &mut Work, now: Timestamp, policy: &Policy) -> Result<Self, Error> {
        let commit = work.commit_id(policy);
        let new_id = work.unit.new_id();
        let begun = Self::of(work.state(), commit, new_id, now, policy)?;
        work.unit.attempt(begun.attempt());
        Ok(begun)
    }

    pub(super) fn of(
        state: &SessionState,
        commit: Option<CommitId>,
        (id, handle): (SessionId, Handle),
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Self, Error> {
        let record = state.to_record(now, &policy.expiry, commit)?;
        let stored = state.stored();
        let (old, expected) = (stored.handle, stored.record.version());
        Ok(Self {
            old,
            expected,
            tombstone: Record::tombstone(expected.next(), now).after(&record),
            new: Stored { id, handle, record },
        })
    }

    pub(super) fn attempt(&self) -> Attempt {
        Attempt::Move(self.expected, self.new.record.clone())
    }

    pub(super) fn call(&self) -> Call<'_> {
        Call::Regenerate {
            old: self.old,
            expected: self.expected,
            tombstone: &self.tombstone,
            new: self.new.handle,
            record: &self.new.record,
        }
    }

    pub(super) fn written(self, version: Version) -> Written {
        let Self { old, new, .. } = self;
        let record = new.record.with_version(version);
        Written {
            event: Event::Moved {
                from: old,
                to: new.handle,
            },
            cookie: Some(CookieAction::Set),
            stored: Stored { record, ..new },
        }
    }

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        match answer {
            Ok(Answer::Replaced(Replaced::Stored(version))) => self.written(version).settle(),
            Ok(Answer::Replaced(Replaced::Conflict)) => (work.conflict(policy), None),
            Ok(Answer::Replaced(Replaced::Gone)) => (work.lost(None, now, policy), None),
            Ok(_) => unreachable!("a regenerate is answered by what became of it"),
            Err(error) => (work.unknown(error, policy), None),
        }
    }
}
