use super::{
    base::{Base, Stored},
    call::{Answer, Call, Event, Policy},
    state::CookieAction,
    turn::Turn,
    unit::Attempt,
    work::Work,
};
use crate::{error::Error, record::Version, store::Replaced, time::Timestamp};

/// A session's record is being replaced by a newer one.
#[derive(Debug)]
pub(super) struct Replacing {
    expected: Version,
    stored: Stored,
    cookie: Option<CookieAction>,
}

impl Replacing {
    pub(super) fn begin(work: &mut Work, now: Timestamp, policy: &Policy) -> Result<Self, Error> {
        let record = work.record_to_store(now, policy)?;
        let cookie = work.cookie_after_write(now, policy);
        let stored = work.stored();
        let expected = stored.record.version();
        let stored = Stored { record, ..*stored };
        work.unit.attempt(Attempt::Replace(expected));
        Ok(Self {
            expected,
            stored,
            cookie,
        })
    }

    pub(super) fn call(&self) -> Call {
        let Stored { handle, record, .. } = &self.stored;
        Call::Replace(*handle, self.expected, record.clone())
    }

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        let Self { stored, cookie, .. } = self;
        match answer {
            Ok(Answer::Replaced(Replaced::Stored(version))) => {
                let record = stored.record.with_version(version);
                let base = Base::Live(Stored { record, ..stored });
                (Turn::Settle(base, cookie), Some(Event::Replaced))
            }
            Ok(Answer::Replaced(Replaced::Conflict)) => (work.conflict(policy), None),
            Ok(Answer::Replaced(Replaced::Gone)) => (work.lost(true, now, policy), None),
            Ok(_) => unreachable!("a replace is answered by what became of it"),
            Err(error) => (work.unknown(error, policy), None),
        }
    }
}
