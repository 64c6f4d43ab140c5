use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::cookie::Cookie;
use http::StatusCode;
use parking_lot::{Mutex, MutexGuard};

use super::{
    commit,
    plan::Plan,
    shared::Shared,
    step::Committed,
    tx::Tx,
    work::{Live, Origin, Owed, Turnout, Work},
};
use crate::{cookie::Presented, error::Error, expiry::Expiry, trace};

/// The session of one request, from the unread cookie to the commit. Shared by the layer and all extracted handles.
pub(crate) struct Slot {
    pub(crate) shared: Arc<Shared>,
    presented: Presented,
    /// The session of another cookie, whose layer is outside of this one's.
    outer: Option<Arc<Self>>,
    state: OnceLock<Mutex<State>>,
    /// Held across I/O, so that `save` and its like go one after the other.
    io: tokio::sync::Mutex<()>,
    /// No cookie can be sent any more.
    head_sent: AtomicBool,
}

/// What is known once the session was asked for.
pub(crate) struct State {
    pub(crate) work: Work,
    /// The client sent a cookie of our name, of whatever worth.
    presented: bool,
}

impl Slot {
    /// How many sessions a client may name before it counts as anonymous.
    const MOST_LOOKUPS: usize = 3;

    pub(crate) fn new(shared: Arc<Shared>, presented: Presented, outer: Option<Arc<Self>>) -> Self {
        Self {
            shared,
            presented,
            outer,
            state: OnceLock::new(),
            io: tokio::sync::Mutex::default(),
            head_sent: AtomicBool::new(false),
        }
    }

    pub(crate) fn outer(&self) -> Option<&Arc<Self>> {
        self.outer.as_ref()
    }

    /// Reads the session unless that was done.
    pub(crate) async fn load(&self) -> Result<(), Error> {
        if self.state.get().is_some() {
            return Ok(());
        }
        let _turn = self.turn().await?;
        // Another extractor of this request may have been faster.
        if self.state.get().is_none() {
            let state = Mutex::new(self.read().await?);
            assert!(self.state.set(state).is_ok(), "whoever reads has the turn");
        }
        Ok(())
    }

    /// Never held across I/O.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .get()
            .expect("a session is loaded before anybody gets hold of it")
            .lock()
    }

    async fn read(&self) -> Result<State, Error> {
        let Shared {
            store,
            codec,
            cookie,
            clock,
            max_bytes,
            ..
        } = &*self.shared;
        let (mut presented, mut forged, mut outdated) = (false, false, false);
        let mut origin = Origin::New;
        let (mut looked_up, mut lookups) = ([None; Self::MOST_LOOKUPS], 0);
        for value in self.presented.values(cookie.cookie_name()) {
            presented = true;
            let Some(verified) = codec.verify(value) else {
                forged = true;
                continue;
            };
            let handle = verified.id.handle();
            if lookups == looked_up.len() || looked_up.contains(&Some(handle)) {
                continue;
            }
            looked_up[lookups] = Some(handle);
            lookups += 1;
            let answer = self.shared.ask(store.load(handle)).await;
            let loaded = answer.inspect_err(|error| trace::load_failed(handle, error))?;
            match loaded.filter(|record| Expiry::is_live(record, clock.now())) {
                None => trace::unknown_id(handle),
                Some(record) if record.is_tombstone() => origin = Origin::Gone,
                Some(record) => {
                    origin = Origin::Live(Live {
                        id: verified.id,
                        handle,
                        record,
                    });
                    outdated = verified.outdated;
                    break;
                }
            }
        }
        if forged {
            trace::bad_mac();
        }
        let mut work = Work::new(origin, *max_bytes);
        work.outdated = outdated;
        Ok(State { work, presented })
    }
}

