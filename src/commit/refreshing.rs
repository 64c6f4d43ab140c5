use super::{
    call::{Answer, Call, Event, Policy},
    cookie_action::CookieAction,
    turn::{Turn, Why},
    unit::Attempt,
    work::Work,
};
use crate::{error::Error, id::Handle, record::Record, time::Timestamp};

/// The newest record is being loaded.
#[derive(Debug)]
pub(super) struct Refreshing {
    handle: Handle,
    why: Why,
}

impl Refreshing {
    pub(super) fn new(work: &Work, why: Why) -> Self {
        Self {
            handle: work.stored().handle,
            why,
        }
    }

    pub(super) fn call(&self) -> Call<'static> {
        Call::Load(self.handle)
    }

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        let Self { handle, why } = self;
        let loaded = match answer {
            Ok(Answer::Loaded(loaded)) => loaded,
            Ok(_) => unreachable!("a load is answered by a record"),
            // The next request gets it.
            Err(error) if why == Why::Reissue => {
                return (work.settle_as_is(), Some(Event::TouchFailed(handle, error)));
            }
            Err(error) => return (Turn::Fail(error), None),
        };
        if let Some(record) = &loaded
            && work.unit.has_stored(record)
        {
            return work.found(record, now, policy);
        }
        let record = match loaded {
            Some(record) if work.is_live(&record, now, policy) => record,
            left => return (work.lost(left.as_ref(), now, policy), None),
        };
        if work.unit.may_be_forgotten(&record) {
            return (work.forgotten(), None);
        }
        match why {
            Why::Reissue => {
                let cookie = Some(CookieAction::Set);
                return (work.settle_on(record, cookie, now, policy), None);
            }
            Why::Reload => return (work.settle_on(record, None, now, policy), None),
            Why::Conflict | Why::Snapshot | Why::Transaction => {}
        }
        if is_new_id_taken(work, &record) {
            // Or a copy is left there by an attempt of which only the first of two steps was done.
            let taken = work.unit.new_id().1;
            work.unit.state.endings.others.push(taken);
            return (work.id_taken(), None);
        }
        let event = (why == Why::Conflict).then_some(Event::Replayed);
        (work.rebase(record), event)
    }
}

/// Whether a move met a conflict though the session is as it was: then it is about the new id.
fn is_new_id_taken(work: &Work, record: &Record) -> bool {
    let attempt = &work.unit.attempt;
    matches!(attempt, Some(Attempt::Move(expected, _)) if *expected == record.version())
}
