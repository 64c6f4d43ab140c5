use super::{
    base::{Base, Stored},
    call::{Event, Policy},
    cookie_action::CookieAction,
    state::SessionState,
    turn::{After, Turn, Why},
    unit::{Attempt, Unit},
};
use crate::{
    error::Error,
    record::{CommitId, Record},
    time::Timestamp,
};

/// What the states of one commit work on.
pub(super) struct Work {
    pub(super) unit: Unit,
    /// The unit is not committed again: apart from what was cleared, it is given up unless it is found to be stored.
    pub(super) gives_up: bool,
    /// Of a transaction: the unit's state together with what its closure did in the last run.
    pub(super) ran: Option<Box<SessionState>>,
    /// The record is the newest: it was looked at in this commit.
    pub(super) is_fresh: bool,
    pub(super) conflicts: u32,
    pub(super) ids_taken: u32,
    /// Where it leads once what is left under the new id is deleted.
    pub(super) verdict: Option<Box<Turn>>,
}

/// How often a store that answers at once is asked again before this commit waits in line.
const CONFLICTS_AT_ONCE: u32 = 8;

/// How many new ids are tried. If an id of 128 random bits is in use, something is wrong with the store.
const IDS: u32 = 3;

impl Work {
    #[inline]
    pub(super) fn new(unit: Unit) -> Self {
        Self {
            unit,
            gives_up: false,
            ran: None,
            is_fresh: false,
            conflicts: 0,
            ids_taken: 0,
            verdict: None,
        }
    }

    /// What is to be committed: the unit's state, or what the transaction's closure made of it.
    #[inline]
    pub(super) fn state(&self) -> &SessionState {
        self.ran.as_deref().unwrap_or(&self.unit.state)
    }

    pub(super) fn stored(&self) -> &Stored {
        self.unit.state.stored()
    }

    /// Nothing is left to do.
    pub(super) fn settle_as_is(&self) -> Turn {
        let SessionState { base, cookie, .. } = self.state();
        let (base, cookie) = (base.clone(), *cookie);
        Turn::Settle(base, cookie)
    }

    /// Nothing is left to do but to note the use of the session: this is its newest record, and all that was pending is
    /// in it already.
    pub(super) fn settle_on(
        &self,
        record: Record,
        cookie: Option<CookieAction>,
        now: Timestamp,
        policy: &Policy,
    ) -> Turn {
        let due = policy.expiry.touch_due(&record, now);
        let is_remembered = record.body().remember.is_some();
        let stored = Stored {
            record,
            ..*self.stored()
        };
        let SessionState {
            headers_sent,
            cookie: earlier,
            ..
        } = *self.state();
        let cookie = cookie.or(earlier);
        match due.filter(|_| self.unit.state.counts_as_use()) {
            // Its client has to be told that the cookie lasts longer.
            Some(until) if is_remembered && !headers_sent => {
                Turn::Touch(stored, until, Some(CookieAction::Set))
            }
            Some(until) => Turn::Touch(stored, until, cookie),
            None => Turn::Settle(Base::Live(stored), cookie),
        }
    }

    /// As [`settle_on`](Self::settle_on), where the unit was rebased on the newest record.
    pub(super) fn settle_fresh(&self, now: Timestamp, policy: &Policy) -> Turn {
        match self.unit.state.base.live() {
            Some(stored) => self.settle_on(stored.record.clone(), None, now, policy),
            None => self.settle_as_is(),
        }
    }

    /// Plans again, on top of the newest record.
    pub(super) fn rebase(&mut self, newest: Record) -> Turn {
        self.is_fresh = true;
        match self.unit.rebase(newest) {
            Ok(()) => Turn::Plan,
            Err(error) => Turn::Fail(error),
        }
    }

    /// No answer says what became of the write. In doubt, unless the store's answers cannot be lost.
    pub(super) fn unknown(&mut self, error: Error, policy: &Policy) -> Turn {
        if policy.is_immediate {
            self.unit.attempt = None;
            return Turn::Fail(error);
        }
        self.unit.note_unanswered();
        Turn::Verify(After::Error(error))
    }

