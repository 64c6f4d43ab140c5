use super::{
    machine::{Answer, Call, Commit, Event, Policy, State},
    unit::{Attempt, Unit},
};
use crate::{
    error::Error,
    record::{Record, Version},
    time::Timestamp,
};

/// What became of a write is being looked up: its answer was an error, or was never read.
#[derive(Debug)]
pub(super) struct Verifying {
    after: After,
}

#[derive(Debug)]
enum After {
    /// The store's error: looked up once, in the same call.
    Error(Error),
    /// An earlier call, which was dropped, or whose look-up found nothing.
    Resumed,
    /// The new id is in use, be it by this very commit.
    IdInUse,
    /// The time for this commit is used up by conflicts with others.
    OutOfTime,
}

impl Verifying {
    pub(super) fn after(error: Error) -> Self {
        Self {
            after: After::Error(error),
        }
    }

    pub(super) fn resumed() -> Self {
        Self {
            after: After::Resumed,
        }
    }

    pub(super) fn id_in_use() -> Self {
        Self {
            after: After::IdInUse,
        }
    }

    pub(super) fn out_of_time() -> Self {
        Self {
            after: After::OutOfTime,
        }
    }

    pub(super) fn call(&self, unit: &mut Unit) -> Call {
        let handle = match &unit.attempt {
            Some(Attempt::Delete(handle)) => *handle,
            Some(Attempt::Replace(_) | Attempt::Move(..)) => {
                let stored = unit.state.base.live();
                stored.expect("only a live session is replaced").handle
            }
            Some(Attempt::Create) | None => unit.new_id().1,
        };
        Call::Verify(handle)
    }
}

impl Commit {
    pub(super) fn verifying(
        &mut self,
        Verifying { after }: Verifying,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (State, Option<Event>) {
        let loaded = match answer {
            Ok(Answer::Loaded(loaded)) => loaded,
            Ok(_) => unreachable!("a load is answered by a record"),
            Err(failed) => {
                let error = match after {
                    After::Error(error) => error,
                    After::OutOfTime => Error::conflict(),
                    After::Resumed | After::IdInUse => failed,
                };
                return (self.fail(Error::in_doubt(error)), None);
            }
        };
        if let Some(record) = &loaded
            && self.unit.has_stored(record)
        {
            return (self.found(record, now, policy), None);
        }
        let Some(attempt) = self.unit.attempt.clone() else {
            unreachable!("only a write is in doubt");
        };
        match attempt {
            Attempt::Delete(handle) => match loaded {
                // By this commit, as far as anybody can tell; a session that moved would have left a tombstone.
                None => {
                    self.unit.attempt = None;
                    self.ended(handle, true);
                    (State::Planning, Some(Event::Ended(handle)))
                }
                Some(record) if record.is_tombstone() => {
                    self.unit.attempt = None;
                    self.ended(handle, false);
                    (State::Planning, None)
                }
                Some(_) => (self.not_found(after), None),
            },
            Attempt::Create if loaded.is_some() => (self.id_taken(), None),
            Attempt::Create => (self.not_found(after), None),
            Attempt::Replace(_) => (self.not_replaced(loaded, after, now, policy), None),
            Attempt::Move(expected, _) => {
                (self.not_moved(loaded, expected, after, now, policy), None)
            }
        }
    }

    /// The unit is done: this record carries its commit id.
    pub(super) fn found(&mut self, record: &Record, now: Timestamp, policy: &Policy) -> State {
        match self.unit.attempt.take() {
            Some(Attempt::Create) => self.created_as(record.clone()),
            // What carries the id is the tombstone.
            Some(Attempt::Move(_, moved)) if record.is_tombstone() => self.moved_as(moved),
            _ if record.is_tombstone() => self.settle(super::Base::Gone, None),
            _ => self.replaced_as(record.clone(), now, policy),
        }
    }

    /// No record carries the commit id. It may still be stored later, so the names are kept for another try.
    fn not_found(&mut self, after: After) -> State {
        match after {
            After::Error(error) => self.fail(error),
            After::Resumed => State::Planning,
            After::IdInUse => self.id_taken(),
            After::OutOfTime => {
                self.unit.attempt = None;
                self.fail(Error::conflict())
            }
        }
    }

    fn not_replaced(
        &mut self,
        loaded: Option<Record>,
        after: After,
        now: Timestamp,
        policy: &Policy,
    ) -> State {
        let is_missing = loaded.is_none();
        let lives = |record: &Record| self.unit.state.is_live(record, now, &policy.expiry);
        let Some(record) = loaded.filter(lives) else {
            return self.lost(is_missing, now, policy);
        };
        if self.unit.may_be_forgotten(&record) {
            self.unit.attempt = None;
            return self.fail(Error::forgotten());
        }
        self.not_found(after)
    }

    /// A store that moves in two steps may have done the first, and left a copy under the new id.
    fn not_moved(
        &mut self,
        loaded: Option<Record>,
        expected: Version,
        after: After,
        now: Timestamp,
        policy: &Policy,
    ) -> State {
        let new = self.unit.new_id().1;
        let is_missing = loaded.is_none();
        let lives = |record: &Record| self.unit.state.is_live(record, now, &policy.expiry);
        match loaded.filter(lives) {
            None => {
                self.unit.state.endings.others.push(new);
                self.lost(is_missing, now, policy)
            }
            Some(record) if record.version() == expected => self.not_found(after),
            Some(_) => {
                // Changed since, so this attempt can no longer move it: what comes next is another one.
                self.unit.state.endings.others.push(new);
                self.unit.attempt = None;
                self.unit.rename();
                self.not_found(after)
            }
        }
    }
}
