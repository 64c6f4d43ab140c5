use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::{looking, watched::Watched};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Ended, Feed, FeedRequest, FeedSink, StoreClient},
    time::{Clock, Timestamp},
};

/// The sessions of one layer that somebody in this process watches.
pub(crate) struct Watchers {
    /// How many sessions there are, so that a commit pays one load while there is none.
    len: AtomicUsize,
    shards: [Shard; SHARDS],
    pub(super) looks: Looks,
    /// Whether a task looks and listens. There is one only while something is watched.
    is_running: AtomicBool,
    /// Where the store hears what to watch, if it pushes.
    requests: Mutex<Option<mpsc::UnboundedSender<FeedRequest>>>,
    pub(super) config: WatchConfig,
    /// Whether the store has not said that it does not push.
    pushes: AtomicBool,
    /// What else is to know what the store pushes.
    cache: OnceLock<Arc<dyn FeedSink>>,
    this: Weak<Self>,
}

type Shard = Mutex<HashMap<Handle, Entry>>;

struct Entry {
    watched: Arc<Watched>,
    watches: u32,
    /// Of those that make do with what the store pushes.
    listens: u32,
}

const SHARDS: usize = 16;

/// What the sessions are looked at with.
pub(crate) struct WatchConfig {
    pub(crate) store: StoreClient,
    pub(crate) clock: Clock,
    /// How long a report that was lost may stay unnoticed.
    pub(crate) interval: Duration,
}

/// What has to be looked at before the interval is over.
#[derive(Default)]
pub(super) struct Looks {
    pub(super) soon: Mutex<Vec<Handle>>,
    /// All, and why those that are missing then have ended.
    pub(super) all: Mutex<Option<Ended>>,
    pub(super) wake: Notify,
}

