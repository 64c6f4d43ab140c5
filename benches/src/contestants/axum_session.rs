//! axum_session in memory, without a pool, with its defaults.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum_session::{
    Session as AxumSession, SessionConfig, SessionLayer, SessionNullPool, SessionStore,
};
use serde::Serialize;

use super::Contestant;
use crate::routes::{Session, router};

pub const CONTESTANT: Contestant = Contestant {
    name: "axum_session",
    app: || {
        let layer = SessionLayer::new(store(SessionConfig::default()));
        router::<AxumSession<SessionNullPool>>().layer(layer)
    },
};

fn store(config: SessionConfig) -> SessionStore<SessionNullPool> {
    let store = pin!(SessionStore::new(None, config));
    match store.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(store) => store.expect("the configuration is valid"),
        Poll::Pending => unreachable!("without a pool there is nothing to wait for"),
    }
}

impl Session for AxumSession<SessionNullPool> {
    async fn read(&self, key: &str) -> Option<u64> {
        self.get(key)
    }

    async fn write<T: Serialize + Send + Sync>(&self, key: &str, value: T) {
        self.set(key, value);
    }

    async fn add_one(&self, key: &str) {
        let before: u64 = self.get(key).unwrap_or_default();
        self.set(key, before + 1);
    }

    async fn regenerate(&self) {
        self.renew();
    }
}
