use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Semaphore, broadcast};
use wiz_session::{
    Ended, Error, Handle, Record, SessionStore, Version, forward_session_store,
    store::{Feed, FeedRequest, Replaced},
    test_util::TestStore,
};

/// A store that pushes, as Redis does. Clones of it are processes that share it.
#[derive(Clone)]
pub(crate) struct Pushing {
    store: TestStore,
    bus: Arc<Bus>,
}

struct Bus {
    news: broadcast::Sender<News>,
    /// Messages are lost, and nobody notices.
    loses: AtomicBool,
    /// How many subscriptions may be confirmed. Without it, each process hears of every session.
    confirms: Option<Semaphore>,
}

#[derive(Debug, Clone, Copy)]
enum News {
    Ended(Handle, Ended),
    Changed(Handle, Version),
    Gap,
}

impl Pushing {
    pub(crate) fn new(store: TestStore) -> Self {
        Self::with(store, None)
    }

    /// One that is subscribed to for each session. Subscriptions wait until they are [confirmed](Self::confirm).
    pub(crate) fn subscribing(store: TestStore) -> Self {
        Self::with(store, Some(Semaphore::new(0)))
    }

    fn with(store: TestStore, confirms: Option<Semaphore>) -> Self {
        let bus = Bus {
            news: broadcast::channel(1000).0,
            loses: AtomicBool::new(false),
            confirms,
        };
        Self {
            store,
            bus: Arc::new(bus),
        }
    }

    pub(crate) fn lose_messages(&self, loses: bool) {
        self.bus.loses.store(loses, Ordering::Relaxed);
    }

    /// As after a connection that broke.
    pub(crate) fn gap(&self) {
        self.lose_messages(false);
        self.tell(News::Gap);
    }

    /// Confirms so many subscriptions.
    pub(crate) fn confirm(&self, subscriptions: usize) {
        let confirms = self.bus.confirms.as_ref();
        confirms.expect("it subscribes").add_permits(subscriptions);
    }

    /// How many processes listen.
    pub(crate) fn listeners(&self) -> usize {
        self.bus.news.receiver_count()
    }

    fn tell(&self, news: News) {
        if !self.bus.loses.load(Ordering::Relaxed) {
            // Nobody may be listening.
            let _ = self.bus.news.send(news);
        }
    }
}

impl SessionStore for Pushing {
    forward_session_store!(self => self.store, except [replace, delete, regenerate, push]);

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let answer = self.store.replace(handle, expected, record).await;
        if let Ok(Replaced::Stored(version)) = answer {
            self.tell(News::Changed(handle, version));
        }
        answer
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let store = &self.store;
        let answer = store
            .regenerate(old, expected, tombstone, new, record)
            .await;
        if let Ok(Replaced::Stored(_)) = answer {
            self.tell(News::Ended(old, Ended::Moved));
            // It arrives before the answer, as on Redis, where the script that moves the session sends it.
            settle().await;
        }
        answer
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let answer = self.store.delete(handle).await;
        if let Ok(true) = answer {
            self.tell(News::Ended(handle, Ended::LoggedOut));
        }
        answer
    }

    async fn push(&self, mut feed: Feed) {
        let mut news = self.bus.news.subscribe();
        let Some(confirms) = &self.bus.confirms else {
            while let Ok(news) = news.recv().await {
                news.report(&feed);
            }
            return;
        };
        let mut subscribed = HashSet::new();
        loop {
            let request = tokio::select! {
                Ok(news) = news.recv() => {
                    if news.handle().is_none_or(|handle| subscribed.contains(&handle)) {
                        news.report(&feed);
                    }
                    continue;
                }
                request = feed.request() => request,
            };
            match request {
                FeedRequest::Watch(handle) => {
                    confirms.acquire().await.expect("it stays open").forget();
                    // What was published before is not heard.
                    news = news.resubscribe();
                    subscribed.insert(handle);
                    feed.look(handle);
                }
                FeedRequest::Unwatch(handle) => drop(subscribed.remove(&handle)),
                other => panic!("{other:?}"),
            }
        }
    }
}

impl News {
    fn handle(self) -> Option<Handle> {
        match self {
            Self::Ended(handle, _) | Self::Changed(handle, _) => Some(handle),
            Self::Gap => None,
        }
    }

    fn report(self, feed: &Feed) {
        match self {
            Self::Ended(handle, why) => feed.ended(handle, why),
            Self::Changed(handle, version) => feed.changed(handle, version),
            Self::Gap => feed.gap(),
        }
    }
}

/// Lets tasks run, without time passing.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
