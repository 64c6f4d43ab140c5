use super::{
    base::{Base, Stored},
    machine::{Answer, Call, Commit, Event, Policy, State},
    state::CookieAction,
    unit::Attempt,
    verifying::Verifying,
};
use crate::{error::Error, record::Record, store::Created, time::Timestamp};

/// A session is being begun.
#[derive(Debug)]
pub(super) struct Creating {
    stored: Stored,
}

impl Creating {
    pub(super) fn call(&self) -> Call {
        Call::Create(self.stored.handle, self.stored.record.clone())
    }
}

impl Commit {
    pub(super) fn create(&mut self, now: Timestamp, policy: &Policy) -> State {
        let record = match self.record(now, policy) {
            Ok(record) => record.with_version(crate::record::Version::FIRST),
            Err(error) => return self.fail(error),
        };
        let (id, handle) = self.unit.new_id();
        self.unit.attempt = Some(Attempt::Create);
        let stored = Stored { id, handle, record };
        State::Creating(Creating { stored })
    }

    pub(super) fn creating(
        &mut self,
        creating: Creating,
        answer: Result<Answer, Error>,
        policy: &Policy,
    ) -> (State, Option<Event>) {
        let Creating { stored } = creating;
        match answer {
            Ok(Answer::Created(Created::Created)) => {
                let event = Event::Created(stored.handle);
                (self.created(stored), Some(event))
            }
            // By another session; or by this very commit, where the store sent it twice.
            Ok(Answer::Created(Created::Exists)) if policy.is_immediate => (self.id_taken(), None),
            Ok(Answer::Created(Created::Exists)) => {
                (State::Verifying(Verifying::id_in_use()), None)
            }
            Ok(_) => unreachable!("a create is answered by what became of it"),
            Err(error) => (self.unknown(error, policy), None),
        }
    }

    pub(super) fn created(&mut self, stored: Stored) -> State {
        self.settle(Base::Live(stored), Some(CookieAction::Set))
    }

    /// The new session as it was found in the store.
    pub(super) fn created_as(&mut self, record: Record) -> State {
        let (id, handle) = self.unit.new_id();
        self.created(Stored { id, handle, record })
    }
}
