//! Faults of what is around a store.

use std::{collections::HashMap, sync::Mutex};

use wiz_session::{
    Error, Handle, MemoryStore, Record, SessionStore, forward_session_store,
    store::conformance::Conformance,
};

use crate::{
    faults::Fault,
    finds::{self, Run, suite},
    rule,
    store::Store,
};

/// Says that it never waits, and waits.
struct NotImmediate(Store);

impl SessionStore for NotImmediate {
    const IMMEDIATE: bool = true;

    forward_session_store!(self => self.0, except [load]);

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        tokio::task::yield_now().await;
        self.0.load(handle).await
    }
}

/// Says that it never waits, and waits for a lock when others use it.
#[derive(Default)]
struct WaitsForOthers {
    sessions: MemoryStore,
    lock: tokio::sync::Mutex<()>,
}

impl SessionStore for WaitsForOthers {
    const IMMEDIATE: bool = true;

    forward_session_store!(self => self.sessions, except [load]);

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let _guard = self.lock.lock().await;
        std::thread::yield_now();
        self.sessions.load(handle).await
    }
}

/// Remembers what it has loaded until it writes itself. No other process tells it.
#[derive(Default)]
struct Cached {
    sessions: MemoryStore,
    loaded: Mutex<HashMap<Handle, Record>>,
}

impl Cached {
    fn forget_all(&self) -> &MemoryStore {
        self.loaded.lock().unwrap().clear();
        &self.sessions
    }
}

impl SessionStore for Cached {
    forward_session_store!(self => *self.forget_all(), except [load]);

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        if let Some(record) = self.loaded.lock().unwrap().get(&handle) {
            return Ok(Some(record.clone()));
        }
        let record = self.sessions.load(handle).await?;
        let remembered = record.clone().map(|record| (handle, record));
        self.loaded.lock().unwrap().extend(remembered);
        Ok(record)
    }
}

#[test]
fn finds_a_store_that_waits_though_it_is_immediate() {
    let run = || -> Run {
        let store = Store::with(Fault::Nothing);
        Box::pin(suite(&store).run(NotImmediate(store)))
    };
    finds::each_time_in(run, rule::IMMEDIATE);
}

#[test]
fn finds_an_immediate_store_that_waits_for_others() {
    let run = || -> Run { Box::pin(Conformance::new().run(WaitsForOthers::default())) };
    finds::each_time_in(run, rule::IMMEDIATE);
}

#[test]
fn finds_a_store_that_remembers_what_another_process_changes() {
    let run = || -> Run {
        let sessions = MemoryStore::new();
        let stores = [(); 3].map(|()| Cached {
            sessions: sessions.clone(),
            ..Cached::default()
        });
        Box::pin(Conformance::new().run_shared(stores))
    };
    finds::each_time_in(run, rule::ANY);
}
