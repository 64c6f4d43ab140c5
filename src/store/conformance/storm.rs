//! One session that many requests use at once, for as long as it takes: values are changed, its end is postponed, its id
//! changes, its user lists it. Nothing that was answered is lost, and no old id comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    parallel::in_parallel,
    rule,
    samples::{HOUR, SECOND, handle, record, tombstone, user},
    subject::Subject,
};
use crate::{
    id::Handle,
    record::{Record, Version},
    store::{Replaced, SessionStore},
};

pub(super) async fn check(store: &Subject<impl SessionStore>) {
    no_change_is_lost(store, false).await;
    no_change_is_lost(store, true).await;
}

/// How many changes one of the requests does, if there is time.
const CHANGES: u64 = 300;
const BUDGET: Duration = Duration::from_millis(700);
/// The first of these changes the id, the next ones change a value, the last ones touch and list.
const REQUESTS: usize = 6;

/// What the requests know of one another.
struct Storm {
    user: String,
    /// All ids that the session has had, the present one last.
    ids: Mutex<Vec<Handle>>,
    changed: Mutex<u64>,
    is_over: AtomicBool,
    start: Instant,
}

impl Storm {
    fn id(&self) -> Handle {
        let ids = self.ids.lock();
        ids[ids.len() - 1]
    }

    /// The present id, or the one before.
    fn some_id(&self, n: u64) -> Handle {
        let ids = self.ids.lock();
        let back = usize::from(n.is_multiple_of(2) && ids.len() > 1);
        ids[ids.len() - 1 - back]
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed) || self.start.elapsed() > BUDGET
    }
}

async fn no_change_is_lost<S: SessionStore>(store: &Subject<S>, moves: bool) {
    let (now, user) = (store.now(), user());
    let first = record(now, Some(&user), r#"{"n":0}"#);
    let storm = Arc::new(Storm {
        ids: Mutex::new(vec![store.insert(&first).await]),
        user,
        changed: Mutex::new(0),
        is_over: AtomicBool::new(false),
        start: Instant::now(),
    });
    let requests = if moves { 0..REQUESTS } else { 1..REQUESTS };
    let shared = Arc::clone(&storm);
    in_parallel(store, requests, move |store, request| {
        let storm = Arc::clone(&shared);
        async move {
            match request {
                0 => change_id(&store, &storm).await,
                1 | 2 => change_value(&store, &storm).await,
                3 | 4 => touch(&store, &storm).await,
                _ => list(&store, &storm).await,
            }
        }
    })
    .await;
    settle(store, &storm).await;
}

fn number(record: &Record) -> u64 {
    let raw = record.data().get("n").unwrap_or_default();
    serde_json::from_slice(raw).unwrap_or_else(|_| rule::ATOMIC.broken("a value has changed"))
}

async fn change_value<S: SessionStore>(store: &Subject<S>, storm: &Storm) {
    let mut changes = 0;
    while changes < CHANGES && !storm.is_over() {
        let id = storm.id();
        let Some(loaded) = store.load(id).await.filter(|r| !r.is_tombstone()) else {
            continue;
        };
        let json = format!(r#"{{"n":{}}}"#, number(&loaded) + 1);
        let next = record(store.now(), Some(&storm.user), &json);
        // No earlier end than by the touches.
        let next = next.with_expires_at(loaded.expires_at());
        if let Replaced::Stored(_) = store.replace(id, loaded.version(), &next).await {
            *storm.changed.lock() += 1;
            changes += 1;
        }
    }
    storm.is_over.store(true, Relaxed);
}

async fn change_id<S: SessionStore>(store: &Subject<S>, storm: &Storm) {
    let now = store.now();
    while !storm.is_over() {
        let (old, new) = (storm.id(), handle());
        let what = "the present id of a session that moves leads to it";
        let Some(loaded) = store.load(old).await.filter(|r| !r.is_tombstone()) else {
            rule::ATOMIC.broken(what);
        };
        let moved = loaded.clone().with_version(Version::FIRST);
        let answer = store
            .regenerate(old, loaded.version(), &tombstone(now), new, &moved)
            .await;
        if let Replaced::Stored(_) = answer {
            storm.ids.lock().push(new);
        }
        // Leave the others some time.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

async fn touch<S: SessionStore>(store: &Subject<S>, storm: &Storm) {
    let (end, mut touches) = (store.now() + HOUR, 0);
    while !storm.is_over() {
        touches += 1;
        store
            .touch(storm.some_id(touches), end + touches as u32 * SECOND)
            .await;
        tokio::task::yield_now().await;
    }
}

async fn list<S: SessionStore>(store: &Subject<S>, storm: &Storm) {
    while !storm.is_over() {
        let is_listed = !store.list(&storm.user).await.is_empty();
        let what = "a session that moves and changes is listed all the while";
        rule::ALL_OF_A_USER.holds(is_listed, what);
        tokio::task::yield_now().await;
    }
}

async fn settle<S: SessionStore>(store: &Subject<S>, storm: &Storm) {
    let (ids, changed) = (storm.ids.lock().clone(), *storm.changed.lock());
    let (present, former) = ids.split_last().expect("it has an id");
    for old in former {
        let left = store.load(*old).await;
        let what = "an id that the session had before leads nowhere";
        rule::ATOMIC.holds(left.is_none_or(|record| record.is_tombstone()), what);
    }
    let Some(loaded) = store.load(*present).await else {
        rule::ATOMIC.broken("the present id of a session leads to it");
    };
    let what = "changes that were answered, of many at once";
    rule::ATOMIC.equal(number(&loaded), changed, what);
    let listed = store.list(&storm.user).await;
    let listed: Vec<_> = listed.into_iter().map(|(handle, _)| handle).collect();
    rule::ALL_OF_A_USER.equal(listed, vec![*present], "list of a user whose session moved");
}
