use std::{pin::Pin, sync::Arc, time::Duration};

use ::cookie::Cookie;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;

use super::{
    commit::{self, Committed},
    shared::Shared,
    tx::Tx,
    work::{Live, Origin, Owed, Plan, Turnout, Work},
};
use crate::{cookie::Presented, error::Error, expiry::Expiry, trace};

/// The session of one request, from the unread cookie to the commit. Shared by the layer and all extracted handles.
pub(crate) struct Slot {
    pub(crate) shared: Arc<Shared>,
    presented: Presented,
    state: OnceCell<Mutex<State>>,
    /// Held across I/O, so that `save` and its like go one after the other.
    io: tokio::sync::Mutex<()>,
}

/// What is known once the session was asked for.
pub(crate) struct State {
    pub(crate) work: Work,
    /// The client sent a cookie of our name, of whatever worth.
    presented: bool,
    /// The client's cookie was signed by a previous key.
    outdated: bool,
    head_sent: bool,
}

impl Slot {
    /// How many sessions a client may name before it counts as anonymous.
    const MOST_LOOKUPS: usize = 3;

    pub(crate) fn new(shared: Arc<Shared>, presented: Presented) -> Self {
        Self {
            shared,
            presented,
            state: OnceCell::new(),
            io: tokio::sync::Mutex::default(),
        }
    }

    /// Reads the session unless that was done.
    pub(crate) async fn load(&self) -> Result<(), Error> {
        self.state
            .get_or_try_init(|| async { self.read().await.map(Mutex::new) })
            .await
            .map(drop)
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
        Ok(State {
            work: Work::new(origin, *max_bytes),
            presented,
            outdated,
            head_sent: false,
        })
    }
}

/// The I/O of a session. What it commits is copied, not taken: a future that is dropped midway, or an error, leaves
/// the request's changes as they were.
impl Slot {
    pub(crate) async fn save(&self) -> Result<(), Error> {
        let _turn = self.io.lock().await;
        let (work, head_sent) = self.state().pending();
        let committed = commit::commit(&self.shared, work.clone(), head_sent).await?;
        self.settle(&work, committed)
    }

    pub(crate) async fn transact<R>(
        &self,
        run: impl Fn(&mut Tx<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let _turn = self.io.lock().await;
        let (work, head_sent) = self.state().pending();
        let (committed, result) =
            commit::transact(&self.shared, work.clone(), head_sent, run).await?;
        self.settle(&work, committed)?;
        result.ok_or_else(Error::gone)
    }

    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let _turn = self.io.lock().await;
        let (work, _) = self.state().pending();
        let turnout = commit::reload(&self.shared, &work).await?;
        let mut state = self.state();
        match turnout {
            None => {}
            Some(Turnout::Lost) => state.work.lose(),
            Some(newer) => state.work.apply(newer)?,
        }
        state.work.still_there()
    }

    fn settle(&self, work: &Work, Committed { origin, owed }: Committed) -> Result<(), Error> {
        let mut state = self.state();
        state.work.settle(work, origin, owed)?;
        state.work.still_there()
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

/// The commit after the handler, and the cookie to send.
pub(crate) type Commit =
    Pin<Box<dyn Future<Output = Result<Option<Cookie<'static>>, Error>> + Send>>;

impl Slot {
    /// The handler answered, or `failed` to.
    pub(crate) fn finish(self: &Arc<Self>, failed: bool) -> Finish {
        let Some(state) = self.state.get() else {
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
            return Finish::Done(self.send_head(&mut state));
        }
        let slot = Arc::clone(self);
        Finish::Commit(Box::pin(async move { slot.finish_commit().await }))
    }

    /// What is pending is taken, not copied: whatever comes of it, the request is over.
    async fn finish_commit(&self) -> Result<Option<Cookie<'static>>, Error> {
        let _turn = self.io.lock().await;
        let work = self.state().work.take();
        let answer = commit::commit(&self.shared, work, false).await;
        let mut state = self.state();
        let settled = answer.and_then(|Committed { origin, owed }| {
            let taken = Work::new(Origin::New, self.shared.max_bytes);
            state.work.settle(&taken, origin, owed)
        });
        if let Err(error) = settled {
            trace::commit_failed(&error);
            state.head_sent = true;
            return Err(error);
        }
        Ok(self.send_head(&mut state))
    }

    /// The cookie that the response has to carry, which is about to leave.
    fn send_head(&self, state: &mut State) -> Option<Cookie<'static>> {
        state.head_sent = true;
        let Shared {
            cookie,
            codec,
            clock,
            ..
        } = &*self.shared;
        match (state.work.owed.take(), state.work.origin.live()) {
            (Some(Owed::Remove), _) => Some(cookie.cookie(String::new(), Some(Duration::ZERO))),
            (owed, Some(live)) if owed.is_some() || state.outdated => {
                let remembered = live.record.body().remember.is_some();
                let max_age = remembered.then(|| live.record.expires().since(clock.now()));
                Some(cookie.cookie(codec.sign(live.id), max_age))
            }
            _ => None,
        }
    }
}

impl State {
    /// The client sent a cookie of our name, of whatever worth.
    pub(crate) fn is_presented(&self) -> bool {
        self.presented
    }

    fn pending(&self) -> (Work, bool) {
        (self.work.clone(), self.head_sent)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(state) = self.state.get_mut() else {
            return;
        };
        let State {
            work, head_sent, ..
        } = state.get_mut();
        if *head_sent && work.writes() {
            trace::unsaved(work.origin.live().map(|live| live.handle));
        }
    }
}
