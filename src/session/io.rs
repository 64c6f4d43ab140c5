use super::{request::RequestSession, transaction::Transaction};
use crate::{
    commit::{Base, Commit, CookieAction, Done, Ran, SessionState, Settled, Stored, Unit},
    error::Error,
    record::Record,
};

/// The I/O of a session. What it commits stays with the session until its outcome is known: a future that is dropped at
/// an await, or an error, leaves it to the next call, which looks up what became of it.
impl RequestSession {
    pub(crate) async fn save(&self) -> Result<(), Error> {
        let _io = self.io_lock().await?;
        self.ensure_not_rolled_back()?;
        let had_doubt = self.lock().in_doubt.is_some();
        self.resolve(false).await?;
        if self.view(|state| state.has_changes()) {
            return self.commit().await;
        }
        if had_doubt {
            return self.view(|state| state.ensure_live());
        }
        self.refresh().await
    }

    pub(crate) async fn transact<R, E: From<Error>>(
        &self,
        run: impl Fn(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let _io = self.io_lock().await?;
        self.ensure_not_rolled_back()?;
        // Also that the session is over: then what was pending is lost, be there a login since.
        self.resolve(false).await?;
        let unit = self.begin(true);
        let mut flight = Flight::new(self, Commit::new(unit));
        let mut result = None;
        let run = |work: &mut SessionState| {
            let returned = run(&mut Transaction::new(work.draft()));
            let ran = match &returned {
                Ok(_) => Ran::Completed,
                Err(_) => Ran::Failed,
            };
            result = Some(returned);
            ran
        };
        let done = flight.fly(run).await;
        flight.land(done)?;
        // Without a run the session was over.
        result.unwrap_or_else(|| Err(Error::gone().into()))
    }

    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let _io = self.io_lock().await?;
        self.lock().rolled_back = false;
        self.resolve(false).await?;
        self.refresh().await
    }

    /// Whether the session lives, by a look at the store that is no use of it.
    pub(crate) async fn is_alive(&self) -> Result<bool, Error> {
        let stored = self.view(|state| state.base.live().map(|stored| stored.handle));
        let Some(handle) = stored else {
            return Ok(false);
        };
        let now = self.config.clock.timestamp();
        let loading = self.config.cache.begin_load(handle);
        let record = self.config.store.load(handle).answer().await?;
        loading.keep(record.as_ref(), now);
        let now = self.config.clock.timestamp();
        let expiry = &self.config.policy.expiry;
        Ok(record.is_some_and(|record| !record.is_tombstone() && expiry.is_live(&record, now)))
    }

    /// Finds out what became of a commit that is in doubt, and does it if it is not done; unless it is `only_verified`,
    /// or a transaction.
    pub(super) async fn resolve(&self, only_verified: bool) -> Result<(), Error> {
        let Some(unit) = self.lock().in_doubt.take() else {
            return Ok(());
        };
        if self.edit(|state| state.end_leftovers(&unit)) {
            return Ok(());
        }
        // A session that is not begun yet is begun with all of it, or not at all.
        let joins = unit.may_have_created() && self.view(|state| state.has_changed_since(&unit));
        let only_verified = only_verified || joins;
        self.fly(Commit::resume(*unit, only_verified)).await
    }

    /// Commits what is pending.
    pub(super) async fn commit(&self) -> Result<(), Error> {
        self.fly(Commit::new(self.begin(false))).await
    }

    async fn fly(&self, commit: Commit) -> Result<(), Error> {
        let mut flight = Flight::new(self, commit);
        let no_closure = |_: &mut SessionState| Ran::Failed;
        let done = flight.fly(no_closure).await;
        flight.land(done)
    }

    pub(super) fn begin(&self, is_transaction: bool) -> Unit {
        self.edit(|state| state.begin(is_transaction))
    }

    /// Looks for a newer record, and keeps the session alive as a request would.
    async fn refresh(&self) -> Result<(), Error> {
        let stored = self.view(|state| state.base.live().cloned());
        if let Some(stored) = stored {
            let (newer, is_touched) = self.load_newer(&stored).await?;
            self.swap_unlocked(|state| state.apply_newer(newer.clone()))?;
            if is_touched {
                self.edit(SessionState::note_touch);
            }
        }
        self.view(|state| state.ensure_live())
    }

