use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::broadcast;
use wiz_session::{
    Ended, Error, Handle, Record, SessionStore, Version, forward_session_store,
    store::{Feed, Replaced},
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
}

#[derive(Debug, Clone, Copy)]
enum News {
    Ended(Handle, Ended),
    Changed(Handle, Version),
    Gap,
}

impl Pushing {
    pub(crate) fn new(store: TestStore) -> Self {
        let bus = Bus {
            news: broadcast::channel(1000).0,
            loses: AtomicBool::new(false),
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

    async fn push(&self, feed: Feed) {
        let mut news = self.bus.news.subscribe();
        while let Ok(news) = news.recv().await {
            match news {
                News::Ended(handle, why) => feed.ended(handle, why),
                News::Changed(handle, version) => feed.changed(handle, version),
                News::Gap => feed.gap(),
            }
        }
    }
}

/// Lets tasks run, without time passing.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
