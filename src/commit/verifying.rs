use super::{
    call::{Answer, Call, Event, Policy},
    turn::{After, Turn},
    unit::{Attempt, Unit},
    work::Work,
};
use crate::{
    error::Error,
    record::{Record, Version},
    time::Timestamp,
};

/// What became of a write is being looked up: its answer was an error, or was never read.
#[derive(Debug)]
pub(super) struct Verifying(After);

impl Verifying {
    pub(super) fn new(after: After) -> Self {
        Self(after)
    }

    pub(super) fn call(&self, unit: &mut Unit) -> Call<'static> {
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

    pub(super) fn answered(
        self,
        work: &mut Work,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        let Self(after) = self;
        let loaded = match answer {
            Ok(Answer::Loaded(loaded)) => loaded,
            Ok(_) => unreachable!("a load is answered by a record"),
            Err(failed) => {
                let error = match after {
                    After::Error(error) => error,
                    // The store has refused each attempt.
                    After::OutOfTime if !work.unit.is_in_doubt() => {
                        return (Turn::Fail(Error::conflict()), None);
                    }
                    After::OutOfTime => Error::conflict(),
                    After::Resumed | After::IdInUse => failed,
                };
                return (Turn::Fail(Error::in_doubt(error)), None);
            }
        };
        // What is to be deleted may be this unit's own copy, which carries its id.
        let is_write = !matches!(work.unit.attempt, Some(Attempt::Delete(_)));
        if let Some(record) = &loaded
            && is_write
            && work.unit.has_stored(record)
        {
            return work.found(record, now, policy);
        }
        let turn = match work.unit.attempt {
            Some(Attempt::Delete(handle)) => match loaded {
                Some(record) if !record.is_tombstone() => not_found(work, after),
                // A session that moved has left a tombstone. One that is missing counts as deleted by this commit.
                ended => {
                    let by_us = ended.is_none();
                    work.unit.attempt = None;
                    work.unit.ended(handle, by_us);
                    return (Turn::Plan, by_us.then_some(Event::Ended(handle)));
                }
            },
            Some(Attempt::Create) => match loaded {
                Some(record) => {
                    work.unit.end_abandoned(&record);
                    work.id_taken()
                }
                None => not_found(work, after),
            },
            Some(Attempt::Replace(_)) => return not_replaced(work, loaded, after, now, policy),
            Some(Attempt::Move(expected, _)) => {
                return not_moved(work, loaded, expected, after, now, policy);
            }
            None => unreachable!("only a write is in doubt"),
        };
        (turn, None)
    }
}

/// No record carries the commit id. It may still be stored later, so the names are kept for another try.
fn not_found(work: &mut Work, after: After) -> Turn {
    match after {
        After::Error(error) => Turn::Fail(error),
        After::Resumed => Turn::Plan,
        After::IdInUse => work.id_taken(),
        After::OutOfTime => {
            work.unit.attempt = None;
            Turn::Fail(Error::conflict())
        }
    }
}

fn not_replaced(
    work: &mut Work,
    loaded: Option<Record>,
    after: After,
    now: Timestamp,
    policy: &Policy,
) -> (Turn, Option<Event>) {
    let record = match loaded {
        Some(record) if work.is_live(&record, now, policy) => record,
        left => return (work.lost(left.as_ref(), now, policy), None),
    };
    if work.unit.may_be_forgotten(&record) {
        return (work.forgotten(), None);
    }
    match work.unit.version() == Some(record.version()) {
        true => (not_found(work, after), None),
        false => not_found_below(work, record, after),
    }
}

/// A store that moves in two steps may have done the first, and left a copy under the new id.
fn not_moved(
    work: &mut Work,
    loaded: Option<Record>,
    expected: Version,
    after: After,
    now: Timestamp,
    policy: &Policy,
) -> (Turn, Option<Event>) {
    let new = work.unit.new_id().1;
    let record = match loaded {
        Some(record) if work.is_live(&record, now, policy) => record,
        left => {
            work.unit.state.endings.others.push(new);
            return (work.lost(left.as_ref(), now, policy), None);
        }
    };
    if record.version() == expected {
        return (not_found(work, after), None);
    }
    // What comes next is another attempt.
    work.unit.state.endings.others.push(new);
    work.unit.attempt = None;
    work.unit.rename();
    not_found_below(work, record, after)
}

/// No record carries the commit id, and this one is newer than the version that the write expects: a call that is still
/// in flight can only meet a conflict. So another try starts from here.
fn not_found_below(work: &mut Work, newer: Record, after: After) -> (Turn, Option<Event>) {
    match after {
        After::Resumed if !work.gives_up => (work.rebase(newer), Some(Event::Replayed)),
        after => (not_found(work, after), None),
    }
}
