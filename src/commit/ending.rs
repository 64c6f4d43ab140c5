use super::{
    call::{Answer, Call, Event, Policy},
    turn::{After, Turn},
    unit::Attempt,
    work::Work,
};
use crate::{error::Error, id::Handle};

/// A session that was cleared is being deleted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    handle: Handle,
    /// An earlier call may have deleted it.
    was_in_doubt: bool,
}

impl Ending {
    pub(super) fn begin(work: &mut Work, handle: Handle) -> Self {
        let attempt = work.unit.attempt(Attempt::Delete(handle));
        let was_in_doubt = matches!(attempt, Some(Attempt::Delete(other)) if other == handle);
        Self {
            handle,
            was_in_doubt,
        }
    }

    pub(super) fn call(self) -> Call<'static> {
        Call::Delete(self.handle)
    }

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        let Self {
            handle,
            was_in_doubt,
        } = self;
        match answer {
            // By an earlier call; or another request has moved it since, which a tombstone tells.
            Ok(Answer::Deleted(false)) if was_in_doubt => (Turn::Verify(After::Resumed), None),
            Ok(Answer::Deleted(by_us)) => {
                work.unit.attempt = None;
                work.unit.ended(handle, by_us);
                (Turn::Plan, by_us.then_some(Event::Ended(handle)))
            }
            Ok(_) => unreachable!("a delete is answered by whether it was one"),
            Err(error) => (work.unknown(error, policy), None),
        }
    }
}
