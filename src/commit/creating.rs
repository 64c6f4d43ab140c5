use super::{
    base::{Base, Stored},
    call::{Answer, Call, Event, Policy},
    state::CookieAction,
    turn::{After, Turn},
    unit::Attempt,
    work::Work,
};
use crate::{error::Error, record::Version, store::Created, time::Timestamp};

/// A session is being begun.
#[derive(Debug)]
pub(super) struct Creating(Stored);

impl Creating {
    pub(super) fn begin(work: &mut Work, now: Timestamp, policy: &Policy) -> Result<Self, Error> {
        let record = work
            .record_to_store(now, policy)?
            .with_version(Version::FIRST);
        let (id, handle) = work.unit.new_id();
        work.unit.attempt(Attempt::Create);
        Ok(Self(Stored { id, handle, record }))
    }

    pub(super) fn call(&self) -> Call {
        let Self(Stored { handle, record, .. }) = self;
        Call::Create(*handle, record.clone())
    }

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        let Self(stored) = self;
        match answer {
            Ok(Answer::Created(Created::Created)) => {
                let event = Event::Created(stored.handle);
                let turn = Turn::Settle(Base::Live(stored), Some(CookieAction::Set));
                (turn, Some(event))
            }
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
