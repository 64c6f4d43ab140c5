use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::StatusCode;
use once_cell::race::OnceBox;
use parking_lot::MutexGuard;

use super::{
    commit,
    load::{self, Loaded},
    plan::Plan,
    shared::Shared,
    step::Committed,
    tx::Tx,
    work::{Done, Owed, Turnout, Work},
};
use crate::{
    cookie::{Presented, SetCookie},
    error::Error,
    observe,
    time::Timestamp,
};

/// The session of one request, from the unread cookie to the commit. Shared by the layer and all extracted handles.
///
/// It is made for every request, so it is small: what only a session in use needs is behind a pointer.
pub(crate) struct Slot {
    pub(crate) shared: Arc<Shared>,
    presented: Presented,
    /// The session of another cookie, whose layer is outside of this one's.
    outer: Option<Arc<Self>>,
    loaded: OnceBox<Loaded>,
    /// No cookie can be sent any more. Set only where somebody is left to know.
    head_sent: AtomicBool,
}

impl Slot {
    pub(crate) fn new(shared: Arc<Shared>, presented: Presented, outer: Option<Arc<Self>>) -> Self {
        Self {
            shared,
            presented,
            outer,
            loaded: OnceBox::new(),
            head_sent: AtomicBool::new(false),
        }
    }

    pub(crate) fn presented(&self) -> &Presented {
        &self.presented
    }

    pub(crate) fn outer(&self) -> Option<&Arc<Self>> {
        self.outer.as_ref()
    }

    /// Reads the session unless that was done.
    pub(crate) async fn load(&self) -> Result<(), Error> {
        if self.loaded.get().is_some() {
            return Ok(());
        }
        let loaded = load::load(&self.shared, &self.presented).await?;
        // If another extractor of this request was faster, its answer is the one.
        let _ = self.loaded.set(loaded);
        Ok(())
    }

    /// Never held across I/O.
    pub(crate) fn work(&self) -> MutexGuard<'_, Work> {
        self.loaded().work.lock()
    }

    /// The client sent a cookie of our name, of whatever worth.
    pub(crate) fn is_presented(&self) -> bool {
        self.loaded().presented
    }

    fn loaded(&self) -> &Loaded {
        self.loaded
            .get()
            .expect("a session is loaded before anybody gets hold of it")
    }
}

/// The I/O of a session. What it commits is copied, not taken: a future that is dropped midway, or an error, leaves
/// the request's changes as they were.
impl Slot {
    pub(crate) async fn save(&self) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let work = self.work().copy();
        if !work.writes() {
            return self.refresh(&work).await;
        }
        let progress = |turnout: &Turnout| self.work().note(&work, turnout);
        let mut attempt = work.clone();
        let committed =
            commit::commit(&self.shared, &mut attempt, self.head_sent(), progress).await?;
        self.settle(&work.pending(), committed)
    }

    pub(crate) async fn transact<R>(
        &self,
        run: impl Fn(&mut Tx<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let _turn = self.turn().await?;
        let work = self.work().copy();
        let progress = |turnout: &Turnout| self.work().note(&work, turnout);
        let (committed, result) =
            commit::transact(&self.shared, work.clone(), self.head_sent(), progress, run).await?;
        self.settle(&work.pending(), committed)?;
        result.ok_or_else(Error::gone)
    }

    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let work = self.work().copy();
        self.refresh(&work).await
    }

    async fn refresh(&self, work: &Work) -> Result<(), Error> {
        if let Some(turnout) = commit::reload(&self.shared, work).await? {
            self.rework(|work| {
                work.release();
                work.apply(turnout.clone())
            })?;
        }
        self.work().still_there()
    }

    fn settle(&self, done: &Done, Committed { origin, owed }: Committed) -> Result<(), Error> {
        self.rework(|work| work.settle(done, origin.clone(), owed))
    }

    /// Changes the work without its lock: closures of updates may run again, and use this session.
    fn rework(&self, change: impl Fn(&mut Work) -> Result<(), Error>) -> Result<(), Error> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let before = self.work().clone();
            let mut after = before.clone();
            let changed = change(&mut after);
            let mut work = self.work();
            if work.wants_as(&before) {
                *work = after;
                return changed;
            }
        }
        // Others never let go of it. A closure that depends on its argument only, as it should, does not need it.
        change(&mut self.work())
    }

    /// Waits for those before, but not for ever: the future of one may be kept by somebody who no longer polls it.
    async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        let io = &self.loaded().io;
        if let Ok(turn) = io.try_lock() {
            return Ok(turn);
        }
        // Boxed, as it is rare: it would make the future of every commit larger.
        let turn = tokio::time::timeout(self.shared.store_timeout, io.lock());
        Box::pin(turn).await.map_err(|_| Error::conflict())
    }

    fn head_sent(&self) -> bool {
        self.head_sent.load(Ordering::Acquire)
    }
}

