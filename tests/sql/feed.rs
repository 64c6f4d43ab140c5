//! Who watches a session is told what another process does to it.

use std::time::Duration;

use wiz_session::{SessionStore, store::PostgresStore};

use crate::{
    fresh::{self, Fresh},
    pooler::PgBouncer,
    proxy::{Protocol, Proxy},
    servers::{Engine, Mortal},
    watching::{Pushes, layer, run, told_after},
};

async fn tells<S: SessionStore + Clone>(fresh: Fresh<S>, pushes: Pushes) {
    run(fresh.store, pushes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_tells_ends_at_once_and_changes_when_looked_at() {
    tells(fresh::postgres().await, Pushes::Ends).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_tells_when_looked_at() {
    tells(fresh::sqlite().await, Pushes::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_tells_when_looked_at() {
    tells(fresh::mysql().await, Pushes::Nothing).await;
}

async fn connect(url: &str) -> PostgresStore {
    let store = PostgresStore::connect(url).await.expect("a connection");
    store.migrate().await.expect("a table");
    store
}

/// Nothing is pushed there, and nothing wrong is told.
#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_it_is_seen_when_looked_at() {
    let postgres = Mortal::start(Engine::Postgres);
    let pooler = PgBouncer::start(postgres.port());
    run(connect(&pooler.url).await, Pushes::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_connection_that_listens_swallowed_it_is_seen_when_looked_at() {
    let postgres = Mortal::start(Engine::Postgres);
    let proxy = Proxy::start(Protocol::Postgres, postgres.port()).await;
    let url = postgres
        .url()
        .replace(&postgres.port().to_string(), &proxy.port.to_string());
    let interval = Duration::from_secs(1);
    let here = layer(connect(&url).await, interval);
    let there = layer(connect(postgres.url()).await, interval);
    let late = told_after(&here, &there, async || proxy.swallow()).await;
    // The look's own connection is silent too: it is given up before the call is.
    assert!(late < interval + Duration::from_secs(5), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_server_it_is_listened_for_again() {
    let mut postgres = Mortal::start(Engine::Postgres);
    let never = Duration::from_secs(60 * 60);
    let here = layer(connect(postgres.url()).await, never);
    let there = layer(connect(postgres.url()).await, never);
    let restart = async || {
        postgres.kill();
        postgres.start_again();
        // Until it listens again, which takes no longer than its pauses.
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let late = told_after(&here, &there, restart).await;
    assert!(late < Duration::from_secs(10), "{late:?}");
    let late = told_after(&here, &there, async || {}).await;
    assert!(late < Duration::from_secs(2), "pushed: {late:?}");
}
