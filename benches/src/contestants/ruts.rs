//! ruts with a signed cookie and its store in memory, which is moka. Each field is read and written by itself, at once.

use std::sync::Arc;

use ruts::{
    CookieOptions, Key, Session as RutsSession, SessionLayer,
    store::{Ttl, moka::MokaStore},
};
use serde::Serialize;
use tower_cookies::CookieManagerLayer;

use super::Contestant;
use crate::routes::{Session, router};

pub const CONTESTANT: Contestant = Contestant {
    name: "ruts",
    app: || {
        // Its default of 10,000 would drop sessions that the measurements make.
        let store = MokaStore::builder().max_capacity(1_000_000).build();
        let layer = SessionLayer::new(Arc::new(store)).with_cookie_options(cookie());
        router::<RutsSession<MokaStore>>()
            .layer(layer)
            .layer(CookieManagerLayer::new())
    },
};

pub fn cookie() -> CookieOptions {
    CookieOptions::build()
        .name("session")
        .path("/")
        .signing_key(Key::from(&[7; 64]))
}

/// Each field has its own; none lives without an end.
pub fn hour() -> Ttl {
    Ttl::new(3_600).expect("it is positive")
}

impl Session for RutsSession<MokaStore> {
    async fn read(&self, key: &str) -> Option<u64> {
        self.get(key).await.expect("the memory store answers")
    }

    async fn write<T: Serialize + Send + Sync>(&self, key: &str, value: T) {
        let stored = self.set(key, &value, hour(), None).await;
        stored.expect("the memory store answers");
    }

    async fn add_one(&self, key: &str) {
        let before = self.read(key).await.unwrap_or_default();
        self.write(key, before + 1).await;
    }

    async fn regenerate(&self) {
        let renamed = RutsSession::regenerate(self).await;
        renamed.expect("the memory store answers");
    }
}
