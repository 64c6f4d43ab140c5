use super::{capacity::Limits, store::MemoryStore};

/// The limits of a [`MemoryStore`], from [`MemoryStore::builder`].
///
/// ```
/// use wiz_session::MemoryStore;
///
/// let store = MemoryStore::builder().max_sessions(50_000).max_bytes(64 << 20).build();
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MemoryStoreBuilder {
    limits: Limits,
}

impl MemoryStoreBuilder {
    /// How many records the store holds at most: sessions, and the tombstones under ids that were left.
    ///
    /// Defaults to 1,000,000.
    pub fn max_sessions(mut self, max_sessions: usize) -> Self {
        self.limits.sessions = max_sessions;
        self
    }

    /// How many bytes of memory the records take at most, by an estimate: of each record its keys, its values, its
    /// user's name and what the store needs to find it. A session of little data counts as some 300 bytes.
    ///
    /// Records that requests still hold are not in it: those that were replaced or ended while they ran.
    ///
    /// Defaults to 1 GiB.
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.limits.bytes = max_bytes;
        self
    }

    /// An empty store with these limits.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        MemoryStore::with_limits(self.limits)
    }
}

impl MemoryStore {
    /// Sets the limits of a new store.
    ///
    /// ```
    /// let store = wiz_session::MemoryStore::builder().max_bytes(256 << 20).build();
    /// ```
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }
}
