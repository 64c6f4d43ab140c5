//! Answers that nobody waits for any more, as the client went away or the network did: the pool keeps its connections.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::{Connection, Database, Executor, MySqlConnection, PgConnection, Pool, Row};
use tokio::time::timeout;
use wiz_session::{
    Handle, Record, SessionStore, Version,
    store::{MySqlStore, PostgresStore},
};

use crate::{
    proxy::{Protocol, Proxy},
    schema::{handle, in_an_hour},
    servers::{Engine, Mortal},
    trips::reroute,
};

/// Makes a test of each of these functions, for each engine that is reached over a network.
macro_rules! over_a_proxy {
    ($($test:ident),* $(,)?) => {
        over_a_proxy!(@ postgres Postgres PostgresStore $($test)*);
        over_a_proxy!(@ mysql Mysql MySqlStore $($test)*);
    };
    (@ $module:ident $engine:ident $store:ident $($test:ident)*) => {
        mod $module {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    let server = Mortal::start(Engine::$engine);
                    let proxy = Proxy::start(Protocol::$engine, server.port()).await;
                    let url = reroute(server.url(), proxy.port);
                    let store = $store::connect(&url).await.expect("a connection");
                    store.migrate().await.expect("a table");
                    let pool = store.pool().clone();
                    super::$test(store, pool, &proxy).await;
                }
            )*
        }
    };
}

over_a_proxy!(
    readers_go_away_midway,
    readers_go_away_when_the_way_breaks,
    the_way_breaks_under_load,
);

/// As many as a pool has.
const CONNECTIONS: usize = 10;

/// A session that takes several packets.
async fn large(store: &impl SessionStore) -> (Handle, Record) {
    let (handle, text) = (handle(), "x".repeat(60_000));
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,"data":{{"text":"{text}"}}}}"#
    );
    let record = Record::from_json(&json, Version::FIRST, in_an_hour()).expect("a record");
    store.create(handle, &record).await.expect("stored");
    (handle, record)
}

/// So many at once, each of whom waits for so long.
async fn read(store: &impl SessionStore, handle: Handle, limit: Duration) -> Vec<Option<Record>> {
    join_all((0..CONNECTIONS).map(async |_| {
        let loaded = timeout(limit, store.load(handle)).await;
        loaded.ok()?.ok()?
    }))
    .await
}

const PATIENT: Duration = Duration::from_secs(5);

async fn are_all_there<DB: Database>(pool: &Pool<DB>) -> bool {
    let acquired = join_all((0..CONNECTIONS).map(|_| pool.acquire())).await;
    acquired.iter().all(Result::is_ok)
}

async fn readers_go_away_midway(
    store: impl SessionStore + Clone,
    pool: Pool<impl Database>,
    proxy: &Proxy,
) {
    let (handle, record) = large(&store).await;
    let all_read = |records: &[Option<Record>]| {
        let json = record.to_json();
        records
            .iter()
            .all(|r| r.as_ref().is_some_and(|r| r.to_json() == json))
    };
    assert!(all_read(&read(&store, handle, PATIENT).await));
    for pause in [5, 50, 200, 400] {
        proxy.trickle(true);
        let given_up = read(&store, handle, Duration::from_millis(pause)).await;
        assert!(given_up.iter().all(Option::is_none), "after {pause} ms");
        proxy.trickle(false);
        assert!(all_read(&read(&store, handle, PATIENT).await));
        assert!(are_all_there(&pool).await);
    }
}

/// They wait for less time than it takes to be sure of it.
async fn readers_go_away_when_the_way_breaks(
    store: impl SessionStore + Clone,
    pool: Pool<impl Database>,
    proxy: &Proxy,
) {
    let (handle, _) = large(&store).await;
    assert!(
        read(&store, handle, PATIENT)
            .await
            .iter()
            .all(Option::is_some)
    );
    proxy.swallow();
    let given_up = read(&store, handle, Duration::from_millis(500)).await;
    assert!(given_up.iter().all(Option::is_none));
    assert!(are_all_there(&pool).await);
    assert!(
        read(&store, handle, PATIENT)
            .await
            .iter()
            .all(Option::is_some)
    );
}

/// Connections that have just been used, and those that are about to be.
async fn the_way_breaks_under_load(
    store: impl SessionStore + Clone,
    pool: Pool<impl Database>,
    proxy: &Proxy,
) {
    let (handle, _) = large(&store).await;
    let start = Instant::now();
    let readers = (0..CONNECTIONS).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            while start.elapsed() < Duration::from_secs(3) {
                let _may_fail = timeout(PATIENT, store.load(handle)).await;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    proxy.swallow();
    for reader in readers {
        reader.await.expect("no panic");
    }
    assert!(are_all_there(&pool).await);
    assert!(
        read(&store, handle, PATIENT)
            .await
            .iter()
            .all(Option::is_some)
    );
}

/// An administrator ends all connections but its own, while they are idle: whoever reads does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_administrator_ends_the_connections_to_postgresql() {
    let server = Mortal::start(Engine::Postgres);
    let store = PostgresStore::connect(server.url()).await.expect("a store");
    store.migrate().await.expect("a table");
    let (handle, _) = large(&store).await;
    assert!(
        read(&store, handle, PATIENT)
            .await
            .iter()
            .all(Option::is_some)
    );
    let mut admin = PgConnection::connect(server.url())
        .await
        .expect("a connection");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    admin.execute(end).await.expect("they are ended");
    assert!(
        read(&store, handle, PATIENT)
            .await
            .iter()
            .all(Option::is_some)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_administrator_ends_the_connections_to_mysql() {
    let server = Mortal::start(Engine::Mysql);
    let store = MySqlStore::connect(server.url()).await.expect("a store");
    store.migrate().await.expect("a table");
    let (handle, _) = large(&store).await;
    assert!(
        read(&store, handle, PATIENT)
            .await
            .iter()
            .all(Option::is_some)
    );
    let mut admin = MySqlConnection::connect(server.url())
        .await
        .expect("a connection");
    let others = "SELECT id FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()";
    for row in admin.fetch_all(others).await.expect("the connections") {
        let end = format!("KILL {}", row.get::<i64, _>(0));
        admin.execute(&*end).await.expect("it is ended");
    }
    assert!(
        read(&store, handle, PATIENT)
            .await
            .iter()
            .all(Option::is_some)
    );
}
