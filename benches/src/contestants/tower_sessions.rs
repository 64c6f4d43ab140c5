//! tower-sessions as its readme shows it: a bare id in the cookie.

use serde::Serialize;
use tower_sessions::{MemoryStore, Session as TowerSession, SessionManagerLayer};

use super::Contestant;
use crate::routes::{Session, router};

pub const CONTESTANT: Contestant = Contestant {
    name: "tower_sessions",
    app: || router::<TowerSession>().layer(SessionManagerLayer::new(MemoryStore::default())),
};

impl Session for TowerSession {
    async fn read(&self, key: &str) -> Option<u64> {
        self.get(key).await.expect("the memory store answers")
    }

    async fn write<T: Serialize + Send + Sync>(&self, key: &str, value: T) {
        self.insert(key, value)
            .await
            .expect("the memory store answers");
    }

    async fn add_one(&self, key: &str) {
        let before = self.read(key).await.unwrap_or_default();
        self.write(key, before + 1).await;
    }

    async fn regenerate(&self) {
        self.cycle_id().await.expect("the memory store answers");
    }
}
