use std::{fmt, sync::Arc, time::SystemTime};

use super::{builder::MemoryStoreBuilder, capacity::Limits, sessions::Sessions};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
    time::Clock,
};

/// Keeps sessions in this process's memory: the fastest store, for one process, until it stops.
///
/// Many locks share the sessions, so requests on different sessions hardly ever meet. A load copies nothing. No task runs
/// in the background: expired sessions leave as new ones come, a few at a time. They are kept for five minutes after they
/// expired, for requests that found them alive.
///
/// # Capacity
///
/// A store holds up to a million sessions, and up to 1 GiB of them by an [estimate](MemoryStoreBuilder::max_bytes). Both
/// limits [can be set](Self::builder) and are never exceeded. At the limit the first of these that there is makes room
/// for a new session, or for one that grows:
///
/// 1. A session that has expired, however lately.
/// 2. The oldest tombstone. That is the mark under an id whose session moved to a new one, by a login or by
///    [`regenerate`](crate::WizSession::regenerate); it expires after 30 seconds.
/// 3. The oldest session of the user with the most of them, if these are more than 16 and more than one hundredth of all.
///    So an account that a script logs in a thousand times costs nobody else a session or a login.
/// 4. If a user logs in who has four sessions already: the oldest of theirs.
/// 5. The oldest anonymous session. A client that begins sessions without end pushes out no user.
/// 6. If a user logs in, or a user's session grows: the oldest session of the user with the most, unless that leaves them
///    fewer than the user who logs in has, whose own oldest session goes then.
///
/// Where there is none of these the new session is refused with an error: a store full of users who are logged in once
/// or a few times each loses none of them. A session that moves to a new id is not refused, and pushes out no session of
/// a user by 6; it leaves no tombstone then.
///
/// The oldest is the one that expires first, that is the one which was not used for the longest time; among the sessions
/// of one user it is the one that has been that user's for the longest time. Making room costs the same in a store of a
/// hundred and of a million sessions.
///
/// # Clock
///
/// The store sweeps by the clock of the layer that was built over it or a clone of it last; by the system's before.
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
        Self::builder().max_sessions(max_sessions).build()
    }

    /// Sets the limits of a new store.
    ///
    /// ```
    /// let store = wiz_session::MemoryStore::builder().max_bytes(256 << 20).build();
    /// ```
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
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
}
