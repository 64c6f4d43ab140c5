use super::{
    call::{Call, Kept, Reply},
    script::{LIST, Script, Step, Token, Tokens, tokens_of},
};
use crate::{
    change::{update_op, updated},
    commit::{
        Answer, Base, Commit, CookieAction, Done, Found, Next, Policy, Ran, SessionState, Stored,
        Unit,
    },
    error::Error,
    id::{Handle, SessionId},
    time::Timestamp,
};

/// One request: its handler, and the crate's own commit machine, which it drives as `drive` and `session` do.
///
/// A machine cannot be copied, so a state of the model has a request's history in its place, and this is made anew from
/// it for each step.
pub(super) struct Visit<'a> {
    script: Script,
    /// The steps of the handler that are done.
    at: usize,
    tokens: [Token; 2],
    state: SessionState,
    commit: Option<Commit>,
    in_doubt: Option<Unit>,
    phase: Phase,
    /// Not committed yet, as far as it knows.
    pending: Tokens,
    in_unit: Tokens,
    told: Told,
    presented: Option<Handle>,
    policy: &'a Policy,
    is_careless: bool,
}

/// What a commit under way is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Save,
    Transaction,
    /// The handler is over, and a commit of it is in doubt.
    Resolve,
    Finish,
    /// The commit has failed, and what it may have left is being deleted.
    CleanUp,
}

/// What a request waits for.
#[derive(Debug, Clone)]
pub(super) enum Waits {
    Call(Call),
    Over(Told),
}

/// What became of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) stored: Tokens,
    pub(super) refused: Tokens,
    /// Dropped, as this session had ended.
    pub(super) discarded: Vec<(Tokens, Option<Handle>)>,
    pub(super) cookie: Option<Cookie>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    Set(Handle),
    Remove,
}

const MAX_BYTES: usize = 1000;

/// After so many conflicts the time of a commit is used up.
const CONFLICTS: u32 = 2;

