use super::{
    call::{Answer, Call, Policy},
    creating::Creating,
    moving::Moving,
    plan::Plan,
    replacing::Replacing,
    state::SessionState,
    turn::Written,
};
use crate::{
    error::Error,
    id::SessionId,
    store::{Created, Replaced},
    time::Timestamp,
};

/// The plain way through a commit, which most commits go: one write, stored by its first call, in a store that answers
/// at once. It needs neither a unit of work nor a state to wait in. Any other answer is [left](Self::answered) to the
/// [`Commit`](super::Commit), which goes on from there.
pub(crate) enum Write {
    Create(Creating),
    Replace(Replacing),
    Move(Moving),
}

/// A write that is not, or not certainly: the store's answer says what comes next.
pub(crate) struct Unwritten {
    pub(super) write: Write,
    pub(super) answer: Result<Answer, Error>,
}

impl Write {
    /// `None` where the plan is another, or nothing can be stored.
    #[inline]
    pub(crate) fn begin(
        state: &SessionState,
        plan: Plan,
        now: Timestamp,
        policy: &Policy,
    ) -> Option<Self> {
        let new_id = || {
            let id = SessionId::random();
            (id, id.handle())
        };
        match plan {
            _ if state.headers_sent => None,
            Plan::Create => Creating::of(state, None, new_id(), now, policy)
                .ok()
                .map(Self::Create),
            Plan::Replace => Replacing::of(state, None, now, policy)
                .ok()
                .map(Self::Replace),
            Plan::Move => Moving::of(state, None, new_id(), now, policy)
                .ok()
                .map(Self::Move),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn call(&self) -> Call<'_> {
        match self {
            Self::Create(creating) => creating.call(),
            Self::Replace(replacing) => replacing.call(),
            Self::Move(moving) => moving.call(),
        }
    }

    /// # Errors
    /// Unless it is stored by now.
    #[inline]
    pub(crate) fn answered(self, answer: Result<Answer, Error>) -> Result<Written, Box<Unwritten>> {
        match (self, answer) {
            (Self::Create(creating), Ok(Answer::Created(Created::Created))) => {
                Ok(creating.written())
            }
            (Self::Replace(replacing), Ok(Answer::Replaced(Replaced::Stored(version)))) => {
                Ok(replacing.written(version))
            }
            (Self::Move(moving), Ok(Answer::Replaced(Replaced::Stored(version)))) => {
                Ok(moving.written(version))
            }
            (write, answer) => Err(Box::new(Unwritten { write, answer })),
        }
    }
}