/// What the handler left for the layer to do.
pub(crate) enum Finish {
    /// The session was not asked for.
    Untouched,
    /// It was, and there is nothing to store, or no more.
    Done(Outcome),
    Commit(Commit),
}

/// The commit after the handler.
pub(crate) type Commit = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What came of a session.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    /// It failed: the response is to be replaced by one of this status.
    pub(crate) refused: Option<StatusCode>,
    pub(crate) cookie: Option<SetCookie>,
}

impl Slot {
    /// The handler answered, or `failed` to. If it never `waited`, it did so when the session was loaded.
    #[inline]
    pub(crate) fn finish(self: &Arc<Self>, failed: bool, waited: bool) -> Finish {
        let Some(loaded) = self.loaded.get() else {
            self.note_head_sent();
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

    fn note_head_sent(self: &Arc<Self>) {
        if !self.is_alone() {
            self.head_sent.store(true, Ordering::Release);
        }
    }

    fn outcome(self: &Arc<Self>, work: &mut Work, committed: Result<(), Error>) -> Outcome {
        let refused = committed.err().map(|error| {
            observe::commit_failed(&error);
            error.status()
        });
        Outcome {
            refused,
            cookie: self.send_head(work),
        }
    }

    /// The commit without a future, if the store answers at once and the first step is all there is. If not, `None`,
    /// and nothing was changed.
    fn commit_at_once(
        &self,
        work: &mut Work,
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
    async fn commit_rest(self: &Arc<Self>) -> Outcome {
        let (turn, refused) = match self.turn().await {
            Ok(turn) => (Some(turn), None),
            Err(error) => (None, Some(error)),
        };
        let rest = {
            let mut work = self.work();
            if turn.is_some() {
                work.release();
            }
            work.take_rest()
        };
        let committed = match refused {
            Some(error) if rest.writes() => Err(error),
            Some(_) => Ok(()),
            None => self.commit_taken(rest).await,
        };
        // Still with the turn: nobody saves anything now that needs a cookie.
        self.outcome(&mut self.work(), committed)
    }

    async fn commit_taken(&self, mut work: Work) -> Result<(), Error> {
        let taken = work.taken();
        work.changes = work.changes.whole();
        let committed = commit::commit(&self.shared, &mut work, false, |_| {}).await?;
        match self.settle(&taken, committed) {
            // The changes are dropped in silence: the client has a newer session, or wanted none.
            Err(error) if error.is_gone() => Ok(()),
            settled => settled,
        }
    }

    /// The cookie that the response has to carry, which is about to leave.
    fn send_head(self: &Arc<Self>, work: &mut Work) -> Option<SetCookie> {
        self.note_head_sent();
        let Shared { codec, clock, .. } = &*self.shared;
        match (work.owed.take()?, work.origin.live()) {
            (Owed::Remove, _) => Some(SetCookie::REMOVAL),
            (Owed::Issue, Some(live)) => {
                let remembered = live.record.body().remember.is_some();
                let max_age = remembered.then(|| live.record.expires().since(clock.now()));
                Some(SetCookie {
                    value: Some(codec.sign(live.id)),
                    max_age,
                })
            }
            (Owed::Issue, None) => None,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if *self.head_sent.get_mut()
            && let Some(loaded) = self.loaded.get()
        {
            let mut work = loaded.work.lock();
            work.release();
            if work.writes() {
                observe::unsaved(work.origin.live().map(|live| live.handle));
            }
        }
    }
}
