//! The library with its defaults, and its memory store some way off.

use std::{sync::Arc, time::SystemTime};

use axum::response::{IntoResponse, Response};
use wiz_session::{
    Error, Handle, MemoryStore, Record, SessionStore, Version, WizSession, WizSessionLayer,
    forward_session_store,
    store::{Created, Replaced},
};

use super::Contestant;
use crate::{
    contestants::wiz_session::{key, store},
    measure::races::{
        routes::{Session, Work, router},
        way::{BROKEN, Way},
    },
};

pub const CONTESTANT: Contestant = Contestant {
    name: "wiz_session",
    apps: |way, meeting| {
        Box::pin(async move {
            let store = Arc::new(store());
            [(); 3].map(|()| {
                let far = Far {
                    store: store.clone(),
                    way: way.clone(),
                };
                router::<WizSession>(&meeting).layer(WizSessionLayer::new(far, key()))
            })
        })
    },
};

struct Far {
    store: Arc<MemoryStore>,
    way: Way,
}

fn broken() -> Error {
    Error::store(BROKEN)
}

impl SessionStore for Far {
    // What a request asks goes the way; sweeps, lists and watches are not raced.
    forward_session_store!(self => *self.store, except [create, load, replace, touch, delete, regenerate]);

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let created = self.store.create(handle, record);
        self.way.save(broken, created).await
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        self.way.load(broken, self.store.load(handle)).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let replaced = self.store.replace(handle, expected, record);
        self.way.save(broken, replaced).await
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let touched = self.store.touch(handle, expires_at);
        self.way.save(broken, touched).await
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        self.way.save(broken, self.store.delete(handle)).await
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let store = &self.store;
        let moved = store.regenerate(old, expected, tombstone, new, record);
        self.way.save(broken, moved).await
    }
}

fn answer(error: Error) -> Response {
    error.into_response()
}

impl Session for WizSession {
    async fn read(&self, key: &str) -> Result<Option<u64>, Response> {
        self.get(key).map_err(answer)
    }

    async fn write(&self, key: &str, value: u64) -> Result<(), Response> {
        self.set(key, value).map_err(answer)
    }

    async fn add_one(&self, key: &str, work: Work) -> Result<(), Response> {
        work.done().await;
        let added = self.update(key, |n: &mut u64| *n += 1);
        added.map(drop).map_err(answer)
    }

    async fn regenerate(&self) -> Result<(), Response> {
        WizSession::regenerate(self);
        Ok(())
    }

    async fn log_out(&self) -> Result<(), Response> {
        WizSession::log_out(self);
        Ok(())
    }
}
