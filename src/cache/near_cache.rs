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
/// `quick_cache` bounds and evicts. What it cannot know is here: how old an entry may be, and that no call which was under
/// way brings back what an invalidation has removed.
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

/// A load or a write under way, whose record is to be kept. Dropped, it keeps nothing.
pub(crate) struct Fill<'a> {
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

    /// The record, if it is here, young enough, and of a session that `is_live`: others may have postponed its end.
    #[inline]
    pub(crate) fn get(
        &self,
        handle: Handle,
        now: Timestamp,
        is_live: impl FnOnce(&Record) -> bool,
    ) -> Option<Record> {
        let inner = self.0.as_deref()?;
        let entry = inner.entries.get(&handle);
        let entry = entry.filter(|entry| is_live(&entry.record));
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

    /// A load or a write begins. Its record is [kept](Fill::keep) unless the session is changed or ended meanwhile.
    pub(crate) fn begin_fill(&self, handle: Handle) -> Fill<'_> {
        let inner = self.0.as_deref();
        if let Some(inner) = inner {
            inner.tokens.begin(handle);
        }
        Fill { inner, handle }
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

impl Fill<'_> {
    /// What a load found, of this time or later. Nothing is kept of sessions that are missing or have moved.
    pub(crate) fn keep(self, record: Option<&Record>, since: Timestamp) {
        let Some(inner) = self.inner else { return };
        match record.filter(|record| !record.is_tombstone()) {
            Some(record) => {
                let insert = || inner.insert(self.handle, record, since);
                inner
                    .tokens
                    .end(self.handle, Some(record.version()), insert);
                std::mem::forget(self);
            }
            None => inner.remove(self.handle),
        }
    }

    /// What a write has stored, at this time or later, as this version.
    pub(crate) fn keep_stored(self, record: &Record, version: Version, since: Timestamp) {
        if self.inner.is_some() {
            self.keep(Some(&record.clone().with_version(version)), since);
        }
    }
}

impl Drop for Fill<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner {
            inner.tokens.end(self.handle, None, || {});
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

    /// With the lock of its tokens held.
    fn invalidate(&self, handle: Handle) {
        if self.entries.remove(&handle).is_some() {
            observe::cache_invalidated();
        }
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
        if let Some(inner) = self.0.as_deref() {
            inner.tokens.void(handle, || inner.invalidate(handle));
        }
    }

    fn changed(&self, handle: Handle, version: Version) {
        let Some(inner) = self.0.as_deref() else {
            return;
        };
        inner.tokens.outdate(handle, version, || {
            let known = inner.entries.peek(&handle);
            // It may be what this process has stored itself.
            if known.is_some_and(|known| known.record.version() < version) {
                inner.invalidate(handle);
            }
        });
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