impl<'a> Visit<'a> {
    /// A request that came with this cookie, and what it found. One that is `careless` takes a commit in doubt for one
    /// that is not stored.
    pub(super) fn new(
        (client, script): (usize, Script),
        presented: Option<Handle>,
        found: Option<&Kept>,
        now: Timestamp,
        (policy, is_careless): (&'a Policy, bool),
    ) -> Self {
        let mut finding = Found::default();
        let found = found.map(|kept| &kept.record);
        match (
            presented,
            found.filter(|record| policy.expiry.is_live(record, now)),
        ) {
            (None, _) => {}
            (Some(_), None) => finding.ended(),
            (Some(_), Some(record)) if record.is_tombstone() => finding.moved(),
            (Some(handle), Some(record)) => {
                let stored = Stored {
                    // Nothing but the cookie needs it, which is a handle here.
                    id: SessionId::from_text([b'0'; SessionId::LEN]),
                    handle,
                    record: record.clone(),
                };
                finding.live(stored, now);
            }
        }
        Self {
            script,
            at: 0,
            tokens: tokens_of(client),
            state: SessionState::of(&finding, MAX_BYTES),
            commit: None,
            in_doubt: None,
            phase: Phase::Save,
            pending: Tokens::default(),
            in_unit: Tokens::default(),
            told: Told::default(),
            presented,
            policy,
            is_careless,
        }
    }

    pub(super) fn answered(&mut self, reply: &Reply, now: Timestamp) {
        let answer = match reply.clone() {
            Reply::Loaded(kept) => Ok(Answer::Loaded(kept.map(|kept| kept.record))),
            Reply::Created(created) => Ok(Answer::Created(created)),
            Reply::Replaced(replaced) => Ok(Answer::Replaced(replaced)),
            Reply::Touched(is_touched) => Ok(Answer::Touched(is_touched)),
            Reply::Deleted(by_us) => Ok(Answer::Deleted(by_us)),
            Reply::Fails => Err(Error::store("no answer")),
        };
        let commit = self.commit.as_mut().expect("a commit under way");
        commit.answered(answer, now, self.policy);
    }

    /// Goes on until an answer is needed.
    pub(super) fn run(&mut self, now: Timestamp) -> Waits {
        loop {
            let Some(commit) = &mut self.commit else {
                match self.step(now) {
                    true => continue,
                    false => return self.answer(false),
                }
            };
            match commit.next(now, false, self.policy) {
                Next::Ask(call) => return Waits::Call(Call::of(call)),
                Next::Run => {
                    push(commit.start_run(), self.tokens[0]);
                    commit.ran(Ran::Completed, now, self.policy);
                }
                Next::Wait(_, conflicts) if conflicts > CONFLICTS => commit.give_up(),
                Next::Wait(..) => {
                    commit.waited(None, now, self.policy);
                }
                Next::Done(done) => {
                    let is_refused = self.land(done);
                    match self.phase {
                        _ if self.commit.is_some() => {}
                        Phase::Save | Phase::Transaction => {}
                        Phase::Resolve if !is_refused => self.finish(now),
                        Phase::Resolve | Phase::Finish | Phase::CleanUp => {
                            return self.answer(is_refused);
                        }
                    }
                }
            }
        }
    }

    /// The next step of the handler, or the commit after it. `false` if nothing is left to do.
    fn step(&mut self, now: Timestamp) -> bool {
        let Some(step) = self.script.steps().get(self.at) else {
            self.begin_finish(now);
            return self.commit.is_some();
        };
        self.at += 1;
        match *step {
            Step::Push(which) => {
                push(&mut self.state, self.tokens[which]);
                self.pending.add(self.tokens[which]);
            }
            Step::LogIn => self.state.log_in("ann".into(), None, now),
            Step::Regenerate => self.state.regenerate(),
            Step::Clear => {
                self.state.clear(self.presented.is_some(), Vec::new());
                self.pending.take();
            }
            Step::Save => self.begin(Phase::Save, false),
            Step::Transact => self.begin(Phase::Transaction, true),
        }
        true
    }

    fn begin(&mut self, phase: Phase, is_transaction: bool) {
        self.in_unit = self.pending.take();
        if is_transaction {
            self.in_unit.add(self.tokens[0]);
        }
        self.phase = phase;
        self.commit = Some(Commit::new(self.state.begin(is_transaction)));
    }

    /// As `RequestSession::commit_pending`.
    fn begin_finish(&mut self, now: Timestamp) {
        let unit = self.in_doubt.take();
        match unit.filter(|unit| !self.state.end_leftovers(unit)) {
            Some(unit) => {
                let joins = self.state.joins(&unit);
                self.commit = Some(Commit::resume(unit, joins));
                self.phase = Phase::Resolve;
            }
            None => self.finish(now),
        }
    }

    fn finish(&mut self, now: Timestamp) {
        if self.state.plan(|| now, &self.policy.expiry) != crate::commit::Plan::Nothing {
            self.begin(Phase::Finish, false);
        }
    }

    /// As `Flight::land`. Answers whether the response would be an error.
    fn land(&mut self, done: Done) -> bool {
        let unit = self.commit.take().expect("it has not landed").into_unit();
        if let Done::Failed(error) = &done {
            self.state.cookie = self.state.cookie_unless_ended(error);
        }
        match done {
            Done::Settled(settled) => {
                let tokens = self.in_unit.take();
                let handle = unit.state().base.live().map(|stored| stored.handle);
                let is_stored = settled.base.live().is_some() || settled.has_moved;
                match settled.base {
                    _ if is_stored => self.told.stored.extend(tokens),
                    Base::Gone => {
                        if !unit.may_have_been_stored() {
                            self.told.refused.extend(tokens);
                        }
                        self.discard(tokens, handle);
                    }
                    // Only what was cleared.
                    Base::New | Base::Live(_) => assert!(tokens.is_empty()),
                }
                let acked = self.state.ack(&unit, settled.base, settled.cookie);
                if acked.is_err() {
                    let later = self.pending.take();
                    self.discard(later, handle);
                }
                false
            }
            Done::Unstored if self.phase == Phase::CleanUp => {
                self.state.abort(&unit);
                true
            }
            Done::Unstored => {
                self.state.abort(&unit);
                self.is_pending_again(&unit);
                false
            }
            Done::Aborted => unreachable!("no closure fails"),
            Done::Failed(_) if self.is_careless => {
                self.state.abort(&unit);
                self.is_pending_again(&unit);
                true
            }
            Done::Failed(error) if unit.is_in_doubt() => {
                self.state.sync_endings(&unit);
                if matches!(self.phase, Phase::Save | Phase::Transaction) {
                    self.in_doubt = Some(unit);
                } else if !error.is_in_doubt() && unit.may_have_copied() {
                    self.commit = Some(Commit::resume(unit, true));
                    self.phase = Phase::CleanUp;
                }
                true
            }
            Done::Failed(error) if error.is_in_doubt() => {
                self.state.give_up(&unit);
                true
            }
            Done::Failed(error) => {
                self.state.abort(&unit);
                self.is_pending_again(&unit);
                !error.is_silent()
            }
        }
    }

    fn is_pending_again(&mut self, unit: &Unit) {
        let tokens = self.in_unit.take();
        match unit.is_transaction {
            // Its closure is gone. Where a call is late, it may still be done.
            true => {}
            false => self.pending.extend(tokens),
        }
    }

    fn discard(&mut self, tokens: Tokens, handle: Option<Handle>) {
        if !tokens.is_empty() {
            self.told
                .discarded
                .push((tokens, handle.or(self.presented)));
        }
    }

    /// The response.
    fn answer(&mut self, is_refused: bool) -> Waits {
        let rest = self.pending.take();
        match is_refused {
            true => self.told.refused.extend(rest),
            false => self.discard(rest, None),
        }
        let cookie = match is_refused {
            true => self.state.cookie_after_failure(),
            false => self.state.cookie,
        };
        let live = self.state.base.live().map(|stored| stored.handle);
        self.told.cookie = match cookie {
            Some(CookieAction::Set) => live.map(Cookie::Set),
            Some(CookieAction::Remove) => Some(Cookie::Remove),
            None => None,
        };
        Waits::Over(self.told.clone())
    }
}

fn push(state: &mut SessionState, token: Token) {
    let push = move |list: &mut Vec<Token>| list.push(token);
    let (list, _) = updated(LIST, state.draft().raw(LIST), push).expect("a list");
    let op = update_op(LIST, list, push);
    state.draft().apply(LIST, op).expect("it fits");
}
