use super::{
    base::{Base, Stored},
    machine::{Answer, Call, Commit, Event, Policy, State},
    state::CookieAction,
    unit::Attempt,
};
use crate::{
    error::Error,
    record::{Record, Version},
    store::Replaced,
    time::Timestamp,
};

/// A session's record is being replaced by a newer one.
#[derive(Debug)]
pub(super) struct Replacing {
    expected: Version,
    stored: Stored,
    cookie: Option<CookieAction>,
}

impl Replacing {
    pub(super) fn call(&self) -> Call {
        let Stored { handle, record, .. } = &self.stored;
        Call::Replace(*handle, self.expected, record.clone())
    }
}

impl Commit {
    pub(super) fn replace(&mut self, now: Timestamp, policy: &Policy) -> State {
        let record = match self.record(now, policy) {
            Ok(record) => record,
            Err(error) => return self.fail(error),
        };
        let cookie = self.cookie_after_write(now, policy);
        let stored = self.stored();
        let expected = stored.record.version();
        let stored = Stored { record, ..*stored };
        self.unit.attempt = Some(Attempt::Replace(expected));
        State::Replacing(Replacing {
            expected,
            stored,
            cookie,
        })
    }

    pub(super) fn replacing(
        &mut self,
        replacing: Replacing,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (State, Option<Event>) {
        let Replacing { stored, cookie, .. } = replacing;
        match answer {
            Ok(Answer::Replaced(Replaced::Stored(version))) => {
                let record = stored.record.with_version(version);
                let base = Base::Live(Stored { record, ..stored });
                (self.settle(base, cookie), Some(Event::Replaced))
            }
            Ok(Answer::Replaced(Replaced::Conflict)) => (self.conflict(policy), None),
            Ok(Answer::Replaced(Replaced::Gone)) => (self.lost(true, now, policy), None),
            Ok(_) => unreachable!("a replace is answered by what became of it"),
            Err(error) => (self.unknown(error, policy), None),
        }
    }

    /// The record was found to hold what this commit was to store, and maybe more since.
    pub(super) fn replaced_as(&mut self, record: Record, now: Timestamp, policy: &Policy) -> State {
        let cookie = self.cookie_after_write(now, policy);
        let stored = self.stored();
        let base = Base::Live(Stored { record, ..*stored });
        self.settle(base, cookie)
    }

    fn cookie_after_write(&self, now: Timestamp, policy: &Policy) -> Option<CookieAction> {
        let work = self.work();
        match work.changes_cookie(now, &policy.expiry) {
            true => Some(CookieAction::Set),
            false => work.cookie,
        }
    }
}
