use std::{fmt, sync::Arc, time::SystemTime};

use super::shards::Shards;
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
    time::Clock,
};

/// Keeps sessions in this process's memory: the fastest store, for one process, until it stops.
///
/// Many locks share the sessions, so requests on different sessions hardly ever meet. A load copies nothing. Expired
/// sessions leave by themselves as new ones come, a small part of the store at a time; no task runs in the background.
///
/// It holds at most a million sessions unless [told otherwise](Self::with_max_sessions). When it is full, an anonymous
/// session makes room for a new one: that of a part of the store which has been silent longest. Sessions of users who are
/// logged in never do, nor does one that moves to a new id; where none but those are found among some thousand a new
/// session is refused with an error. An old id that was left for a new one is kept for half a minute, on top of that.
///
/// Clones share the sessions.
///
/// ```
/// use wiz_session::{Key, MemoryStore, WizSessionLayer};
///
/// let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shards>);

impl MemoryStore {
    /// An empty store for up to a million sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_sessions(1_000_000)
    }

    /// An empty store with another limit. A session of little data takes about 250 bytes.
    ///
    /// ```
    /// let store = wiz_session::MemoryStore::with_max_sessions(10_000);
    /// ```
    #[must_use]
    pub fn with_max_sessions(max_sessions: usize) -> Self {
        Self(Arc::new(Shards::new(max_sessions, Clock::system())))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("sessions", &self.0.len())
            .field("max_sessions", &self.0.max_sessions())
            .finish()
    }
}

impl SessionStore for MemoryStore {
    const IMMEDIATE: bool = true;

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
        Ok(self.0.replace(handle, expected, record))
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        Ok(self.0.regenerate(old, expected, tombstone, new, record))
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
