use std::{fmt, sync::Arc, time::SystemTime};

use super::{capacity::Limits, sessions::Sessions};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Cursor, Page, Replaced, SessionStore},
    time::Clock,
};

/// Keeps sessions in this process's memory: the fastest store, for one process, until it stops.
///
/// The sessions are spread over many locks, so requests on different sessions hardly ever wait for each other. A load
/// copies nothing. There is no background task: each new session sweeps a few expired ones. An expired session is kept
/// for five more minutes, so that a request that found it alive can still store its changes.
///
/// # Capacity
///
/// The store holds at most a million records and 1 GiB, by an [estimate](super::MemoryStoreBuilder::max_bytes) of their size.
/// [`builder`](Self::builder) sets both limits, and neither is ever exceeded. When the store is full, a new session, or
/// one that grows, evicts the first of these that exists:
///
/// 1. An expired session, however recently it expired.
/// 2. The oldest tombstone: the mark left for 30 seconds under an old id, after a login or
///    [`regenerate`](crate::WizSession::regenerate) moved its session to a new one.
/// 3. The oldest session of the user with the most sessions, if that user has more than 16 and more than 1 % of all. A
///    script that logs one account in a thousand times therefore costs other users and visitors nothing.
/// 4. If a user who already has four sessions logs in: that user's own oldest.
/// 5. The oldest anonymous session. A client that begins sessions without end evicts only anonymous ones.
/// 6. If a user logs in, or a user's session grows: the oldest [alias](crate::WizSession::alias), by which its session can
///    no longer be ended then.
/// 7. In the same case the oldest session of the user with the most sessions, as long as that user is left with as many
///    as the one who logs in; otherwise the latter's own oldest.
///
/// If none exists, the new session is refused with an error: a store full of users with one session each loses none of
/// them. A session that moves to a new id needs room for its tombstone only. It skips steps 6 and 7, and if there is no
/// room it moves without leaving a tombstone.
///
/// The oldest session is the one that expires first, which is usually the one unused for longest. Among one user's
/// sessions it is the one that has been theirs for longest. The cost of an eviction does not depend on how many sessions
/// there are.
///
/// # Clock
///
/// Expiry is judged by the clock of the layer that was last built over this store or a clone of it, and by the system's
/// clock if there was none.
///
/// Clones share the sessions.
///
/// ```
/// use wiz_session::{Key, MemoryStore, WizSessionLayer};
///
/// let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Sessions>);

impl MemoryStore {
    /// An empty store for up to a million sessions and 1 GiB.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// An empty store for so many sessions, and up to 1 GiB. A session of little data takes about 250 bytes.
    ///
    /// ```
    /// let store = wiz_session::MemoryStore::with_max_sessions(10_000);
    /// ```
    #[must_use]
    pub fn with_max_sessions(max_sessions: usize) -> Self {
        Self::with_limits(Limits {
            sessions: max_sessions,
            ..Limits::default()
        })
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        Self(Arc::new(Sessions::new(limits)))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sessions, bytes) = self.0.usage();
        let limits = self.0.limits();
        f.debug_struct("MemoryStore")
            .field("sessions", &sessions)
            .field("max_sessions", &limits.sessions)
            .field("bytes", &bytes)
            .field("max_bytes", &limits.bytes)
            .finish()
    }
}

impl SessionStore for MemoryStore {
    const IMMEDIATE: bool = true;

    fn use_clock(&self, clock: &Clock) {
        self.0.use_clock(clock);
    }

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        self.0.create(handle, record)
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        Ok(self.0.load(handle))
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.0.replace(handle, expected, record)
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        self.0.regenerate(old, expected, tombstone, new, record)
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        Ok(self.0.touch(handle, expires_at.into()))
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        Ok(self.0.delete(handle))
    }

    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        Ok(self.0.delete_expired(now.into(), limit) as u64)
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        Ok(self.0.list(user))
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        Ok(self.0.delete_user(user, except))
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        Ok(self.0.count(now.into()) as u64)
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        let after = after.map(Cursor::handle).transpose()?;
        let limit = limit.max(1);
        let records = self.0.scan(after, limit).into_iter();
        let sessions = records.map(|(handle, record)| (handle, Ok(record)));
        Ok(Page::by_handle(sessions.collect(), limit))
    }
}
