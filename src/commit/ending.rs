use super::{
    machine::{Answer, Call, Commit, Event, Policy, State},
    unit::Attempt,
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
    pub(super) fn call(&self) -> Call {
        Call::Delete(self.handle)
    }
}

impl Commit {
    pub(super) fn begin_ending(&mut self, handle: Handle) -> State {
        let was_in_doubt =
            matches!(self.unit.attempt, Some(Attempt::Delete(other)) if other == handle);
        self.unit.attempt = Some(Attempt::Delete(handle));
        State::Ending(Ending {
            handle,
            was_in_doubt,
        })
    }

    pub(super) fn ending(
        &mut self,
        ending: Ending,
        answer: Result<Answer, Error>,
        policy: &Policy,
    ) -> (State, Option<Event>) {
        let Ending {
            handle,
            was_in_doubt,
        } = ending;
        match answer {
            Ok(Answer::Deleted(by_us)) => {
                self.unit.attempt = None;
                self.ended(handle, by_us || was_in_doubt);
                (State::Planning, by_us.then_some(Event::Ended(handle)))
            }
            Ok(_) => unreachable!("a delete is answered by whether it was one"),
            Err(error) => (self.unknown(error, policy), None),
        }
    }

    /// A session that was cleared is over, by this commit or by another request's.
    pub(super) fn ended(&mut self, handle: Handle, by_us: bool) {
        self.unit.ended.push(handle);
        let state = &mut self.unit.state;
        if state.endings.own == Some(handle) && !by_us {
            state.lose_ending();
        }
        state.endings.remove(handle);
    }
}
