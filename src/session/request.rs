use std::sync::Arc;

use once_cell::race::OnceBox;
use parking_lot::MutexGuard;

use super::{
    commit,
    headers_sent::HeadersSent,
    load::{self, Loaded},
    shared::Shared,
    state::{Done, SessionState, Turnout},
    step::Committed,
    transaction::Transaction,
};
use crate::{cookie::CookieHeader, error::Error, observe};

/// The session of one request, from the unread cookie to the commit. Shared by the layer and all extracted handles.
///
/// It is made for every request, so it is small: what only a session in use needs is behind a pointer.
pub(crate) struct RequestSession {
    pub(crate) shared: Arc<Shared>,
    presented: CookieHeader,
    /// The session of another cookie, whose layer is outside of this one's.
    outer: Option<Arc<Self>>,
    pub(super) loaded: OnceBox<Loaded>,
    /// It leaves only where somebody is left to know.
    pub(super) head: HeadersSent,
}

impl RequestSession {
    pub(crate) fn new(
        shared: Arc<Shared>,
        presented: CookieHeader,
        outer: Option<Arc<Self>>,
    ) -> Self {
        Self {
            shared,
            presented,
            outer,
            loaded: OnceBox::new(),
            head: HeadersSent::default(),
        }
    }

    pub(crate) fn presented(&self) -> &CookieHeader {
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
    pub(crate) fn work(&self) -> MutexGuard<'_, SessionState> {
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
impl RequestSession {
    pub(crate) async fn save(&self) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let work = self.work().copy();
        if !work.writes() {
            return self.refresh(&work).await;
        }
        let progress = |turnout: &Turnout| self.work().note(&work, turnout);
        let mut attempt = work.clone();
        let head = Some(&self.head);
        let committed = commit::commit(&self.shared, &mut attempt, head, progress).await?;
        self.settle(&work.pending(), committed)
    }

    pub(crate) async fn transact<R>(
        &self,
        run: impl Fn(&mut Transaction<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let _turn = self.turn().await?;
        let work = {
            let mut work = self.work();
            let copy = work.copy();
            // Whatever keys the transaction changes.
            work.changes.keep_all();
            copy
        };
        let progress = |turnout: &Turnout| self.work().note(&work, turnout);
        let (committed, result) =
            commit::transact(&self.shared, work.clone(), &self.head, progress, run).await?;
        self.settle(&work.pending(), committed)?;
        result.ok_or_else(Error::gone)
    }

    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let work = self.work().clone();
        self.refresh(&work).await
    }

    async fn refresh(&self, work: &SessionState) -> Result<(), Error> {
        if let Some(turnout) = commit::reload(&self.shared, work).await? {
            self.rework(|work| {
                work.release();
                work.apply(turnout.clone())
            })?;
        }
        self.work().still_there()
    }

    pub(super) fn settle(
        &self,
        done: &Done,
        Committed { origin, owed }: Committed,
    ) -> Result<(), Error> {
        self.rework(|work| work.settle(done, origin.clone(), owed))
    }

    /// Changes the work without its lock: closures of updates may run again, and use this session.
    fn rework(&self, change: impl Fn(&mut SessionState) -> Result<(), Error>) -> Result<(), Error> {
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
    pub(super) async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        let io = &self.loaded().io;
        if let Ok(turn) = io.try_lock() {
            return Ok(turn);
        }
        // Boxed, as it is rare: it would make the future of every commit larger.
        let turn = tokio::time::timeout(self.shared.store_timeout, io.lock());
        Box::pin(turn).await.map_err(|_| Error::conflict())
    }
}

impl Drop for RequestSession {
    fn drop(&mut self) {
        if self.head.was_marked()
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
