//! Who runs on which database. tower-sessions is 0.14 here, which its stores are for.

use axum::Router;
use serde::Serialize;
use tower_sessions_14::{Session as TowerSession, SessionManagerLayer, SessionStore, cookie::Key};
use tower_sessions_redis_store::{
    RedisStore as TowerRedisStore,
    fred::{
        interfaces::ClientLike,
        prelude::{Config, Pool},
    },
};
use tower_sessions_sqlx_store::{
    PostgresStore as TowerPostgresStore, sqlx::postgres::PgPoolOptions,
};
use wiz_session::{RedisStore, WizSession, WizSessionLayer, store::PostgresStore};

use super::hot;
use crate::{
    contestants::{OURS, wiz_session as ours},
    routes::{Session, router},
};

pub struct Contestant {
    pub name: &'static str,
    who: Who,
}

#[derive(Clone, Copy)]
enum Who {
    WizOnRedis,
    TowerOnRedis { connections: usize },
    WizOnPostgres,
    TowerOnPostgres,
}

/// The library comes last.
pub const ON_REDIS: [Contestant; 3] = [
    Contestant {
        name: "tower_sessions_signed",
        who: Who::TowerOnRedis { connections: 6 },
    },
    Contestant {
        name: "tower_sessions_signed, 1 connection",
        who: Who::TowerOnRedis { connections: 1 },
    },
    Contestant {
        name: OURS,
        who: Who::WizOnRedis,
    },
];

pub const ON_POSTGRES: [Contestant; 2] = [
    Contestant {
        name: "tower_sessions_signed",
        who: Who::TowerOnPostgres,
    },
    Contestant {
        name: OURS,
        who: Who::WizOnPostgres,
    },
];

impl Contestant {
    pub fn is_ours(&self) -> bool {
        self.name == OURS
    }

    /// The routes below this contestant's layer, on a server with room for its sessions. The number of connections
    /// counts where there is a pool.
    pub async fn app(&self, url: &str, connections: u32) -> Router {
        match self.who {
            Who::WizOnRedis => {
                let store = RedisStore::connect(url).await;
                wiz(store.expect("the server is there"))
            }
            Who::TowerOnRedis { connections } => {
                let config = Config::from_url(url).expect("it is a URL");
                let pool = Pool::new(config, None, None, None, connections).expect("it has a size");
                pool.init().await.expect("the server is there");
                tower(TowerRedisStore::new(pool))
            }
            Who::WizOnPostgres => {
                let store = PostgresStore::connect(url).await;
                let store = store.expect("the server is there");
                store.migrate().await.expect("a table");
                wiz(store)
            }
            Who::TowerOnPostgres => {
                let pool = PgPoolOptions::new().max_connections(connections);
                let pool = pool.connect(url).await.expect("the server is there");
                let store = TowerPostgresStore::new(pool);
                store.migrate().await.expect("a table");
                tower(store)
            }
        }
    }
}

fn wiz(store: impl wiz_session::SessionStore) -> Router {
    routes::<WizSession>()
        .layer(WizSessionLayer::new(store, ours::key()))
        .with_state(())
}

fn tower(store: impl SessionStore + Clone) -> Router {
    let layer = SessionManagerLayer::new(store).with_signed(Key::from(&[7; 64]));
    routes::<TowerSession>().layer(layer).with_state(())
}

fn routes<S: hot::Session>() -> Router {
    router::<S>().merge(hot::routes::<S>())
}

impl Session for TowerSession {
    async fn read(&self, key: &str) -> Option<u64> {
        self.get(key).await.expect("the store answers")
    }

    async fn write<T: Serialize + Send + Sync>(&self, key: &str, value: T) {
        self.insert(key, value).await.expect("the store answers");
    }

    async fn add_one(&self, key: &str) {
        let before = self.read(key).await.unwrap_or_default();
        self.write(key, before + 1).await;
    }

    async fn regenerate(&self) {
        self.cycle_id().await.expect("the store answers");
    }
}
