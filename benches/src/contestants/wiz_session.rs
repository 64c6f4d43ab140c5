//! The library, with its defaults.

use serde::Serialize;
use wiz_session::{Key, MemoryStore, WizSession, WizSessionLayer};

use super::Contestant;
use crate::routes::{Session, router};

pub const CONTESTANT: Contestant = Contestant {
    name: "wiz_session",
    app: || router::<WizSession>().layer(WizSessionLayer::new(store(), key())),
};

/// With room for every session that a measurement makes.
pub fn store() -> MemoryStore {
    MemoryStore::with_max_sessions(usize::MAX)
}

pub fn key() -> Key {
    Key::from(&[7; 64])
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
