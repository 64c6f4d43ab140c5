use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::tokens::Tokens;
use crate::{
    id::Handle,
    observe,
    record::{Record, Version},
    store::{Ended, FeedSink},
    time::Timestamp,
    watch::{Listen, Watchers},
};

/// The records that this process has loaded or stored a moment ago.
///
/// `quick_cache` bounds and evicts. What it cannot know is here: how old an entry may be, that no load which was under way
/// brings back what an invalidation has removed, and that a write of this process replaces the entry.
pub(crate) struct NearCache(Option<Box<Inner>>);

struct Inner {
    entries: Cache<Handle, Entry, Weight, BuildHasherDefault<HandleHasher>>,
    tokens: Tokens,
    cache_for: Duration,
    /// When entries that are too old were last removed.
    tidied_at: AtomicU64,
    watchers: Weak<Watchers>,
}

#[derive(Clone)]
struct Entry {
    record: Record,
    /// The record was the newest at this time or later.
    since: Timestamp,
    /// Other processes' changes are reported while it lives.
    _listen: Option<Arc<Listen>>,
}

/// A load under way. Dropped, it keeps nothing.
pub(crate) struct Loading<'a> {
    inner: Option<&'a Inner>,
    handle: Handle,
}

impl NearCache {
    /// Keeps nothing.
    pub(crate) const OFF: Self = Self(None);

    pub(crate) fn new(cache_for: Duration, max_bytes: usize, watchers: &Arc<Watchers>) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(max_bytes / TYPICAL_BYTES)
            .weight_capacity(max_bytes as u64)
            .build()
            .expect("both capacities are given");
        let hasher = BuildHasherDefault::default();
        let lifecycle = DefaultLifecycle::default();
        Self(Some(Box::new(Inner {
            entries: Cache::with_options(options, Weight, hasher, lifecycle),
            tokens: Tokens::default(),
            cache_for,
            tidied_at: AtomicU64::new(0),
            watchers: Arc::downgrade(watchers),
        })))
    }

    /// The record, if it is here and young enough.
    #[inline]
    pub(crate) fn get(&self, handle: Handle, now: Timestamp) -> Option<Record> {
        let inner = self.0.as_deref()?;
        let entry = inner.entries.get(&handle);
        let age = entry.as_ref().map(|entry| now.since(entry.since));
        match (entry, age) {
            (Some(entry), Some(age)) if age < inner.cache_for => {
                observe::cache_hit(age);
                Some(entry.record)
            }
            _ => {
                observe::cache_miss();
                None
            }
        }
    }

    /// A load begins. What it finds is [kept](Loading::keep) unless its session is changed or ended meanwhile.
    pub(crate) fn begin_load(&self, handle: Handle) -> Loading<'_> {
        let inner = self.0.as_deref();
        if let Some(inner) = inner {
            inner.tokens.begin(handle);
        }
        Loading { inner, handle }
    }

    /// This process has stored this record, at this time or later.
    pub(crate) fn put(&self, handle: Handle, record: &Record, since: Timestamp) {
        if let Some(inner) = self.0.as_deref() {
            inner
                .tokens
                .void(handle, || inner.insert(handle, record, since));
        }
    }

    /// It lives until then now. Else each request that reads it here would touch it again.
    pub(crate) fn touch(&self, handle: Handle, until: Timestamp) {
        if let Some(inner) = self.0.as_deref() {
            inner.tokens.void(handle, || {
                if let Some(mut entry) = inner.entries.peek(&handle) {
                    entry.record.touch(until);
                    inner.entries.insert(handle, entry);
                }
            });
        }
    }

    pub(crate) fn remove(&self, handle: Handle) {
        if let Some(inner) = self.0.as_deref() {
            inner.remove(handle);
        }
    }

    /// The sessions of this user have ended.
    pub(crate) fn remove_user(&self, user: &str) {
        if let Some(inner) = self.0.as_deref() {
            inner.tokens.void_all();
            let of_others = |_: &Handle, entry: &Entry| entry.record.user() != Some(user);
            inner.entries.retain(of_others);
        }
    }
}

impl Loading<'_> {
    /// What the load found, of this time or later. Nothing is kept of sessions that are missing or have moved.
    pub(crate) fn keep(self, record: Option<&Record>, since: Timestamp) {
        let Some(inner) = self.inner else { return };
        match record.filter(|record| !record.is_tombstone()) {
            Some(record) => {
                let insert = || inner.insert(self.handle, record, since);
                inner.tokens.end(self.handle, insert);
                std::mem::forget(self);
            }
            None => inner.remove(self.handle),
        }
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner {
            inner.tokens.end(self.handle, || {});
        }
    }
}

impl Inner {
    /// With the lock of its tokens held.
    fn insert(&self, handle: Handle, record: &Record, since: Timestamp) {
        let known = self.entries.peek(&handle);
        if known
            .as_ref()
            .is_some_and(|known| known.record.version() > record.version())
        {
            return;
        }
        let listen = match known {
            Some(known) => known._listen,
            None => self.listen(handle),
        };
        self.tidy(since);
        self.entries.insert(
            handle,
            Entry {
                record: record.clone(),
                since,
                _listen: listen,
            },
        );
    }

    fn listen(&self, handle: Handle) -> Option<Arc<Listen>> {
        let listen = self.watchers.upgrade()?.listen(handle)?;
        Some(Arc::new(listen))
    }

    fn remove(&self, handle: Handle) {
        self.tokens
            .void(handle, || drop(self.entries.remove(&handle)));
    }

    /// Entries that are too old would stay until there are too many.
    fn tidy(&self, now: Timestamp) {
        let last = self.tidied_at.load(Ordering::Relaxed);
        if now.millis_since(Timestamp::from_millis(last)) < crate::time::millis(self.cache_for) {
            return;
        }
        let order = (Ordering::Relaxed, Ordering::Relaxed);
        let is_first = self
            .tidied_at
            .compare_exchange(last, now.as_millis(), order.0, order.1);
        if is_first.is_ok() {
            let is_young = |_: &Handle, entry: &Entry| now.since(entry.since) < self.cache_for;
            self.entries.retain(is_young);
        }
    }
}

/// What other processes do.
impl FeedSink for NearCache {
    fn ended(&self, handle: Handle, _why: Ended) {
        if self.0.is_some() {
            observe::cache_invalidated();
            self.remove(handle);
        }
    }

    fn changed(&self, handle: Handle, version: Version) {
        let Some(inner) = self.0.as_deref() else {
            return;
        };
        // It may be what this process has stored itself.
        let known = inner.entries.peek(&handle);
        if known.is_none_or(|known| known.record.version() < version) {
            observe::cache_invalidated();
            inner.remove(handle);
        }
    }

    fn gap(&self) {
        if let Some(inner) = self.0.as_deref() {
            inner.tokens.void_all();
            inner.entries.clear();
        }
    }
}

/// About what an entry takes in memory.
#[derive(Clone)]
struct Weight;

impl Weighter<Handle, Entry> for Weight {
    fn weight(&self, _handle: &Handle, entry: &Entry) -> u64 {
        (ENTRY_BYTES + entry.record.data().bytes()) as u64
    }
}

/// Beside the data: the record, its place here and that among the watchers.
const ENTRY_BYTES: usize = 400;

/// For an estimate of how many there will be.
const TYPICAL_BYTES: usize = 1024;

/// A handle is a digest: eight of its bytes are a hash.
#[derive(Default)]
struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn write(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().take(8).enumerate() {
            self.0 ^= u64::from(*byte) << (8 * at);
        }
    }

    // The length of the array, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
