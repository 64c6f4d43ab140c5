//! axess with its memory store and the signed cookie that it always has. The session is a guest's: the login and its
//! factors are another part of it. What is set goes where its documentation puts an application's own data.

use axess_core::{AuthSession, MemorySessionStore, SessionLayer};
use serde::Serialize;

use super::Contestant;
use crate::routes::{Session, router};

pub const CONTESTANT: Contestant = Contestant {
    name: "axess",
    app: || {
        let layer = SessionLayer::new(MemorySessionStore::new(), key());
        router::<AuthSession>().layer(layer)
    },
};

/// It warns of one that repeats a byte.
pub fn key() -> [u8; 32] {
    std::array::from_fn(|n| n as u8)
}

impl Session for AuthSession {
    async fn read(&self, key: &str) -> Option<u64> {
        self.get_custom(key).await.and_then(|value| value.as_u64())
    }

    async fn write<T: Serialize + Send + Sync>(&self, key: &str, value: T) {
        let value = serde_json::to_value(value).expect("it is JSON");
        assert!(self.set_custom(key, value).await, "it fits");
    }

    async fn add_one(&self, key: &str) {
        let before = self.read(key).await.unwrap_or_default();
        self.write(key, before + 1).await;
    }

    async fn regenerate(&self) {
        AuthSession::regenerate(self).await;
    }
}
