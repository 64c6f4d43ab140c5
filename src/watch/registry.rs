use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::watched::Watched;
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Ended, FeedRequest, FeedSink},
    time::Timestamp,
};

/// Which sessions are watched, and what has to be looked at.
#[derive(Default)]
pub(crate) struct Registry {
    /// How many there are, so that a commit pays one load while there is none.
    len: AtomicUsize,
    shards: [Mutex<Shard>; SHARDS],
    /// What else is told of what other processes do. Weak, as its entries are listened for here.
    cache: OnceLock<Weak<dyn FeedSink>>,
    /// Where the store hears what is watched, if it asks.
    requests: Mutex<Option<mpsc::UnboundedSender<FeedRequest>>>,
    /// To be looked at before the interval is over.
    pub(super) soon: Mutex<Vec<Handle>>,
    /// All are, and those that are missing then have ended for this reason.
    pub(super) all: Mutex<Option<Ended>>,
    pub(super) wake: Notify,
}

type Shard = HashMap<Handle, Entry>;

const SHARDS: usize = 16;

pub(super) struct Entry {
    pub(super) watched: Arc<Watched>,
    /// How many watches there are, which are looked at.
    pub(super) watches: u32,
    /// How many make do with what the store pushes.
    pub(super) listens: u32,
}

impl Registry {
    /// Whether nothing is watched.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }

    /// A session has ended.
    #[inline]
    pub(crate) fn ended(&self, handle: Handle, why: Ended) {
        if let Some(watched) = self.get(handle) {
            watched.end(why);
        }
    }

    /// Another process has ended it.
    pub(super) fn ended_elsewhere(&self, handle: Handle, why: Ended) {
        self.tell_cache(|cache| cache.ended(handle, why));
        self.ended(handle, why);
    }

    /// It has this version, whichever process has stored it.
    pub(super) fn changed_elsewhere(&self, handle: Handle, version: Version) {
        self.tell_cache(|cache| cache.changed(handle, version));
        if let Some(watched) = self.get(handle) {
            watched.change(version);
        }
    }

    /// Also tells the cache what other processes do.
    #[cfg(feature = "cache")]
    pub(crate) fn tell(&self, cache: Weak<dyn FeedSink>) {
        assert!(self.cache.set(cache).is_ok(), "a layer has one cache");
    }

    pub(super) fn tell_cache(&self, tell: impl FnOnce(&dyn FeedSink)) {
        if let Some(cache) = self.cache.get().and_then(Weak::upgrade) {
            tell(&*cache);
        }
    }

    /// This record was stored.
    #[inline]
    pub(crate) fn stored(&self, handle: Handle, record: &Record) {
        if let Some(watched) = self.get(handle) {
            watched.change(record.version());
        }
    }

    /// It may have ended.
    pub(crate) fn look_soon(&self, handle: Handle) {
        if !self.is_empty() {
            self.soon.lock().push(handle);
            self.wake.notify_one();
        }
    }

    /// Any may have ended, and if so, for this reason.
    pub(crate) fn look_at_all(&self, why: Ended) {
        if !self.is_empty() {
            *self.all.lock() = Some(why);
            self.wake.notify_one();
        }
    }

    #[inline]
    pub(super) fn get(&self, handle: Handle) -> Option<Arc<Watched>> {
        if self.is_empty() {
            return None;
        }
        let shard = self.shard(handle).lock();
        shard.get(&handle).map(|entry| Arc::clone(&entry.watched))
    }

    /// One more that watches or listens.
    pub(super) fn enter(
        &self,
        handle: Handle,
        expires_at: Option<Timestamp>,
        enter: impl FnOnce(&mut Entry),
    ) -> Arc<Watched> {
        let mut shard = self.shard(handle).lock();
        let entry = shard.entry(handle).or_insert_with(|| {
            self.len.fetch_add(1, Ordering::AcqRel);
            self.request(FeedRequest::Watch(handle));
            Entry {
                watched: Arc::new(Watched::new(expires_at)),
                watches: 0,
                listens: 0,
            }
        });
        enter(entry);
        Arc::clone(&entry.watched)
    }

