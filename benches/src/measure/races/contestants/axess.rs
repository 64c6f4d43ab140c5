//! axess, and its memory store some way off. The session is a guest's; what is set goes where its documentation puts an
//! application's own data.

use std::{io, time::Duration};

use axess_core::{
    AuthSession, ConditionalUpdate, MemorySessionStore, SessionData, SessionId, SessionLayer,
    SessionStore, session::CycleOutcome,
};
use axum::response::Response;

use super::{Contestant, failed};
use crate::{
    contestants::axess::key,
    measure::races::{
        routes::{Session, Work, router},
        way::{BROKEN, Way},
    },
};

pub const CONTESTANT: Contestant = Contestant {
    name: "axess",
    apps: |way, meeting| {
        Box::pin(async move {
            let store = Far {
                store: MemorySessionStore::new(),
                way,
            };
            [(); 3].map(|()| {
                let layer = SessionLayer::new(store.clone(), key());
                router::<AuthSession>(&meeting).layer(layer)
            })
        })
    },
};

#[derive(Clone)]
struct Far {
    store: MemorySessionStore,
    way: Way,
}

fn broken() -> io::Error {
    io::Error::other(BROKEN)
}

/// The memory store does not fail.
async fn call<T, E>(call: impl Future<Output = Result<T, E>>) -> io::Result<T> {
    call.await.map_err(|_| unreachable!("it does not fail"))
}

impl SessionStore for Far {
    type Error = io::Error;

    async fn load(&self, id: &SessionId) -> io::Result<Option<SessionData>> {
        self.way.load(broken, call(self.store.load(id))).await
    }

    async fn save(&self, id: &SessionId, data: &SessionData, ttl: Duration) -> io::Result<()> {
        let saved = call(self.store.save(id, data, ttl));
        self.way.save(broken, saved).await
    }

    async fn delete(&self, id: &SessionId) -> io::Result<()> {
        self.way.save(broken, call(self.store.delete(id))).await
    }

    async fn update(&self, id: &SessionId, data: &SessionData, ttl: Duration) -> io::Result<bool> {
        let updated = call(self.store.update(id, data, ttl));
        self.way.save(broken, updated).await
    }

    async fn update_if_revision(
        &self,
        id: &SessionId,
        expected_revision: u64,
        data: &SessionData,
        ttl: Duration,
    ) -> io::Result<ConditionalUpdate> {
        let store = &self.store;
        let updated = call(store.update_if_revision(id, expected_revision, data, ttl));
        self.way.save(broken, updated).await
    }

    async fn cycle(
        &self,
        old_id: &SessionId,
        new_id: &SessionId,
        data: &SessionData,
        ttl: Duration,
        require_old: bool,
    ) -> io::Result<CycleOutcome> {
        let cycled = call(self.store.cycle(old_id, new_id, data, ttl, require_old));
        self.way.save(broken, cycled).await
    }

    async fn prune_expired(&self) -> io::Result<u64> {
        self.way
            .save(broken, call(self.store.prune_expired()))
            .await
    }
}

impl Session for AuthSession {
    async fn read(&self, key: &str) -> Result<Option<u64>, Response> {
        let value = self.get_custom(key).await;
        Ok(value.and_then(|value| value.as_u64()))
    }

    async fn write(&self, key: &str, value: u64) -> Result<(), Response> {
        let fits = self.set_custom(key, value.into()).await;
        if fits { Ok(()) } else { Err(failed(())) }
    }

    async fn add_one(&self, key: &str, work: Work) -> Result<(), Response> {
        let before = self.read(key).await?.unwrap_or_default();
        work.done().await;
        self.write(key, before + 1).await
    }

    async fn regenerate(&self) -> Result<(), Response> {
        AuthSession::regenerate(self).await;
        Ok(())
    }

    async fn log_out(&self) -> Result<(), Response> {
        self.clear().await;
        Ok(())
    }
}
