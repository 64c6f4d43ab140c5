//! Answers that nobody waits for any more, as the client went away or the network did: the pool keeps its connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use sqlx::{Connection, Executor, MySqlConnection, Row};
use tokio::time::timeout;
use wiz_session::{
    Handle, Record, SessionStore, Version,
    store::{MySqlStore, PostgresStore},
};

use crate::{
    beside, fresh,
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
                    super::$test(store, &proxy).await;
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
    of_size(store, 60_000).await
}

async fn of_size(store: &impl SessionStore, bytes: usize) -> (Handle, Record) {
    let (handle, text) = (handle(), "x".repeat(bytes));
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

async fn all_read(store: &impl SessionStore, handle: Handle) -> bool {
    let records = read(store, handle, PATIENT).await;
    records.iter().all(Option::is_some)
}

async fn readers_go_away_midway(store: impl SessionStore + Clone, proxy: &Proxy) {
    let (handle, record) = large(&store).await;
    let is_whole = |read: &Option<Record>| {
        let json = read.as_ref().map(Record::to_json);
        json == Some(record.to_json())
    };
    assert!(all_read(&store, handle).await);
    for pause in [5, 50, 200, 400] {
        proxy.trickle(true);
        let given_up = read(&store, handle, Duration::from_millis(pause)).await;
        assert!(given_up.iter().all(Option::is_none), "after {pause} ms");
        proxy.trickle(false);
        let records = read(&store, handle, PATIENT).await;
        assert!(records.iter().all(is_whole), "nobody gets another's answer");
    }
}

/// They wait for less time than it takes to be sure of it.
async fn readers_go_away_when_the_way_breaks(store: impl SessionStore + Clone, proxy: &Proxy) {
    let (handle, _) = large(&store).await;
    assert!(all_read(&store, handle).await);
    proxy.swallow();
    let given_up = read(&store, handle, Duration::from_millis(500)).await;
    // Some may be read over a new connection.
    assert!(given_up.iter().any(Option::is_none));
    // A read that waits behind a statement on a dead connection waits until that is given up, nearly five seconds.
    let again = read(&store, handle, 2 * PATIENT).await;
    assert!(again.iter().all(Option::is_some));
}

/// Connections that have just been used, and those that are about to be.
async fn the_way_breaks_under_load(store: impl SessionStore + Clone, proxy: &Proxy) {
    let (handle, _) = large(&store).await;
    let (reads, is_broken) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let readers = (0..CONNECTIONS).map(|_| {
        let (store, reads, is_broken) = (store.clone(), reads.clone(), is_broken.clone());
        tokio::spawn(async move {
            let mut reads_since = 0;
            while reads_since < 20 {
                let was_broken = is_broken.load(Ordering::SeqCst);
                // It may fail, and may wait in vain.
                if let Ok(Ok(Some(_))) = timeout(PATIENT, store.load(handle)).await {
                    reads.fetch_add(1, Ordering::SeqCst);
                    reads_since += usize::from(was_broken);
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    while reads.load(Ordering::SeqCst) < 10 * CONNECTIONS {
        tokio::task::yield_now().await;
    }
    proxy.swallow();
    is_broken.store(true, Ordering::SeqCst);
    for reader in readers {
        let read = timeout(Duration::from_secs(30), reader).await;
        read.expect("the pool recovers").expect("no panic");
    }
    assert!(all_read(&store, handle).await);
}

/// An administrator ends all connections but its own, while they are idle.
async fn nobody_who_reads_notices(store: impl SessionStore, end: impl AsyncFnOnce()) {
    let (handle, _) = large(&store).await;
    assert!(all_read(&store, handle).await);
    end().await;
    assert!(all_read(&store, handle).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_administrator_ends_the_connections_to_postgresql() {
    let server = Mortal::start(Engine::Postgres);
    let store = PostgresStore::connect(server.url()).await.expect("a store");
    store.migrate().await.expect("a table");
    let admin = beside::client(server.url()).await;
    nobody_who_reads_notices(store, async || {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        admin.batch_execute(end).await.expect("they are ended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_administrator_ends_the_connections_to_mysql() {
    let server = Mortal::start(Engine::Mysql);
    let store = MySqlStore::connect(server.url()).await.expect("a store");
    store.migrate().await.expect("a table");
    let admin = MySqlConnection::connect(server.url()).await;
    let mut admin = admin.expect("a connection");
    nobody_who_reads_notices(store, async || {
        let others = "SELECT id FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()";
        for row in admin.fetch_all(others).await.expect("the connections") {
            let end = format!("KILL {}", row.get::<i64, _>(0));
            admin.execute(sqlx::AssertSqlSafe(end)).await.expect("it is ended");
        }
    })
    .await;
}

/// A caller who has asked and does not take the answer: it waits for something else meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_that_nobody_takes_holds_up_nobody() {
    let fresh = fresh::postgres().await;
    let store = fresh.store.with_connections(1).expect("a number");
    let (handle, _) = of_size(&store, 1_000_000).await;
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut load = Box::pin(store.load(handle));
        // It is sent, and nobody looks at it again.
        assert!(futures_util::FutureExt::now_or_never(&mut load).is_none());
        stalled.push(load);
    }
    let start = Instant::now();
    for _ in 0..20 {
        assert!(store.load(handle).await.expect("a load").is_some());
    }
    let took = start.elapsed();
    println!("{took:?}");
    // Each would wait for its time limit, three seconds.
    assert!(took < Duration::from_secs(20), "{took:?}");
    for load in stalled {
        assert!(load.await.expect("a load").is_some());
    }
}
