use super::{
    base::{Base, Stored},
    creating::Creating,
    ending::Ending,
    moving::Moving,
    plan::Plan,
    refreshing::{Refreshing, Why},
    replacing::Replacing,
    state::{CookieAction, SessionState},
    touching::Touching,
    unit::Unit,
    verifying::Verifying,
};
use crate::{
    error::Error,
    expiry::Expiry,
    id::Handle,
    record::{CommitId, Record, Version},
    store::{Created, Replaced},
    time::Timestamp,
};

/// One commit under way.
pub(crate) struct Commit {
    pub(super) unit: Unit,
    /// Of a transaction: the work together with what its closure did in the last run.
    pub(super) ran: Option<SessionState>,
    /// The record is the newest: it was looked at in this commit.
    pub(super) is_fresh: bool,
    pub(super) conflicts: u32,
    pub(super) ids_taken: u32,
    /// Nothing but what was cleared is done any more: the unit is given up unless it is found to be done.
    gives_up: bool,
    state: State,
}

/// Where a commit stands.
pub(super) enum State {
    Planning,
    Running,
    Ending(Ending),
    Creating(Creating),
    Replacing(Replacing),
    Moving(Moving),
    Refreshing(Refreshing),
    Touching(Touching),
    Waiting,
    Verifying(Verifying),
    /// Without the outcome once that was handed over.
    Done(Option<Done>),
}

/// What is to be done next.
pub(crate) enum Next {
    Ask(Call),
    /// Run the transaction's closure on [`Commit::start_run`], then tell [`Commit::ran`].
    Run,
    /// Wait for other commits of this session, then tell [`Commit::waited`]. So many conflicts there were.
    Wait(Handle, u32),
    Done(Done),
}

/// A call to the store.
#[derive(Debug)]
pub(crate) enum Call {
    Load(Handle),
    /// A load that tells what became of a call without an answer.
    Verify(Handle),
    Create(Handle, Record),
    Replace(Handle, Version, Record),
    Regenerate {
        old: Handle,
        expected: Version,
        tombstone: Record,
        new: Handle,
        record: Record,
    },
    Touch(Handle, Timestamp),
    Delete(Handle),
}

/// What the store answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Loaded(Option<Record>),
    Created(Created),
    Replaced(Replaced),
    Touched(bool),
    Deleted(bool),
}

/// What a run of a transaction's closure came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It returned a value.
    Completed,
    /// It returned an error, which aborts the transaction.
    Failed,
}

/// How a commit ended.
#[derive(Debug)]
pub(crate) enum Done {
    Settled(Settled),
    /// A unit that was in doubt is not stored, and this commit was only to find that out.
    Unstored,
    /// The transaction's closure failed on the newest record.
    Aborted,
    Failed(Error),
}

/// Where a commit led.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) base: Base,
    pub(crate) cookie: Option<CookieAction>,
    /// Changes were dropped, as their session had ended.
    pub(crate) discards: bool,
}

/// What happened, for events, metrics and those who watch a session.
#[derive(Debug)]
pub(crate) enum Event {
    Created(Handle),
    Replaced,
    Moved { from: Handle, to: Handle },
    Ended(Handle),
    Replayed,
    TouchFailed(Handle, Error),
}

/// What commits of one layer go by.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) expiry: Expiry,
    /// The store answers at once: no answer can be lost, so commits need no ids.
    pub(crate) is_immediate: bool,
}

/// How often a store that answers at once is asked again before this commit waits in line.
const CONFLICTS_AT_ONCE: u32 = 8;

/// How many new ids are tried. That one of 128 random bits is in use says that the store is not well.
const IDS: u32 = 3;

impl Commit {
    /// Of a unit that begins.
    #[inline]
    pub(crate) fn new(unit: Unit) -> Self {
        Self {
            unit,
            ran: None,
            is_fresh: false,
            conflicts: 0,
            ids_taken: 0,
            gives_up: false,
            state: State::Planning,
        }
    }

    /// Of a unit that failed or was dropped before, which may be in doubt. If it is not found to be done, it is done
    /// again, unless it was a transaction or is `only_verified`.
    pub(crate) fn resume(mut unit: Unit, only_verified: bool) -> Self {
        unit.was_unknown = unit.is_in_doubt();
        Self {
            gives_up: only_verified || unit.is_transaction,
            state: match unit.is_in_doubt() {
                true => State::Verifying(Verifying::resumed()),
                false => State::Planning,
            },
            ..Self::new(unit)
        }
    }

    pub(crate) fn into_unit(self) -> Unit {
        self.unit
    }

    pub(crate) fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The work as it is to be committed.
    #[inline]
    pub(super) fn work(&self) -> &SessionState {
        self.ran.as_ref().unwrap_or(&self.unit.state)
    }

