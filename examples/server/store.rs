//! The one place that knows the session stores: a store from `STORE`, plugged into the layer.

use wiz_session::{Key, MemoryStore, WizSessionLayer, WizSessionLayerBuilder};

const KNOWN: &str = "memory, sqlite:PATH, postgres://…, mysql://…, redis://… and redis+cluster://…";

/// Starts a session layer on the store that `url` names; nothing means `memory`.
///
/// A new store is one more arm, behind its feature.
pub(crate) async fn open(url: &str, key: Key) -> Result<WizSessionLayerBuilder, String> {
    match scheme(url) {
        "" | "memory" => Ok(WizSessionLayer::builder(MemoryStore::new(), key)),
        "sqlite" => Err(lacks("sqlite")),
        "postgres" | "postgresql" => Err(lacks("postgres")),
        "mysql" => Err(lacks("mysql")),
        "redis" | "rediss" | "redis+cluster" => Err(lacks("redis")),
        // The scheme alone: what follows it may hold a password.
        unknown => Err(format!("STORE={unknown} is unknown; known are {KNOWN}")),
    }
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or(url, |(scheme, _)| scheme)
}

fn lacks(feature: &str) -> String {
    format!(
        "this build has no {feature} store: add the feature, \
         `cargo run --example server --features {feature}`"
    )
}
