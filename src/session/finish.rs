//! What is done with a session when its handler is over, and what that comes to.

use std::{pin::Pin, sync::Arc};

use http::StatusCode;

use super::{
    commit,
    load::Loaded,
    plan::Plan,
    request::RequestSession,
    shared::Shared,
    state::{CookieAction, SessionState},
    step::Committed,
};
use crate::{cookie::SetCookie, error::Error, observe, time::Timestamp};

/// What the handler left for the layer to do.
pub(crate) enum Finish {
    /// The session was not asked for.
    Untouched,
    /// It was, and there is nothing to store, or no more.
    Done(Finished),
    Commit(Commit),
}

/// The commit after the handler.
pub(crate) type Commit = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// What came of a session.
#[derive(Clone, Copy)]
pub(crate) struct Finished {
    /// It failed: the response is to be replaced by one of this status.
    pub(crate) refused: Option<StatusCode>,
    pub(crate) cookie: Option<SetCookie>,
}

impl RequestSession {
    /// The handler answered, or `failed` to. If it never `waited`, it did so when the session was loaded.
    #[inline]
    pub(crate) fn finish(self: &Arc<Self>, failed: bool, waited: bool) -> Finish {
        let Some(loaded) = self.loaded.get().or_else(|| self.loaded_last()) else {
            return Finish::Untouched;
        };
        let mut work = loaded.work.lock();
        if failed {
            work.roll_back();
        }
        // A look at the clock costs as much as all the rest of this.
        let now = || match loaded.at {
            Some(at) if !waited => at,
            _ => self.shared.clock.now(),
        };
        let is_alone = self.is_alone();
        let turn = match is_alone {
            true => None,
            false => loaded.io.try_lock().ok(),
        };
        // Or else something is under way, and may give the session an id that the client has to know.
        if is_alone || turn.is_some() {
            work.release();
            let committed = match work.plan(now, &self.shared.expiry) {
                Plan::Nothing => Some(Ok(())),
                plan => self.commit_at_once(&mut work, plan, now()),
            };
            if let Some(committed) = committed {
                return Finish::Done(self.outcome(&mut work, committed));
            }
        }
        let slot = Arc::clone(self);
        Finish::Commit(Box::pin(async move { slot.commit_rest().await }))
    }

    /// Nobody but the layer has this session any more: there is no I/O to wait for, and nobody to tell anything.
    fn is_alone(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1
    }

    /// Nobody has loaded the session. A task that does so from now on will know that it is too late; one that did so
    /// a moment ago may not, and has to be waited for.
    fn loaded_last(self: &Arc<Self>) -> Option<&Loaded> {
        self.let_head_leave();
        self.loaded.get()
    }

    fn let_head_leave(self: &Arc<Self>) {
        if !self.is_alone() {
            self.head.leave();
        }
    }

    fn outcome(
        self: &Arc<Self>,
        work: &mut SessionState,
        committed: Result<(), Error>,
    ) -> Finished {
        let refused = committed.err().map(|error| {
            observe::commit_failed(&error);
            error.status()
        });
        Finished {
            refused,
            cookie: self.send_head(work),
        }
    }

    /// The commit without a future, if the store answers at once and the first step is all there is. If not, `None`,
    /// and nothing was changed.
    fn commit_at_once(
        &self,
        work: &mut SessionState,
        plan: Plan,
        now: Timestamp,
    ) -> Option<Result<(), Error>> {
        // To end a session is to change it, and never the last step.
        if !self.shared.store.is_immediate() || matches!(plan, Plan::End(_)) {
            return None;
        }
        match commit::first_step(&self.shared, plan, work, now)? {
            Ok(Committed { origin, owed }) => {
                work.restart(origin, owed);
                Some(Ok(()))
            }
            Err(error) => {
                drop(work.take_rest());
                Some(Err(error))
            }
        }
    }

    /// What is pending is taken, not copied: whatever comes of it, the request is over.
    async fn commit_rest(self: &Arc<Self>) -> Finished {
        let (turn, refused) = match self.turn().await {
            Ok(turn) => (Some(turn), None),
            Err(error) => (None, Some(error)),
        };
        let rest = {
            let mut work = self.work();
            if turn.is_some() {
                work.release();
            }
            let rest = work.take_rest();
            // What is done meanwhile may undo what is being stored.
            work.changes.keep_all();
            rest
        };
        let committed = match refused {
            Some(error) if rest.writes() => Err(error),
            Some(_) => Ok(()),
            None => self.commit_taken(rest).await,
        };
        // Still with the turn: nobody saves anything now that needs a cookie.
        self.outcome(&mut self.work(), committed)
    }

    async fn commit_taken(&self, mut work: SessionState) -> Result<(), Error> {
        let taken = work.taken();
        work.changes.keep_all();
        let committed = commit::commit(&self.shared, &mut work, None, |_| {}).await?;
        match self.settle(&taken, committed) {
            // The changes are dropped in silence: the client has a newer session, or wanted none.
            Err(error) if error.is_gone() => Ok(()),
            settled => settled,
        }
    }

    /// The cookie that the response has to carry, which is about to leave.
    fn send_head(self: &Arc<Self>, work: &mut SessionState) -> Option<SetCookie> {
        self.let_head_leave();
        let Shared { cookie, clock, .. } = &*self.shared;
        match (work.owed.take()?, work.origin.live()) {
            (CookieAction::Remove, _) => Some(cookie.removal()),
            (CookieAction::Set, Some(live)) => {
                let remembered = live.record.body().remember.is_some();
                let max_age = remembered.then(|| live.record.expires().since(clock.now()));
                Some(cookie.set(live.id, max_age))
            }
            (CookieAction::Set, None) => None,
        }
    }
}
