use super::{
    base::Base,
    call::{Answer, Done, Event, Next, Policy, Ran, Settled},
    creating::Creating,
    ending::Ending,
    moving::Moving,
    plan::Plan,
    refreshing::Refreshing,
    replacing::Replacing,
    state::SessionState,
    touching::Touching,
    turn::{After, Turn, Why},
    unit::Unit,
    verifying::Verifying,
    work::Work,
    write::{Unwritten, Write},
};
use crate::{error::Error, record::Record, time::Timestamp};

/// One commit under way.
pub(crate) struct Commit {
    work: Work,
    state: State,
}

/// Where a commit stands.
enum State {
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

impl Commit {
    /// Of a unit that begins.
    #[inline]
    pub(crate) fn new(unit: Unit) -> Self {
        Self {
            work: Work::new(unit),
            state: State::Planning,
        }
    }

    /// Of a unit that failed or was dropped before, which may be in doubt. If it is not found to be stored, it is
    /// committed again, unless it was a transaction or is `only_verified`.
    pub(crate) fn resume(mut unit: Unit, only_verified: bool) -> Self {
        if unit.is_in_doubt() {
            unit.note_unanswered();
        }
        let mut commit = Self::new(unit);
        let Work { unit, gives_up, .. } = &mut commit.work;
        *gives_up = only_verified || unit.is_transaction;
        if unit.is_in_doubt() {
            commit.state = State::Verifying(Verifying::new(After::Resumed));
        }
        commit
    }

    /// Of a look at the newest record, by a unit that [changes nothing](SessionState::begin_reload). It counts as a
    /// use.
    pub(crate) fn reload(unit: Unit) -> Self {
        let mut commit = Self::new(unit);
        let base = &commit.work.unit.state.base;
        commit.state = match base {
            Base::Live(_) => commit.turn(Turn::Refresh(Why::Reload)),
            Base::New | Base::Gone => commit.turn(commit.work.settle_as_is()),
        };
        commit
    }

    /// Of a write that was begun [the plain way](Write), and was not simply stored.
    pub(crate) fn unwritten(
        mut unit: Unit,
        unwritten: Unwritten,
        now: Timestamp,
        policy: &Policy,
    ) -> (Self, Option<Event>) {
        let Unwritten { write, answer } = unwritten;
        let (attempt, state) = match write {
            Write::Create(creating) => (creating.attempt(), State::Creating(creating)),
            Write::Replace(replacing) => (replacing.attempt(), State::Replacing(replacing)),
            Write::Move(moving) => (moving.attempt(), State::Moving(moving)),
        };
        unit.attempt(attempt);
        let mut commit = Self::new(unit);
        commit.state = state;
        let event = commit.answered(answer, now, policy);
        (commit, event)
    }

    pub(crate) fn into_unit(self) -> Unit {
        self.work.unit
    }

    pub(crate) fn unit(&self) -> &Unit {
        &self.work.unit
    }

    /// What is to be done now. Once the headers are sent no cookie can be sent any more.
    pub(crate) fn next(&mut self, now: Timestamp, headers_sent: bool, policy: &Policy) -> Next<'_> {
        if headers_sent && !self.work.unit.state.headers_sent {
            self.work.unit.state.mark_headers_sent();
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
            State::Verifying(verifying) => Next::Ask(verifying.call(&mut self.work.unit)),
            State::Waiting => Next::Wait(self.work.stored().handle, self.work.conflicts),
            State::Done(done) => Next::Done(done.take().expect("a commit is done once")),
        }
    }

    /// What the store said to the last call.
    pub(crate) fn answered(
        &mut self,
        answer: Result<Answer, Error>,
        now: Timestamp,
        policy: &Policy,
    ) -> Option<Event> {
        let work = &mut self.work;
        let (turn, event) = match std::mem::replace(&mut self.state, State::Planning) {
            State::Ending(ending) => ending.answered(work, answer, policy),
            State::Creating(creating) => creating.answered(work, answer, policy),
            State::Replacing(replacing) => replacing.answered(work, answer, now, policy),
            State::Moving(moving) => moving.answered(work, answer, now, policy),
            State::Refreshing(refreshing) => refreshing.answered(work, answer, now, policy),
            State::Touching(touching) => touching.answered(work, answer),
            State::Verifying(verifying) => verifying.answered(work, answer, now, policy),
            State::Planning | State::Running | State::Waiting | State::Done(_) => {
                unreachable!("no call was asked for")
            }
        };
        self.state = self.turn(turn);
        event
    }

    /// The state for the transaction's closure to run on.
    pub(crate) fn start_run(&mut self) -> &mut SessionState {
        let Work { unit, ran, .. } = &mut self.work;
        ran.insert(Box::new(unit.state.clone()))
    }