    /// One less. The last one leaves nothing behind.
    pub(super) fn leave(&self, handle: Handle, leave: impl FnOnce(&mut Entry)) {
        let mut shard = self.shard(handle).lock();
        let Some(entry) = shard.get_mut(&handle) else {
            return;
        };
        leave(entry);
        if entry.watches + entry.listens == 0 {
            shard.remove(&handle);
            if shard.len() < shard.capacity() / 4 {
                let room = 2 * shard.len();
                shard.shrink_to(room);
            }
            self.len.fetch_sub(1, Ordering::AcqRel);
            self.request(FeedRequest::Unwatch(handle));
        }
    }

    /// All that are to be looked at.
    pub(super) fn handles(&self) -> Vec<Handle> {
        let mut handles = Vec::with_capacity(self.len.load(Ordering::Acquire));
        for shard in &self.shards {
            let shard = shard.lock();
            let watched = shard.iter().filter(|(_, entry)| entry.watches > 0);
            handles.extend(watched.map(|(handle, _)| handle));
        }
        handles
    }

    /// Those that are over by now, as far as is known, and when the next one will be.
    pub(super) fn due(&self, now: Timestamp) -> (Vec<Handle>, Option<Timestamp>) {
        let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
        for shard in &self.shards {
            for (handle, entry) in &*shard.lock() {
                let at = entry.watched.expires_at();
                if entry.watches == 0 || entry.watched.ended().is_some() {
                    continue;
                }
                if at <= now {
                    due.push(*handle);
                } else {
                    next = Some(next.map_or(at, |next| next.min(at)));
                }
            }
        }
        (due, next)
    }

    /// Has all that wait look again.
    pub(super) fn wake_all(&self) {
        for shard in &self.shards {
            for entry in shard.lock().values() {
                entry.watched.wake();
            }
        }
    }

    /// Where the store hears what is watched already and from now on.
    pub(super) fn open_requests(&self) -> mpsc::UnboundedReceiver<FeedRequest> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.requests.lock() = Some(sender);
        for shard in &self.shards {
            for handle in shard.lock().keys() {
                self.request(FeedRequest::Watch(*handle));
            }
        }
        receiver
    }

    pub(super) fn close_requests(&self) {
        *self.requests.lock() = None;
    }

    fn request(&self, request: FeedRequest) {
        if let Some(requests) = &*self.requests.lock() {
            // A store that has given up has dropped its end.
            let _ = requests.send(request);
        }
    }

    fn shard(&self, handle: Handle) -> &Mutex<Shard> {
        // A handle is a digest: each of its bytes is as good as a hash.
        &self.shards[usize::from(handle.as_bytes()[0]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_watches_took_is_given_back() {
        let registry = Registry::default();
        let handle = |n: u128| Handle::from_bytes((n * 0x9e37_79b9_7f4a_7c15).to_le_bytes());
        for n in 0..10_000 {
            registry.enter(handle(n), None, |entry| entry.watches += 1);
        }
        for n in 0..10_000 {
            registry.leave(handle(n), |entry| entry.watches -= 1);
        }
        assert!(registry.is_empty());
        let room: usize = registry
            .shards
            .iter()
            .map(|shard| shard.lock().capacity())
            .sum();
        assert!(room <= SHARDS * 4, "room for {room}");
    }

    #[test]
    fn requests_do_not_pile_up_for_a_store_that_does_not_ask() {
        let registry = Registry::default();
        let handle = |n: u8| Handle::from_bytes([n; 16]);
        for n in 0..100 {
            registry.enter(handle(n), None, |entry| entry.watches += 1);
        }
        for n in 1..100 {
            registry.leave(handle(n), |entry| entry.watches -= 1);
        }
        let mut requests = registry.open_requests();
        assert_eq!(requests.try_recv(), Ok(FeedRequest::Watch(handle(0))));
        assert!(
            requests.is_empty(),
            "of those that were left it hears nothing"
        );
    }
}
