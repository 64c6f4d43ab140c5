use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use wiz_session::{
    Error, Handle, MemoryStore, Record, SessionStore, Version, forward_session_store,
    store::Replaced, test_util::TestStore,
};

/// The same store, saying of itself that it answers at once; which it does unless it is told to wait.
pub(crate) struct Immediate(pub(crate) TestStore);

impl SessionStore for Immediate {
    const IMMEDIATE: bool = true;

    forward_session_store!(self => self.0);
}

/// A memory store in which so many of the next replacements meet a conflict.
#[derive(Clone)]
pub(crate) struct Contended {
    store: MemoryStore,
    pub(crate) conflicts: Arc<AtomicU32>,
}

impl Contended {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            conflicts: Arc::default(),
        }
    }
}

impl SessionStore for Contended {
    const IMMEDIATE: bool = true;

    forward_session_store!(self => self.store, except [replace]);

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let left = |conflicts: u32| conflicts.checked_sub(1);
        let is_contended = self
            .conflicts
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
            .is_ok();
        match is_contended {
            true => Ok(Replaced::Conflict),
            false => self.store.replace(handle, expected, record).await,
        }
    }
}