    /// What is to be done now. Once the headers are sent no cookie can be sent any more.
    pub(crate) fn next(&mut self, now: Timestamp, headers_sent: bool, policy: &Policy) -> Next {
        if headers_sent && !self.unit.state.headers_sent {
            self.unit.state.mark_headers_sent();
        }
        if matches!(self.state, State::Planning) {
            self.state = self.plan(now, policy);
        }
        match &mut self.state {
            State::Planning => unreachable!("it was planned"),
            State::Running => Next::Run,
            State::Ending(ending) => Next::Ask(ending.call()),
            State::Creating(creating) => Next::Ask(creating.call()),
            State::Replacing(replacing) => Next::Ask(replacing.call()),
            State::Moving(moving) => Next::Ask(moving.call()),
            State::Refreshing(refreshing) => Next::Ask(refreshing.call()),
            State::Touching(touching) => Next::Ask(touching.call()),
            State::Verifying(verifying) => Next::Ask(verifying.call(&mut self.unit)),
            State::Waiting => match self.unit.state.base.live() {
                Some(stored) => Next::Wait(stored.handle, self.conflicts),
                None => unreachable!("only a live session meets a conflict"),
            },
            State::Done(done) => Next::Done(done.take().expect("a commit is done once")),
        }
    }

    /// What the store said to the last call, if it said something.
    pub(crate) fn answered(
        &mut self,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> Option<Event> {
        let state = std::mem::replace(&mut self.state, State::Planning);
        let (state, event) = match state {
            State::Ending(ending) => self.ending(ending, answer, policy),
            State::Creating(creating) => self.creating(creating, answer, policy),
            State::Replacing(replacing) => self.replacing(replacing, answer, now, policy),
            State::Moving(moving) => self.moving(moving, answer, now, policy),
            State::Refreshing(refreshing) => self.refreshing(&refreshing, answer, now, policy),
            State::Touching(touching) => self.touching(touching, answer),
            State::Verifying(verifying) => self.verifying(verifying, answer, now, policy),
            State::Planning | State::Running | State::Waiting | State::Done(_) => {
                unreachable!("no call was asked for")
            }
        };
        self.state = state;
        event
    }

    /// The work for the transaction's closure to run on.
    pub(crate) fn start_run(&mut self) -> &mut SessionState {
        self.ran.insert(self.unit.state.clone())
    }

    /// The closure has run.
    pub(crate) fn ran(&mut self, ran: Ran, now: Timestamp, policy: &Policy) {
        let work = self.work();
        let plan = work.plan(|| now, &policy.expiry);
        let writes = work.changes_data() || !work.intent.is_empty();
        self.state = match (ran, work.base.live()) {
            // It failed, or writes nothing: no compare-and-swap tells whether what it read was still true.
            (ran, Some(_)) if !self.is_fresh && (ran == Ran::Failed || !writes) => {
                self.refresh(Why::Transaction)
            }
            (Ran::Failed, _) => State::Done(Some(Done::Aborted)),
            (Ran::Completed, _) => self.carry_out(plan, now, policy),
        };
    }

    /// Other commits of this session have made way. The last of them may have left its record.
    pub(crate) fn waited(
        &mut self,
        newer: Option<Record>,
        now: Timestamp,
        policy: &Policy,
    ) -> Option<Event> {
        let refreshing = self.refreshing_for(Why::Conflict);
        let Some(record) = newer else {
            self.state = State::Refreshing(refreshing);
            return None;
        };
        let (state, event) =
            self.refreshing(&refreshing, Ok(Answer::Loaded(Some(record))), now, policy);
        self.state = state;
        event
    }

    /// There is no time left to wait for others, or to try again.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Verifying(Verifying::out_of_time());
    }

    fn plan(&mut self, now: Timestamp, policy: &Policy) -> State {
        match self.unit.state.plan(|| now, &policy.expiry) {
            plan @ Plan::End(_) => self.carry_out(plan, now, policy),
            _ if self.gives_up && self.end_copy() => self.plan(now, policy),
            _ if self.gives_up => State::Done(Some(Done::Unstored)),
            _ if self.unit.is_transaction && self.unit.state.is_gone() => self.discard(),
            _ if self.unit.is_transaction => {
                self.ran = None;
                State::Running
            }
            plan => self.carry_out(plan, now, policy),
        }
    }

    /// Of the commit after the handler, which has planned already.
    #[inline]
    pub(crate) fn planned(&mut self, plan: Plan, now: Timestamp, policy: &Policy) {
        self.state = self.carry_out(plan, now, policy);
    }

    fn carry_out(&mut self, plan: Plan, now: Timestamp, policy: &Policy) -> State {
        let is_too_late = self.work().headers_sent;
        match plan {
            Plan::Move if is_too_late && self.end_copy() => self.plan(now, policy),
            Plan::Create | Plan::Move if is_too_late => self.fail(Error::headers_sent()),
            Plan::End(handle) => self.begin_ending(handle),
            Plan::Create => self.create(now, policy),
            Plan::Replace => self.replace(now, policy),
            Plan::Move => self.move_to_new_id(now, policy),
            Plan::Touch(until) => State::Touching(Touching::new(self.stored(), until, None)),
            Plan::Reissue => self.refresh(Why::Reissue),
            Plan::Refresh if self.is_fresh => self.settle_fresh(now, policy),
            Plan::Refresh => self.refresh(Why::Snapshot),
            Plan::Discard => self.discard(),
            Plan::Nothing => self.settle_as_is(),
        }
    }

