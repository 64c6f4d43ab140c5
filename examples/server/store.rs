//! The one place that knows the session stores: a store from `STORE`, made ready and plugged into the layer.

use std::error::Error;

use wiz_session::{
    Key, MemoryStore, SessionStore, Sweeper, WizSessionLayer, WizSessionLayerBuilder,
};

const KNOWN: &str = "memory, sqlite:PATH, postgres://…, mysql://…, redis://… or redis+cluster://…";

/// A store that is ready.
pub(crate) struct Open {
    pub(crate) layer: WizSessionLayerBuilder,
    /// Deletes what has expired, where the store does not by itself. It stops when it is dropped.
    pub(crate) sweeper: Option<Sweeper>,
}

impl Open {
    fn new(store: impl SessionStore, key: Key) -> Self {
        Self {
            layer: WizSessionLayer::builder(store, key),
            sweeper: None,
        }
    }
}

type Opened = Result<Open, Box<dyn Error>>;

/// Opens the store that `url` names; nothing means `memory`. Tables are created where there are none.
pub(crate) async fn open(url: &str, key: Key) -> Opened {
    match scheme(url) {
        "" | "memory" => Ok(Open::new(MemoryStore::new(), key)),
        "sqlite" => sqlite(url, key).await,
        "postgres" | "postgresql" => postgres(url, key).await,
        "mysql" => mysql(url, key).await,
        "redis" | "rediss" => redis(url, key).await,
        "redis+cluster" => redis_cluster(url, key).await,
        // The scheme alone: what follows it may hold a password.
        unknown => Err(format!("STORE={unknown} is unknown: choose one of {KNOWN}").into()),
    }
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or(url, |(scheme, _)| scheme)
}

/// One function for each SQL store, or what to do where it is not compiled in.
macro_rules! sql {
    ($($open:ident = $feature:literal, $store:ident;)+) => {$(
        #[cfg(feature = $feature)]
        async fn $open(url: &str, key: Key) -> Opened {
            let store = wiz_session::$store::connect(url).await?;
            store.migrate().await?;
            let sweeper = Some(Sweeper::spawn(store.clone()));
            Ok(Open { sweeper, ..Open::new(store, key) })
        }

        #[cfg(not(feature = $feature))]
        async fn $open(_: &str, _: Key) -> Opened {
            lacks($feature)
        }
    )+};
}

sql! {
    sqlite = "sqlite", SqliteStore;
    postgres = "postgres", PostgresStore;
    mysql = "mysql", MySqlStore;
}

#[cfg(feature = "redis")]
async fn redis(url: &str, key: Key) -> Opened {
    let store = wiz_session::RedisStore::connect(url).await?;
    Ok(Open::new(store, key))
}

#[cfg(not(feature = "redis"))]
async fn redis(_: &str, _: Key) -> Opened {
    lacks("redis")
}

/// `redis+cluster://host:port,host:port`, one node or more.
#[cfg(feature = "redis-cluster")]
async fn redis_cluster(url: &str, key: Key) -> Opened {
    let nodes = url.trim_start_matches("redis+cluster://").split(',');
    let store =
        wiz_session::RedisStore::connect_cluster(nodes.map(|node| format!("redis://{node}")))
            .await?;
    Ok(Open::new(store, key))
}

#[cfg(not(feature = "redis-cluster"))]
async fn redis_cluster(_: &str, _: Key) -> Opened {
    lacks("redis-cluster")
}

#[allow(dead_code, reason = "there may be no store that is not compiled in")]
fn lacks(feature: &str) -> Opened {
    let advice = format!("`cargo run --example server --features {feature}`");
    Err(format!("this build has no such store: add the feature, {advice}").into())
}