/// The I/O of a session. What it commits is copied, not taken: a future that is dropped midway, or an error, leaves
/// the request's changes as they were.
impl Slot {
    pub(crate) async fn save(&self) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let work = self.state().work.clone();
        if !work.writes() {
            return self.refresh(&work).await;
        }
        let progress = |turnout: &Turnout| self.state().work.note(&work, turnout);
        let mut attempt = work.clone();
        let committed =
            commit::commit(&self.shared, &mut attempt, self.head_sent(), progress).await?;
        self.settle(&work, committed)
    }

    pub(crate) async fn transact<R>(
        &self,
        run: impl Fn(&mut Tx<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let _turn = self.turn().await?;
        let work = self.state().work.clone();
        let progress = |turnout: &Turnout| self.state().work.note(&work, turnout);
        let (committed, result) =
            commit::transact(&self.shared, work.clone(), self.head_sent(), progress, run).await?;
        self.settle(&work, committed)?;
        result.ok_or_else(Error::gone)
    }

    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let work = self.state().work.clone();
        self.refresh(&work).await
    }

    async fn refresh(&self, work: &Work) -> Result<(), Error> {
        let turnout = commit::reload(&self.shared, work).await?;
        let mut state = self.state();
        match turnout {
            None => {}
            Some(Turnout::Lost) => state.work.lose()?,
            Some(newer) => state.work.apply(newer)?,
        }
        state.work.still_there()
    }

    fn settle(&self, work: &Work, Committed { origin, owed }: Committed) -> Result<(), Error> {
        self.state().work.settle(work, origin, owed)
    }

    /// Waits for those before, but not for ever: the future of one may be kept by somebody who no longer polls it.
    async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        if let Ok(turn) = self.io.try_lock() {
            return Ok(turn);
        }
        let turn = tokio::time::timeout(self.shared.store_timeout, self.io.lock()).await;
        turn.map_err(|_| Error::conflict())
    }

    fn head_sent(&self) -> bool {
        self.head_sent.load(Ordering::Acquire)
    }
}

/// What the handler left for the layer to do.
pub(crate) enum Finish {
    /// The session was not asked for.
    Untouched,
    /// It was, and nothing is to be stored.
    Done(Option<Cookie<'static>>),
    Commit(Commit),
}

/// The commit after the handler.
pub(crate) type Commit = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What came of it.
pub(crate) struct Outcome {
    /// It failed: the response is to be replaced by one of this status.
    pub(crate) refused: Option<StatusCode>,
    pub(crate) cookie: Option<Cookie<'static>>,
}

impl Slot {
    /// The handler answered, or `failed` to.
    pub(crate) fn finish(self: &Arc<Self>, failed: bool) -> Finish {
        let Some(state) = self.state.get() else {
            self.head_sent.store(true, Ordering::Release);
            return Finish::Untouched;
        };
        let mut state = state.lock();
        if failed {
            state.work.roll_back();
        }
        let plan = state
            .work
            .plan(self.shared.clock.now(), &self.shared.expiry);
        if plan == Plan::Nothing {
            return Finish::Done(self.send_head(&mut state.work));
        }
        let slot = Arc::clone(self);
        Finish::Commit(Box::pin(async move { slot.finish_commit().await }))
    }

    async fn finish_commit(&self) -> Outcome {
        let committed = self.commit_rest().await;
        let work = &mut self.state().work;
        let refused = committed.err().map(|error| {
            trace::commit_failed(&error);
            error.status()
        });
        let cookie = self.send_head(work);
        Outcome { refused, cookie }
    }

    /// What is pending is taken, not copied: whatever comes of it, the request is over.
    async fn commit_rest(&self) -> Result<(), Error> {
        let turn = self.turn().await;
        let mut work = self.state().work.take();
        // If this fails, the client still needs the cookie of what was saved before; nothing else is true of it.
        self.state().work.owed = work.owed.filter(|owed| *owed == Owed::Issue);
        let clears = work.clears();
        let _turn = turn?;
        let committed = commit::commit(&self.shared, &mut work, false, |_| {}).await?;
        match self.settle(&work.rest(clears), committed) {
            // The changes are dropped in silence: the client has a newer session, or wanted none.
            Err(error) if error.is_gone() => Ok(()),
            settled => settled,
        }
    }

    /// The cookie that the response has to carry, which is about to leave.
    fn send_head(&self, work: &mut Work) -> Option<Cookie<'static>> {
        self.head_sent.store(true, Ordering::Release);
        let Shared {
            cookie,
            codec,
            clock,
            ..
        } = &*self.shared;
        match (work.owed.take()?, work.origin.live()) {
            (Owed::Remove, _) => Some(cookie.cookie(String::new(), Some(Duration::ZERO))),
            (Owed::Issue, Some(live)) => {
                let remembered = live.record.body().remember.is_some();
                let max_age = remembered.then(|| live.record.expires().since(clock.now()));
                Some(cookie.cookie(codec.sign(live.id), max_age))
            }
            (Owed::Issue, None) => None,
        }
    }
}

impl State {
    /// The client sent a cookie of our name, of whatever worth.
    pub(crate) fn is_presented(&self) -> bool {
        self.presented
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(state) = self.state.get_mut() else {
            return;
        };
        let work = &state.get_mut().work;
        if *self.head_sent.get_mut() && work.writes() {
            trace::unsaved(work.origin.live().map(|live| live.handle));
        }
    }
}