    /// The session ended before its changes could be stored. A login goes on, without what was there before.
    ///
    /// Of a session that ended nothing may be left, or its tombstone. One that is missing may have been swept for its age
    /// while the request was at work. The client has no newer session then, so it is told.
    pub(super) fn lost(&mut self, left: Option<&Record>, now: Timestamp, policy: &Policy) -> Turn {
        if left.is_some_and(|left| self.unit.is_refuted_by(left)) {
            self.unit.was_unknown = false;
        }
        let is_missing = left.is_none();
        self.unit.attempt = None;
        let state = self.state();
        if !state.has_login() {
            let is_too_old = is_missing && state.has_expired_meanwhile(now, &policy.expiry);
            let turn = match state.has_changes() && is_too_old {
                true if self.unit.may_have_been_stored() => {
                    Turn::Fail(Error::in_doubt(Error::expired()))
                }
                true => Turn::Fail(Error::expired()),
                false => Turn::Discard,
            };
            if self.unit.state.endings.is_empty() {
                return turn;
            }
            self.verdict = Some(Box::new(turn));
            return Turn::Plan;
        }
        self.unit.rename();
        match self.unit.state.apply_newer(None) {
            Ok(()) => Turn::Plan,
            Err(error) => Turn::Fail(error),
        }
    }

    /// Another request was faster.
    pub(super) fn conflict(&mut self, policy: &Policy) -> Turn {
        self.conflicts += 1;
        self.unit.is_refused = true;
        // A store that answers at once has answered before a task that waits in line would even wake up.
        match policy.is_immediate && self.conflicts <= CONFLICTS_AT_ONCE {
            true => Turn::Refresh(Why::Conflict),
            false => Turn::Wait,
        }
    }

    pub(super) fn id_taken(&mut self) -> Turn {
        self.unit.attempt = None;
        self.unit.rename();
        self.ids_taken += 1;
        match self.ids_taken == IDS {
            true => Turn::Fail(Error::store("it says of every new id that it is in use")),
            false => Turn::Plan,
        }
    }

    /// The id that this commit leaves in the record, if the store's answers can be lost.
    pub(super) fn commit_id(&mut self, policy: &Policy) -> Option<CommitId> {
        (!policy.is_immediate).then(|| self.unit.commit_id())
    }

    pub(super) fn is_live(&self, record: &Record, now: Timestamp, policy: &Policy) -> bool {
        self.unit.state.is_live(record, now, &policy.expiry)
    }

    /// It can no longer be determined whether the write that was in doubt is stored.
    pub(super) fn forgotten(&mut self) -> Turn {
        self.unit.attempt = None;
        Turn::Fail(Error::forgotten())
    }

    /// The unit is stored: this record carries its commit id.
    pub(super) fn found(
        &mut self,
        record: &Record,
        now: Timestamp,
        policy: &Policy,
    ) -> (Turn, Option<Event>) {
        let (id, handle) = self.unit.new_id();
        let (stored, cookie, event) = match self.unit.attempt.take() {
            Some(Attempt::Create) => {
                let record = record.clone();
                let created = Stored { id, handle, record };
                (created, Some(CookieAction::Set), Event::Created(handle))
            }
            // What carries the id is the tombstone.
            Some(Attempt::Move(_, record)) => {
                let from = self.stored().handle;
                let moved = Stored { id, handle, record };
                let event = Event::Moved { from, to: handle };
                (moved, Some(CookieAction::Set), event)
            }
            Some(Attempt::Replace(_) | Attempt::Delete(_)) | None if record.is_tombstone() => {
                return (Turn::SettleMoved, Some(Event::Replaced));
            }
            Some(Attempt::Replace(_) | Attempt::Delete(_)) | None => {
                let record = record.clone();
                let stored = Stored {
                    record,
                    ..*self.stored()
                };
                let cookie = self.state().cookie_after_write(now, &policy.expiry);
                (stored, cookie, Event::Replaced)
            }
        };
        (Turn::Settle(Base::Live(stored), cookie), Some(event))
    }
}
