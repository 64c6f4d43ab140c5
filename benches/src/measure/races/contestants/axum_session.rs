//! axum_session with its defaults on a database: each process keeps a session in memory for an hour, and writes what has
//! changed through to the database.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{Router, response::Response};
use axum_session::{
    DatabaseError, DatabasePool, Session as AxumSession, SessionConfig, SessionLayer, SessionStore,
};

use super::Contestant;
use crate::measure::races::{
    routes::{Meeting, Session, Work, router},
    way::{BROKEN, Way},
};

pub const CONTESTANT: Contestant = Contestant {
    name: "axum_session",
    apps: |way, meeting| {
        Box::pin(async move {
            let pool = Far {
                rows: Arc::default(),
                way,
            };
            [
                app(&pool, &meeting).await,
                app(&pool, &meeting).await,
                app(&pool, &meeting).await,
            ]
        })
    },
};

async fn app(pool: &Far, meeting: &Meeting) -> Router {
    let store = SessionStore::new(Some(pool.clone()), SessionConfig::default()).await;
    let layer = SessionLayer::new(store.expect("the store answers yet"));
    router::<AxumSession<Far>>(meeting).layer(layer)
}

/// A table in memory, some way off: the rows by their ids.
#[derive(Clone, Debug)]
struct Far {
    rows: Arc<Mutex<HashMap<String, String>>>,
    way: Way,
}

impl Far {
    async fn load<T>(&self, read: impl FnOnce(&HashMap<String, String>) -> T) -> Answer<T> {
        let call = async { Ok(read(&self.rows.lock().expect("nobody panics"))) };
        let broken = || DatabaseError::GenericSelectError(BROKEN.to_owned());
        self.way.load(broken, call).await
    }

    async fn save(&self, write: impl FnOnce(&mut HashMap<String, String>)) -> Answer<()> {
        let call = async {
            write(&mut self.rows.lock().expect("nobody panics"));
            Ok(())
        };
        let broken = || DatabaseError::GenericInsertError(BROKEN.to_owned());
        self.way.save(broken, call).await
    }
}

type Answer<T> = Result<T, DatabaseError>;

#[async_trait]
impl DatabasePool for Far {
    async fn initiate(&self, _: &str) -> Answer<()> {
        Ok(())
    }

    async fn count(&self, _: &str) -> Answer<i64> {
        self.load(|rows| rows.len() as i64).await
    }

    async fn store(&self, id: &str, session: &str, _: i64, _: &str) -> Answer<()> {
        self.save(|rows| drop(rows.insert(id.to_owned(), session.to_owned())))
            .await
    }

    async fn load(&self, id: &str, _: &str) -> Answer<Option<String>> {
        self.load(|rows| rows.get(id).cloned()).await
    }

    async fn delete_one_by_id(&self, id: &str, _: &str) -> Answer<()> {
        self.save(|rows| drop(rows.remove(id))).await
    }

    async fn exists(&self, id: &str, _: &str) -> Answer<bool> {
        self.load(|rows| rows.contains_key(id)).await
    }

    async fn delete_by_expiry(&self, _: &str) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }

    async fn delete_all(&self, _: &str) -> Answer<()> {
        self.save(HashMap::clear).await
    }

    async fn get_ids(&self, _: &str) -> Answer<Vec<String>> {
        self.load(|rows| rows.keys().cloned().collect()).await
    }

    fn auto_handles_expiry(&self) -> bool {
        false
    }
}

impl Session for AxumSession<Far> {
    async fn read(&self, key: &str) -> Result<Option<u64>, Response> {
        Ok(self.get(key))
    }

    async fn write(&self, key: &str, value: u64) -> Result<(), Response> {
        self.set(key, value);
        Ok(())
    }

    async fn add_one(&self, key: &str, work: Work) -> Result<(), Response> {
        let before: u64 = self.get(key).unwrap_or_default();
        work.done().await;
        self.set(key, before + 1);
        Ok(())
    }

    async fn regenerate(&self) -> Result<(), Response> {
        self.renew();
        Ok(())
    }

    async fn log_out(&self) -> Result<(), Response> {
        self.destroy();
        Ok(())
    }
}
