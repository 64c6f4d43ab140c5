use std::{
    fmt,
    future::poll_fn,
    ops::Deref,
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    looking::{self, WatchConfig},
    registry::Registry,
    watched::Watched,
};
use crate::{
    id::Handle,
    record::Version,
    store::{Ended, Feed, FeedRequest, FeedSink, Watching},
    time::Timestamp,
};

/// The sessions of one layer that are watched in this process, and the task that looks and listens for them.
pub(crate) struct Watchers {
    registry: Registry,
    config: WatchConfig,
    /// Whether the task runs. It does only while something is watched.
    is_running: AtomicBool,
    /// Whether the store has not said that it does not push.
    pushes: AtomicBool,
    this: Weak<Self>,
}

impl Deref for Watchers {
    type Target = Registry;

    #[inline]
    fn deref(&self) -> &Registry {
        &self.registry
    }
}

impl Watchers {
    pub(crate) fn new(config: WatchConfig) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            registry: Registry::default(),
            config,
            is_running: AtomicBool::new(false),
            pushes: AtomicBool::new(true),
            this: this.clone(),
        })
    }

    /// How often all are looked at.
    pub(crate) fn interval(&self) -> Duration {
        self.config.interval
    }

    /// Watches a session, which is looked at soon: it may have ended since it was loaded.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn watch(&self, handle: Handle, expires_at: Option<Timestamp>) -> Watch {
        let watched = self.enter(handle, expires_at, |entry| entry.watches += 1);
        let watch = Watch {
            handle,
            seen: watched.version(),
            watched,
            watchers: self.shared(),
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
        self.enter(handle, None, |entry| entry.listens += 1);
        self.run();
        Some(Listen {
            handle,
            watchers: self.this.clone(),
        })
    }

    /// Sees to it that the task runs.
    fn run(&self) {
        if self.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        let running = Running(self.shared());
        tokio::spawn(async move {
            let Self {
                registry,
                config,
                pushes,
                ..
            } = &*running.0;
            let feed = Feed::new(running.0.shared());
            let mut push = Some(Box::pin(config.store.push(feed)));
            let mut look = pin!(looking::look(registry, config));
            poll_fn(|cx| {
                // A store that does not push returns at once.
                if push
                    .as_mut()
                    .is_some_and(|push| push.as_mut().poll(cx).is_ready())
                {
                    push = None;
                    pushes.store(false, Ordering::Relaxed);
                }
                look.as_mut().poll(cx)
            })
            .await;
        });
    }

    fn shared(&self) -> Arc<Self> {
        self.this.upgrade().expect("it is borrowed from an Arc")
    }
}

/// The task that looks and listens. Its runtime may stop while sessions are watched from another one.
struct Running(Arc<Watchers>);

impl Drop for Running {
    fn drop(&mut self) {
        let Self(watchers) = self;
        watchers.close_requests();
        watchers.is_running.store(false, Ordering::Release);
        // Those that wait start another.
        watchers.wake_all();
    }
}

/// What the store pushes.
impl FeedSink for Watchers {
    fn ended(&self, handle: Handle, why: Ended) {
        self.ended_elsewhere(handle, why);
    }

    fn changed(&self, handle: Handle, version: Version) {
        self.changed_elsewhere(handle, version);
    }

    fn gap(&self) {
        self.tell_cache(|cache| cache.gap());
        self.look_at_all(Ended::LoggedOut);
    }
}

impl Watching for Watchers {
    fn look(&self, handle: Handle) {
        self.look_soon(handle);
    }

    fn requests(&self) -> UnboundedReceiver<FeedRequest> {
        self.open_requests()
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
