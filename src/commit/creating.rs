use super::{
    base::Stored,
    call::{Answer, Call, Event, Policy},
    cookie_action::CookieAction,
    state::SessionState,
    turn::{After, Turn, Written},
    unit::Attempt,
    work::Work,
};
use crate::{
    error::Error,
    id::{Handle, SessionId},
    record::{CommitId, Version},
    store::Created,
    time::Timestamp,
};

/// A session is being begun.
#[derive(Debug)]
pub(crate) struct Creating(Stored);

impl Creating {
    pub(super) fn begin(work: &mut Work, now: Timestamp, policy: &Policy) -> Result<Self, Error> {
        let commit = work.commit_id(policy);
        let new_id = work.unit.id_to_create();
        let begun = Self::of(work.state(), commit, new_id, now, policy)?;
        work.unit.attempt(begun.attempt());
        Ok(begun)
    }

    #[inline]
    pub(super) fn of(
        state: &SessionState,
        commit: Option<CommitId>,
        (id, handle): (SessionId, Handle),
        now: Timestamp,
        policy: &Policy,
    ) -> Result<Self, Error> {
        let record = state
            .to_record(now, &policy.expiry, commit)?
            .with_version(Version::FIRST);
        Ok(Self(Stored { id, handle, record }))
    }

    #[expect(clippy::unused_self, reason = "as the other writes")]
    pub(super) fn attempt(&self) -> Attempt {
        Attempt::Create
    }

    #[inline]
    pub(super) fn call(&self) -> Call<'_> {
        let Self(Stored { handle, record, .. }) = self;
        Call::Create(*handle, record)
    }

    #[inline]
    pub(super) fn written(self) -> Written {
        let Self(stored) = self;
        Written {
            event: Event::Created(stored.handle),
            cookie: Some(CookieAction::Set),
            stored,
        }
    }

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        match answer {
            Ok(Answer::Created(Created::Created)) => self.written().settle(),
            // By another session; or by this very commit, where the store sent it twice.
            Ok(Answer::Created(Created::Exists)) => match policy.is_immediate {
                true => (work.id_taken(), None),
                false => (Turn::Verify(After::IdInUse), None),
            },
            Ok(_) => unreachable!("a create is answered by what became of it"),
            Err(error) => (work.unknown(error, policy), None),
        }
    }
}
