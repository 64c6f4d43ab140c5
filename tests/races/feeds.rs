use std::{future::pending, sync::Arc};

use fastrand::Rng;
use parking_lot::Mutex;
use wiz_session::{Ended, Handle, Version, store::Feed};

/// The processes that listen to a store, and what becomes of what it pushes.
pub(crate) struct Feeds {
    pub(crate) delivery: Delivery,
    listeners: Mutex<Vec<Arc<Feed>>>,
    delayed: Mutex<Vec<News>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Before the answer to what is reported.
    AtOnce,
    /// In any order.
    Delayed,
    Lost,
    /// The store does not push.
    None,
}

#[derive(Clone, Copy)]
pub(crate) enum News {
    Ended(Handle, Ended),
    Changed(Handle, Version),
}

impl Delivery {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let all = [Self::AtOnce, Self::Delayed, Self::Lost, Self::None];
        rng.choice(all).expect("one of four")
    }
}

impl Feeds {
    pub(crate) fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            listeners: Mutex::default(),
            delayed: Mutex::default(),
        }
    }

    pub(crate) fn tell(&self, news: News) {
        match self.delivery {
            Delivery::AtOnce => self.report(news),
            Delivery::Delayed => self.delayed.lock().push(news),
            Delivery::Lost | Delivery::None => {}
        }
    }

    /// Delivers some of what is delayed.
    pub(crate) fn deliver(&self, rng: &mut Rng) {
        let mut delayed = self.delayed.lock();
        rng.shuffle(&mut delayed);
        let left = rng.usize(..=delayed.len());
        let delivered = delayed.split_off(left);
        drop(delayed);
        delivered.into_iter().for_each(|news| self.report(news));
    }

    /// As a store's `push`.
    pub(crate) async fn listen(&self, feed: Feed) {
        if self.delivery == Delivery::None {
            return;
        }
        // What was told before is lost.
        feed.gap();
        let feed = Arc::new(feed);
        self.listeners.lock().push(Arc::clone(&feed));
        let _listening = Listening { feeds: self, feed };
        pending::<()>().await;
    }

    fn report(&self, news: News) {
        let listeners = self.listeners.lock().clone();
        for feed in listeners {
            match news {
                News::Ended(handle, why) => feed.ended(handle, why),
                News::Changed(handle, version) => feed.changed(handle, version),
            }
        }
    }
}

struct Listening<'a> {
    feeds: &'a Feeds,
    feed: Arc<Feed>,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut listeners = self.feeds.listeners.lock();
        listeners.retain(|feed| !Arc::ptr_eq(feed, &self.feed));
    }
}
