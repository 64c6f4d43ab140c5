//! tower-sessions with a signed cookie, and its memory store some way off.

use async_trait::async_trait;
use axum::response::Response;
use tower_sessions::{
    MemoryStore, Session as TowerSession, SessionManagerLayer, SessionStore,
    cookie::Key,
    session::{Id, Record},
    session_store,
};

use super::{Contestant, failed};
use crate::measure::races::{
    routes::{Session, Work, router},
    way::{BROKEN, Way},
};

pub const CONTESTANT: Contestant = Contestant {
    name: "tower_sessions",
    apps: |way, meeting| {
        Box::pin(async move {
            let store = Far {
                store: MemoryStore::default(),
                way,
            };
            [(); 3].map(|()| {
                let layer =
                    SessionManagerLayer::new(store.clone()).with_signed(Key::from(&[7; 64]));
                router::<TowerSession>(&meeting).layer(layer)
            })
        })
    },
};

#[derive(Clone, Debug)]
struct Far {
    store: MemoryStore,
    way: Way,
}

fn broken() -> session_store::Error {
    session_store::Error::Backend(BROKEN.to_owned())
}

#[async_trait]
impl SessionStore for Far {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.way.save(broken, self.store.create(record)).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.way.save(broken, self.store.save(record)).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        self.way.load(broken, self.store.load(id)).await
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.way.save(broken, self.store.delete(id)).await
    }
}

impl Session for TowerSession {
    async fn read(&self, key: &str) -> Result<Option<u64>, Response> {
        self.get(key).await.map_err(failed)
    }

    async fn write(&self, key: &str, value: u64) -> Result<(), Response> {
        self.insert(key, value).await.map_err(failed)
    }

    async fn add_one(&self, key: &str, work: Work) -> Result<(), Response> {
        let before = self.read(key).await?.unwrap_or_default();
        work.done().await;
        self.write(key, before + 1).await
    }

    async fn regenerate(&self) -> Result<(), Response> {
        self.cycle_id().await.map_err(failed)
    }

    async fn log_out(&self) -> Result<(), Response> {
        self.flush().await.map_err(failed)
    }
}
