use super::{
    base::{Base, Stored},
    machine::{Answer, Call, Commit, Event, Policy, State},
    state::CookieAction,
    touching::Touching,
    unit::Attempt,
};
use crate::{error::Error, id::Handle, record::Record, time::Timestamp};

/// The newest record is being loaded.
#[derive(Debug)]
pub(super) struct Refreshing {
    handle: Handle,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Another request was faster.
    Conflict,
    /// The snapshot is too old to decide from, or to be shown.
    Snapshot,
    /// The cookie is to be sent again, which it may only be while the session has no newer one.
    Reissue,
    /// The transaction read what may no longer be true.
    Transaction,
}

impl Refreshing {
    pub(super) fn call(&self) -> Call {
        Call::Load(self.handle)
    }
}

impl Commit {
    pub(super) fn refreshing_for(&self, why: Why) -> Refreshing {
        Refreshing {
            handle: self.stored().handle,
            why,
        }
    }

    pub(super) fn refresh(&self, why: Why) -> State {
        State::Refreshing(self.refreshing_for(why))
    }

    pub(super) fn refreshing(
        &mut self,
        &Refreshing { why, .. }: &Refreshing,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (State, Option<Event>) {
        let loaded = match answer {
            Ok(Answer::Loaded(loaded)) => loaded,
            Ok(_) => unreachable!("a load is answered by a record"),
            // The next request gets it.
            Err(error) if why == Why::Reissue => {
                let event = Event::TouchFailed(self.stored().handle, error);
                return (self.settle_as_is(), Some(event));
            }
            Err(error) => return (self.fail(error), None),
        };
        if let Some(record) = &loaded
            && self.unit.has_stored(record)
        {
            return (self.found(record, now, policy), None);
        }
        let is_missing = loaded.is_none();
        let lives = |record: &Record| self.unit.state.is_live(record, now, &policy.expiry);
        let Some(record) = loaded.filter(lives) else {
            return (self.lost(is_missing, now, policy), None);
        };
        if self.unit.may_be_forgotten(&record) {
            self.unit.attempt = None;
            return (self.fail(Error::forgotten()), None);
        }
        self.is_fresh = true;
        if why == Why::Reissue {
            return (self.reissue(record, now, policy), None);
        }
        if self.is_new_id_taken(&record) {
            // Or a copy is left there by an attempt of which only the first of two steps was done.
            let taken = self.unit.new_id().1;
            self.unit.state.endings.others.push(taken);
            return (self.id_taken(), None);
        }
        let event = (why == Why::Conflict).then_some(Event::Replayed);
        match self.rebase(record) {
            Ok(()) => (State::Planning, event),
            Err(error) => (self.fail(error), event),
        }
    }

    /// Whether a move met a conflict though the session is as it was: then it is about the new id.
    fn is_new_id_taken(&self, record: &Record) -> bool {
        let attempt = &self.unit.attempt;
        matches!(attempt, Some(Attempt::Move(expected, _)) if *expected == record.version())
    }

    /// The work on top of a newer record. What it finds to be there already may be gone from the next one: every
    /// operation is kept.
    pub(super) fn rebase(&mut self, record: Record) -> Result<(), Error> {
        self.unit.attempt = None;
        self.unit.was_unknown = false;
        self.unit.state.changes.keep_redundant();
        self.unit.state.apply_newer(Some(record))
    }

    fn reissue(&mut self, record: Record, now: Timestamp, policy: &Policy) -> State {
        let due = policy.expiry.touch_due(&record, now);
        let stored = Stored {
            record,
            ..*self.stored()
        };
        match due {
            Some(until) if !self.unit.state.skip_touch => {
                State::Touching(Touching::new(&stored, until, Some(CookieAction::Set)))
            }
            _ => self.settle(Base::Live(stored), Some(CookieAction::Set)),
        }
    }
}