impl Watchers {
    pub(crate) fn new(config: WatchConfig) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            len: AtomicUsize::new(0),
            shards: Default::default(),
            looks: Looks::default(),
            is_running: AtomicBool::new(false),
            requests: Mutex::new(None),
            config,
            pushes: AtomicBool::new(true),
            cache: OnceLock::new(),
            this: this.clone(),
        })
    }

    /// Watches a session, which is looked at soon: it may have ended since it was loaded.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn watch(&self, handle: Handle, expires_at: Option<Timestamp>) -> Watch {
        let watchers = self.this.upgrade().expect("it is borrowed from an Arc");
        let watched = {
            let mut shard = self.shard(handle).lock();
            let entry = self.entry(&mut shard, handle, expires_at);
            entry.watches += 1;
            Arc::clone(&entry.watched)
        };
        let watch = Watch {
            handle,
            seen: watched.version(),
            watched,
            watchers,
        };
        self.look_soon(handle);
        self.run();
        watch
    }

    /// Has the store push what happens to a session, without looking at it. `None` if the store does not push.
    #[cfg(feature = "cache")]
    pub(crate) fn listen(&self, handle: Handle) -> Option<Listen> {
        if !self.pushes.load(Ordering::Relaxed) {
            return None;
        }
        let mut shard = self.shard(handle).lock();
        self.entry(&mut shard, handle, None).listens += 1;
        drop(shard);
        self.run();
        Some(Listen {
            handle,
            watchers: self.this.clone(),
        })
    }

    fn entry<'a>(
        &self,
        shard: &'a mut HashMap<Handle, Entry>,
        handle: Handle,
        expires_at: Option<Timestamp>,
    ) -> &'a mut Entry {
        shard.entry(handle).or_insert_with(|| {
            self.len.fetch_add(1, Ordering::AcqRel);
            self.request(FeedRequest::Watch(handle));
            Entry {
                watched: Arc::new(Watched::new(expires_at)),
                watches: 0,
                listens: 0,
            }
        })
    }

    /// Of one that watches or listens no longer.
    fn leave(&self, handle: Handle, leave: impl FnOnce(&mut Entry)) {
        let mut shard = self.shard(handle).lock();
        let Some(entry) = shard.get_mut(&handle) else {
            return;
        };
        leave(entry);
        if entry.watches + entry.listens == 0 {
            shard.remove(&handle);
            self.len.fetch_sub(1, Ordering::AcqRel);
            self.request(FeedRequest::Unwatch(handle));
        }
    }

    /// How often all are looked at.
    pub(crate) fn interval(&self) -> Duration {
        self.config.interval
    }

    /// Also tells the cache what the store pushes.
    #[cfg(feature = "cache")]
    pub(crate) fn tell(&self, cache: Arc<dyn FeedSink>) {
        assert!(self.cache.set(cache).is_ok(), "a layer has one cache");
    }

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
            self.looks.soon.lock().push(handle);
            self.looks.wake.notify_one();
        }
    }

    /// Any may have ended, and if so, for this reason.
    pub(crate) fn look_at_all(&self, why: Ended) {
        if !self.is_empty() {
            *self.looks.all.lock() = Some(why);
            self.looks.wake.notify_one();
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

    fn shard(&self, handle: Handle) -> &Shard {
        // A handle is a digest: each of its bytes is as good as a hash.
        &self.shards[usize::from(handle.as_bytes()[0]) % SHARDS]
    }

    fn request(&self, request: FeedRequest) {
        if let Some(requests) = &*self.requests.lock() {
            // A store that does not push has dropped its end.
            let _ = requests.send(request);
        }
    }

    /// Sees to it that a task looks and listens.
    fn run(&self) {
        let is_running = self.is_running.swap(true, Ordering::AcqRel);
        let Some(watchers) = self.this.upgrade().filter(|_| !is_running) else {
            return;
        };
        let running = Running(watchers);
        tokio::spawn(async move {
            let watchers = &running.0;
            let mut push = Some(Box::pin(watchers.config.store.push(watchers.feed())));
            let mut look = pin!(looking::look(watchers));
            poll_fn(|cx| {
                // A store that does not push returns at once.
                if push
                    .as_mut()
                    .is_some_and(|push| push.as_mut().poll(cx).is_ready())
                {
                    push = None;
                    watchers.pushes.store(false, Ordering::Relaxed);
                }
                look.as_mut().poll(cx)
            })
            .await;
        });
    }

    fn feed(&self) -> Feed {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.requests.lock() = Some(sender);
        for shard in &self.shards {
            for handle in shard.lock().keys() {
                self.request(FeedRequest::Watch(*handle));
            }
        }
        let sink = self.this.upgrade().expect("it is borrowed from an Arc");
        Feed::new(sink, receiver)
    }
}

/// The task that looks and listens. Its runtime may stop while sessions are watched from another one.
struct Running(Arc<Watchers>);

impl Drop for Running {
    fn drop(&mut self) {
        let Self(watchers) = self;
        *watchers.requests.lock() = None;
        watchers.is_running.store(false, Ordering::Release);
        if !watchers.is_empty() {
            // The next to be polled starts another.
            for handle in watchers.handles() {
                if let Some(watched) = watchers.get(handle) {
                    watched.wake();
                }
            }
        }
    }
}

/// What the store pushes.
impl FeedSink for Watchers {
    fn ended(&self, handle: Handle, why: Ended) {
        if let Some(cache) = self.cache.get() {
            cache.ended(handle, why);
        }
        Self::ended(self, handle, why);
    }

    fn changed(&self, handle: Handle, version: Version) {
        if let Some(cache) = self.cache.get() {
            cache.changed(handle, version);
        }
        if let Some(watched) = self.get(handle) {
            watched.change(version);
        }
    }

    fn gap(&self) {
        if let Some(cache) = self.cache.get() {
            cache.gap();
        }
        self.look_at_all(Ended::LoggedOut);
    }
}

/// Watches one session from outside of a request: for a job, or a gateway that holds a socket for another process. From
/// [`Sessions::watch`](crate::Sessions::watch).
///
/// It is no use of the session, which expires under it. Dropped, it leaves nothing behind. Watching costs about 150 bytes,
/// and each [`watch_interval`](crate::WizSessionLayerBuilder::watch_interval) one statement for a thousand watched
/// sessions.
pub struct Watch {
    handle: Handle,
    /// The version that was reported last; 0 is none.
    seen: u64,
    watched: Arc<Watched>,
    watchers: Arc<Watchers>,
}

impl Watch {
    /// The session's public name.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Waits until the session is over, and says why. At once if it is.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn ended(&self) -> Ended {
        self.wait_for(Watched::ended).await
    }

    /// Waits until the session has changed since this watch began, or since this last returned. Never returns for one that
    /// has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: a change is reported to the call that returns.
    pub async fn changed(&mut self) {
        if self.seen == 0 {
            // It begins with the first version that is heard of.
            self.seen = self.changed_since(0).await;
        }
        self.seen = self.changed_since(self.seen).await;
    }

    /// Waits for a version above this one.
    pub(crate) async fn changed_since(&self, seen: u64) -> u64 {
        self.wait_for(|watched| Some(watched.version()).filter(|version| *version > seen))
            .await
    }

    async fn wait_for<T>(&self, news: impl Fn(&Watched) -> Option<T>) -> T {
        self.watched
            .wait_for(|watched| {
                self.watchers.run();
                news(watched)
            })
            .await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watchers.leave(self.handle, |entry| entry.watches -= 1);
    }
}

/// See [`Watchers::listen`].
#[cfg(feature = "cache")]
pub(crate) struct Listen {
    handle: Handle,
    /// Weak, as the cache that holds this is held by them.
    watchers: Weak<Watchers>,
}

#[cfg(feature = "cache")]
impl Drop for Listen {
    fn drop(&mut self) {
        if let Some(watchers) = self.watchers.upgrade() {
            watchers.leave(self.handle, |entry| entry.listens -= 1);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
