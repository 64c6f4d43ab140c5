//! The suites that every store passes.

use std::sync::Arc;

use futures_util::future::join_all;
use wiz_session::{SessionStore, store::conformance::Conformance};

use crate::{
    fresh::{Fresh, SqlStore, on_each_engine},
    races,
    schema::{handle, in_an_hour, record},
};

on_each_engine!(
    conforms,
    two_processes_conform,
    loses_no_race,
    a_damaged_session_spoils_no_load_beside_it,
);

async fn conforms<S: SqlStore>(fresh: Fresh<S>) {
    let (store, fresh) = (fresh.store.clone(), Arc::new(fresh));
    let damage = move |handle| fresh.damage(handle);
    Conformance::new().damage(damage).run(store).await;
}

async fn two_processes_conform<S: SqlStore>(fresh: Fresh<S>) {
    let stores = [fresh.store.clone(), fresh.another().await];
    Conformance::new().run_shared(stores).await;
}

async fn loses_no_race<S: SessionStore + Clone>(fresh: Fresh<S>) {
    races::run(fresh.store, 2).await;
}

/// PostgreSQL's are sent together.
async fn a_damaged_session_spoils_no_load_beside_it<S: SqlStore>(fresh: Fresh<S>) {
    let mut handles = Vec::new();
    for _ in 0..20 {
        let (handle, record) = (handle(), record(None, in_an_hour()));
        let created = fresh.store.create(handle, &record).await;
        created.expect("a create");
        handles.push(handle);
    }
    let damaged = handles[7];
    fresh.damage(damaged).await;
    let store = fresh.store.clone();
    // In a task, where loads of the same moment meet.
    let loads = tokio::spawn(async move {
        let load = async |handle| (handle, store.load(handle).await);
        join_all(handles.into_iter().map(load)).await
    });
    for (handle, loaded) in loads.await.expect("no panic") {
        match loaded {
            Ok(loaded) => assert!(loaded.is_some() && handle != damaged),
            Err(error) => assert!(handle == damaged && error.is_store(), "{error}"),
        }
    }
}
