use std::sync::atomic::Ordering;

use super::{request::RequestSession, transaction::Transaction};
use crate::{
    commit::{Base, Commit, CookieAction, Done, Ran, SessionState, Settled, Unit},
    error::Error,
};

/// Of a commit that is no transaction.
pub(super) fn no_closure(_: &mut SessionState) -> Ran {
    unreachable!("only a transaction runs a closure")
}

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

    /// Saves, and gives the token of the session instead of its cookie.
    pub(crate) async fn token(&self) -> Result<Option<String>, Error> {
        let cookie = &self.config.cookie;
        if !cookie.is_bearer() {
            return Err(Error::bearer_is_off());
        }
        self.save().await?;
        let id = self.view(|state| state.base.live().map(|stored| stored.id));
        let given = &self.loaded().has_given_token;
        given.store(id.is_some(), Ordering::Relaxed);
        Ok(id.map(|id| cookie.token(id)))
    }

    pub(crate) async fn transact<R, E: From<Error>>(
        &self,
        run: impl Fn(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let _io = self.io_lock().await?;
        self.ensure_not_rolled_back()?;
        // An error here may also say that the session has ended: then what was pending is lost, even if a login came
        // since.
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
        let fill = self.config.cache.begin_fill(handle);
        let record = self.config.store.load(handle).answer().await?;
        fill.keep(record.as_ref(), now);
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
        let only_verified = only_verified || self.view(|state| state.joins(&unit));
        self.fly(Commit::resume(*unit, only_verified)).await
    }

    /// Commits what is pending.
    pub(super) async fn commit(&self) -> Result<(), Error> {
        self.fly(Commit::new(self.begin(false))).await
    }

    /// Commits what is pending over a store that answers at once, for who holds the [lock](Self::io_lock). `None` if it
    /// would have to wait for other commits: then it is left to be resolved.
    pub(super) fn commit_now(&self) -> Option<Result<(), Error>> {
        let mut flight = Flight::new(self, Commit::new(self.begin(false)));
        let done = flight.fly_now()?;
        Some(flight.land(done))
    }

    async fn fly(&self, commit: Commit) -> Result<(), Error> {
        let mut flight = Flight::new(self, commit);
        let done = flight.fly(no_closure).await;
        flight.land(done)
    }

    pub(super) fn begin(&self, is_transaction: bool) -> Unit {
        self.edit(|state| state.begin(is_transaction))
    }

    /// Looks for a newer record, and keeps the session alive as a request would. Nothing is committed, so nothing can
    /// be in doubt. What is pending on a session that is over is given up.
    async fn refresh(&self) -> Result<(), Error> {
        let unit = self.view(|state| state.begin_reload());
        let mut commit = Commit::reload(unit);
        let headers_sent = || self.headers_sent.is_marked();
        let done = self
            .driver()
            .drive(&mut commit, headers_sent, no_closure)
            .await;
        match done {
            Done::Settled(Settled { base, cookie, .. }) => {
                self.swap_unlocked(|state| state.reloaded(commit.unit(), &base, cookie))?;
                self.view(|state| state.ensure_live())
            }
            Done::Failed(error) => Err(error),
            Done::Unstored | Done::Aborted => unreachable!("a reload commits nothing"),
        }
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

    fn fly_now(&mut self) -> Option<Done> {
        let Self { session, commit } = self;
        let commit = commit.as_mut().expect("it has not landed");
        let now = session.config.clock.timestamp();
        let headers_sent = session.headers_sent.is_marked();
        session.driver().drive_now(commit, now, headers_sent)
    }

    /// Hands the changes back, whatever became of them.
    fn land(mut self, done: Done) -> Result<(), Error> {
        let unit = self.commit.take().map(Commit::into_unit);
        let unit = unit.expect("it lands once");
        let session = self.session;
        if let Done::Failed(error) = &done {
            session.edit(|state| state.cookie = state.cookie_unless_ended(error));
        }
        match done {
            Done::Settled(Settled {
                base,
                cookie,
                has_moved,
                ..
            }) => match session.ack(&unit, &base, cookie) {
                // All of it is stored. The next call reports that the session has ended.
                Err(error) if error.is_gone() && has_moved => Ok(()),
                Err(error) if error.is_gone() && unit.may_have_been_stored() => {
                    Err(Error::in_doubt(error))
                }
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
                // The outcome can no longer be determined.
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
                // Other handles changed the session each time. What is committed is acknowledged anyway.
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
