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
    record::{CommitId, Version},
    store::Replaced,
    time::Timestamp,
};

/// A session's record is being replaced by a newer one.
#[derive(Debug)]
pub(crate) struct Replacing {
    expected: Version,
    stored: Stored,
    cookie: Option<CookieAction>,
}

impl Replacing {
    pub(super) fn begin(work: &mut Work, now: Timestamp, policy: &Policy) -> Result<Self, Error> {
        let commit = work.commit_id(policy);
        let begun = Self::of(work.state(), commit, now, policy)?;
        work.unit.attempt(begun.attempt());
        Ok(begun)
    }

    #[inline]
    pub(super) fn of(
        state: &SessionState,
        commit: Option<CommitId>,
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Self, Error> {
        let record = state.to_record(now, &policy.expiry, commit)?;
        let cookie = state.cookie_after_write(now, &policy.expiry);
        let stored = state.stored();
        let expected = stored.record.version();
        let stored = Stored { record, ..*stored };
        Ok(Self {
            expected,
            stored,
            cookie,
        })
    }

    pub(super) fn attempt(&self) -> Attempt {
        Attempt::Replace(self.expected)
    }

    #[inline]
    pub(super) fn call(&self) -> Call<'_> {
        let Stored { handle, record, .. } = &self.stored;
        Call::Replace(*handle, self.expected, record)
    }

    #[inline]
    pub(super) fn written(self, version: Version) -> Written {
        let Self { stored, cookie, .. } = self;
        let record = stored.record.with_version(version);
        Written {
            stored: Stored { record, ..stored },
            cookie,
            event: Event::Replaced,
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
            Ok(_) => unreachable!("a replace is answered by what became of it"),
            Err(error) => (work.unknown(error, policy), None),
        }
    }
}