    /// A move that is not carried on with may have left a copy under the new id, in a store that moves in two steps:
    /// that is ended first. Answers whether there may be one.
    fn end_copy(&mut self) -> bool {
        let may_have_copied = self.unit.may_have_copied();
        if may_have_copied {
            let copy = self.unit.new_id().1;
            self.unit.state.endings.others.push(copy);
            self.unit.attempt = None;
            self.unit.rename();
        }
        may_have_copied
    }

    pub(super) fn stored(&self) -> &Stored {
        let stored = self.unit.state.base.live();
        stored.expect("only a live session is changed in the store")
    }

    /// Nothing is left to do.
    pub(super) fn settle_as_is(&mut self) -> State {
        let SessionState { base, cookie, .. } = self.work();
        let (base, cookie) = (base.clone(), *cookie);
        self.settle(base, cookie)
    }

    /// Nothing is left to do but to note the use: all that was pending is in the newest record already.
    fn settle_fresh(&mut self, now: Timestamp, policy: &Policy) -> State {
        let due = policy.expiry.touch_due(&self.stored().record, now);
        match due.filter(|_| self.work().counts_as_use()) {
            Some(until) => State::Touching(Touching::new(self.stored(), until, None)),
            None => self.settle_as_is(),
        }
    }

    pub(super) fn settle(&mut self, base: Base, cookie: Option<CookieAction>) -> State {
        self.unit.attempt = None;
        State::Done(Some(Done::Settled(Settled {
            base,
            cookie,
            discards: false,
        })))
    }

    /// The session is over, and what was to be done with it goes with it.
    pub(super) fn discard(&mut self) -> State {
        self.unit.attempt = None;
        State::Done(Some(Done::Settled(Settled {
            base: Base::Gone,
            cookie: None,
            discards: self.work().has_changes(),
        })))
    }

    #[expect(clippy::unused_self, reason = "so that all ends read the same")]
    pub(super) fn fail(&mut self, error: Error) -> State {
        State::Done(Some(Done::Failed(error)))
    }

    /// No answer says what became of the write. In doubt, unless the store's answers cannot be lost.
    pub(super) fn unknown(&mut self, error: Error, policy: &Policy) -> State {
        if policy.is_immediate {
            self.unit.attempt = None;
            return self.fail(error);
        }
        self.unit.was_unknown = true;
        State::Verifying(Verifying::after(error))
    }

    /// The session ended before its changes could be stored. A login goes on, without what was there before.
    ///
    /// One that is missing, and not moved, may have been swept for its age while the request was at work. The client
    /// has no newer session then, so it is told.
    pub(super) fn lost(&mut self, is_missing: bool, now: Timestamp, policy: &Policy) -> State {
        self.unit.attempt = None;
        let work = self.work();
        if !work.has_login() && self.unit.state.endings.is_empty() {
            let is_too_old = is_missing && work.has_expired_meanwhile(now, &policy.expiry);
            return match work.has_changes() && is_too_old {
                true => self.fail(Error::expired()),
                false => self.discard(),
            };
        }
        self.unit.rename();
        match self.unit.state.apply_newer(None) {
            Ok(()) => State::Planning,
            Err(error) => self.fail(error),
        }
    }

    /// Another request was faster.
    pub(super) fn conflict(&mut self, policy: &Policy) -> State {
        self.conflicts += 1;
        // A store that answers at once has answered before a task that waits in line would even wake up.
        match policy.is_immediate && self.conflicts <= CONFLICTS_AT_ONCE {
            true => self.refresh(Why::Conflict),
            false => State::Waiting,
        }
    }

    pub(super) fn id_taken(&mut self) -> State {
        self.unit.attempt = None;
        self.unit.rename();
        self.ids_taken += 1;
        match self.ids_taken == IDS {
            true => self.fail(Error::store("it says of every new id that it is in use")),
            false => State::Planning,
        }
    }

    /// The id that this commit leaves in the record, if the store's answers can be lost.
    pub(super) fn commit_id(&mut self, policy: &Policy) -> Option<CommitId> {
        (!policy.is_immediate).then(|| self.unit.commit_id())
    }

    /// The record that this commit is to store, if it fits.
    pub(super) fn record(&mut self, now: Timestamp, policy: &Policy) -> Result<Record, Error> {
        let commit = self.commit_id(policy);
        let work = self.work();
        let record = work.to_record(now, &policy.expiry, commit);
        work.check_size(&record)?;
        Ok(record)
    }
}
