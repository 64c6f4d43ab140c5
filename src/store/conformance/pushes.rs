//! What a store reports to a feed, beside what happened. Nothing has to be reported: then there is nothing to check.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{Instant, sleep},
};

use super::{
    rule,
    samples::{HOUR, handle, record, tombstone},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::Version,
    store::{
        Ended, Feed, FeedRequest, SessionStore,
        feed::{FeedSink, Watching},
    },
};

/// How long reports are waited for at most: when the feed begins, and when all has happened.
const PATIENCE: Duration = Duration::from_millis(300);

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    let sessions = Sessions::create(store).await;
    let reports = Arc::new(Reports::of(sessions.all()));
    let feed = Feed::new(Arc::clone(&reports) as Arc<dyn Watching>);
    let happen = pin!(async {
        reports.until(|told| told.began).await;
        sessions.change(store).await;
        let all_told = |told: &Told| {
            let is_told = |handle| told.ended.iter().any(|(ended, _)| *ended == handle);
            is_told(sessions.left) && is_told(sessions.moved)
        };
        reports.until(all_told).await;
    });
    // One that does not push returns at once; another goes on until it is dropped.
    if let Either::Left(((), happen)) = select(pin!(store.push(feed)), happen).await {
        happen.await;
    }
    sessions.check(&reports.told.lock());
    let what = "load of a session after its feed was dropped";
    rule::CANCEL_SAFE.holds(store.load(sessions.lives).await.is_some(), what);
}

struct Sessions {
    now: SystemTime,
    lives: Handle,
    /// To another user.
    given: Handle,
    touched: Handle,
    left: Handle,
    moved: Handle,
    moved_to: Handle,
}

impl Sessions {
    async fn create(store: &Subject<impl SessionStore>) -> Self {
        let now = store.now();
        let stored = record(now, Some("alice"), "{}");
        Self {
            now,
            lives: store.insert(&stored).await,
            given: store.insert(&stored).await,
            touched: store.insert(&stored).await,
            left: store.insert(&stored).await,
            moved: store.insert(&stored).await,
            moved_to: handle(),
        }
    }

    fn all(&self) -> [Handle; 6] {
        [
            self.lives,
            self.given,
            self.touched,
            self.left,
            self.moved,
            self.moved_to,
        ]
    }

    async fn change(&self, store: &Subject<impl SessionStore>) {
        let (first, stone) = (Version::FIRST, tombstone(self.now));
        let stored = record(self.now, Some("alice"), r#"{"n":1}"#);
        store.touch(self.touched, self.now + 2 * HOUR).await;
        store.replace(self.lives, first, &stored).await;
        // A conflict.
        store.replace(self.lives, first, &stored).await;
        let bobs = record(self.now, Some("bob"), r#"{"n":1}"#);
        store.replace(self.given, first, &bobs).await;
        store.delete(self.left).await;
        store
            .regenerate(self.moved, first, &stone, self.moved_to, &stored)
            .await;
    }

    fn check(&self, told: &Told) {
        for (handle, why) in &told.ended {
            let is_true = match why {
                Ended::Moved => *handle == self.moved,
                Ended::LoggedOut | Ended::Revoked => *handle == self.left,
                Ended::Expired => false,
            };
            let what = format!("a report that a session has ended ({why}), which it has not");
            rule::PUSH.holds(is_true, what);
        }
        for (handle, version) in &told.changed {
            let stored = match [self.lives, self.given, self.moved].contains(handle) {
                true => Version::FIRST.next(),
                false => Version::FIRST,
            };
            let what = format!("a report of {version:?}, while {stored:?} is stored");
            rule::PUSH.holds(*version <= stored, what);
        }
    }
}

struct Reports {
    told: Mutex<Told>,
    watched: [Handle; 6],
    /// Kept, so that the feed waits for further requests.
    asks: Mutex<Option<UnboundedSender<FeedRequest>>>,
}

#[derive(Default)]
struct Told {
    began: bool,
    ended: Vec<(Handle, Ended)>,
    changed: Vec<(Handle, Version)>,
}

impl Reports {
    fn of(watched: [Handle; 6]) -> Self {
        Self {
            told: Mutex::default(),
            watched,
            asks: Mutex::new(None),
        }
    }

    async fn until(&self, holds: impl Fn(&Told) -> bool) {
        let since = Instant::now();
        while since.elapsed() < PATIENCE && !holds(&self.told.lock()) {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

impl FeedSink for Reports {
    fn ended(&self, handle: Handle, why: Ended) {
        self.told.lock().ended.push((handle, why));
    }

    fn changed(&self, handle: Handle, version: Version) {
        self.told.lock().changed.push((handle, version));
    }

    fn gap(&self) {
        self.told.lock().began = true;
    }
}

impl Watching for Reports {
    fn look(&self, _: Handle) {
        self.told.lock().began = true;
    }

    fn requests(&self) -> UnboundedReceiver<FeedRequest> {
        let (asks, requests) = mpsc::unbounded_channel();
        for handle in self.watched {
            // It is received by what is returned.
            let _ = asks.send(FeedRequest::Watch(handle));
        }
        *self.asks.lock() = Some(asks);
        requests
    }
}