    /// The closure has run.
    pub(crate) fn ran(&mut self, ran: Ran, now: Timestamp, policy: &Policy) {
        let state = self.work.state();
        let plan = state.plan(|| now, &policy.expiry);
        self.state = match ran {
            // It failed, or writes nothing: no compare-and-swap verifies what it read.
            _ if state.base.live().is_some()
                && !self.work.is_fresh
                && (ran == Ran::Failed || !state.writes()) =>
            {
                self.turn(Turn::Refresh(Why::Transaction))
            }
            Ran::Failed => State::Done(Some(Done::Aborted)),
            Ran::Completed => self.carry_out(plan, now, policy),
        };
    }

    /// The wait for other commits of this session is over. The last of them may have left its record.
    pub(crate) fn waited(
        &mut self,
        newer: Option<Record>,
        now: Timestamp,
        policy: &Policy,
    ) -> Option<Event> {
        self.state = self.turn(Turn::Refresh(Why::Conflict));
        newer.and_then(|record| self.answered(Ok(Answer::Loaded(Some(record))), now, policy))
    }

    /// There is no time left to wait for others, or to try again.
    pub(crate) fn give_up(&mut self) {
        self.state = self.turn(Turn::Verify(After::OutOfTime));
    }

    /// The commit after the handler has planned already.
    #[inline]
    pub(crate) fn planned(&mut self, plan: Plan, now: Timestamp, policy: &Policy) {
        self.state = self.carry_out(plan, now, policy);
    }

    fn plan(&mut self, now: Timestamp, policy: &Policy) -> State {
        let Work {
            unit,
            gives_up,
            verdict,
            ..
        } = &mut self.work;
        match unit.state.plan(|| now, &policy.expiry) {
            plan @ Plan::End(_) => self.carry_out(plan, now, policy),
            _ if verdict.is_some() => {
                let turn = verdict.take().expect("there is one");
                self.turn(*turn)
            }
            _ if *gives_up && unit.end_copy() => self.plan(now, policy),
            _ if *gives_up => State::Done(Some(Done::Unstored)),
            _ if unit.is_transaction && unit.state.is_gone() => self.turn(Turn::Discard),
            _ if unit.is_transaction => {
                self.work.ran = None;
                State::Running
            }
            plan => self.carry_out(plan, now, policy),
        }
    }

    fn carry_out(&mut self, plan: Plan, now: Timestamp, policy: &Policy) -> State {
        let work = &mut self.work;
        // It was alive when it was looked at in this commit.
        let was_refreshed = plan == Plan::Refresh && work.is_fresh;
        let plan = match was_refreshed {
            true => work.state().plan_write(),
            false => plan,
        };
        if plan == Plan::Move && work.state().headers_sent && work.unit.end_copy() {
            return self.plan(now, policy);
        }
        let begun = match plan {
            Plan::Create | Plan::Move if work.state().headers_sent => Err(Error::headers_sent()),
            Plan::Create => Creating::begin(work, now, policy).map(State::Creating),
            Plan::Replace => Replacing::begin(work, now, policy).map(State::Replacing),
            Plan::Move => Moving::begin(work, now, policy).map(State::Moving),
            Plan::End(handle) => Ok(State::Ending(Ending::begin(work, handle))),
            plan => {
                let turn = match plan {
                    Plan::Touch(until) => Turn::Touch(work.stored().clone(), until, None),
                    Plan::Reissue => Turn::Refresh(Why::Reissue),
                    Plan::Refresh => Turn::Refresh(Why::Snapshot),
                    Plan::Discard => Turn::Discard,
                    _ if was_refreshed => work.settle_fresh(now, policy),
                    _ => work.settle_as_is(),
                };
                return self.turn(turn);
            }
        };
        begun.unwrap_or_else(|error| self.turn(Turn::Fail(error)))
    }

    fn turn(&mut self, turn: Turn) -> State {
        let work = &mut self.work;
        let done = match turn {
            Turn::Plan => return State::Planning,
            Turn::Refresh(why) => return State::Refreshing(Refreshing::new(work, why)),
            Turn::Wait => return State::Waiting,
            Turn::Verify(after) => return State::Verifying(Verifying::new(after)),
            Turn::Touch(stored, until, cookie) => {
                return State::Touching(Touching::new(stored, until, cookie));
            }
            Turn::Settle(base, cookie) => Done::Settled(Settled {
                base,
                cookie,
                discards: false,
                has_moved: false,
            }),
            Turn::SettleMoved => Done::Settled(Settled {
                base: Base::Gone,
                cookie: None,
                discards: false,
                has_moved: true,
            }),
            Turn::Discard => Done::Settled(Settled {
                base: Base::Gone,
                cookie: None,
                discards: work.state().has_changes(),
                has_moved: false,
            }),
            Turn::Fail(error) => return State::Done(Some(Done::Failed(error))),
        };
        work.unit.attempt = None;
        State::Done(Some(done))
    }
}
