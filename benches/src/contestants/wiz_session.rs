//! The library, with its defaults.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use wiz_session::{
    Handle, Key, MemoryStore, Record, SessionStore, Version, WizSession, WizSessionLayer,
};

use super::Contestant;
use crate::routes::{Session, router};

pub const CONTESTANT: Contestant = Contestant {
    name: "wiz_session",
    app: || router::<WizSession>().layer(WizSessionLayer::new(store(), key())),
};

/// With so many sessions beforehand that no table of the store grows, or next to none, while some hundred more are made:
/// tables of 256 places, of which three fourths of 224 are taken.
pub const GROWN: Contestant = Contestant {
    name: "wiz_session_grown",
    app: || router::<WizSession>().layer(WizSessionLayer::new(grown(), key())),
};

/// With room for every session that a measurement makes.
pub fn store() -> MemoryStore {
    MemoryStore::with_max_sessions(usize::MAX)
}

pub fn key() -> Key {
    Key::from(&[7; 64])
}

/// A store with so many sessions, their handles, and the record of each.
pub fn filled(count: usize) -> (MemoryStore, Vec<Handle>, Record) {
    let store = store();
    let far = SystemTime::now() + Duration::from_secs(3_600);
    let deadline = far
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("it is later")
        .as_millis();
    let json = format!(
        r#"{{"v":1,"created_at":0,"deadline":{deadline},"data":{{"theme":"dark","user":"alice","visits":1}}}}"#
    );
    let record = || Record::from_json(&json, Version::FIRST, far).expect("it is format 1");
    let mut rng = fastrand::Rng::with_seed(1);
    let handles: Vec<Handle> = (0..count)
        .map(|_| Handle::from_bytes(rng.u128(..).to_ne_bytes()))
        .collect();
    for handle in &handles {
        now(store.create(*handle, &record())).expect("the memory store answers");
    }
    (store, handles, record())
}

/// The same of one record, which is faster made; and with so many tombstones that their queues do not grow either.
fn grown() -> MemoryStore {
    let (store, _, record) = filled(0);
    let mut rng = fastrand::Rng::with_seed(2);
    let mut fill = |count, record: &Record| {
        for _ in 0..count * SHARDS {
            let handle = Handle::from_bytes(rng.u128(..).to_ne_bytes());
            now(store.create(handle, record)).expect("the memory store answers");
        }
    };
    fill(148, &record);
    let tombstone =
        r#"{"v":1,"created_at":0,"deadline":253402300799999,"tombstone":true,"data":{}}"#;
    let tombstone = Record::from_json(tombstone, Version::FIRST, record.expires_at());
    fill(20, &tombstone.expect("it is format 1"));
    store
}

/// Of the memory store.
const SHARDS: usize = 300;

/// The memory store answers at once.
pub fn now<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory store waits for nothing"),
    }
}

impl Session for WizSession {
    async fn read(&self, key: &str) -> Option<u64> {
        self.get(key).expect("it is a number")
    }

    async fn write<T: Serialize + Send + Sync>(&self, key: &str, value: T) {
        self.set(key, value).expect("it fits");
    }

    async fn add_one(&self, key: &str) {
        self.update(key, |n: &mut u64| *n += 1).expect("it fits");
    }

    async fn regenerate(&self) {
        WizSession::regenerate(self);
    }
}
