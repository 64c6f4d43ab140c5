//! ruts, and its store in memory some way off.

use std::{marker::PhantomData, sync::Arc};

use axum::response::Response;
use ruts::{
    Id, Session as RutsSession, SessionLayer,
    store::{Error, SessionMap, SessionStore, Ttl, moka::MokaStore},
};
use serde::{Serialize, de::DeserializeOwned};
use tower_cookies::CookieManagerLayer;

use super::{Contestant, failed};
use crate::{
    contestants::ruts::{cookie, hour},
    measure::races::{
        routes::{Session, Work, router},
        way::{BROKEN, Way},
    },
};

pub const CONTESTANT: Contestant = Contestant {
    name: "ruts",
    apps: |way, meeting| {
        Box::pin(async move {
            let store = Arc::new(Far {
                store: MokaStore::builder().build(),
                way,
            });
            [(); 3].map(|()| {
                let layer = SessionLayer::new(store.clone()).with_cookie_options(cookie());
                router::<RutsSession<Far>>(&meeting)
                    .layer(layer)
                    .layer(CookieManagerLayer::new())
            })
        })
    },
};

#[derive(Clone)]
struct Far {
    store: MokaStore,
    way: Way,
}

/// Of a second, hot store, which there is none of.
type NoCache = Option<PhantomData<()>>;

fn broken() -> Error {
    Error::Backend(BROKEN.to_owned())
}

impl SessionStore for Far {
    async fn get<T>(&self, id: &Id, field: &str) -> Result<Option<T>, Error>
    where
        T: Send + Sync + DeserializeOwned,
    {
        self.way.load(broken, self.store.get(id, field)).await
    }

    async fn get_all(&self, id: &Id) -> Result<Option<SessionMap>, Error> {
        self.way.load(broken, self.store.get_all(id)).await
    }

    async fn set<T>(
        &self,
        id: &Id,
        field: &str,
        value: &T,
        ttl: Ttl,
        no: NoCache,
    ) -> Result<(), Error>
    where
        T: Send + Sync + Serialize,
    {
        let set = self.store.set(id, field, value, ttl, no);
        self.way.save(broken, set).await
    }

    async fn set_and_rename<T>(
        &self,
        old: &Id,
        new: &Id,
        field: &str,
        value: &T,
        ttl: Ttl,
        no: NoCache,
    ) -> Result<(), Error>
    where
        T: Send + Sync + Serialize,
    {
        let set = self.store.set_and_rename(old, new, field, value, ttl, no);
        self.way.save(broken, set).await
    }

    async fn rename_session_id(&self, old: &Id, new: &Id) -> Result<bool, Error> {
        let renamed = self.store.rename_session_id(old, new);
        self.way.save(broken, renamed).await
    }

    async fn remove(&self, id: &Id, field: &str) -> Result<bool, Error> {
        self.way.save(broken, self.store.remove(id, field)).await
    }

    async fn delete(&self, id: &Id) -> Result<bool, Error> {
        self.way.save(broken, self.store.delete(id)).await
    }

    async fn expire_field(&self, id: &Id, field: &str, ttl: Ttl) -> Result<bool, Error> {
        let expired = self.store.expire_field(id, field, ttl);
        self.way.save(broken, expired).await
    }
}

impl Session for RutsSession<Far> {
    async fn read(&self, key: &str) -> Result<Option<u64>, Response> {
        self.get(key).await.map_err(failed)
    }

    async fn write(&self, key: &str, value: u64) -> Result<(), Response> {
        self.set(key, &value, hour(), None).await.map_err(failed)
    }

    async fn add_one(&self, key: &str, work: Work) -> Result<(), Response> {
        let before = self.read(key).await?.unwrap_or_default();
        work.done().await;
        self.write(key, before + 1).await
    }

    async fn regenerate(&self) -> Result<(), Response> {
        let renamed = RutsSession::regenerate(self).await;
        renamed.map(drop).map_err(failed)
    }

    async fn log_out(&self) -> Result<(), Response> {
        self.delete().await.map(drop).map_err(failed)
    }
}