    /// The newest record, or `None` if the session is over; and whether it was touched, as that was due.
    async fn load_newer(&self, stored: &Stored) -> Result<(Option<Record>, bool), Error> {
        let config = &*self.config;
        let since = config.clock.timestamp();
        let loading = config.cache.begin_load(stored.handle);
        let loaded = config.store.load(stored.handle).answer().await?;
        loading.keep(loaded.as_ref(), since);
        let now = config.clock.timestamp();
        let expiry = &config.policy.expiry;
        let lives = |record: &Record| self.view(|state| state.is_live(record, now, expiry));
        let Some(mut record) = loaded.filter(lives) else {
            return Ok((None, false));
        };
        let mut is_touched = false;
        let due = expiry.touch_due(&record, now);
        if let Some(until) = due.filter(|_| self.view(|state| state.counts_as_use())) {
            let touched = config
                .store
                .touch(stored.handle, until.into())
                .answer()
                .await;
            match touched {
                Ok(true) => {
                    record.touch(until);
                    config.cache.touch(stored.handle, until);
                    is_touched = true;
                }
                Ok(false) => {}
                Err(error) => crate::observe::touch_failed(stored.handle, &error),
            }
        }
        Ok((Some(record), is_touched))
    }

    fn ensure_not_rolled_back(&self) -> Result<(), Error> {
        match self.lock().rolled_back {
            true => Err(Error::rolled_back()),
            false => Ok(()),
        }
    }

    /// Waits for other I/O of this session, up to `store_timeout`: a future may be kept without being polled.
    pub(super) async fn io_lock(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        let io = &self.loaded().io;
        if let Ok(lock) = io.try_lock() {
            return Ok(lock);
        }
        // Boxed, as it is rare: it would make the future of every commit larger.
        let lock = tokio::time::timeout(self.config.store_timeout, io.lock());
        Box::pin(lock).await.map_err(|_| Error::conflict())
    }
}

/// A commit of a session's own changes under way. Dropped before it has landed, it leaves its unit to the session.
struct Flight<'a> {
    session: &'a RequestSession,
    /// There until it has landed.
    commit: Option<Commit>,
}

impl<'a> Flight<'a> {
    fn new(session: &'a RequestSession, commit: Commit) -> Self {
        Self {
            session,
            commit: Some(commit),
        }
    }

    async fn fly(&mut self, run: impl FnMut(&mut SessionState) -> Ran) -> Done {
        let Self { session, commit } = self;
        let commit = commit.as_mut().expect("it has not landed");
        let headers_sent = || session.headers_sent.is_marked();
        session.driver().drive(commit, headers_sent, run).await
    }

    /// Hands the changes back, whatever became of them.
    fn land(mut self, done: Done) -> Result<(), Error> {
        let unit = self.commit.take().map(Commit::into_unit);
        let unit = unit.expect("it lands once");
        let session = self.session;
        match done {
            Done::Settled(Settled {
                base,
                cookie,
                has_moved,
                ..
            }) => match session.ack(&unit, &base, cookie) {
                // All of it is stored; the next call says that the session is over.
                Err(error) if error.is_gone() && has_moved => Ok(()),
                acked => acked,
            },
            Done::Unstored | Done::Aborted => {
                session.edit(|state| state.abort(&unit));
                Ok(())
            }
            Done::Failed(error) if unit.is_in_doubt() => {
                session.keep_in_doubt(unit);
                Err(error)
            }
            Done::Failed(error) if error.is_in_doubt() => {
                // Nobody can tell any more.
                session.edit(|state| state.give_up(&unit));
                Err(error)
            }
            Done::Failed(error) => {
                session.edit(|state| state.abort(&unit));
                Err(error)
            }
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.take() {
            self.session.keep_in_doubt(commit.into_unit());
        }
    }
}

impl RequestSession {
    fn ack(&self, unit: &Unit, base: &Base, cookie: Option<CookieAction>) -> Result<(), Error> {
        // Closures of what came later may run again, without the lock.
        match self.swap_unlocked(|state| state.ack(unit, base.clone(), cookie)) {
            Err(error) if error.is_conflict() => {
                // They do not come to rest. What was committed counts all the same.
                self.edit(|state| state.ack_without_replay(unit, base.clone(), cookie));
                Err(error)
            }
            acked => acked,
        }
    }

    fn keep_in_doubt(&self, unit: Unit) {
        let mut shared = self.lock();
        shared.state.sync_endings(&unit);
        shared.in_doubt = Some(Box::new(unit));
    }
}
